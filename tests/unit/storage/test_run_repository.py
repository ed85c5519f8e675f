import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.helpers.records import a_load_report, a_plan, a_question, run_settings
from tests.helpers.stores import (
    SET,
    a_draft,
    a_failure,
    a_stored_run,
    an_answer,
    answer_all,
    raw_connection,
    stored_rows,
)
from workbench.domain.llm import AnswerFlag, KvType, LlmDescription
from workbench.domain.questions import QuestionId, RevisionId
from workbench.domain.runs import FileIdentity, PlannedAnswer, RunId, RunStatus
from workbench.errors import StorageError, UsageError
from workbench.storage.store import SqliteEvaluationStore

DESCRIPTION = LlmDescription(
    name="Practice \udcff open",
    architecture="llama",
    quantisation="Q8_0",
    n_parameters=1_000_000,
    n_layers=2,
    trained_context_tokens=2048,
    context_tokens=1024,
    n_slots=3,
    n_threads=2,
    n_batch=512,
    kv_type=KvType.Q8_0,
    flash_attention=True,
    device="CPU",
    n_layers_offloaded=0,
    template_sha256="d" * 64,
    template_source="model_file",
    rubric=None,
    versions=(("workbench", "0.1.0"), ("llama-cpp-python", "0.3.36")),
)


def _asked(missing: list[PlannedAnswer]) -> list[tuple[str, int]]:
    return [(planned.question.id, planned.sample) for planned in missing]


def test_a_run_comes_back_as_it_was_made(store: SqliteEvaluationStore) -> None:
    settings = replace(run_settings(), adapter=FileIdentity(path=Path("a/b.gguf"), sha256="e" * 64, size_bytes=5))
    before = datetime.now(UTC)
    run = store.run(a_stored_run(store, settings=settings))
    assert run.settings == settings
    assert run.status is RunStatus.UNFINISHED
    assert before <= run.created_at <= datetime.now(UTC)
    assert run.finished_at is None
    assert run.n_questions == 4
    assert (run.llm_name, run.device, run.versions) == ("open.gguf", "", ())
    assert (run.n_layers, run.n_layers_offloaded, run.load_report) == (None, None, None)


def test_runs_come_newest_first(store: SqliteEvaluationStore) -> None:
    ids = [a_stored_run(store) for _ in range(3)]
    assert [run.id for run in store.runs()] == ids[::-1]


def test_what_was_loaded_is_stored_and_replaced_on_resume(store: SqliteEvaluationStore) -> None:
    run_id = a_stored_run(store)
    store.record_llm(run_id, DESCRIPTION, a_load_report())
    resumed = replace(
        DESCRIPTION, device="CUDA0", n_layers_offloaded=2, template_source="chosen", template_sha256="f" * 64
    )
    store.record_llm(run_id, resumed, a_load_report(a_plan(n_slots=7)))
    run = store.run(run_id)
    assert (run.llm_name, run.device) == ("Practice \ufffd open", "CUDA0")
    assert (run.n_layers, run.n_layers_offloaded) == (2, 2)
    assert run.load_report == a_load_report()  # of the first loading
    assert run.versions == DESCRIPTION.versions
    store.close()
    with raw_connection(store.path) as file:
        kinds = [kind for (kind,) in file.execute("SELECT kind FROM event_log ORDER BY id")]
        template = file.execute("SELECT template_sha256 FROM model_file").fetchall()
    assert kinds == ["question_set_saved", "run_created", "llm_recorded", "llm_recorded"]
    assert template == [("d" * 64,)]


def test_a_run_is_finished_once(store: SqliteEvaluationStore) -> None:
    run_id = a_stored_run(store)
    store.finish_run(run_id)
    finished = store.run(run_id)
    assert finished.status is RunStatus.FINISHED
    assert finished.finished_at is not None
    store.finish_run(run_id)
    assert store.run(run_id) == finished


def test_the_same_files_and_judge_are_stored_once(store: SqliteEvaluationStore) -> None:
    moved = FileIdentity(path=Path("moved/open.gguf"), sha256="a" * 64, size_bytes=10)
    a_stored_run(store)
    a_stored_run(store, settings=replace(run_settings(), model_file=moved))
    store.close()
    with raw_connection(store.path) as file:
        assert file.execute("SELECT count(*) FROM model_file").fetchone() == (1,)
        assert file.execute("SELECT count(*) FROM rater").fetchone() == (1,)


def test_an_unknown_run_is_named(store: SqliteEvaluationStore) -> None:
    unknown = RunId(7)
    for ask in (store.run, store.missing_answers, store.scored_responses, store.unjudged, store.changed_questions):
        with pytest.raises(UsageError, match="no run 7"):
            ask(unknown)
    with pytest.raises(UsageError):
        store.finish_run(unknown)
    with pytest.raises(UsageError):
        store.record_llm(unknown, DESCRIPTION, a_load_report())
    with pytest.raises(UsageError):
        store.record_judge(unknown, DESCRIPTION, a_load_report())


def test_everything_is_missing_at_first_sample_by_sample(store: SqliteEvaluationStore) -> None:
    run_id = a_stored_run(store, n_questions=2, samples=3)
    expected = [("q1", 0), ("q1", 1), ("q1", 2), ("q2", 0), ("q2", 1), ("q2", 2)]
    assert _asked(store.missing_answers(run_id)) == expected


def test_answers_and_failures_are_no_longer_missing(store: SqliteEvaluationStore) -> None:
    run_id = a_stored_run(store, n_questions=3, samples=2)
    missing = store.missing_answers(run_id)
    store.add_responses(run_id, [an_answer(missing[3])])
    store.add_responses(run_id, [a_failure(missing[0])])
    assert _asked(store.missing_answers(run_id)) == [("q1", 1), ("q2", 0), ("q3", 0), ("q3", 1)]
    other_run = a_stored_run(store, n_questions=3, samples=2)
    assert len(store.missing_answers(other_run)) == 6
    answer_all(store, run_id)
    assert store.missing_answers(run_id) == []


def test_a_run_keeps_asking_its_own_wording(store: SqliteEvaluationStore) -> None:
    run_id = a_stored_run(store, n_questions=2)
    store.save_question_set(SET, [a_draft(2, text="Reworded?"), a_draft(1)])
    assert [planned.question.text for planned in store.missing_answers(run_id)] == ["Question 1?", "Question 2?"]


def test_reworded_questions_are_named_until_the_wording_is_back(store: SqliteEvaluationStore) -> None:
    run_id = a_stored_run(store, n_questions=3)
    assert store.changed_questions(run_id) == []
    store.save_question_set(SET, [a_draft(1, text="Reworded?"), a_draft(2), a_draft(4)])  # the third is left out
    assert store.changed_questions(run_id) == [QuestionId("q1")]
    store.save_question_set(SET, [a_draft(number) for number in range(1, 4)])
    assert store.changed_questions(run_id) == []


def test_a_second_response_to_one_planned_answer_is_refused(store: SqliteEvaluationStore) -> None:
    run_id = a_stored_run(store, n_questions=1)
    (planned,) = store.missing_answers(run_id)
    store.add_responses(run_id, [an_answer(planned, "first")])
    with pytest.raises(StorageError, match="already"):
        store.add_responses(run_id, [an_answer(planned, "second")])
    assert [response.text for response in store.scored_responses(run_id)] == ["first"]


def test_responses_that_came_together_are_stored_all_or_none(store: SqliteEvaluationStore) -> None:
    run_id = a_stored_run(store, n_questions=3)
    missing = store.missing_answers(run_id)
    assert store.add_responses(run_id, []) == []
    with pytest.raises(StorageError, match="contradicts"):
        store.add_responses(run_id, [an_answer(missing[0]), an_answer(missing[0], "twice in one step")])
    with pytest.raises(StorageError, match="contradicts"):
        store.add_responses(run_id, [an_answer(missing[0]), replace(an_answer(missing[1]), sample=9)])
    assert store.missing_answers(run_id) == missing
    first, second = store.add_responses(run_id, [an_answer(missing[1], "b"), a_failure(missing[0])])
    (third,) = store.add_responses(run_id, [an_answer(missing[2], "c")])
    stored = {response.response_id: response.text for response in store.scored_responses(run_id)}
    assert stored == {first: "b", second: None, third: "c"}
    with pytest.raises(StorageError, match=f"already, as response {second}"):
        store.add_responses(run_id, [an_answer(missing[0])])


def test_a_loading_is_kept_in_full_in_the_event_log(store: SqliteEvaluationStore) -> None:
    run_id = a_stored_run(store)
    store.record_llm(run_id, DESCRIPTION, a_load_report(n_failed=2))
    store.close()
    with raw_connection(store.path) as file:
        (text,) = file.execute("SELECT payload FROM event_log WHERE kind = 'llm_recorded'").fetchone()
        columns = file.execute("SELECT n_slots, kv_type FROM evaluation_run").fetchone()
    payload = json.loads(text)
    assert payload["description"]["n_batch"] == 512
    assert [attempt["reason"] for attempt in payload["report"]["failed_attempts"]] == ["Out of device memory."] * 2
    assert payload["report"]["plan"]["shares"][0]["device"]["name"] == "CPU"
    assert columns == (3, "q8_0")


def test_every_loading_of_a_judge_is_kept_and_the_run_names_the_last(store: SqliteEvaluationStore) -> None:
    run_id, other_run = a_stored_run(store), a_stored_run(store)
    assert store.run(run_id).judge_report is None
    first, last = a_load_report(n_failed=1), a_load_report(a_plan(n_slots=2))
    for report in (first, last):
        store.record_judge(run_id, replace(DESCRIPTION, flags=(AnswerFlag.KV_QUANTISED,)), report)
    assert store.run(run_id).judge_report == last
    assert (store.run(run_id).load_report, store.run(run_id).device) == (None, "")  # nothing of the run's own file
    assert store.run(other_run).judge_report is None
    assert store.device_corrections() == ()
    store.close()
    entries = [json.loads(one["payload"]) for one in stored_rows(store.path, "event_log") if "judge" in one["kind"]]
    assert [len(one["report"]["failed_attempts"]) for one in entries] == [1, 0]
    assert [one["description"]["flags"] for one in entries] == [["kv_quantised"]] * 2
    assert [one["report"]["plan"]["n_slots"] for one in entries] == [4, 2]


def test_a_response_nobody_planned_is_refused(store: SqliteEvaluationStore) -> None:
    run_id = a_stored_run(store, n_questions=1)
    (planned,) = store.missing_answers(run_id)
    for unplanned in (
        replace(an_answer(planned), sample=1),
        replace(an_answer(planned), sample=-1),
        replace(an_answer(planned), revision_id=RevisionId(99)),
        replace(an_answer(planned), text=None),  # neither an answer nor a failure
        replace(an_answer(planned), duration_s=float("nan")),
    ):
        with pytest.raises(StorageError, match="contradicts"):
            store.add_responses(run_id, [unplanned])
    assert store.scored_responses(run_id) == []


def test_a_run_with_an_unknown_question_is_refused_whole(store: SqliteEvaluationStore) -> None:
    store.save_question_set(SET, [a_draft(1)])
    with pytest.raises(StorageError):
        store.create_run(run_settings(), [*store.questions(SET), a_question(99)])
    assert store.runs() == []


def test_an_answer_of_any_bytes_is_kept(store: SqliteEvaluationStore) -> None:
    run_id = a_stored_run(store, n_questions=1)
    (planned,) = store.missing_answers(run_id)
    text = "NUL \0, half \ud83d, " + "long " * 200_000
    raw = bytes(range(256)) * 10
    flags = (AnswerFlag.NOT_UTF8, AnswerFlag.TRUNCATED)
    store.add_responses(run_id, [replace(an_answer(planned, text), raw=raw, flags=flags)])
    (response,) = store.scored_responses(run_id)
    assert response.text == text.replace("\ud83d", "\ufffd")
    assert response.flags == flags
    store.close()
    with raw_connection(store.path) as file:
        assert file.execute("SELECT raw FROM response").fetchone() == (raw,)
