"""The command ``workbench`` and its subcommands. Each imports what it needs when it runs, so that help is quick."""

import errno
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from workbench import __version__
from workbench.cli import window
from workbench.cli.options import (
    AdapterOption,
    ContextOption,
    DatabaseOption,
    EvaluateOptions,
    GpuLayersOption,
    JsonOption,
    KindOption,
    KvTypeOption,
    SlotsOption,
    SplitOption,
)
from workbench.domain.llm import KvType, LoadSettings
from workbench.domain.questions import QuestionKind, Split
from workbench.domain.runs import JudgeMode
from workbench.errors import WorkbenchError

_OUTPUT_ERRORS = (errno.ENOSPC, errno.EIO, errno.EINVAL)
"""What a full disk or a vanished terminal makes of writing; Windows says EINVAL for a closed pipe."""

application = typer.Typer(
    name="workbench",
    help="Evaluate language models on this computer for harmful medical answers. Without a command the window opens.",
    add_completion=False,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

models = typer.Typer(help="Look at model files.", rich_markup_mode=None)
application.add_typer(models, name="models")


@dataclass(frozen=True, slots=True)
class _Shared:
    """What stands before the subcommand."""

    database: Path | None


def main() -> int:
    """Run the command line; returns the exit code."""
    try:
        code = _run()
        sys.stdout.flush()
    except WorkbenchError as error:
        window.explain(error)
        return error.exit_code
    except BrokenPipeError:
        _give_up_output()  # whoever read it has seen enough
        return 0
    except OSError as error:
        if error.filename is not None or error.errno not in _OUTPUT_ERRORS:
            raise
        _give_up_output()
        print(f"The results could not be written to standard output: {error.strerror}.", file=sys.stderr)
        print("Everything is stored. Make room or write elsewhere, then use “workbench results”.", file=sys.stderr)
        return 1
    return code


def _run() -> int:
    try:
        application(standalone_mode=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


def _give_up_output() -> None:
    """Let the interpreter end without trying to write the rest again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _database(context: typer.Context, chosen: Path | None) -> Path | None:
    shared: _Shared = context.obj
    return chosen or shared.database


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"workbench {__version__}")
        raise typer.Exit


@application.callback(invoke_without_command=True)
def open_window(
    context: typer.Context,
    database: DatabaseOption = None,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Open the window, unless a command follows."""
    context.obj = _Shared(database)
    if context.invoked_subcommand is not None:
        return
    raise typer.Exit(window.open_window(database))


@application.command()
def demo(
    context: typer.Context,
    output: Annotated[
        Path | None, typer.Option("--output", help="Where the HTML summary is saved; else beside the database.")
    ] = None,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Evaluate the shipped practice models on the starter questions with the practice judge."""
    from workbench.cli.evaluate import run_demo

    raise typer.Exit(run_demo(_database(context, database), output, as_json))


@application.command()
def evaluate(
    context: typer.Context,
    model_file: Annotated[
        list[Path] | None, typer.Option("--model-file", help="GGUF file to evaluate; may be repeated.")
    ] = None,
    adapter: AdapterOption = None,
    questions: Annotated[str | None, typer.Option("--questions", help="Question set.  [default: starter]")] = None,
    principle: Annotated[
        list[int] | None, typer.Option("--principle", min=1, max=9, help="Only this principle; may be repeated.")
    ] = None,
    kind: KindOption = None,
    split: SplitOption = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most this many questions.")] = None,
    samples: Annotated[int | None, typer.Option("--samples", min=1, help="Answers to each question.")] = None,
    judge: Annotated[
        str | None, typer.Option("--judge", help="GGUF file that judges, “practice”, or “none”.  [default: none]")
    ] = None,
    judge_mode: Annotated[JudgeMode | None, typer.Option("--judge-mode", help="How the judge scores.")] = None,
    rubric: Annotated[str | None, typer.Option("--rubric", help="Rubric as name-version.")] = None,
    preset: Annotated[str | None, typer.Option("--preset", help="Protocol preset.  [default: paper-protocol]")] = None,
    system_prompt: Annotated[
        str | None, typer.Option("--system-prompt", help="Name of a preset whose text is used, or @FILE.")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option("--max-tokens", min=1, help="Longest answer.")] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", min=0.0, max=5.0, help="0 is greedy.")] = None,
    slots: SlotsOption = None,
    context_tokens: ContextOption = None,
    gpu_layers: GpuLayersOption = None,
    kv_type: KvTypeOption = None,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="Compute threads; by the number of cores when left out.")
    ] = None,
    chat_template: Annotated[
        Path | None, typer.Option("--chat-template", help="Text file with a chat template, for files without one.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, max=2**32 - 1, help="Of the random numbers.")] = None,
    resume: Annotated[
        list[int] | None, typer.Option("--resume", help="Go on with a stopped run; may be repeated.")
    ] = None,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have model files answer questions and a judge score the answers; or go on with stopped runs."""
    from workbench.cli.evaluate import run_evaluate

    options = EvaluateOptions(
        model_files=tuple(model_file or ()),
        adapter=adapter,
        questions=questions,
        principles=tuple(sorted(set(principle))) if principle else None,
        kind=None if kind is None else QuestionKind(kind),
        split=None if split is None else Split(split),
        limit=limit,
        samples=samples,
        judge=judge,
        judge_mode=judge_mode,
        rubric=rubric,
        preset=preset,
        system_prompt=system_prompt,
        max_tokens=max_tokens,
        temperature=temperature,
        slots=slots,
        context_tokens=context_tokens,
        gpu_layers=gpu_layers,
        kv_type=None if kv_type is None else KvType(kv_type),
        threads=threads,
        chat_template=chat_template,
        seed=seed,
        resume=tuple(dict.fromkeys(resume or ())),
    )
    raise typer.Exit(run_evaluate(_database(context, database), options, as_json))


@application.command()
def results(
    context: typer.Context,
    run: Annotated[list[int] | None, typer.Argument(help="Runs to show; all when left out.")] = None,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the figures of runs."""
    from workbench.cli.show import show_results

    show_results(_database(context, database), run or [], as_json)


@application.command()
def answers(
    context: typer.Context,
    run: Annotated[int, typer.Argument(help="The run.")],
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every answer of a run with its question and score."""
    from workbench.cli.show import show_answers

    show_answers(_database(context, database), run, as_json)


@models.command()
def plan(
    context: typer.Context,
    model_file: Annotated[Path, typer.Argument(metavar="FILE", help="The model file (GGUF).")],
    context_tokens: ContextOption = None,
    slots: SlotsOption = None,
    kv_type: KvTypeOption = None,
    gpu_layers: GpuLayersOption = None,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what memory a model file needs and how it would be loaded now; exit code 1 if it does not fit."""
    from workbench.cli.plan import show_plan

    settings = LoadSettings(
        n_slots=slots,
        context_tokens=context_tokens or LoadSettings().context_tokens,
        kv_type=None if kv_type is None else KvType(kv_type),
        n_gpu_layers=gpu_layers,
    )
    raise typer.Exit(show_plan(_database(context, database), model_file, settings, as_json))


@application.command()
def doctor(context: typer.Context, database: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """Say what this installation and this computer have: versions, devices, memory, missing libraries."""
    from workbench.cli.doctor import show_doctor

    raise typer.Exit(show_doctor(_database(context, database), as_json))
