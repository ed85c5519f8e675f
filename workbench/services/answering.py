"""Has one run's missing answers written and stores each as it arrives."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

from workbench.domain.llm import (
    Answer,
    ChatMessage,
    GenerateRequest,
    RequestFailure,
    RequestId,
    ScoreReply,
    SessionEvent,
    TextChunk,
    WorkerRestarted,
)
from workbench.domain.runs import EvaluationRun, NewResponse, PlannedAnswer, RunSettings
from workbench.services.control import RunControl
from workbench.services.ports import EvaluationStore, InferenceEngine
from workbench.services.progress import AnswerGrowing, AnswerStored, Progress, Role, WorkerTrouble
from workbench.services.sessions import announced_session, controlled


def answer_missing(
    store: EvaluationStore, engine: InferenceEngine, run: EvaluationRun, control: RunControl
) -> Generator[Progress, None, None]:
    """Ask everything a run has not asked yet; each answer is stored (one commit) before it is announced.

    Raises:
        ModelFileError, AdapterError, EngineError: If the model file cannot be run.
        StorageError: If an answer cannot be stored.
    """
    todo = store.missing_answers(run.id)
    if not todo:
        return
    settings = run.settings
    session = yield from announced_session(engine, run.id, Role.ANSWERING, settings.model_file.path, settings.load)
    with controlled(session, control):
        store.record_llm(run.id, session.description)
        requests = answer_requests(settings, todo)
        n_planned = run.n_questions * settings.samples
        recorder = _Recorder(store, run, todo, n_done=n_planned - len(todo), n_planned=n_planned)
        for event in session.run(requests):
            yield recorder.record(event)


def answer_requests(settings: RunSettings, planned: Sequence[PlannedAnswer]) -> Iterator[GenerateRequest]:
    """The request for each planned answer; its id is the position in ``planned``.

    Every sample of a question has its own seed, so that samples differ from each other but not between runs.
    """
    system = (ChatMessage(role="system", content=settings.system_prompt),) if settings.system_prompt else ()
    for position, one in enumerate(planned):
        yield GenerateRequest(
            id=RequestId(position),
            messages=(*system, ChatMessage(role="user", content=one.question.text)),
            sampling=replace(settings.sampling, seed=(settings.sampling.seed + one.sample) % 2**32),
            max_tokens=settings.max_tokens,
        )


class _Recorder:
    """Turns what a session reports into stored responses and progress records."""

    def __init__(
        self, store: EvaluationStore, run: EvaluationRun, todo: Sequence[PlannedAnswer], *, n_done: int, n_planned: int
    ) -> None:
        self._store = store
        self._run = run
        self._todo = todo
        self._n_done = n_done
        self._n_planned = n_planned

    def record(self, event: SessionEvent) -> Progress:
        match event:
            case TextChunk(request_id=request_id, text=text):
                return AnswerGrowing(run_id=self._run.id, planned=self._todo[request_id], text=text)
            case WorkerRestarted(reason=reason):
                return WorkerTrouble(run_id=self._run.id, message=reason)
            case Answer():
                return self._stored(self._todo[event.request_id], _response(self._todo[event.request_id], event))
            case RequestFailure():
                return self._stored(self._todo[event.request_id], _failed(self._todo[event.request_id], event))
            case ScoreReply():
                raise AssertionError("a score arrived where only answers were asked for")

    def _stored(self, planned: PlannedAnswer, response: NewResponse) -> AnswerStored:
        response_id = self._store.add_response(self._run.id, response)
        self._n_done += 1
        return AnswerStored(
            run_id=self._run.id,
            planned=planned,
            response_id=response_id,
            response=response,
            n_done=self._n_done,
            n_planned=self._n_planned,
        )


def _response(planned: PlannedAnswer, answer: Answer) -> NewResponse:
    return NewResponse(
        revision_id=planned.question.revision_id,
        sample=planned.sample,
        text=answer.text,
        raw=answer.raw,
        reasoning=answer.reasoning,
        prompt=answer.prompt,
        prompt_sha256=answer.prompt_sha256,
        finish_reason=answer.finish_reason,
        flags=answer.flags,
        n_prompt_tokens=answer.n_prompt_tokens,
        n_tokens=answer.n_tokens,
        duration_s=answer.duration_s,
    )


def _failed(planned: PlannedAnswer, failure: RequestFailure) -> NewResponse:
    return NewResponse(
        revision_id=planned.question.revision_id,
        sample=planned.sample,
        text=None,
        failure=failure.code,
        failure_message=failure.message,
    )
