"""Evaluations: every chosen model file answers every chosen question, and a judge scores each answer.

The order of the progress records:

1. ``FileBeingChecked`` while files are recognised by their content, then ``RunsPrepared``.
2. Run by run, ``LlmLoading``, perhaps ``LoadRetried``, and ``LlmLoaded`` for the answering llm; then ``AnswerGrowing``
   and ``AnswerStored``. A run without a judge ends here with ``RunFinished``.
3. When all runs are answered, judge by judge: the same three for the judge, once; then, run by run in their order,
   ``JudgementStored`` and ``RunFinished``.
4. ``EvaluationStopped``, if it was stopped.

Where there is room for both on different processors (``overlap.may_run_together``), steps 2 and 3 are one: the judge
is loaded after the first answering llm and stays, its records stand among those of the answers, and each run is
finished before the next begins. Answers and verdicts are the same either way. Where the judge cannot be loaded after
all, ``JudgeWaits`` says so, and the runs that are left go the first way.

``WorkerTrouble`` and ``RunSlowed`` may come wherever a worker computes. ``RunFailed`` takes the place of a run's
``RunFinished``, and nothing more is said of that run. A resumed run walks the same path; it finds less to do.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from workbench.domain.llm import AdapterChoice, LoadSettings, SamplingSettings
from workbench.domain.questions import Question, QuestionSelection, select
from workbench.domain.runs import EvaluationRun, FileIdentity, JudgeChoice, JudgeMode, RunId, RunSettings
from workbench.errors import UsageError
from workbench.services.answering import with_request_tokens
from workbench.services.control import RunControl
from workbench.services.judging import JUDGE_LOAD
from workbench.services.model_files import identify, identify_adapter
from workbench.services.overlap import has_accelerator
from workbench.services.ports import EvaluationStore, InferenceEngine
from workbench.services.progress import EvaluationStopped, Progress, RunFinished, RunsPrepared
from workbench.services.resources import DEFAULT_RUBRIC, Resources
from workbench.services.resuming import ResumeWishes, unchanged_run
from workbench.services.schedule import carry_out
from workbench.services.sessions import Workplace


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
    """Its adapter is replaced by each model file's own; ``request_tokens`` are taken from the questions if ``None``."""
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
        judge, accelerated = None, None
        if request.judge is not None:
            judge, accelerated = yield from self._judge_choice(request.judge)
        load = with_request_tokens(request.load, questions, request.max_tokens)
        settings: list[RunSettings] = []
        for llm in request.llms:
            settings.append((yield from _settings(llm, request, load, judge)))
        for one in settings:
            if one.adapter is not None:
                self._engine.check(one.adapter.path)
        runs = [self._store.run(self._store.create_run(one, questions)) for one in settings]
        yield from self._carry_out(runs, control, accelerated)

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

    def _judge_choice(self, request: JudgeRequest) -> Generator[Progress, None, tuple[JudgeChoice, bool | None]]:
        """The judge with its rubric; whether there is an accelerator, if that came to light."""
        file = yield from identify(request.path)
        key, accelerated = request.rubric, None
        if key is None:
            layout, plan = self._engine.plan(request.path, JUDGE_LOAD)
            key, accelerated = layout.rubric or DEFAULT_RUBRIC, has_accelerator(plan)
        rubric = self._resources.rubric(key)
        return JudgeChoice(file=file, mode=request.mode, rubric=rubric.key, rubric_sha256=rubric.sha256), accelerated

    def _carry_out(
        self, runs: Sequence[EvaluationRun], control: RunControl, accelerated: bool | None = None
    ) -> Generator[Progress, None, None]:
        yield RunsPrepared(runs=tuple(runs))
        place = Workplace(store=self._store, engine=self._engine, resources=self._resources, control=control)
        unfinished = {run.id: None for run in runs}  # in order
        for progress in carry_out(place, runs, accelerated):
            if isinstance(progress, RunFinished):
                del unfinished[progress.run_id]
            yield progress
        if control.stopped:
            yield EvaluationStopped(run_ids=tuple(unfinished))


def _settings(
    llm: LlmChoice, request: EvaluationRequest, load: LoadSettings, judge: JudgeChoice | None
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
        load=replace(load, adapter=applied),
        judge=judge,
    )
