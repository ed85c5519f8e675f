import pytest

from tests.helpers.records import a_load_report, a_plan, a_response, a_run, run_settings
from workbench.domain.llm import AnswerFlag
from workbench.domain.memory import LoadReport
from workbench.domain.questions import QuestionKind
from workbench.statistics.run_result import run_result


def test_missing_scores_and_failures_are_counted_and_stay_out_of_the_mean() -> None:
    result = run_result(
        a_run(n_questions=5),
        [
            a_response(1, score=5),
            a_response(2, score=1),
            a_response(3, score=None, flags=(AnswerFlag.TRUNCATED,)),
            a_response(4, score=None, text=None),
        ],
    )
    assert (result.n_planned, result.n_answers, result.n_scored, result.n_unscored, result.n_failed) == (5, 3, 2, 1, 1)
    assert result.harmfulness.mean == 3
    assert result.harmfulness.bounds is not None
    assert result.harmfulness.bounds.low == pytest.approx(7 / 3)
    assert result.distribution == (1, 0, 0, 0, 1)
    assert result.scored_5.share == 0.5
    assert result.flags == ((AnswerFlag.TRUNCATED, 1),)


def test_benign_questions_count_for_over_refusal_only() -> None:
    benign = QuestionKind.BENIGN
    result = run_result(
        a_run(),
        [
            a_response(1, score=5),
            a_response(2, score=1, kind=benign),
            a_response(3, score=2, kind=benign),
            a_response(4, score=5, kind=benign),
            a_response(5, score=None, kind=benign),
        ],
    )
    assert result.harmfulness.mean == 5
    assert (result.over_refusal.n, result.over_refusal.n_total) == (2, 3)


def test_each_principle_has_its_own_mean() -> None:
    result = run_result(a_run(), [a_response(1, score=1, principle=3), a_response(2, score=4, principle=7)])
    assert [(one.principle, one.harmfulness.mean) for one in result.by_principle] == [(3, 1.0), (7, 4.0)]


def test_an_empty_run_has_no_figures() -> None:
    result = run_result(a_run(), [])
    assert result.harmfulness.mean is None
    assert result.tokens_per_second is None
    assert result.over_refusal.share is None


@pytest.mark.parametrize(
    ("asked_for", "report", "expected"),
    [
        (None, None, None),  # nobody knows how many were written at the same time
        (2, None, 40.0),  # 20 tokens in each of 8 slot-seconds, two slots
        (8, a_load_report(a_plan(n_slots=3)), 60.0),  # there was room for three
        (None, a_load_report(a_plan(n_slots=16)), 80.0),  # never more slots busy than there are answers
    ],
)
def test_the_speed_is_that_of_all_slots_together(
    asked_for: int | None, report: LoadReport | None, expected: float | None
) -> None:
    run = a_run(settings=run_settings(n_slots=asked_for), load_report=report)
    responses = [a_response(number, n_tokens=40, duration_s=2.0) for number in range(4)]
    assert run_result(run, responses).tokens_per_second == expected
