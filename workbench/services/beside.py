"""Answers one run while a judge, loaded beside, judges the answers as they come."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from queue import SimpleQueue

from workbench.domain.llm import SessionEvent
from workbench.domain.runs import EvaluationRun, PlannedAnswer, ScoredResponse
from workbench.services.answering import AnswerRecorder, answer_requests
from workbench.services.judging import JudgementRecorder, KeptJudge
from workbench.services.overlap import Ended, merged
from workbench.services.ports import LlmSession
from workbench.services.progress import AnswerStored, JudgementStored, Progress, Role
from workbench.services.sessions import LLM_ERRORS, Workplace


def answer_and_judge(
    place: Workplace, run: EvaluationRun, todo: Sequence[PlannedAnswer], answering: LlmSession, judge: KeptJudge
) -> Generator[Progress, None, None]:
    """Ask what is missing in a run and judge every answer as soon as it is stored.

    The judge is asked in the order in which answers are stored. Where one side fails, the other does what can still
    be done before the failure is raised: stored answers are judged, or all answers are written.

    Args:
        place: What runs are carried out with.
        run: A run with a judge.
        todo: What it has still to ask.
        answering: The run's model file.
        judge: Its judge.

    Raises:
        ModelFileError, AdapterError, EngineError: If one of the two workers cannot be brought back.
        StorageError: If something cannot be stored.
    """
    judging = yield from judge.opened(run.id)
    desk = _Desk(place, run, todo)
    yield from desk.hand_over(place.store.unjudged(run.id))

    def give_up() -> None:
        answering.stop()
        judging.stop()
        desk.no_more()

    sources = {
        Role.ANSWERING: lambda: answering.run(answer_requests(run.settings, todo)),
        Role.JUDGING: lambda: judging.run(desk.judgements.requests(desk.handed_over())),
    }
    errors: dict[Role, BaseException] = {}
    with closing(merged(sources, give_up)) as stream:
        for item in stream:
            if not isinstance(item, Ended):
                role, events = item
                yield from (desk.record_answers if role is Role.ANSWERING else desk.judgements.record)(events)
                continue
            if item.role is Role.ANSWERING:
                desk.no_more()
            if isinstance(item.error, LLM_ERRORS):
                errors[item.role] = item.error
            elif item.error is not None:
                raise item.error
    if Role.JUDGING in errors:
        judge.close()
    for error in errors.values():
        raise error


class _Desk:
    """Where answers are stored and handed over to the judge."""

    def __init__(self, place: Workplace, run: EvaluationRun, todo: Sequence[PlannedAnswer]) -> None:
        stored = [response for response in place.store.scored_responses(run.id) if response.text is not None]
        n_done = sum(1 for response in stored if response.judged)
        self._run_id = run.id
        self._answers = AnswerRecorder(place.store, run, todo)
        self._waiting: SimpleQueue[ScoredResponse | None] = SimpleQueue()
        self.judgements = JudgementRecorder(place, run, n_done=n_done, n_planned=len(stored) + len(todo))

    def record_answers(self, events: Sequence[SessionEvent]) -> list[Progress]:
        """Store the answers among ``events`` and hand them over."""
        progress = self._answers.record(events)
        stored = [one for one in progress if isinstance(one, AnswerStored)]
        answered = [_unjudged(one) for one in stored if one.response.text is not None]
        self.judgements.n_planned -= len(stored) - len(answered)  # a failure is not judged
        return [*progress, *self.hand_over(answered)]

    def hand_over(self, responses: Sequence[ScoredResponse]) -> list[JudgementStored]:
        """Put responses before the judge, in this order; those without text get their judgement at once."""
        readable, judged = self.judgements.accept(responses)
        for response in readable:
            self._waiting.put(response)
        return judged

    def handed_over(self) -> Iterator[ScoredResponse]:
        """Each response when it comes, until there are no more."""
        return iter(self._waiting.get, None)

    def no_more(self) -> None:
        """Nothing more will be handed over."""
        self._waiting.put(None)


def _unjudged(stored: AnswerStored) -> ScoredResponse:
    """The row that the database would give for an answer that was just stored."""
    question, response = stored.planned.question, stored.response
    return ScoredResponse(
        response_id=stored.response_id,
        run_id=stored.run_id,
        question_id=question.id,
        revision_id=question.revision_id,
        pair=question.pair,
        kind=question.kind,
        principle=question.principle,
        question=question.text,
        sample=stored.planned.sample,
        text=response.text,
        reasoning=response.reasoning,
        flags=response.flags,
        failure=response.failure,
        failure_message=response.failure_message,
        n_tokens=response.n_tokens,
        duration_s=response.duration_s,
        judged=False,
        score=None,
        expected_score=None,
        score_reason="",
    )
