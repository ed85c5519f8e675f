"""How long the window leaves a person waiting while answers pour in: the gaps between two turns of its event loop.

The whole program runs: the window on the page that shows the evaluation, the database with one durable write for each
answer, and a worker that plays a script of more than 500 answers a second.
"""

import json
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

from tests.benchmarks.desktop import own_desktop
from tests.benchmarks.figure import Figure
from workbench.domain.llm import LoadSettings, SamplingSettings
from workbench.domain.questions import QuestionSelection
from workbench.services.evaluation import EvaluationRequest, LlmChoice

GOAL_MS = 100.0
ANSWERS_PER_SECOND = 650
"""Asked of the script, so that at least 500 a second arrive over the whole job, its start included."""
SAMPLES = 14
"""Answers to each of the 360 questions: about ten seconds."""
TICK_MS = 5
"""Sparse, so that the percentile speaks of the few worst moments."""


def measure() -> Figure:
    """Run the evaluation in a process of its own and take the 99.9th percentile of its gaps."""
    with own_desktop() as environment:
        command = [sys.executable, "-m", "tests.benchmarks.event_loop_gap"]
        finished = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, encoding="utf-8")
    run = json.loads(finished.stdout)
    gaps_ms = np.array(run["gaps_ms"])
    return Figure(
        name="event_loop_gap",
        value=float(np.percentile(gaps_ms, 99.9)),
        unit="milliseconds",
        comparison="below",
        goal=GOAL_MS,
        details={
            "answers": run["n_answers"],
            "answers_per_second": round(run["n_answers"] / run["duration_s"], 1),
            "turns": len(gaps_ms),
            "median_ms": round(float(np.median(gaps_ms)), 1),
            "worst_ms": round(float(gaps_ms.max()), 1),
        },
    )


def _run_and_print() -> None:
    """Run the evaluation in the window and print what ``measure`` reads."""
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
        request = _request(_script(Path(folder)))
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
        if window.jobs.all[0].job_state is not JobState.FINISHED:
            raise RuntimeError(f"The evaluation did not finish: {window.jobs.errors}")
        n_answers = len(workbench.results.responses(window.jobs.all[0].run_ids[0]))
    gaps_ms = [1000 * (later - earlier) for earlier, later in pairwise(turns_s)]
    print(json.dumps({"n_answers": n_answers, "duration_s": turns_s[-1] - turns_s[0], "gaps_ms": gaps_ms}))


def _script(folder: Path) -> Path:
    script = folder / "benchmark.script.json"
    script.write_text(json.dumps({"name": "Benchmark", "answers_per_second": ANSWERS_PER_SECOND}), encoding="utf-8")
    return script


def _request(model_file: Path) -> EvaluationRequest:
    return EvaluationRequest(
        llms=(LlmChoice(path=model_file),),
        selection=QuestionSelection(question_set="starter"),
        system_prompt="",
        preset="custom",
        sampling=SamplingSettings(),
        max_tokens=64,
        samples=SAMPLES,
        load=LoadSettings(),
        judge=None,
    )


if __name__ == "__main__":
    _run_and_print()
