"""Whether a window can be opened here; importable where Qt is not."""

import os
import sys

from workbench.errors import DisplayError


def require_display() -> None:
    """Refuse before Qt would end the process with a message of its own.

    Raises:
        DisplayError: If there is no display, or Qt cannot be loaded.
    """
    if sys.platform.startswith("linux") and not _display_named():
        raise _no_window("There is no display in this session, so the window cannot be opened.")
    problem = missing_library()
    if problem is not None:
        raise _no_window("The window's libraries are not complete on this computer.", problem)


def missing_library() -> str | None:
    """What keeps Qt from being loaded, in the words of the system; ``None`` where nothing does."""
    try:
        import PySide6.QtWidgets  # noqa: F401 - loading it is the test
    except ImportError as error:
        return str(error)
    return None


def _display_named() -> bool:
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))


def _no_window(happened: str, detail: str = "") -> DisplayError:
    return DisplayError(
        happened,
        safe="Nothing was started.",
        todo="Use “workbench evaluate” here (see “workbench evaluate --help”), or start the window on a desktop; "
        "“workbench doctor” names missing libraries.",
        detail=detail,
    )
