"""Opening the database file, and the one thread that owns its connection.

There is exactly one connection, in exclusive mode: SQLite versions before 3.51.3 can damage a write-ahead log that
several connections write, and a program cannot choose the SQLite it finds on a computer.
"""

import os
import random
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, Self, TypeVar
from urllib.parse import quote

from sqlite_utils import Database

from workbench.errors import DatabaseInUseError
from workbench.storage import event_log, faults
from workbench.storage.migrations import MIGRATIONS, deviations, known_migrations

APPLICATION_ID = 0x4D535742
"""``MSWB`` in the file's header: marks the databases of this program."""

_OLDEST_SQLITE = (3, 37, 0)
"""The first with STRICT tables."""
_ALWAYS_CHECKED_BYTES = 64 * 2**20
"""Smaller files are checked at every start, larger ones after a start that did not end properly."""
_LOCK_WAIT_S = 1.0
"""Two programs that start at the same instant can lock each other out for a moment; then one of them must win."""
_LOCK_PAUSES_S = (0.005, 0.06)
"""Of random length, so that they do not go on locking each other out."""
_PAGE_DAMAGE_LIMIT = 20

P = ParamSpec("P")
T = TypeVar("T")


class DatabaseThread:
    """Owns the connection and carries out one piece of work after the other; from any thread."""

    def __init__(self, path: Path, db: Database, executor: ThreadPoolExecutor) -> None:
        self.path = path
        self._db = db
        self._executor = executor
        self._closed = False

    @classmethod
    def open(cls, path: Path, *, create: bool) -> Self:
        """Open the file, bring it to the current form, and start the thread.

        Raises:
            StorageError: If the file cannot be used.
        """
        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database")
        try:
            with faults.explained(path):
                db = executor.submit(_open, path, create).result()
        except BaseException:
            executor.shutdown()
            raise
        return cls(path, db, executor)

    def call(self, work: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of ``work``; whatever it wrote is on the disk when this returns.

        Raises:
            StorageError: If the database cannot do it; then nothing of it was stored.
        """
        if self._closed:
            raise faults.closed(self.path)
        with faults.explained(self.path):
            return self._executor.submit(work, self._db, *args, **kwargs).result()

    def close(self) -> None:
        """Finish pending work, fold the log into the file and end the thread. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        # Closing the last connection empties the log; where the disk is full it stays, and nothing in it is lost.
        self._executor.submit(self._db.close).result()
        self._executor.shutdown()


def _open(path: Path, create: bool) -> Database:
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise faults.unusable(path, f"SQLite {sqlite3.sqlite_version} is too old; 3.37 or newer is needed.")
    is_new = _prepare(path, create)
    if is_new:
        return _connected(path, is_new=True, thorough=False)
    _refuse_unsuitable(path)
    thorough = _log_bytes(path) > 0 or path.stat().st_size < _ALWAYS_CHECKED_BYTES
    return _connected(path, is_new=False, thorough=thorough)


def _prepare(path: Path, create: bool) -> bool:
    """Make the folder where needed; whether the database is still to be made."""
    if path.exists():
        if not path.is_file():
            raise faults.not_a_file(path)
        if not os.access(path, os.W_OK):  # SQLite, asked for the exclusive lock, would speak of a broken disk
            raise faults.read_only(path)
        if path.stat().st_size > 0:
            return False
        if _log_bytes(path) > 0:
            raise faults.damaged(path, "The file is empty, but its write-ahead log is not.")
    if not create:
        raise faults.missing(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    return True


def _log_bytes(path: Path) -> int:
    """Size of the write-ahead log: above 0 when the last program to use the file did not close it."""
    file = path.resolve()
    log = file.with_name(f"{file.name}-wal")
    return log.stat().st_size if log.exists() else 0


def _refuse_unsuitable(path: Path) -> None:
    """Look at the header only, so that a file that is not ours is left exactly as it is.

    SQLite reads it, not this program: on POSIX, closing a file drops every lock the process holds on it.
    """
    absolute = path.absolute().as_posix()
    url = f"file:///{quote(absolute.removeprefix('/'), safe='/:', errors='surrogateescape')}?mode=ro&immutable=1"
    header = sqlite3.connect(url, uri=True)
    try:
        if _pragma(header, "application_id") != APPLICATION_ID:
            raise faults.foreign(path)
        if _pragma(header, "user_version") > len(known_migrations()):
            raise faults.too_new(path)
        if _log_bytes(path) == 0 and path.stat().st_size % _pragma(header, "page_size"):
            raise faults.damaged(path, "The last page is cut.")  # SQLite itself would fill it up with zeros
    finally:
        header.close()


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _connected(path: Path, *, is_new: bool, thorough: bool) -> Database:
    deadline_s = time.monotonic() + _LOCK_WAIT_S
    while True:
        connection = sqlite3.connect(path, timeout=_LOCK_WAIT_S / 20, isolation_level=None)
        try:
            _configure(connection, path, is_new)
            db = Database(connection, execute_plugins=False)
            if thorough:
                _refuse_damaged(db, path)
            _migrate(db, path)
            _refuse_altered(db, path)
        except sqlite3.OperationalError as error:
            connection.close()
            reason = faults.from_sqlite(error, path)
            if not isinstance(reason, DatabaseInUseError) or time.monotonic() > deadline_s:
                raise
            time.sleep(random.uniform(*_LOCK_PAUSES_S))  # noqa: S311 - nothing to guess here
        except BaseException:
            connection.close()
            raise
        else:
            return db


def _configure(connection: sqlite3.Connection, path: Path, is_new: bool) -> None:
    connection.row_factory = sqlite3.Row
    for pragma in (
        "locking_mode = EXCLUSIVE",
        "synchronous = FULL",  # an acknowledged answer survives a power cut
        "fullfsync = ON",  # macOS: past the disk's own cache; elsewhere without effect
        "foreign_keys = ON",
        "trusted_schema = OFF",
        "cell_size_check = ON",
        "mmap_size = 0",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    if is_new:  # before the log exists, so that the mark is in the file itself from the first moment
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise faults.unusable(path, f"The journal mode is {mode}, not wal.")
    # Asks for the right to write now, not after the first answer was computed.
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("ROLLBACK")


def _refuse_damaged(db: Database, path: Path) -> None:
    found = [row[0] for row in db.execute(f"PRAGMA quick_check({_PAGE_DAMAGE_LIMIT})").fetchall()]
    if found != ["ok"]:
        raise faults.damaged(path, "\n".join(found))


def _refuse_altered(db: Database, path: Path) -> None:
    names = deviations(db)
    if names:
        raise faults.altered(path, f"Changed or missing: {', '.join(names)}")
    entry = event_log.first_altered(db)
    if entry is not None:
        raise faults.altered(path, f"Entry {entry} of the event log was changed, or an entry before it removed.")


def _migrate(db: Database, path: Path) -> None:
    known = known_migrations()
    applied = [step.name for step in MIGRATIONS.applied(db)]
    unknown = sorted(set(applied) - set(known))
    if unknown:
        raise faults.too_new(path, f"Unknown steps: {', '.join(unknown)}")
    if not applied and set(db.table_names()) - {MIGRATIONS.migrations_table}:
        raise faults.altered(path, "There are tables, but no record of how they were made.")
    pending = [name for name in known if name not in applied]
    if pending and applied:
        _back_up(db, path, pending[0])
    if pending:
        MIGRATIONS.apply(db)
        db.execute(f"PRAGMA user_version = {len(known)}")


def _back_up(db: Database, path: Path, step: str) -> None:
    """Copy the database beside itself as it is before ``step``; a copy is complete or not there."""
    number = step.partition("_")[0]
    copy = path.with_name(f"{path.stem}.before-{number}.sqlite")
    unfinished = copy.with_name(f"{copy.name}.part")
    unfinished.unlink(missing_ok=True)
    try:
        db.execute("VACUUM INTO ?", [str(unfinished)])
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        unfinished.replace(copy)
    finally:
        unfinished.unlink(missing_ok=True)
