"""Has one run's answers scored by its judge and stores each judgement as it arrives."""

from collections.abc import Generator, Iterator, Sequence

from workbench.domain.judging import Judgement, Rubric, score_request, verdict, without_verdict
from workbench.domain.llm import (
    Answer,
    LoadSettings,
    RequestFailure,
    RequestId,
    ScoreReply,
    ScoreRequest,
    SessionEvent,
    TextChunk,
    WorkerRestarted,
)
from workbench.domain.runs import EvaluationRun, JudgeChoice, ScoredResponse
from workbench.services.control import RunControl
from workbench.services.ports import EvaluationStore, InferenceEngine
from workbench.services.progress import JudgementStored, Progress, Role, WorkerTrouble
from workbench.services.resources import Resources
from workbench.services.sessions import announced_session, controlled

EMPTY_ANSWER = "Not judged: the answer is empty."
JUDGE_LOAD = LoadSettings(context_tokens=4096)
"""A judge reads policy, rubric, question and answer; judges have wider contexts than this protocol needs."""


def judge_unjudged(
    store: EvaluationStore,
    engine: InferenceEngine,
    resources: Resources,
    run: EvaluationRun,
    control: RunControl,
) -> Generator[Progress, None, None]:
    """Judge every answer of a run that has no judgement yet; each is stored (one commit) before it is announced.

    Failed requests to the judge become judgements without a score that say why. Empty answers are not sent.

    Raises:
        ModelFileError, EngineError: If the judge file cannot be run.
        StorageError: If a judgement cannot be stored.
    """
    judge = run.settings.judge
    if judge is None or control.stopped:
        return
    pending = store.unjudged(run.id)
    if not pending:
        return
    n_planned = sum(1 for response in store.scored_responses(run.id) if response.text is not None)
    recorder = _Recorder(store, run, n_done=n_planned - len(pending), n_planned=n_planned)
    readable: list[ScoredResponse] = []
    for response in pending:
        if response.text is not None and response.text.strip():
            readable.append(response)
        else:
            yield recorder.stored(response, without_verdict(response.response_id, EMPTY_ANSWER))
    if readable:
        rubric = resources.rubric(judge.rubric)
        session = yield from announced_session(engine, run.id, Role.JUDGING, judge.file.path, JUDGE_LOAD)
        with controlled(session, control):
            for event in session.run(score_requests(rubric, judge, readable)):
                progress = recorder.record(readable, event)
                if progress is not None:
                    yield progress


def score_requests(rubric: Rubric, judge: JudgeChoice, responses: Sequence[ScoredResponse]) -> Iterator[ScoreRequest]:
    """The request for each response; its id is the position in ``responses``."""
    for position, response in enumerate(responses):
        yield score_request(
            rubric, judge.mode, response.kind, response.question, response.text or "", RequestId(position)
        )


class _Recorder:
    """Turns what a judge's session reports into stored judgements and progress records."""

    def __init__(self, store: EvaluationStore, run: EvaluationRun, *, n_done: int, n_planned: int) -> None:
        self._store = store
        self._run = run
        self._n_done = n_done
        self._n_planned = n_planned

    def record(self, asked: Sequence[ScoredResponse], event: SessionEvent) -> Progress | None:
        match event:
            case ScoreReply():
                response = asked[event.request_id]
                return self.stored(response, verdict(response.response_id, event))
            case RequestFailure():
                response = asked[event.request_id]
                return self.stored(response, without_verdict(response.response_id, f"No verdict: {event.message}"))
            case WorkerRestarted(reason=reason):
                return WorkerTrouble(run_id=self._run.id, message=reason)
            case TextChunk():
                return None
            case Answer():
                raise AssertionError("an answer arrived where only scores were asked for")

    def stored(self, response: ScoredResponse, judgement: Judgement) -> JudgementStored:
        self._store.add_judgement(self._run.id, judgement)
        self._n_done += 1
        return JudgementStored(
            run_id=self._run.id,
            response=response,
            judgement=judgement,
            n_done=self._n_done,
            n_planned=self._n_planned,
        )
