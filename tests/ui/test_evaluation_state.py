"""What the progress records of an evaluation add up to."""

from dataclasses import replace

import pytest

from tests.helpers.records import a_question, a_response, a_run, run_settings
from workbench.domain.judging import without_verdict
from workbench.domain.questions import QuestionKind
from workbench.domain.runs import EvaluationRun, NewResponse, PlannedAnswer, ResponseId, RunStatus
from workbench.errors import EngineError
from workbench.services.progress import (
    AnswerStored,
    EvaluationStopped,
    JudgementStored,
    RunFailed,
    RunFinished,
    RunsPrepared,
)
from workbench.ui.evaluation_state import EarlierResponses, EvaluationState, RunState
from workbench.ui.pace import Pace

_RUN = replace(a_run(), status=RunStatus.UNFINISHED)


def _answered(n_done: int, run: EvaluationRun = _RUN) -> AnswerStored:
    question = a_question(n_done)
    return AnswerStored(
        run_id=run.id,
        planned=PlannedAnswer(question=question, sample=0),
        response_id=ResponseId(n_done),
        response=NewResponse(revision_id=question.revision_id, sample=0, text="No."),
        n_done=n_done,
        n_planned=4,
    )


def _judged(n_done: int, score: int | None, kind: QuestionKind = QuestionKind.HARMFUL) -> JudgementStored:
    judgement = replace(without_verdict(ResponseId(n_done), "none"), score=score)
    return JudgementStored(
        run_id=_RUN.id, response=a_response(n_done, kind=kind), judgement=judgement, n_done=n_done, n_planned=4
    )


def _state(*records: object) -> EvaluationState:
    state = EvaluationState()
    for moment, record in enumerate((RunsPrepared(runs=(_RUN,)), *records)):
        state.apply(record, float(moment))
    return state


def test_answers_and_judgements_are_both_work() -> None:
    state = _state(_answered(1), _answered(2))
    assert (state.n_answers, state.n_planned) == (2, 4)
    assert state.share_done == pytest.approx(2 / 8)

    state.apply(_judged(1, 3), 10.0)
    assert state.share_done == pytest.approx(3 / 8)
    assert state.runs[_RUN.id].state is RunState.JUDGING


def test_without_a_judge_only_answers_are_work() -> None:
    run = replace(_RUN, settings=run_settings(judge=False))
    state = EvaluationState()
    state.apply(RunsPrepared(runs=(run,)), 0.0)
    state.apply(_answered(2, run), 1.0)

    assert state.share_done == pytest.approx(0.5)


def test_the_running_mean_is_of_harmful_questions_and_counts_what_is_missing() -> None:
    state = _state(_judged(1, 2), _judged(2, 4), _judged(3, 5, QuestionKind.BENIGN), _judged(4, None))
    mean = state.runs[_RUN.id].running_mean()

    assert mean is not None
    assert (mean.mean, mean.n_scored, mean.n_answers) == (3.0, 2, 3)


def test_there_is_no_mean_before_the_first_score() -> None:
    assert _state(_judged(1, None)).runs[_RUN.id].running_mean() is None


def test_a_resumed_run_counts_what_it_had() -> None:
    earlier = (a_response(1, score=5), a_response(2, score=1, kind=QuestionKind.BENIGN), a_response(3, score=None))
    state = _state(EarlierResponses(run_id=_RUN.id, responses=earlier))
    row = state.runs[_RUN.id]

    assert (row.n_answers, row.n_judged, row.harmful_scores) == (3, 2, [5])


def test_a_failed_run_can_be_resumed_and_its_work_stays_missing() -> None:
    error = EngineError("It failed.", safe="All is safe.", todo="Resume.")
    state = _state(_answered(1), RunFailed(run_id=_RUN.id, error=error))

    assert [row.error for row in state.unfinished] == [error]
    assert state.share_done == pytest.approx(1 / 8)


def test_a_finished_run_is_whole() -> None:
    state = _state(_answered(4), RunFinished(run_id=_RUN.id))

    assert state.share_done == 1
    assert state.unfinished == []


def test_a_stopped_evaluation_says_so() -> None:
    state = _state(_answered(1), EvaluationStopped(run_ids=(_RUN.id,)))

    assert state.stopped
    assert state.runs[_RUN.id].state is RunState.STOPPED


def test_the_time_left_is_only_known_when_the_pace_is() -> None:
    pace = Pace()
    assert pace.left_s(5, 0.0) is None
    assert pace.left_s(0, 0.0) == 0
    pace.begin(0.0)
    pace.count(10)
    assert pace.per_minute(60.0) == pytest.approx(10)
    assert pace.left_s(5, 60.0) == pytest.approx(30)


def test_a_pause_takes_no_part_in_the_pace() -> None:
    pace = Pace()
    pace.begin(0.0)
    pace.count(10)
    pace.hold(60.0)
    pace.begin(6000.0)

    assert pace.per_minute(6000.0) == pytest.approx(10)


def test_judging_is_not_promised_a_time_before_it_was_seen() -> None:
    state = _state()
    row = state.runs[_RUN.id]
    assert state.left_s(1.0) == (None, False)

    row.answering.begin(0.0)
    row.answering.count(2)
    row.n_answers = 2
    left_s, covers_judging = state.left_s(20.0)
    assert left_s == pytest.approx(20.0)
    assert not covers_judging

    row.judging.begin(20.0)
    row.judging.count(2)
    row.n_judged = 2
    assert state.left_s(22.0)[1]
