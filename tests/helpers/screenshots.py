"""Pictures of the window while the practice evaluation runs: ``python -m tests.helpers.screenshots [FOLDER]``.

The program is the real one: its window, its database (a new one), its workers and the practice model files.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QEventLoop, QSize, QTimer, SignalInstance

from tests.helpers.xserver import running_xvfb
from workbench.app import build
from workbench.services.evaluation import EvaluationRequest
from workbench.services.practice import practice_request
from workbench.ui.application import prepared_application
from workbench.ui.jobs import EvaluationJob
from workbench.ui.main_window import MainWindow
from workbench.ui.preferences import Preferences
from workbench.ui.theme import Appearance, Theme

DEFAULT_FOLDER = Path("docs/pictures")
LARGE = QSize(1440, 900)
SMALL = QSize(1280, 720)
_MID_RUN = 0.77
"""Share done at which the running evaluation is pictured: the first model is finished, the second being judged."""
_LIMIT_MS = 15 * 60 * 1000
_SETTLE_MS = 400
"""Room for charts and tables to be laid out after a change."""
_CHILD_MARK = "WORKBENCH_SCREENSHOTS"
"""Set for the process that takes the pictures, on the display its parent started."""


class Photographer:
    """Steers one window and takes pictures of it.

    Args:
        window: The window, not yet shown.
        theme: Its look.
        folder: Where the pictures go.
    """

    def __init__(self, window: MainWindow, theme: Theme, folder: Path) -> None:
        self._window = window
        self._theme = theme
        self._folder = folder

    def tell_the_story(self, request: EvaluationRequest) -> None:
        """First start, a running evaluation, its results."""
        window = self._window
        window.resize(LARGE)
        window.show()
        self._settle()
        _wait(window.background.all_ended, lambda: not window.background.busy)
        self.take("home")
        window.go_to("evaluate")
        set_up = window.evaluate_page.set_up
        set_up.choose(request)
        n_files = len(request.llms) + (request.judge is not None)
        _wait(set_up.changed, lambda: len(set_up.memory.rows) == n_files and set_up.memory.settled)
        self._settle()
        self.take("set-up")
        window.evaluate_page.start(request)
        job = window.jobs.running
        if job is None:
            raise RuntimeError("The evaluation did not start.")
        _wait(job.changed, lambda: job.over or _is_mid_run(job))
        self.take("evaluate")
        self.take("evaluate", dark=True)
        self.take("evaluate", size=SMALL)
        _wait(job.ended, lambda: job.over)
        results = window.results_page
        loaded = [False]
        results.loaded.connect(lambda: loaded.__setitem__(0, True))
        window.show_results(job.run_ids)
        _wait(results.loaded, lambda: loaded[0])
        self.take("results")
        self.take("results", dark=True)
        self.take("results", size=SMALL)
        window.go_to("home")
        self._settle()
        self.take("home-after")
        self.take("home-after", dark=True)

    def take(self, name: str, *, dark: bool = False, size: QSize = LARGE) -> None:
        """Take one picture in the given look and put everything back."""
        self._theme.set_appearance(Appearance.DARK if dark else Appearance.LIGHT)
        self._window.resize(size)
        self._settle()
        parts = [name, *(["dark"] if dark else []), *(["small"] if size != LARGE else [])]
        self._window.grab().save(str(self._folder / f"{'-'.join(parts)}.png"))
        self._theme.set_appearance(Appearance.LIGHT)
        self._window.resize(LARGE)

    def _settle(self) -> None:
        loop = QEventLoop()
        QTimer.singleShot(_SETTLE_MS, loop.quit)
        loop.exec()


def photograph(folder: Path, limit: int | None = None) -> None:
    """Take all pictures.

    Args:
        folder: Made if it is not there.
        limit: At most so many questions; ``None`` asks all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    application = prepared_application()
    with tempfile.TemporaryDirectory() as own, build(Path(own) / "workbench.sqlite") as workbench:
        theme = Theme(application, Appearance.LIGHT)
        window = MainWindow(workbench, theme, Preferences(Path(own) / "window.ini"), ask=lambda _window: True)
        practice = practice_request(workbench.resources)
        request = replace(practice, selection=replace(practice.selection, limit=limit))
        Photographer(window, theme, folder).tell_the_story(request)
        closed = window.closed
        window.close()
        _wait(closed, lambda: not window.isVisible())


def _is_mid_run(job: EvaluationJob) -> bool:
    return job.state.share_done >= _MID_RUN


def _wait(signal: SignalInstance, condition: Callable[[], bool]) -> None:
    """Let the window work until a condition holds; it is looked at after every ``signal``."""
    loop = QEventLoop()
    signal.connect(lambda *_arguments: loop.quit() if condition() else None)
    limit = QTimer(singleShot=True, interval=_LIMIT_MS)
    limit.timeout.connect(lambda: loop.exit(1))
    limit.start()
    if not condition() and loop.exec() != 0:
        raise TimeoutError("The window did not get this far in time.")


@contextmanager
def _desktop() -> Iterator[dict[str, str]]:
    """A real X display where Xvfb is installed, else Qt's own picture of one."""
    try:
        with running_xvfb(width=1600, height=1000) as display:
            yield {"DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}
    except RuntimeError:
        yield {"QT_QPA_PLATFORM": "offscreen"}


def main() -> int:
    """Start a display and take the pictures in a process that uses it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=DEFAULT_FOLDER)
    parser.add_argument("--limit", type=int, help="ask only so many questions")
    arguments = parser.parse_args()
    if _CHILD_MARK in os.environ:
        photograph(arguments.folder, arguments.limit)
        return 0
    with _desktop() as display:
        command = [sys.executable, "-m", "tests.helpers.screenshots", *sys.argv[1:]]
        return subprocess.run(command, env={**os.environ, **display, _CHILD_MARK: "1"}).returncode


if __name__ == "__main__":
    sys.exit(main())
