"""One scripted evaluation in the real window, on a desktop of its own: the process that the window's figures watch.

``python -m tests.benchmarks.window_run SAMPLES ANSWERS_PER_SECOND`` prints what it saw as one JSON object.
"""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from tests.benchmarks.desktop import own_desktop
from tests.benchmarks.peak_memory import own_peak_bytes
from tests.benchmarks.scripted_evaluation import scripted_request

TICK_MS = 5
"""Sparse, so that a percentile of the gaps speaks of the few worst moments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRun:
    """What a window saw."""

    n_answers: int
    duration_s: float
    """From the start of the evaluation to its end, its worker's start included."""
    gaps_ms: list[float]
    """Between two turns of the event loop."""
    peak_bytes: int
    """Of the window's process, its start included."""

    @property
    def answers_per_second(self) -> float:
        """Over the whole evaluation."""
        return self.n_answers / self.duration_s


def run_in_window(*, samples: int, answers_per_second: float) -> WindowRun:
    """Carry out a scripted evaluation in a window of its own.

    Args:
        samples: Answers to each of the 360 questions.
        answers_per_second: Pace of the script.
    """
    command = [sys.executable, "-m", "tests.benchmarks.window_run", str(samples), str(answers_per_second)]
    with own_desktop() as environment:
        finished = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, encoding="utf-8")
    return WindowRun(**json.loads(finished.stdout))


def _run(samples: int, answers_per_second: float) -> WindowRun:
    from PySide6.QtCore import Qt, QTimer

    from workbench import app, paths
    from workbench.ui.application import prepared_application
    from workbench.ui.jobs import JobState
    from workbench.ui.main_window import MainWindow
    from workbench.ui.preferences import Preferences
    from workbench.ui.theme import Theme

    turns_s: list[float] = []
    ticking = QTimer(interval=TICK_MS, timerType=Qt.TimerType.PreciseTimer)
    ticking.timeout.connect(lambda: turns_s.append(time.perf_counter()))
    application = prepared_application()
    with app.build() as workbench, tempfile.TemporaryDirectory() as folder:
        request = scripted_request(Path(folder), samples=samples, answers_per_second=answers_per_second)
        preferences = Preferences(paths.data_dir() / "window.ini", application)
        window = MainWindow(
            workbench, Theme(application, preferences.appearance, preferences.text_percent), preferences
        )

        def start() -> None:
            window.go_to("evaluate")
            job = window.jobs.start("Benchmark", lambda control: workbench.evaluation.start(request, control))
            job.ended.connect(window.close)
            ticking.start()

        window.first_painted.connect(start)
        window.closed.connect(application.quit)
        window.show()
        application.exec()
        ticking.stop()
        peak_bytes = own_peak_bytes()
        if window.jobs.all[0].job_state is not JobState.FINISHED:
            raise RuntimeError(f"The evaluation did not finish: {window.jobs.errors}")
        n_answers = len(workbench.results.responses(window.jobs.all[0].run_ids[0]))
    return WindowRun(
        n_answers=n_answers,
        duration_s=turns_s[-1] - turns_s[0],
        gaps_ms=[1000 * (later - earlier) for earlier, later in pairwise(turns_s)],
        peak_bytes=peak_bytes,
    )


if __name__ == "__main__":
    print(json.dumps(asdict(_run(int(sys.argv[1]), float(sys.argv[2])))))
