"""Puts a finished document in place of an older one, never a half-written one."""

import os
import tempfile
from pathlib import Path

from workbench.errors import StorageError


def write_whole(path: Path, text: str) -> None:
    """Write text as UTF-8 beside the target, bring it to disk, then move it into place.

    Raises:
        StorageError: If the file cannot be written; an existing file is then unchanged.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StorageError(
            f"“{path}” could not be written: {error.strerror}.",
            safe="An older file of this name is unchanged, and every answer and score is safe.",
            todo="Choose another folder or make room on the disk, then save again.",
            detail=str(error),
        ) from error
