import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlite_utils import Database

from tests.helpers.stores import a_stored_run, an_answer, answer_all, raw_connection
from workbench.errors import DatabaseCorruptError, DatabaseInUseError, StorageError
from workbench.storage import database
from workbench.storage.database import DatabaseThread
from workbench.storage.store import SqliteEvaluationStore


def test_the_connection_is_set_for_durability(path: Path) -> None:
    thread = DatabaseThread.open(path, create=True)
    wanted = {
        "journal_mode": "wal",
        "locking_mode": "exclusive",
        "synchronous": 2,
        "foreign_keys": 1,
        "recursive_triggers": 1,
        "trusted_schema": 0,
        "cell_size_check": 1,
    }
    found = {name: thread.call(_setting, name) for name in wanted}
    thread.close()
    assert found == wanted


def _setting(db: Database, name: str) -> object:
    return db.execute(f"PRAGMA {name}").fetchone()[0]


def test_many_threads_may_call_at_once(store: SqliteEvaluationStore) -> None:
    run_id = a_stored_run(store, n_questions=40, samples=3)
    missing = store.missing_answers(run_id)
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda planned: store.add_responses(run_id, [an_answer(planned)])[0], missing))
        counts = list(pool.map(lambda _: len(store.scored_responses(run_id)), range(8)))
    assert len(set(ids)) == 120
    assert counts == [120] * 8
    assert store.missing_answers(run_id) == []


def test_a_closed_store_says_so(store: SqliteEvaluationStore) -> None:
    store.close()
    store.close()
    with pytest.raises(StorageError, match="closed"):
        store.runs()


def test_without_create_a_missing_file_is_not_made(path: Path) -> None:
    with pytest.raises(StorageError, match="no database"):
        SqliteEvaluationStore.open(path, create=False)
    assert not path.parent.exists()


def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    path = tmp_path / "empty & odd ?#%20 näme.sqlite"
    path.touch()
    store = SqliteEvaluationStore.open(path)
    run_id = a_stored_run(store)
    store.close()
    again = SqliteEvaluationStore.open(path, create=False)
    assert again.path == path
    assert again.run(run_id).n_questions == 4
    again.close()


def test_a_second_store_on_the_same_file_is_refused_and_the_first_goes_on(store: SqliteEvaluationStore) -> None:
    with pytest.raises(DatabaseInUseError) as raised:
        SqliteEvaluationStore.open(store.path)
    assert str(store.path) in raised.value.happened
    answer_all(store, a_stored_run(store))
    with pytest.raises(DatabaseInUseError):  # looking at the file has not taken the first one's locks away
        SqliteEvaluationStore.open(store.path)


def test_an_emptied_file_beside_a_full_log_is_left_alone(store: SqliteEvaluationStore) -> None:
    a_stored_run(store)
    log = store.path.with_name("workbench.sqlite-wal")
    content = log.read_bytes()
    store.close()
    store.path.write_bytes(b"")
    log.write_bytes(content)
    with pytest.raises(DatabaseCorruptError):
        SqliteEvaluationStore.open(store.path)
    assert log.read_bytes() == content


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE event_log SET payload = '{}' WHERE id = 2",
        "UPDATE event_log SET created_at = '2026-01-01T00:00:00+00:00' WHERE id = 1",
        "DELETE FROM event_log WHERE id = 1",
        "UPDATE event_log SET run_id = NULL WHERE id = 2",
    ],
)
def test_a_changed_history_is_noticed(store: SqliteEvaluationStore, change: str) -> None:
    store.finish_run(a_stored_run(store))
    store.close()
    with raw_connection(store.path) as file:
        triggers = file.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _sql in triggers:
            file.execute(f"DROP TRIGGER {name}")
        file.execute(change)
        for _name, sql in triggers:
            file.execute(sql)
    with pytest.raises(DatabaseCorruptError, match="altered") as raised:
        SqliteEvaluationStore.open(store.path)
    assert "Entry" in raised.value.detail


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ("DROP TRIGGER response_no_update", "response_no_update"),
        ("DROP VIEW scored_response", "scored_response"),
        ("CREATE TRIGGER evil AFTER INSERT ON response BEGIN SELECT 1; END", "evil"),
    ],
)
def test_a_changed_form_is_noticed(store: SqliteEvaluationStore, change: str, name: str) -> None:
    store.close()
    with raw_connection(store.path) as file:
        file.execute(change)
    with pytest.raises(DatabaseCorruptError, match="altered") as raised:
        SqliteEvaluationStore.open(store.path)
    assert name in raised.value.detail


def test_an_added_index_or_view_is_nobodys_harm(store: SqliteEvaluationStore) -> None:
    store.close()
    with raw_connection(store.path) as file:
        file.execute("CREATE VIEW mine AS SELECT * FROM run_score")
        file.execute("CREATE INDEX by_name ON evaluation_run (llm_name)")
        file.execute("ANALYZE")
    SqliteEvaluationStore.open(store.path).close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE evaluation_run SET settings = '{}'",
        "UPDATE evaluation_run SET created_at = 'aaaa-aa-aaTaa:aa:aa+00:00'",
        "UPDATE evaluation_run SET settings = CAST(x'FF' AS TEXT)",
        "UPDATE evaluation_run SET versions = '[1]'",
    ],
)
def test_a_record_that_cannot_be_read_is_damage(store: SqliteEvaluationStore, change: str) -> None:
    a_stored_run(store)
    store.close()
    with raw_connection(store.path) as file:
        file.execute(change)
    again = SqliteEvaluationStore.open(store.path)
    with pytest.raises(DatabaseCorruptError):
        again.runs()
    again.close()


def test_a_fault_of_the_program_keeps_its_own_error(path: Path) -> None:
    thread = DatabaseThread.open(path, create=True)
    with pytest.raises(sqlite3.OperationalError, match="syntax"):
        thread.call(lambda db: db.execute("SELEKT 1"))
    thread.close()


def test_a_sqlite_without_strict_tables_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_OLDEST_SQLITE", (99, 0, 0))
    with pytest.raises(StorageError) as raised:
        SqliteEvaluationStore.open(path)
    assert "too old" in raised.value.detail
