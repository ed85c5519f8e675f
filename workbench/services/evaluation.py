"""Evaluations: every chosen model file answers every chosen question, and a judge scores each answer.

The order is: recognise the files, create one run for each model file, then for each run answer what is missing and
judge what is unjudged. A resumed run walks the same path; it merely finds less to do.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from workbench.domain.llm import AdapterChoice, LoadSettings, SamplingSettings
from workbench.domain.questions import Question, QuestionSelection, select
from workbench.domain.runs import EvaluationRun, FileIdentity, JudgeChoice, JudgeMode, RunId, RunSettings
from workbench.errors import AdapterError, EngineError, ModelFileError, UsageError
from workbench.services.answering import answer_missing
from workbench.services.control import RunControl
from workbench.services.judging import judge_unjudged
from workbench.services.model_files import identify, identify_adapter
from workbench.services.ports import EvaluationStore, InferenceEngine
from workbench.services.progress import EvaluationStopped, Progress, RunFailed, RunFinished, RunsPrepared
from workbench.services.resources import DEFAULT_RUBRIC, Resources
from workbench.services.resuming import ResumeWishes, unchanged_run


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmChoice:
    """A model file to be evaluated, with or without an adapter."""

    path: Path
    adapter: AdapterChoice | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeRequest:
    """Who judges and how."""

    path: Path
    mode: JudgeMode = JudgeMode.SCORE
    rubric: str | None = None
    """``name-version``; ``None`` takes the rubric the judge file names, else the default one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRequest:
    """Everything a person chooses before pressing Start."""

    llms: tuple[LlmChoice, ...]
    selection: QuestionSelection
    system_prompt: str
    preset: str
    sampling: SamplingSettings
    max_tokens: int
    samples: int
    load: LoadSettings
    """Its adapter is replaced by each model file's own."""
    judge: JudgeRequest | None


class Evaluation:
    """Runs and resumes evaluations.

    Args:
        store: Where everything is kept.
        engine: What runs model files.
        resources: Rubrics and presets.
    """

    def __init__(self, store: EvaluationStore, engine: InferenceEngine, resources: Resources) -> None:
        self._store = store
        self._engine = engine
        self._resources = resources

    def start(self, request: EvaluationRequest, control: RunControl) -> Generator[Progress, None, None]:
        """Carry out a new evaluation.

        A model file that cannot be loaded ends only its own run (``RunFailed``); the others go on.

        Raises:
            UsageError: If nothing is selected.
            ModelFileError, AdapterError: If a chosen file is missing or plainly of another kind; nothing was started.
            StorageError: If an answer could not be stored; what was stored before stays.
        """
        questions = self._selected(request)
        for path in (*(llm.path for llm in request.llms), *((request.judge.path,) if request.judge else ())):
            self._engine.check(path)
        judge = None if request.judge is None else (yield from self._judge_choice(request.judge))
        settings: list[RunSettings] = []
        for llm in request.llms:
            settings.append((yield from _settings(llm, request, judge)))
        for one in settings:
            if one.adapter is not None:
                self._engine.check(one.adapter.path)
        runs = [self._store.run(self._store.create_run(one, questions)) for one in settings]
        yield from self._carry_out(runs, control)

    def resume(
        self, run_ids: Sequence[RunId], wishes: ResumeWishes, control: RunControl
    ) -> Generator[Progress, None, None]:
        """Ask and judge what is missing in stopped runs.

        Args:
            run_ids: The runs to go on with.
            wishes: What the person stated again; anything that differs from the run refuses the resume.
            control: Pause and stop.

        Raises:
            ResumeRefusedError: If a model file, adapter, judge, rubric, setting or question text has changed.
        """
        runs: list[EvaluationRun] = []
        for run_id in run_ids:
            runs.append((yield from unchanged_run(self._store, self._resources, run_id, wishes)))
        yield from self._carry_out(runs, control)

    def _selected(self, request: EvaluationRequest) -> list[Question]:
        known = self._store.question_sets()
        name = request.selection.question_set
        if name not in known:
            raise UsageError(
                f"There is no question set called “{name}”.",
                safe="Nothing was started.",
                todo=f"Choose one of: {', '.join(known)}.",
            )
        questions = select(self._store.questions(name), request.selection)
        if not questions:
            raise UsageError(
                "The selection contains no question.",
                safe="Nothing was started.",
                todo="Choose other principles, another kind, or a larger limit.",
            )
        if not request.llms:
            raise UsageError(
                "No model file was chosen.", safe="Nothing was started.", todo="Choose at least one model file."
            )
        return questions

    def _judge_choice(self, request: JudgeRequest) -> Generator[Progress, None, JudgeChoice]:
        file = yield from identify(request.path)
        key = request.rubric or self._rubric_named_by(request.path)
        rubric = self._resources.rubric(key)
        return JudgeChoice(file=file, mode=request.mode, rubric=rubric.key, rubric_sha256=rubric.sha256)

    def _rubric_named_by(self, judge_path: Path) -> str:
        session = self._engine.open(judge_path, LoadSettings(n_slots=1))
        try:
            return session.description.rubric or DEFAULT_RUBRIC
        finally:
            session.close()

    def _carry_out(self, runs: Sequence[EvaluationRun], control: RunControl) -> Generator[Progress, None, None]:
        yield RunsPrepared(runs=tuple(runs))
        unfinished = {run.id for run in runs}
        for run in runs:
            if control.stopped:
                break
            try:
                yield from answer_missing(self._store, self._engine, run, control)
                yield from judge_unjudged(self._store, self._engine, self._resources, run, control)
            except (ModelFileError, AdapterError, EngineError) as error:
                yield RunFailed(run_id=run.id, error=error)
                continue
            if not control.stopped:
                self._store.finish_run(run.id)
                unfinished.discard(run.id)
                yield RunFinished(run_id=run.id)
        if control.stopped:
            yield EvaluationStopped(run_ids=tuple(run.id for run in runs if run.id in unfinished))


def _settings(
    llm: LlmChoice, request: EvaluationRequest, judge: JudgeChoice | None
) -> Generator[Progress, None, RunSettings]:
    adapter: FileIdentity | None = None
    applied: AdapterChoice | None = None
    if llm.adapter is not None:
        adapter = yield from identify_adapter(llm.adapter.path)
        applied = replace(llm.adapter, path=adapter.path)  # absolute: the worker runs in another folder
    return RunSettings(
        model_file=(yield from identify(llm.path)),
        adapter=adapter,
        selection=request.selection,
        samples=request.samples,
        system_prompt=request.system_prompt,
        preset=request.preset,
        sampling=request.sampling,
        max_tokens=request.max_tokens,
        load=replace(request.load, adapter=applied),
        judge=judge,
    )
