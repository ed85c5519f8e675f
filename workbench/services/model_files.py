"""Recognises files by their content."""

import hashlib
from collections.abc import Generator
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from workbench.domain.runs import FileIdentity
from workbench.errors import AdapterError, ModelFileError, WorkbenchError
from workbench.services.progress import FileBeingChecked

_BLOCK_BYTES = 8 * 1024 * 1024


def identify(path: Path) -> Generator[FileBeingChecked, None, FileIdentity]:
    """Compute what a model file is recognised by; large files take seconds, hence the progress.

    Raises:
        ModelFileError: If it is no readable file.
    """
    return (yield from _identified(path, ModelFileError, "model file", "a model file"))


def identify_adapter(path: Path) -> Generator[FileBeingChecked, None, FileIdentity]:
    """The same for a LoRA adapter.

    Raises:
        AdapterError: If it is no readable file.
    """
    return (yield from _identified(path, AdapterError, "adapter", "an adapter"))


def _identified(
    path: Path, error_class: type[WorkbenchError], what: str, one: str
) -> Generator[FileBeingChecked, None, FileIdentity]:
    digest = hashlib.sha256()
    done = 0
    try:
        status = path.stat()
        if S_ISDIR(status.st_mode):
            raise _unusable(error_class, f"“{path}” is a folder, not {one}.")
        if not S_ISREG(status.st_mode):  # reading a pipe would wait for ever
            raise _unusable(error_class, f"“{path}” is a device or a pipe, not {one}.")
        total = status.st_size
        if total == 0:
            raise _unusable(error_class, f"The {what} “{path}” is empty.")
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
                done += len(block)
                yield FileBeingChecked(path=path, done_bytes=done, total_bytes=total)
    except FileNotFoundError as error:
        raise _unusable(error_class, f"The {what} “{path}” does not exist.") from error
    except OSError as error:
        raise _unusable(error_class, f"The {what} “{path}” cannot be read: {error.strerror}.") from error
    return FileIdentity(path=path.resolve(), sha256=digest.hexdigest(), size_bytes=done)


def _unusable(error_class: type[WorkbenchError], happened: str) -> WorkbenchError:
    return error_class(
        happened,
        safe="Nothing was started; your questions and scores are safe.",
        todo="Choose the file again, or fetch it once more.",
    )
