"""What can be seen of a model file without loading it: enough to refuse plain mistakes before anything starts."""

from pathlib import Path
from stat import S_ISDIR, S_ISREG

from workbench.errors import ModelFileError

_MAGIC = b"GGUF"


def require_gguf(path: Path) -> None:
    """Look at the first bytes only; what follows is for a worker to read.

    Raises:
        ModelFileError: If there is no such file, or it is a folder, empty, unreadable, or of another kind.
    """
    try:
        kind = path.stat().st_mode
        if S_ISDIR(kind):
            raise unusable(f"“{path}” is a folder, not a model file.")
        if not S_ISREG(kind):  # reading a pipe would wait for ever
            raise unusable(f"“{path}” is a device or a pipe, not a model file.")
        with path.open("rb") as file:
            start = file.read(len(_MAGIC))
    except FileNotFoundError as error:
        raise unusable(f"The model file “{path}” does not exist.") from error
    except OSError as error:
        raise unusable(f"The model file “{path}” cannot be read: {error.strerror}.") from error
    if not start:
        raise unusable(f"The model file “{path}” is empty.")
    if start != _MAGIC:
        raise unusable(f"“{path}” is not a GGUF file, whatever its name says.")


def unusable(happened: str, detail: str = "") -> ModelFileError:
    """The error for a model file that cannot be run."""
    return ModelFileError(
        happened,
        safe="Your questions, answers and scores are safe.",
        todo="Choose another file, or fetch this one again.",
        detail=detail,
    )
