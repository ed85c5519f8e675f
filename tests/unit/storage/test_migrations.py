import sqlite3
from enum import StrEnum
from pathlib import Path

import pytest
from sqlite_utils import Database, Migrations

from tests.helpers.records import a_load_report
from tests.helpers.stores import a_judgement, a_stored_run, answer_all, raw_connection, scores, stored_rows
from workbench.domain.llm import FinishReason, KvType
from workbench.domain.questions import QuestionKind, Split
from workbench.domain.runs import JudgeMode, RunId, RunStatus
from workbench.errors import DatabaseTooNewError, StorageError
from workbench.storage import database, migrations
from workbench.storage.store import SqliteEvaluationStore


def _extended(monkeypatch: pytest.MonkeyPatch, *statements: str) -> None:
    """The program of tomorrow: the same steps and one more."""
    tomorrow = Migrations("workbench")
    for step in (migrations.m001_first_form, migrations.m002_how_it_was_loaded):
        tomorrow()(step)

    @tomorrow()
    def m003_remarks(db: Database) -> None:
        for statement in statements:
            db.execute(statement)

    for module in (database, migrations):
        monkeypatch.setattr(module, "MIGRATIONS", tomorrow)


def test_a_new_file_has_strict_tables_the_mark_and_the_number_of_steps(store: SqliteEvaluationStore) -> None:
    store.close()
    with raw_connection(store.path) as file:
        lax = file.execute(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND NOT strict"
            " AND name NOT LIKE '%sqlite%'"
        ).fetchall()
        assert lax == []
        assert file.execute("PRAGMA application_id").fetchone() == (database.APPLICATION_ID,)
        assert file.execute("PRAGMA user_version").fetchone() == (2,)
        steps = file.execute("SELECT name FROM _sqlite_migrations ORDER BY name").fetchall()
        assert steps == [("m001_first_form",), ("m002_how_it_was_loaded",)]


def test_a_closed_database_is_one_file(store: SqliteEvaluationStore) -> None:
    a_stored_run(store)
    store.close()
    assert list(store.path.parent.iterdir()) == [store.path]


def test_a_step_on_an_existing_file_leaves_a_copy_of_what_was_before(
    store: SqliteEvaluationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = a_stored_run(store)
    store.close()
    _extended(monkeypatch, "ALTER TABLE evaluation_run ADD COLUMN remark TEXT")

    changed = SqliteEvaluationStore.open(store.path)
    assert changed.run(run_id).n_questions == 4
    changed.close()

    copy = store.path.with_name("workbench.before-m003.sqlite")
    assert sorted(store.path.parent.iterdir()) == sorted([store.path, copy])
    monkeypatch.undo()
    before = SqliteEvaluationStore.open(copy, create=False)
    assert before.run(run_id).n_questions == 4
    before.close()
    with pytest.raises(DatabaseTooNewError):
        SqliteEvaluationStore.open(store.path)


def test_a_failing_step_leaves_the_file_in_its_earlier_form(
    store: SqliteEvaluationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = a_stored_run(store)
    store.close()
    with monkeypatch.context() as patched:
        _extended(patched, "ALTER TABLE rater ADD COLUMN remark TEXT", "INSERT INTO adapter (sha256) VALUES ('x')")
        with pytest.raises(StorageError):
            SqliteEvaluationStore.open(store.path)
    again = SqliteEvaluationStore.open(store.path)
    assert again.run(run_id).n_questions == 4
    again.close()


def test_a_first_start_that_was_cut_off_is_made_good(store: SqliteEvaluationStore) -> None:
    store.close()
    store.path.unlink()
    with raw_connection(store.path) as file:
        file.execute(f"PRAGMA application_id = {database.APPLICATION_ID}")
    again = SqliteEvaluationStore.open(store.path)
    assert again.runs() == []
    again.close()


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("kind IN", QuestionKind),
        ("split IN", Split),
        ("status IN", RunStatus),
        ("finish_reason IN", FinishReason),
        ("mode IN", JudgeMode),
        ("kv_type IN", KvType),
    ],
)
def test_the_checks_know_every_value_of_the_program(
    store: SqliteEvaluationStore, column: str, values: type[StrEnum]
) -> None:
    store.close()
    allowed = ", ".join(f"'{value}'" for value in values)
    with raw_connection(store.path) as file:
        tables = " ".join(sql for (sql,) in file.execute("SELECT sql FROM sqlite_master WHERE type = 'table'"))
    assert f"{column} ({allowed})" in tables


@pytest.mark.parametrize(
    "table", ["question_revision", "run_question", "response", "judgement", "event_log", "device_correction"]
)
@pytest.mark.parametrize(
    "statement",
    ["UPDATE {} SET {column} = {column}", "DELETE FROM {}", "INSERT OR REPLACE INTO {0} SELECT * FROM {0}"],
)
def test_what_was_written_stays_written(store: SqliteEvaluationStore, table: str, statement: str) -> None:
    run_id = a_stored_run(store)
    for response_id in answer_all(store, run_id):
        store.add_judgements(run_id, [a_judgement(response_id)])
    store.record_loading(a_load_report())
    store.close()
    before = stored_rows(store.path, table)
    assert before
    with raw_connection(store.path) as file:
        file.execute("PRAGMA recursive_triggers = ON")
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            file.execute(statement.format(table, column="position" if table == "run_question" else "id"))
    assert stored_rows(store.path, table) == before


def test_a_file_of_the_first_form_opens_and_reads_as_before(path: Path) -> None:
    path.parent.mkdir()
    with raw_connection(path) as file:
        file.executescript((Path(__file__).parent / "first_form.sql").read_text("utf-8"))
    store = SqliteEvaluationStore.open(path)
    run = store.run(RunId(1))
    assert (run.settings.load.n_slots, run.settings.load.n_batch) == (4, 512)
    assert run.settings.load.n_gpu_layers is None  # -1 meant as many as fit
    assert run.settings.load.kv_type is None
    assert (run.device, run.n_layers, run.n_layers_offloaded) == ("CPU", None, None)
    assert (run.load_report, run.judge_report) == (None, None)
    assert scores(store, run.id) == [2]
    answer_all(store, run.id)
    store.record_loading(a_load_report())
    store.close()
    assert [row["flags"] for row in stored_rows(path, "judgement")] == ["[]"]
    assert path.with_name("workbench.before-m002.sqlite").exists()
