"""``workbench evaluate`` and ``workbench demo``."""

import signal
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from workbench import app
from workbench.cli.json_output import document, runs_document
from workbench.cli.options import EvaluateOptions
from workbench.cli.progress import ProgressDisplay
from workbench.cli.tables import print_results
from workbench.domain.llm import LoadSettings
from workbench.domain.questions import QuestionSelection
from workbench.domain.results import RunResult
from workbench.domain.runs import JudgeMode, RunId
from workbench.errors import StorageError, UsageError
from workbench.services.control import RunControl
from workbench.services.evaluation import EvaluationRequest, JudgeRequest, LlmChoice
from workbench.services.practice import practice_request
from workbench.services.progress import Progress
from workbench.services.resources import DEFAULT_PRESET, STARTER_SET, Resources
from workbench.services.resuming import ResumeWishes
from workbench.services.workbench import Workbench

EXIT_FAILED = 1
PRACTICE = "practice"
NO_JUDGE = "none"


def run_demo(database: Path | None, output: Path | None, as_json: bool) -> int:
    """Evaluate the practice models, print the table, save the summary; returns the exit code."""
    with app.build(database) as workbench, _interruptible() as control:
        display = ProgressDisplay(database)
        code = display.follow(workbench.evaluation.start(practice_request(workbench.resources), control), control)
        found = workbench.results.of(display.run_ids)
        path = output or workbench.database.parent / "summaries" / _summary_name(display.run_ids)
        unsaved = None if code else _saving_error(workbench, found, path)
        saved = code == 0 and unsaved is None
        if as_json:
            print(document({**runs_document(found), "summary_file": str(path) if saved else None}))
        else:
            print_results(found, workbench.resources.principles())
            if saved:
                print(f"\nSummary: {path}")
        if unsaved is not None:
            raise unsaved
        return code


def _saving_error(workbench: Workbench, found: Sequence[RunResult], path: Path) -> StorageError | None:
    """Save the summary; an error waits until the figures are printed."""
    try:
        workbench.summary_writer.write(found, path)
    except StorageError as error:
        return error
    return None


def _summary_name(run_ids: Sequence[RunId]) -> str:
    return f"practice-evaluation-{'-'.join(str(run_id) for run_id in run_ids)}.html"


def run_evaluate(database: Path | None, options: EvaluateOptions, as_json: bool) -> int:
    """Carry out or resume an evaluation and print its figures; returns the exit code.

    A run in which no question was answered counts as failed.
    """
    with app.build(database) as workbench, _interruptible() as control:
        display = ProgressDisplay(database)
        code = display.follow(_evaluation(workbench, options, control), control)
        found = workbench.results.of(display.run_ids)
        answered = [result for result in found if result.n_answers]
        if as_json:
            print(document(runs_document(found)))
        elif answered:
            print_results(answered, workbench.resources.principles())
        return code or (EXIT_FAILED if len(answered) < len(found) else 0)


def _evaluation(workbench: Workbench, options: EvaluateOptions, control: RunControl) -> Generator[Progress, None, None]:
    if options.resume:
        run_ids = [RunId(number) for number in options.resume]
        return workbench.evaluation.resume(run_ids, resume_wishes(options, workbench.resources), control)
    return workbench.evaluation.start(evaluation_request(options, workbench.resources), control)


def evaluation_request(options: EvaluateOptions, resources: Resources) -> EvaluationRequest:
    """The evaluation the options describe; what was not given comes from the protocol preset.

    Raises:
        UsageError: If no model file was given, or a preset is unknown, or a file with a prompt cannot be read.
    """
    if not options.model_files:
        raise UsageError(
            "No model file was given.",
            safe="Nothing was started.",
            todo="Name one with --model-file FILE, or go on with a stopped run with --resume RUN.",
        )
    preset = resources.preset(options.preset or DEFAULT_PRESET)
    sampling = preset.sampling
    prompt = _system_prompt(options, resources)
    return EvaluationRequest(
        llms=tuple(LlmChoice(path=path, adapter=options.adapter) for path in options.model_files),
        selection=QuestionSelection(
            question_set=options.questions or STARTER_SET,
            principles=options.principles,
            kind=options.kind,
            split=options.split,
            limit=options.limit,
        ),
        system_prompt=preset.system_prompt if prompt is None else prompt,
        preset=preset.name if options.system_prompt is None else "custom",
        sampling=type(sampling)(
            temperature=sampling.temperature if options.temperature is None else options.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            seed=sampling.seed if options.seed is None else options.seed,
        ),
        max_tokens=options.max_tokens or preset.max_tokens,
        samples=options.samples or preset.samples,
        load=LoadSettings(
            n_slots=options.slots,
            context_tokens=options.context_tokens or LoadSettings().context_tokens,
            n_gpu_layers=options.gpu_layers,
            kv_type=options.kv_type,
            n_threads=options.threads,
            chat_template=_chat_template(options),
        ),
        judge=_judge(options, resources),
    )


def resume_wishes(options: EvaluateOptions, resources: Resources) -> ResumeWishes:
    """What was stated beside ``--resume``; the run refuses whatever differs from its record.

    Raises:
        UsageError: If more than one model file was given.
    """
    if len(options.model_files) > 1:
        raise UsageError(
            "A run has one model file, but several were given.",
            safe="Nothing was started.",
            todo="Name the file of this run only, or none: the run knows it.",
        )
    return ResumeWishes(
        model_file=options.model_files[0] if options.model_files else None,
        adapter=options.adapter.path if options.adapter else None,
        adapter_scale=options.adapter.scale if options.adapter else None,
        judge=_judge_path(options.judge, resources),
        judge_removed=options.judge == NO_JUDGE,
        judge_mode=options.judge_mode,
        rubric=options.rubric,
        question_set=options.questions,
        principles=options.principles,
        kind=options.kind,
        split=options.split,
        limit=options.limit,
        samples=options.samples,
        system_prompt=_system_prompt(options, resources),
        preset=options.preset,
        max_tokens=options.max_tokens,
        n_slots=options.slots,
        context_tokens=options.context_tokens,
        n_gpu_layers=options.gpu_layers,
        kv_type=options.kv_type,
        n_threads=options.threads,
        chat_template=_chat_template(options),
        seed=options.seed,
        temperature=options.temperature,
    )


def _system_prompt(options: EvaluateOptions, resources: Resources) -> str | None:
    chosen = options.system_prompt
    if chosen is None:
        return None
    if not chosen.startswith("@"):
        return resources.preset(chosen).system_prompt
    return _text_file(Path(chosen[1:]), "system prompt").strip()


def _chat_template(options: EvaluateOptions) -> str | None:
    return None if options.chat_template is None else _text_file(options.chat_template, "chat template")


def _text_file(path: Path, what: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"The {what} “{path}” cannot be read: {error}.",
            safe="Nothing was started.",
            todo="Name a text file saved as UTF-8.",
        ) from error


def _judge(options: EvaluateOptions, resources: Resources) -> JudgeRequest | None:
    path = _judge_path(options.judge, resources)
    if path is None:
        return None
    return JudgeRequest(path=path, mode=options.judge_mode or JudgeMode.SCORE, rubric=options.rubric)


def _judge_path(judge: str | None, resources: Resources) -> Path | None:
    if judge is None or judge == NO_JUDGE:
        return None
    return resources.practice_files().judge if judge == PRACTICE else Path(judge)


@contextmanager
def _interruptible() -> Iterator[RunControl]:
    """Let the first Ctrl-C stop the evaluation in order and the second one end the program at once."""
    control = RunControl()

    def stop(_signal: int, _frame: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # Locks may be held by the very thread this handler interrupts, so another thread does the stopping.
        threading.Thread(target=control.stop, name="stop-on-interrupt").start()

    previous = signal.signal(signal.SIGINT, stop)
    try:
        yield control
    finally:
        signal.signal(signal.SIGINT, previous)
