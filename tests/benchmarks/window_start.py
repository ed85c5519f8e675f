"""How soon the window shows its first picture, against an empty Qt window in the same run.

Each start is a process of its own; the clock runs from the start of the process until it says that it has painted.
"""

import subprocess
import sys
import time
from functools import partial

from tests.benchmarks.desktop import own_desktop
from tests.benchmarks.figure import Figure, ratio_of_medians

GOAL = 3.0

_PAINT_WATCHER = """
import sys
from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication

class PaintWatcher(QObject):
    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.Paint and watched.isWidgetType() and watched.isWindow():
            QApplication.instance().removeEventFilter(self)
            QTimer.singleShot(0, self.tell)
        return False

    def tell(self):
        print("painted", flush=True)
        QApplication.instance().quit()

watcher = PaintWatcher()
run_event_loop = QApplication.exec

def watched_event_loop(*arguments):
    QApplication.instance().installEventFilter(watcher)
    return run_event_loop()

QApplication.exec = watched_event_loop
"""
_BARE_WINDOW = f"""{_PAINT_WATCHER}
from PySide6.QtWidgets import QMainWindow
application = QApplication(sys.argv)
window = QMainWindow()
window.resize(1280, 800)
window.show()
application.exec()
"""
_OUR_WINDOW = f"""{_PAINT_WATCHER}
sys.argv = ["workbench"]
from workbench.__main__ import main
main()
"""


def measure() -> Figure:
    """Compare the first paint of both windows."""
    with own_desktop() as environment:
        return ratio_of_medians(
            "window_start",
            GOAL,
            ours=partial(_seconds_to_paint, _OUR_WINDOW, environment),
            theirs=partial(_seconds_to_paint, _BARE_WINDOW, environment),
            repetitions=5,
        )


def _seconds_to_paint(program: str, environment: dict[str, str]) -> float:
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        seconds = time.perf_counter() - started
    if line != "painted\n":
        raise RuntimeError(f"The window ended (exit code {process.returncode}) before it painted.")
    return seconds
