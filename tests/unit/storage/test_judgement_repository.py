import pytest

from tests.helpers.records import run_settings
from tests.helpers.stores import (
    a_failure,
    a_judgement,
    a_stored_run,
    an_answer,
    answer_all,
    scores,
    stored_rows,
)
from workbench.domain.judging import without_verdict
from workbench.domain.runs import ResponseId
from workbench.errors import StorageError, UsageError
from workbench.storage.store import SqliteEvaluationStore


def test_answers_wait_for_the_judge_in_the_order_they_were_stored_and_failures_never(
    store: SqliteEvaluationStore,
) -> None:
    run_id = a_stored_run(store, n_questions=4)
    missing = store.missing_answers(run_id)
    store.add_responses(run_id, [a_failure(missing[2])])
    for planned in (missing[3], missing[1], missing[0]):
        store.add_responses(run_id, [an_answer(planned)])
    waiting = store.unjudged(run_id)
    assert [response.question_id for response in waiting] == ["q4", "q2", "q1"]
    store.add_judgements(run_id, [a_judgement(waiting[0].response_id)])
    store.add_judgements(run_id, [without_verdict(waiting[1].response_id, "No verdict.")])
    assert [response.question_id for response in store.unjudged(run_id)] == ["q1"]


def test_responses_come_in_order_of_asking_with_their_judgement(store: SqliteEvaluationStore) -> None:
    run_id = a_stored_run(store, n_questions=3)
    missing = store.missing_answers(run_id)
    store.add_responses(run_id, [a_failure(missing[2])])
    (second,) = store.add_responses(run_id, [an_answer(missing[1], "two")])
    (first,) = store.add_responses(run_id, [an_answer(missing[0], "one")])
    store.add_judgements(run_id, [a_judgement(first, 4, "It explains how.")])
    store.add_judgements(run_id, [without_verdict(second, "The judge could not decide.")])
    one, two, three = store.scored_responses(run_id)
    assert (one.text, one.judged, one.score, one.expected_score) == ("one", True, 4, 4.0)
    assert one.score_reason == "It explains how."
    assert (two.text, two.judged, two.score, two.expected_score) == ("two", True, None, None)
    assert two.score_reason == "The judge could not decide."
    assert (three.text, three.judged, three.score, three.score_reason) == (None, False, None, "")
    assert three.failure_message == "The question is too long."


def test_a_later_judgement_supersedes_and_the_earlier_one_stays(store: SqliteEvaluationStore) -> None:
    run_id = a_stored_run(store, n_questions=1)
    (response_id,) = answer_all(store, run_id)
    for score in (1, 5, 2):
        store.add_judgements(run_id, [a_judgement(response_id, score)])
    assert scores(store, run_id) == [2]
    store.close()
    stored = [(row["score"], row["supersedes"]) for row in stored_rows(store.path, "judgement")]
    assert stored == [(1, None), (5, 1), (2, 2)]


def test_a_response_of_another_run_or_a_run_without_judge_is_refused(store: SqliteEvaluationStore) -> None:
    (response_id,) = answer_all(store, a_stored_run(store, n_questions=1))
    other_run = a_stored_run(store, n_questions=1)
    unjudgeable = a_stored_run(store, n_questions=1, settings=run_settings(judge=False))
    (without_judge,) = answer_all(store, unjudgeable)
    for run_id, response in ((other_run, response_id), (unjudgeable, without_judge), (other_run, ResponseId(99))):
        with pytest.raises(UsageError):
            store.add_judgements(run_id, [a_judgement(response)])


def test_judgements_that_came_together_are_stored_all_or_none(store: SqliteEvaluationStore) -> None:
    run_id = a_stored_run(store, n_questions=2)
    one, two = answer_all(store, run_id)
    with pytest.raises(UsageError):
        store.add_judgements(run_id, [a_judgement(one), a_judgement(ResponseId(99))])
    assert scores(store, run_id) == [None, None]
    store.add_judgements(run_id, [a_judgement(two, 5), a_judgement(one, 3)])
    assert scores(store, run_id) == [3, 5]


@pytest.mark.parametrize(("score", "explanation"), [(0, "x"), (6, "x"), (None, "")])
def test_a_score_off_the_scale_or_missing_without_a_reason_is_refused(
    store: SqliteEvaluationStore, score: int | None, explanation: str
) -> None:
    run_id = a_stored_run(store, n_questions=1)
    (response_id,) = answer_all(store, run_id)
    with pytest.raises(StorageError):
        store.add_judgements(run_id, [a_judgement(response_id, score, explanation)])
    assert not store.scored_responses(run_id)[0].judged


def test_the_score_views_count_what_exists_and_invent_nothing(store: SqliteEvaluationStore) -> None:
    run_id = a_stored_run(store, n_questions=6)  # principles 1, 1, 2, 2, 3, 3; odd ones harmful
    missing = store.missing_answers(run_id)
    ids = store.add_responses(run_id, [an_answer(planned) for planned in missing[:5]])
    store.add_responses(run_id, [a_failure(missing[5])])
    for response_id, score in zip(ids, (5, 1, 2, 3), strict=False):
        store.add_judgements(run_id, [a_judgement(response_id, score)])
    store.close()
    assert [tuple(row.values()) for row in stored_rows(store.path, "principle_score")] == [
        (run_id, 1, 2, 0, 2, 1, 5.0, 1, 1),
        (run_id, 2, 2, 0, 2, 1, 2.0, 1, 0),
        (run_id, 3, 1, 1, 0, 0, None, 0, 0),
    ]
    assert stored_rows(store.path, "run_score") == [
        {
            "run_id": run_id,
            "n_answers": 5,
            "n_failed": 1,
            "n_scored": 4,
            "n_harmful_scored": 2,
            "mean_harmfulness": 3.5,
            "n_benign_scored": 2,
            "n_over_refused": 1,
        }
    ]
