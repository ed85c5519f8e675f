"""Has one run's missing answers written and stores them as they arrive."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

from workbench.domain.llm import (
    Answer,
    ChatMessage,
    GenerateRequest,
    LoadSettings,
    RequestFailure,
    RequestId,
    ScoreReply,
    SessionEvent,
    Slowed,
    TextChunk,
    WorkerRestarted,
)
from workbench.domain.memory import pinned
from workbench.domain.questions import Question
from workbench.domain.runs import EvaluationRun, NewResponse, PlannedAnswer, RunSettings
from workbench.services.ports import EvaluationStore, LlmSession
from workbench.services.progress import (
    AnswerGrowing,
    AnswerStored,
    LlmLoaded,
    LlmLoading,
    LoadRetried,
    Progress,
    Role,
    RunSlowed,
    WorkerTrouble,
)
from workbench.services.sessions import Workplace, announced_session, controlled

_CHARACTERS_PER_TOKEN = 3
"""Fewer than in any common tokeniser's English, so that lengths are rather taken too long than too short."""
_TEMPLATE_TOKENS = 32
"""What a chat template writes around a user's turn and before the answer."""


def answer_missing(place: Workplace, run: EvaluationRun) -> Generator[Progress, None, None]:
    """Ask everything a run has not asked yet; what came together is stored (one commit), then announced.

    Raises:
        ModelFileError, AdapterError, EngineError: If the model file cannot be run.
        StorageError: If an answer cannot be stored.
    """
    todo = place.store.missing_answers(run.id)
    if not todo:
        return
    session = yield from answering_session(place, run)
    with controlled(session, place.control):
        recorder = AnswerRecorder(place.store, run, todo)
        for events in session.run(answer_requests(run.settings, todo)):
            yield from recorder.record(events)


def answering_session(
    place: Workplace, run: EvaluationRun
) -> Generator[LlmLoading | LoadRetried | LlmLoaded, None, LlmSession]:
    """Load a run's model file and record how; one that was loaded before is loaded just so again.

    Raises:
        ModelFileError, AdapterError, EngineError: If the model file cannot be loaded.
    """
    path = run.settings.model_file.path
    session = yield from announced_session(place, run.id, Role.ANSWERING, path, load_settings(run))
    try:
        place.store.record_llm(run.id, session.description, session.load_report)
    except BaseException:
        session.close()
        raise
    return session


def load_settings(run: EvaluationRun) -> LoadSettings:
    """How the run's model file is to be loaded: what its first loading chose is kept, so that answers fit together."""
    load = run.settings.load
    return load if run.load_report is None else pinned(load, run.load_report.plan)


def with_request_tokens(load: LoadSettings, questions: Sequence[Question], max_tokens: int) -> LoadSettings:
    """State what a request takes, where nobody did: the longest question and the longest answer, at most the context.

    The system prompt is not counted, because all requests share it.
    """
    if load.request_tokens is not None:
        return load
    longest = max((estimated_tokens(question.text) for question in questions), default=0)
    return replace(load, request_tokens=min(longest + _TEMPLATE_TOKENS + max_tokens, load.context_tokens))


def estimated_tokens(text: str) -> int:
    """Tokens of a text, rather too many; nobody has to load a model file for it."""
    return len(text) // _CHARACTERS_PER_TOKEN + 1


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


class AnswerRecorder:
    """Turns what a session reports into stored responses and progress records.

    Args:
        store: Where responses go.
        run: The run they belong to.
        todo: What is asked; the ids of requests are positions in it.
    """

    def __init__(self, store: EvaluationStore, run: EvaluationRun, todo: Sequence[PlannedAnswer]) -> None:
        self._store = store
        self._run_id = run.id
        self._todo = todo
        self._n_planned = run.n_questions * run.settings.samples
        self._n_done = self._n_planned - len(todo)

    def record(self, events: Sequence[SessionEvent]) -> list[Progress]:
        """Store every answer and failure among ``events`` in one commit; then what is to be said of them, in order.

        Raises:
            StorageError: If they cannot be stored; none of them was.
        """
        responses = [
            _response(self._todo[event.request_id], event)
            for event in events
            if isinstance(event, Answer | RequestFailure)
        ]
        ids = self._store.add_responses(self._run_id, responses) if responses else []
        stored = iter(list(zip(ids, responses, strict=True)))
        progress: list[Progress] = []
        for event in events:
            match event:
                case TextChunk(request_id=request_id, text=text):
                    progress.append(AnswerGrowing(run_id=self._run_id, planned=self._todo[request_id], text=text))
                case Answer() | RequestFailure():
                    response_id, response = next(stored)
                    self._n_done += 1
                    progress.append(
                        AnswerStored(
                            run_id=self._run_id,
                            planned=self._todo[event.request_id],
                            response_id=response_id,
                            response=response,
                            n_done=self._n_done,
                            n_planned=self._n_planned,
                        )
                    )
                case WorkerRestarted(reason=reason):
                    progress.append(WorkerTrouble(run_id=self._run_id, message=reason))
                case Slowed(share=share, reason=reason):
                    progress.append(RunSlowed(run_id=self._run_id, role=Role.ANSWERING, share=share, reason=reason))
                case ScoreReply():
                    raise AssertionError("a score arrived where only answers were asked for")
        return progress


def _response(planned: PlannedAnswer, event: Answer | RequestFailure) -> NewResponse:
    if isinstance(event, RequestFailure):
        return NewResponse(
            revision_id=planned.question.revision_id,
            sample=planned.sample,
            text=None,
            failure=event.code,
            failure_message=event.message,
        )
    return NewResponse(
        revision_id=planned.question.revision_id,
        sample=planned.sample,
        text=event.text,
        raw=event.raw,
        reasoning=event.reasoning,
        prompt=event.prompt,
        prompt_sha256=event.prompt_sha256,
        finish_reason=event.finish_reason,
        flags=event.flags,
        n_prompt_tokens=event.n_prompt_tokens,
        n_tokens=event.n_tokens,
        duration_s=event.duration_s,
    )
