"""Decides whether a stopped run may go on: only if nothing it depends on has changed."""

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

from workbench.domain.llm import KvType
from workbench.domain.questions import QuestionKind, Split
from workbench.domain.runs import EvaluationRun, FileIdentity, JudgeMode, RunId, RunSettings
from workbench.errors import ResumeRefusedError, WorkbenchError
from workbench.services.model_files import identify
from workbench.services.ports import EvaluationStore
from workbench.services.progress import FileBeingChecked
from workbench.services.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeWishes:
    """What the person states again when resuming; ``None`` takes what the run recorded.

    Paths say where a file lies now; it must be the same file by content.
    """

    model_file: Path | None = None
    adapter: Path | None = None
    adapter_scale: float | None = None
    judge: Path | None = None
    judge_removed: bool = False
    """Whether no judge was asked for."""
    judge_mode: JudgeMode | None = None
    rubric: str | None = None
    question_set: str | None = None
    principles: tuple[int, ...] | None = None
    kind: QuestionKind | None = None
    split: Split | None = None
    limit: int | None = None
    samples: int | None = None
    system_prompt: str | None = None
    preset: str | None = None
    max_tokens: int | None = None
    n_slots: int | None = None
    context_tokens: int | None = None
    n_gpu_layers: int | None = None
    kv_type: KvType | None = None
    n_threads: int | None = None
    chat_template: str | None = None
    seed: int | None = None
    temperature: float | None = None


def unchanged_run(
    store: EvaluationStore, resources: Resources, run_id: RunId, wishes: ResumeWishes
) -> Generator[FileBeingChecked, None, EvaluationRun]:
    """The run with its files where they lie now.

    Raises:
        ResumeRefusedError: Naming everything that differs from what the run recorded.
    """
    run = store.run(run_id)
    settings = run.settings
    differences = [*_different_settings(run, wishes), *_changed_texts(store, resources, run)]
    files: list[FileIdentity | None] = []
    for what, recorded, wished in (
        ("model file", settings.model_file, wishes.model_file),
        ("adapter", settings.adapter, wishes.adapter),
        ("judge", settings.judge.file if settings.judge else None, wishes.judge),
    ):
        located, difference = yield from _located(what, recorded, wished)
        files.append(located)
        differences.extend(difference)
    if differences:
        raise ResumeRefusedError(
            f"Run {run_id} was not resumed, because it would mix answers to different conditions: "
            f"{'; '.join(differences)}.",
            safe="Every answer stored so far is kept.",
            todo="Restore what was changed and resume again, or start a new evaluation.",
        )
    return replace(run, settings=_with_files(settings, *files))


def _different_settings(run: EvaluationRun, wishes: ResumeWishes) -> list[str]:
    settings = run.settings
    judge, adapter, selection = settings.judge, settings.load.adapter, settings.selection
    compared: tuple[tuple[str, object, object], ...] = (
        ("judge mode", judge and judge.mode.value, wishes.judge_mode and wishes.judge_mode.value),
        ("rubric", judge and judge.rubric, wishes.rubric),
        ("adapter scale", adapter and adapter.scale, wishes.adapter_scale),
        ("question set", selection.question_set, wishes.question_set),
        ("principles", selection.principles, wishes.principles),
        ("kind of question", selection.kind, wishes.kind),
        ("split", selection.split, wishes.split),
        ("limit of questions", selection.limit, wishes.limit),
        ("samples", settings.samples, wishes.samples),
        ("system prompt", settings.system_prompt, wishes.system_prompt),
        ("protocol preset", settings.preset, wishes.preset),
        ("max_tokens", settings.max_tokens, wishes.max_tokens),
        ("chat template", settings.load.chat_template, wishes.chat_template),
        ("seed", settings.sampling.seed, wishes.seed),
        ("temperature", settings.sampling.temperature, wishes.temperature),
    )
    differences = [
        f"{name} was {_shown(recorded)}, now {_shown(wished)}"
        for name, recorded, wished in compared
        if wished is not None and wished != recorded
    ]
    if judge is not None and wishes.judge_removed:
        differences.append(f"the judge was {_shown(judge.file.path.name)}, now none")
    return [*differences, *_different_loading(run, wishes)]


def _different_loading(run: EvaluationRun, wishes: ResumeWishes) -> list[str]:
    """A wish may repeat what was asked for, or state what the memory plan made of it."""
    load, plan = run.settings.load, None if run.load_report is None else run.load_report.plan
    compared: tuple[tuple[str, object, object, object], ...] = (
        ("slots", load.n_slots, plan and plan.n_slots, wishes.n_slots),
        ("context", load.context_tokens, plan and plan.context_tokens, wishes.context_tokens),
        ("layers on the accelerator", load.n_gpu_layers, plan and plan.n_layers_offloaded, wishes.n_gpu_layers),
        ("kept conversations", load.kv_type, plan and plan.kv_type, wishes.kv_type),
        ("threads", load.n_threads, plan and plan.n_threads, wishes.n_threads),
    )
    return [
        f"{name} was {'left to the memory plan' if recorded is None else recorded}, now {wished}"
        for name, asked, planned, wished in compared
        for recorded in (planned if asked is None else asked,)
        if wished is not None and wished not in (asked, planned)
    ]


def _shown(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, str):
        return f"“{value}”" if value else "empty"
    if isinstance(value, tuple):
        return ", ".join(str(part) for part in value)
    return str(value)


def _changed_texts(store: EvaluationStore, resources: Resources, run: EvaluationRun) -> list[str]:
    differences: list[str] = []
    changed = store.changed_questions(run.id)
    if changed:
        named = ", ".join(changed[:3]) + (" …" if len(changed) > 3 else "")
        differences.append(f"the text of {len(changed)} question(s) has changed ({named})")
    judge = run.settings.judge
    if judge is not None and resources.rubric(judge.rubric).sha256 != judge.rubric_sha256:
        differences.append(f"the rubric {judge.rubric} has changed")
    return differences


def _located(
    what: str, recorded: FileIdentity | None, wished: Path | None
) -> Generator[FileBeingChecked, None, tuple[FileIdentity | None, list[str]]]:
    if recorded is None:
        return None, [] if wished is None else [f"the run has no {what}, now {wished.name}"]
    try:
        found = yield from identify(wished or recorded.path)
    except WorkbenchError as error:
        return None, [f"the {what} was not found ({error.happened.rstrip('.')})"]
    if found.sha256 != recorded.sha256:
        return None, [
            f"the {what} {found.path.name} has other content (SHA-256 was {recorded.sha256[:12]}…, "
            f"now {found.sha256[:12]}…)"
        ]
    return found, []


def _with_files(
    settings: RunSettings, model_file: FileIdentity | None, adapter: FileIdentity | None, judge: FileIdentity | None
) -> RunSettings:
    load = settings.load
    if load.adapter is not None and adapter is not None:
        load = replace(load, adapter=replace(load.adapter, path=adapter.path))
    return replace(
        settings,
        model_file=model_file or settings.model_file,
        adapter=adapter,
        load=load,
        judge=replace(settings.judge, file=judge) if settings.judge and judge else settings.judge,
    )
