"""Opens the window, without loading the command line's own libraries: a window is waited for."""

import sys
from pathlib import Path

from workbench.app import run_window
from workbench.domain.text import visible
from workbench.errors import WorkbenchError
from workbench.ui.display import require_display


def open_window(database: Path | None = None) -> int:
    """Open the window until it is closed; returns the exit code.

    Raises:
        DisplayError: If no window can be opened here.
    """
    require_display()
    return run_window(database)


def main() -> int:
    """What ``workbench`` alone does; returns the exit code."""
    try:
        return open_window()
    except WorkbenchError as error:
        explain(error)
        return error.exit_code


def explain(error: WorkbenchError) -> None:
    """Print an error for the person at the terminal."""
    for line in (error.happened, error.safe, error.todo):
        print(visible(line), file=sys.stderr)
    if error.detail:
        print(f"Detail: {visible(error.detail)}", file=sys.stderr)
