"""The database under real faults: killed programs, full disks, second programs, and files it must not touch."""

import ctypes
import json
import os
import random
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.stores import a_stored_run, answer_all, raw_connection, stored_rows
from workbench.errors import (
    DatabaseCorruptError,
    DatabaseInUseError,
    DatabaseReadOnlyError,
    DatabaseTooNewError,
    StorageError,
)
from workbench.storage.database import APPLICATION_ID
from workbench.storage.store import SqliteEvaluationStore

ROOT = Path(__file__).resolve().parents[2]
N_KILLS = 16
N_QUESTIONS = 600


class Writer:
    """A second program with the store open."""

    def __init__(self, role: str, path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.helpers.store_writer", role, str(path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def heard(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        message: dict[str, Any] = json.loads(self.process.stdout.readline())
        return message

    def rest(self) -> list[dict[str, Any]]:
        """Everything said until the end; a line cut off by a kill acknowledges nothing."""
        output, _ = self.process.communicate()
        return [json.loads(line) for line in output.splitlines(keepends=True) if line.endswith("\n")]


@contextmanager
def writer(role: str, path: Path = Path()) -> Iterator[Writer]:
    program = Writer(role, path)
    try:
        yield program
    finally:
        program.process.kill()
        program.process.communicate()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sound, closed database with one run of many questions."""
    path = tmp_path / "data" / "workbench.sqlite"
    store = SqliteEvaluationStore.open(path)
    a_stored_run(store, n_questions=N_QUESTIONS)
    store.close()
    return path


def _integrity(path: Path) -> str:
    with raw_connection(path) as file:
        return str(file.execute("PRAGMA integrity_check").fetchone()[0])


def _refusal(path: Path, kind: type[StorageError]) -> StorageError:
    """The error of opening, once it is sure that nothing beside or in the file has changed."""
    before = {file: file.read_bytes() for file in path.parent.iterdir() if file.is_file()}
    with pytest.raises(kind) as raised:
        SqliteEvaluationStore.open(path)
    assert {file: file.read_bytes() for file in path.parent.iterdir() if file.is_file()} == before
    assert str(path) in raised.value.happened
    assert raised.value.safe
    assert raised.value.todo
    return raised.value


def test_nothing_acknowledged_is_lost_or_doubled_when_the_program_is_killed(path: Path) -> None:
    choose = random.Random(20260101)
    answers: list[tuple[int, int]] = []
    judged: list[int] = []
    for kill in range(N_KILLS):
        with writer("answer", path) as program:
            said = [program.heard()]
            if kill % 4:
                said += [program.heard() for _ in range(choose.randint(1, 40))]
            else:  # somewhere while it opens the database and repairs what the last kill left
                with pytest.raises(subprocess.TimeoutExpired):
                    program.process.wait(timeout=choose.uniform(0.0, 0.05))
            program.process.kill()
            said += program.rest()
        answers += [tuple(line["response"]) for line in said if "response" in line]
        judged += [line["judgement"] for line in said if "judgement" in line]
        store = SqliteEvaluationStore.open(path)
        n_missing = len(store.missing_answers(store.runs()[0].id))
        store.close()
        stored = Counter((row["revision_id"], row["sample"]) for row in stored_rows(path, "response"))
        assert all(stored[answer] == 1 for answer in answers)
        assert {row["response_id"] for row in stored_rows(path, "judgement")} >= set(judged)
        assert sum(stored.values()) + n_missing == N_QUESTIONS
        assert _integrity(path) == "ok"
    assert len(answers) > N_KILLS


def test_an_interrupted_run_is_asked_to_its_end(path: Path) -> None:
    with writer("answer", path) as program:
        for _ in range(20):
            program.heard()
        program.process.kill()
        program.rest()
    store = SqliteEvaluationStore.open(path)
    run_id = store.runs()[0].id
    answer_all(store, run_id)
    assert len(store.scored_responses(run_id)) == N_QUESTIONS
    assert store.missing_answers(run_id) == []
    store.close()


if sys.platform != "win32":  # Windows knows no limit on the size of files

    def test_a_full_disk_loses_nothing_and_writing_goes_on_when_there_is_room(path: Path) -> None:
        with writer("fill_disk", path) as program:
            said = program.rest()
            assert program.process.returncode == 0
        full = [number for number, line in enumerate(said) if "full" in line]
        assert len(full) == 2, "both tries without room end with the message for people"
        assert 0 < full[0] < full[1] < len(said) - 1
        assert all("no room" in said[number]["full"] and str(path) in said[number]["full"] for number in full)
        stored = Counter((row["revision_id"], row["sample"]) for row in stored_rows(path, "response"))
        acknowledged = [tuple(line["response"]) for line in said if "response" in line]
        assert stored == Counter(acknowledged)
        assert len(stored) == N_QUESTIONS
        assert _integrity(path) == "ok"

    def test_a_folder_that_may_not_be_written_is_named(path: Path) -> None:
        path.parent.chmod(0o555)
        try:
            _as_an_ordinary_person(lambda: _refusal(path, DatabaseReadOnlyError))
            new = path.with_name("new.sqlite")
            _as_an_ordinary_person(lambda: _refusal(new, DatabaseReadOnlyError))
        finally:
            path.parent.chmod(0o755)
        assert not new.exists()

    def test_a_file_that_may_not_be_read_is_named(path: Path) -> None:
        def refused() -> None:
            with pytest.raises(DatabaseReadOnlyError):
                SqliteEvaluationStore.open(path)

        path.chmod(0o000)
        _as_an_ordinary_person(refused)


def test_a_file_that_may_not_be_written_is_named(path: Path) -> None:
    path.chmod(0o444)
    try:
        _as_an_ordinary_person(lambda: _refusal(path, DatabaseReadOnlyError))
    finally:
        path.chmod(0o644)


def _as_an_ordinary_person(work: Callable[[], object]) -> None:
    """Carry out ``work`` in a thread without the right to go around permissions, which tests run as root would have."""
    with ThreadPoolExecutor(1, initializer=_give_up_capabilities) as thread:
        thread.submit(work).result()


def _give_up_capabilities() -> None:
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return
    version_3, this_thread = 0x20080522, 0
    header = (ctypes.c_uint32 * 2)(version_3, this_thread)
    none = (ctypes.c_uint32 * 6)()
    assert ctypes.CDLL(None).capset(header, none) == 0


def test_a_database_open_in_another_program_is_refused_until_that_ends(path: Path) -> None:
    with writer("open_when_told") as other:
        other.tell(str(path))
        assert other.heard() == {"opened": True}
        with pytest.raises(DatabaseInUseError, match="another program"):
            SqliteEvaluationStore.open(path)
        other.process.kill()
        other.process.wait()
        SqliteEvaluationStore.open(path).close()


def test_of_two_programs_that_start_at_once_one_gets_the_database(tmp_path: Path) -> None:
    outcomes = Counter[str]()
    with writer("open_when_told") as one, writer("open_when_told") as two:
        for attempt in range(12):
            path = tmp_path / f"{attempt // 2}.sqlite"  # new at first, then existing
            for program in (one, two):
                program.tell(str(path))
            outcomes[str(sorted(json.dumps(program.heard()) for program in (one, two)))] += 1
            for program in (one, two):
                program.tell("close")
            for program in (one, two):  # both have let go once each has opened and closed a file of its own
                program.tell(str(tmp_path / f"{id(program)}.sqlite"))
                assert program.heard() == {"opened": True}
                program.tell("close")
    assert outcomes == {'[\'{"opened": true}\', \'{"refused": "DatabaseInUseError"}\']': 12}


def test_a_higher_user_version_is_too_new(path: Path) -> None:
    with raw_connection(path) as file:
        file.execute("PRAGMA user_version = 99")
    _refusal(path, DatabaseTooNewError)


def test_an_unknown_step_is_too_new(path: Path) -> None:
    with raw_connection(path) as file:
        file.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('workbench', 'm099_future', '')"
        )
    assert "m099_future" in _refusal(path, DatabaseTooNewError).detail


@pytest.mark.parametrize(
    "content",
    [b"x", b"SQLite format 3\0", random.Random(1).randbytes(100_000), b"# Notes\n" * 1000, b"\0" * 4096],
    ids=["a letter", "the first bytes only", "random", "text", "zeros"],
)
def test_what_is_no_database_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.sqlite"
    path.write_bytes(content)
    _refusal(path, DatabaseCorruptError)


@pytest.mark.parametrize("with_log", [False, True])
def test_another_programs_database_is_left_alone(tmp_path: Path, with_log: bool) -> None:
    path = tmp_path / "photos.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("CREATE TABLE photo (id INTEGER PRIMARY KEY)")
        if with_log:  # as its program left it when it was killed
            left = {name: name.read_bytes() for name in tmp_path.iterdir() if not name.name.endswith("-shm")}
    if with_log:
        for name, content in left.items():
            name.write_bytes(content)
    assert "not a database of this program" in _refusal(path, DatabaseCorruptError).happened


def test_a_cut_file_is_damaged(path: Path) -> None:
    content = path.read_bytes()
    for length in (50, 100, 4096, 5000, len(content) // 2, len(content) - 1, len(content) - 4096):
        path.write_bytes(content[:length])
        _refusal(path, DatabaseCorruptError)


def test_a_flipped_byte_is_noticed_or_does_no_harm(path: Path) -> None:
    content = path.read_bytes()
    choose = random.Random(7)
    refused = 0
    for _ in range(60):
        damaged = bytearray(content)
        damaged[choose.randrange(len(content))] ^= choose.randrange(1, 256)
        path.write_bytes(damaged)
        try:
            _use(path)
        except StorageError:
            refused += 1
    assert refused > 0


def _use(path: Path) -> None:
    with closing(SqliteEvaluationStore.open(path)) as store:
        for name in store.question_sets():
            store.questions(name)
        for run in store.runs():
            store.missing_answers(run.id)
            store.scored_responses(run.id)


def test_a_marked_file_without_our_tables_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "odd.sqlite"
    with raw_connection(path) as file:
        file.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        file.execute("CREATE TABLE response (id INTEGER PRIMARY KEY)")
    with pytest.raises(DatabaseCorruptError):
        SqliteEvaluationStore.open(path)


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="not a file"):
        SqliteEvaluationStore.open(tmp_path)


def test_a_folder_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be read or written"):
        SqliteEvaluationStore.open(tmp_path / "file" / "workbench.sqlite")
