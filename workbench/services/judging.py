"""Has answers scored by a judge and stores the judgements as they arrive."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from workbench.domain.judging import Judgement, Rubric, score_request, verdict, without_verdict
from workbench.domain.llm import (
    Answer,
    LoadSettings,
    RequestFailure,
    RequestId,
    ScoreReply,
    ScoreRequest,
    SessionEvent,
    Slowed,
    TextChunk,
    WorkerRestarted,
)
from workbench.domain.memory import pinned
from workbench.domain.runs import EvaluationRun, JudgeChoice, JudgeMode, RunId, ScoredResponse
from workbench.errors import WorkbenchError
from workbench.services.answering import estimated_tokens
from workbench.services.ports import LlmSession
from workbench.services.progress import (
    JudgementStored,
    LlmLoaded,
    LlmLoading,
    LoadRetried,
    Progress,
    Role,
    RunSlowed,
    WorkerTrouble,
)
from workbench.services.resources import Resources
from workbench.services.sessions import LLM_ERRORS, Workplace, announced_session, controlled

EMPTY_ANSWER = "Not judged: the answer is empty."
JUDGE_LOAD = LoadSettings(context_tokens=4096)
"""A judge reads policy, rubric, question and answer; judges have wider contexts than this protocol needs."""


class KeptJudge:
    """A judge's file: loaded when it is first needed, then kept for every run it judges until the block is left.

    Args:
        place: What runs are carried out with.
        path: The judge's file.
        load: How it is loaded; what the first loading chose is kept for a second one.
    """

    def __init__(self, place: Workplace, path: Path, load: LoadSettings) -> None:
        self._place = place
        self._path = path
        self._load = load
        self._session: LlmSession | None = None
        self._failure: WorkbenchError | None = None
        self._recorded: set[RunId] = set()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def opened(self, run_id: RunId) -> Generator[LlmLoading | LoadRetried | LlmLoaded, None, LlmSession]:
        """The session, loaded and announced for a run if it was not there yet; how is recorded with the run.

        Raises:
            ModelFileError, EngineError: If it cannot be loaded; a second call does not try again.
            StorageError: If it cannot be recorded.
        """
        if self._failure is not None:
            raise self._failure
        if self._session is None:
            try:
                session = yield from announced_session(self._place, run_id, Role.JUDGING, self._path, self._load)
            except LLM_ERRORS as error:
                self._failure = error
                raise
            self._stack.enter_context(controlled(session, self._place.control))
            self._place.store.record_loading(session.load_report)
            self._load = pinned(self._load, session.load_report.plan)
            self._session = session
        if run_id not in self._recorded:
            self._place.store.record_judge(run_id, self._session.description, self._session.load_report)
            self._recorded.add(run_id)
        return self._session

    def close(self) -> None:
        """Let go of the file and its memory; whoever needs it next has it loaded again."""
        self._session = None
        self._recorded.clear()
        self._stack.close()


def by_judge(runs: Sequence[EvaluationRun]) -> dict[tuple[Path, LoadSettings | None], list[EvaluationRun]]:
    """The runs that can share one loading of a judge; judges and runs in the order of the runs.

    One run is judged under one memory plan. A run that was not judged yet goes with the first that was.

    Returns:
        Runs by the judge's file and the plan it had, as settings; ``None`` where no plan is recorded.
    """
    judged = [(run, run.settings.judge.file.path) for run in runs if run.settings.judge is not None]
    planned = {
        run.id: pinned(JUDGE_LOAD, run.judge_report.plan) for run, _path in judged if run.judge_report is not None
    }
    first = {path: planned[run.id] for run, path in reversed(judged) if run.id in planned}
    groups: dict[tuple[Path, LoadSettings | None], list[EvaluationRun]] = {}
    for run, path in judged:
        groups.setdefault((path, planned.get(run.id, first.get(path))), []).append(run)
    return groups


def judging_load(resources: Resources, runs: Sequence[EvaluationRun]) -> LoadSettings:
    """How a judge is loaded for these runs, which share a loading of it (``by_judge``)."""
    reports = {run.id: run.judge_report for run in runs if run.judge_report is not None}
    loads = [
        judge_load(resources.rubric(run.settings.judge.rubric), run.settings.judge.mode, run.settings.load)
        for run in runs
        if run.settings.judge is not None and (run.id in reports or not reports)
    ]
    load = max(loads, key=lambda load: load.request_tokens or load.context_tokens, default=JUDGE_LOAD)
    return pinned(load, next(iter(reports.values())).plan) if reports else load


def judge_load(rubric: Rubric, mode: JudgeMode, answering: LoadSettings) -> LoadSettings:
    """How a judge is loaded for answers that come from an llm loaded as ``answering``.

    What a request takes is known before the first answer is: the question, an answer of full length, the text around
    them, and the reason where one is written; policy and rubric are shared by all requests and not counted.
    """
    question_and_answer = answering.request_tokens
    if question_and_answer is None:
        return JUDGE_LOAD
    around = max(estimated_tokens(prompt.item) for prompt in (rubric.harmful, rubric.benign))
    reason = rubric.max_reason_tokens + estimated_tokens(rubric.reason_cue) if mode is JudgeMode.REASONED else 0
    n_tokens = question_and_answer + around + reason + estimated_tokens(rubric.score_cue)
    return replace(JUDGE_LOAD, request_tokens=min(n_tokens, JUDGE_LOAD.context_tokens))


def judge_unjudged(place: Workplace, run: EvaluationRun, judge: KeptJudge) -> Generator[Progress, None, None]:
    """Judge every answer of a run that has no judgement yet; what came together is stored (one commit), then announced.

    The judge is asked in the order in which the answers were stored. So a judge that works beside the answering llm
    and one that follows it are asked the same, and what other requests in a step do to the last digits of a
    probability is the same as well. Failed requests to the judge become judgements without a score that say why. Empty
    answers are not sent.

    Raises:
        ModelFileError, EngineError: If the judge file cannot be run.
        StorageError: If a judgement cannot be stored.
    """
    pending = place.store.unjudged(run.id)
    if not pending:
        return
    n_planned = sum(1 for response in place.store.scored_responses(run.id) if response.text is not None)
    recorder = JudgementRecorder(place, run, n_done=n_planned - len(pending), n_planned=n_planned)
    readable, progress = recorder.accept(pending)
    yield from progress
    if readable:
        session = yield from judge.opened(run.id)
        try:
            for events in session.run(recorder.requests(readable)):
                yield from recorder.record(events)
        except LLM_ERRORS:
            judge.close()  # its worker is beyond help; the next run may have better luck with another
            raise


class JudgementRecorder:
    """Asks a judge and turns what its session reports into stored judgements and progress records.

    Args:
        place: What runs are carried out with.
        run: The run whose answers are judged; it has a judge.
        n_done: Judgements stored before.
        n_planned: Judgements there will be, as far as is known.
    """

    def __init__(self, place: Workplace, run: EvaluationRun, *, n_done: int, n_planned: int) -> None:
        self._store = place.store
        self._run_id = run.id
        self._judge = _judge_of(run)
        self._rubric: Rubric = place.resources.rubric(self._judge.rubric)
        self._n_done = n_done
        self._asked: list[ScoredResponse] = []
        self.n_planned = n_planned

    def accept(self, responses: Sequence[ScoredResponse]) -> tuple[list[ScoredResponse], list[JudgementStored]]:
        """The responses that a judge can read; the others are judged at once, without a score."""
        readable = [response for response in responses if response.text is not None and response.text.strip()]
        empty = [response for response in responses if response.text is None or not response.text.strip()]
        return readable, self._stored(
            [(response, without_verdict(response.response_id, EMPTY_ANSWER)) for response in empty]
        )

    def requests(self, responses: Iterable[ScoredResponse]) -> Iterator[ScoreRequest]:
        """The request for each response, made when it is wanted."""
        for response in responses:
            self._asked.append(response)
            yield score_request(
                self._rubric,
                self._judge.mode,
                response.kind,
                response.question,
                response.text or "",
                RequestId(len(self._asked) - 1),
            )

    def record(self, events: Sequence[SessionEvent]) -> list[Progress]:
        """Store every verdict among ``events`` in one commit; then what is to be said of them.

        Raises:
            StorageError: If they cannot be stored; none of them was.
        """
        verdicts: list[tuple[ScoredResponse, Judgement]] = []
        other: list[Progress] = []
        for event in events:
            match event:
                case ScoreReply():
                    response = self._asked[event.request_id]
                    verdicts.append((response, verdict(response.response_id, event)))
                case RequestFailure():
                    response = self._asked[event.request_id]
                    reason = f"No verdict: {event.message}"
                    verdicts.append((response, without_verdict(response.response_id, reason)))
                case WorkerRestarted(reason=reason):
                    other.append(WorkerTrouble(run_id=self._run_id, message=reason))
                case Slowed(share=share, reason=reason):
                    other.append(RunSlowed(run_id=self._run_id, role=Role.JUDGING, share=share, reason=reason))
                case TextChunk():
                    pass
                case Answer():
                    raise AssertionError("an answer arrived where only scores were asked for")
        return [*other, *self._stored(verdicts)]

    def _stored(self, verdicts: Sequence[tuple[ScoredResponse, Judgement]]) -> list[JudgementStored]:
        if not verdicts:
            return []
        self._store.add_judgements(self._run_id, [judgement for _response, judgement in verdicts])
        n_before = self._n_done
        self._n_done += len(verdicts)
        return [
            JudgementStored(
                run_id=self._run_id,
                response=response,
                judgement=judgement,
                n_done=n_before + position,
                n_planned=self.n_planned,
            )
            for position, (response, judgement) in enumerate(verdicts, 1)
        ]


def _judge_of(run: EvaluationRun) -> JudgeChoice:
    if run.settings.judge is None:
        raise ValueError(f"run {run.id} has no judge")
    return run.settings.judge
