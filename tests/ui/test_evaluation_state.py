"""What the progress records of an evaluation add up to."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers.fake_engine import a_description
from tests.helpers.records import (
    a_device,
    a_load_report,
    a_plan,
    a_question,
    a_response,
    a_run,
    a_share,
    run_settings,
)
from workbench.domain.judging import without_verdict
from workbench.domain.memory import LoadReport
from workbench.domain.questions import QuestionKind
from workbench.domain.runs import EvaluationRun, NewResponse, PlannedAnswer, ResponseId, RunId, RunStatus
from workbench.errors import EngineError
from workbench.services.progress import (
    AnswerStored,
    EvaluationStopped,
    JudgementStored,
    JudgeWaits,
    LlmLoaded,
    LlmLoading,
    LoadRetried,
    Role,
    RunFailed,
    RunFinished,
    RunSlowed,
    RunsPrepared,
)
from workbench.ui.evaluation_state import EarlierResponses, EvaluationState, RunState
from workbench.ui.pace import Pace
from workbench.ui.progress_texts import run_state_text

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


def _loading(role: Role, run: EvaluationRun = _RUN) -> LlmLoading:
    return LlmLoading(run_id=run.id, role=role, path=Path(f"{role}.gguf"))


def _loaded(role: Role, run: EvaluationRun = _RUN, report: LoadReport | None = None) -> LlmLoaded:
    report = report or a_load_report()
    return LlmLoaded(run_id=run.id, role=role, description=a_description(Path("llm.gguf"), report.plan), report=report)


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
    row = state.runs[_RUN.id]
    assert row.share_answered == pytest.approx(2 / 4)
    assert row.share_judged == pytest.approx(1 / 4)


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


def test_a_run_that_is_answered_waits_for_the_judge() -> None:
    other = replace(_RUN, id=RunId(2))
    state = EvaluationState()
    for moment, record in enumerate(
        (
            RunsPrepared(runs=(_RUN, other)),
            _loading(Role.ANSWERING),
            _loaded(Role.ANSWERING),
            _answered(4),
            _loading(Role.ANSWERING, other),
        )
    ):
        state.apply(record, float(moment))
    assert [row.state for row in state.runs.values()] == [RunState.ANSWERED, RunState.LOADING]
    assert "waits for the judge" in run_state_text(state, state.runs[_RUN.id], 5.0, paused=False)
    assert state.runs[_RUN.id].answering.per_minute(1000.0) == state.runs[_RUN.id].answering.per_minute(9.0)

    for record in (_answered(4, other), _loading(Role.JUDGING), _loaded(Role.JUDGING), _judged(1, 3)):
        state.apply(record, 10.0)
    assert [row.state for row in state.runs.values()] == [RunState.JUDGING, RunState.ANSWERED]


def test_judging_beside_answering_is_told_as_both() -> None:
    state = _state(
        _loading(Role.JUDGING),
        _loaded(Role.JUDGING),
        _loading(Role.ANSWERING),
        _loaded(Role.ANSWERING),
        _answered(1),
        _answered(2),
        _judged(1, 3),
    )
    row = state.runs[_RUN.id]
    text = run_state_text(state, row, 20.0, paused=False)
    assert text.startswith("answering")
    assert text.endswith("1 of 4 judged")

    state.apply(_judged(2, 3), 21.0)
    left_s, whole = state.left_s(30.0)
    assert whole
    assert left_s == max(row.answering.left_s(2, 30.0) or 0, row.judging.left_s(2, 30.0) or 0)

    for n_done in (3, 4):
        state.apply(_answered(n_done), 31.0)
    assert row.state is RunState.JUDGING


def test_a_resumed_run_with_all_its_answers_waits_for_the_judge() -> None:
    earlier = tuple(a_response(number, score=None) for number in range(1, 5))
    state = _state(EarlierResponses(run_id=_RUN.id, responses=earlier))

    assert state.runs[_RUN.id].state is RunState.ANSWERED


def test_the_run_knows_how_it_was_loaded() -> None:
    report = a_load_report(a_plan(a_share(a_device("CUDA0")), a_share(n_layers=0), n_slots=16), n_failed=1)
    retried = LoadRetried(run_id=_RUN.id, role=Role.ANSWERING, failed_attempts=report.failed_attempts)
    state = _state(_loading(Role.ANSWERING), retried)
    assert list(state.retries.values()) == [
        "answering.gguf did not fit on CUDA0, 3 of 3 layers, 16 answers at a time: trying with less memory."
    ]

    state.apply(_loaded(Role.ANSWERING, report=replace(report, plan=a_plan(n_slots=1))), 3.0)
    assert list(state.retries.values()) == [
        "answering.gguf did not fit on CUDA0, 3 of 3 layers, 16 answers at a time. "
        "It was loaded on the processor, 1 answer at a time."
    ]
    assert state.runs[_RUN.id].run.load_report is not None
    assert state.judge_report is None


def test_slowness_is_told_while_it_lasts() -> None:
    slowed = RunSlowed(run_id=_RUN.id, role=Role.ANSWERING, share=0.2, reason="Other programs take the processor.")
    state = _state(slowed)
    assert state.slow_reason == "Other programs take the processor."

    state.apply(replace(slowed, share=1.0, reason=""), 5.0)
    assert state.slow_reason is None

    state.apply(slowed, 6.0)
    state.apply(RunFinished(run_id=_RUN.id), 7.0)
    assert state.slow_reason is None


def test_the_slowness_of_one_worker_does_not_end_with_that_of_the_other() -> None:
    answering = RunSlowed(run_id=_RUN.id, role=Role.ANSWERING, share=0.2, reason="Other programs compute.")
    judging = replace(answering, role=Role.JUDGING, reason="The graphics card is hot.")
    state = _state(answering, judging, replace(answering, share=1.0, reason=""))
    assert state.slow_reason == "The graphics card is hot."

    state.apply(replace(judging, share=1.0, reason=""), 5.0)
    assert state.slow_reason is None


def test_a_judge_is_as_slow_in_the_next_run_until_it_is_loaded_again() -> None:
    next_run = replace(_RUN, id=RunId(_RUN.id + 1))
    slowed = RunSlowed(run_id=_RUN.id, role=Role.JUDGING, share=0.2, reason="The graphics card is hot.")
    answering = replace(slowed, role=Role.ANSWERING, reason="Other programs compute.")
    state = _state(RunsPrepared(runs=(_RUN, next_run)), slowed, answering, RunFinished(run_id=_RUN.id))
    assert state.slow_reason == "The graphics card is hot."

    state.apply(LlmLoading(run_id=next_run.id, role=Role.ANSWERING, path=Path("two.gguf")), 5.0)
    assert state.slow_reason == "The graphics card is hot."
    state.apply(LlmLoading(run_id=next_run.id, role=Role.JUDGING, path=Path("judge.gguf")), 6.0)
    assert state.slow_reason is None


def test_what_answered_is_no_longer_slow_when_the_judge_comes_after_it() -> None:
    slowed = RunSlowed(run_id=_RUN.id, role=Role.ANSWERING, share=0.2, reason="Other programs compute.")
    state = _state(_answered(4), slowed, _loading(Role.JUDGING))
    assert state.slow_reason is None


def test_a_judge_that_finds_no_room_beside_is_told_of() -> None:
    error = EngineError("There is not enough memory.", safe="All is safe.", todo="Close something.")
    state = _state(_loading(Role.JUDGING), JudgeWaits(run_id=_RUN.id, error=error))
    assert list(state.retries.values()) == [
        "judging.gguf could not be loaded beside the model that answers. There is not enough memory. "
        "It judges when all answers are written."
    ]


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
