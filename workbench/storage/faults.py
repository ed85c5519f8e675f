"""What can be wrong with a database file, in words for the person in front of the program."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench.errors import (
    DatabaseCorruptError,
    DatabaseInUseError,
    DatabaseReadOnlyError,
    DatabaseTooNewError,
    DiskFullError,
    StorageError,
)

_NOTHING_LOST = "Everything stored before is safe."
_UNTOUCHED = "The file was not changed."
_PRIMARY = 0xFF
"""SQLite's extended result codes carry the primary code in their lowest byte."""

_NO_ROOM = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC}
"""File systems that hand out space late report a full disk when data is written out or synchronised."""


def in_use(path: Path, detail: str = "") -> DatabaseInUseError:
    """Another program, or another window of this one, holds the file."""
    return DatabaseInUseError(
        f"The database {path} is open in another program.",
        safe="Nothing was changed, and the other program is not disturbed.",
        todo="Close the other program, or choose another database file.",
        detail=detail,
    )


def read_only(path: Path, detail: str = "") -> DatabaseReadOnlyError:
    """The file or its folder may not be read or written."""
    return DatabaseReadOnlyError(
        f"The database {path} may not be written.",
        safe=_NOTHING_LOST,
        todo="Allow writing to the file and to its folder, or choose another database file.",
        detail=detail,
    )


def too_new(path: Path, detail: str = "") -> DatabaseTooNewError:
    """A newer version of the program has given the database a form that this one does not know."""
    return DatabaseTooNewError(
        f"The database {path} was written by a newer version of this program.",
        safe=_UNTOUCHED,
        todo="Use the newer version, or choose another database file.",
        detail=detail,
    )


def damaged(path: Path, detail: str = "") -> DatabaseCorruptError:
    """The content contradicts itself."""
    return DatabaseCorruptError(
        f"The database {path} is damaged.",
        safe="Nothing was written to it.",
        todo="Keep this file, and go on with a backup copy of it or with another database file.",
        detail=detail,
    )


def foreign(path: Path, detail: str = "") -> DatabaseCorruptError:
    """The file belongs to something else."""
    return DatabaseCorruptError(
        f"The file {path} is not a database of this program.",
        safe=_UNTOUCHED,
        todo="Choose another database file.",
        detail=detail,
    )


def disk_full(path: Path, detail: str = "") -> DiskFullError:
    """The last write found no room; it was undone completely."""
    return DiskFullError(
        f"There is no room left to write the database {path}.",
        safe=_NOTHING_LOST,
        todo="Free some space on this disk, then go on.",
        detail=detail,
    )


def unusable(path: Path, detail: str = "") -> StorageError:
    """The operating system cannot read or write the file."""
    return StorageError(
        f"The database {path} cannot be read or written.",
        safe=_NOTHING_LOST,
        todo="Check the disk and the folder, or choose another database file.",
        detail=detail,
    )


def altered(path: Path, detail: str) -> DatabaseCorruptError:
    """Something else than this program changed what must never change."""
    return DatabaseCorruptError(
        f"The database {path} was altered by something else than this program.",
        safe="Nothing was written to it.",
        todo="Keep this file, and go on with a backup copy of it or with another database file.",
        detail=detail,
    )


def not_a_file(path: Path) -> StorageError:
    """The path names a folder or a device."""
    return StorageError(
        f"{path} is not a file.", safe="Nothing was changed.", todo="Choose the path of a file for the database."
    )


def missing(path: Path) -> StorageError:
    """There is no file and none shall be made."""
    return StorageError(
        f"There is no database at {path}.", safe="Nothing was created.", todo="Check the path of the database file."
    )


def closed(path: Path) -> StorageError:
    """The store was asked after it had been closed."""
    return StorageError(
        f"The database {path} is closed already.", safe=_NOTHING_LOST, todo="Start the program again to go on."
    )


def refused(path: Path, detail: str) -> StorageError:
    """A rule of the database forbids the record."""
    return StorageError(
        f"The database {path} refused a record that contradicts what it holds.",
        safe="The record was not stored; everything stored before is safe.",
        todo="Start the program again, and report this if it happens again.",
        detail=detail,
    )


class UnreadableRecordError(Exception):
    """A stored record cannot have been written by this program."""


@contextmanager
def readable() -> Iterator[None]:
    """Around building a record from a row: a value that no such record can have is damage, not a fault of ours."""
    try:
        yield
    except (ValueError, TypeError, KeyError) as error:
        raise UnreadableRecordError(f"{type(error).__name__}: {error}") from error


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the operating system into those of the tree; faults of the program pass through."""
    try:
        yield
    except sqlite3.Error as error:
        known = from_sqlite(error, path)
        if known is None:
            raise
        raise known from error
    except UnreadableRecordError as error:
        raise damaged(path, str(error)) from error
    except OSError as error:
        raise _from_os(error, path) from error


def from_sqlite(error: sqlite3.Error, path: Path) -> StorageError | None:
    """The error of the tree that an SQLite error stands for; ``None`` if it is a fault of the program."""
    code = getattr(error, "sqlite_errorcode", None)
    if not isinstance(code, int):
        # Python's own: an OperationalError for text that is not UTF-8, everything else for wrong use.
        return damaged(path, str(error)) if isinstance(error, sqlite3.OperationalError) else None
    detail = f"{getattr(error, 'sqlite_errorname', code)}: {error}"
    if code in _NO_ROOM or code & _PRIMARY == sqlite3.SQLITE_FULL:
        return disk_full(path, detail)
    kinds = {
        sqlite3.SQLITE_BUSY: in_use,
        sqlite3.SQLITE_LOCKED: in_use,
        sqlite3.SQLITE_READONLY: read_only,
        sqlite3.SQLITE_PERM: read_only,
        sqlite3.SQLITE_CANTOPEN: read_only,
        sqlite3.SQLITE_CORRUPT: damaged,
        sqlite3.SQLITE_NOTADB: foreign,
        sqlite3.SQLITE_IOERR: unusable,
        sqlite3.SQLITE_CONSTRAINT: refused,
    }
    kind = kinds.get(code & _PRIMARY)
    return kind(path, detail) if kind else None


def _from_os(error: OSError, path: Path) -> StorageError:
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return read_only(path, str(error))
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full(path, str(error))
    return unusable(path, str(error))
