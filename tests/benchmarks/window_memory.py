"""The most memory the window's process ever held while 10,000 scripted answers came in, from its start to its end."""

from tests.benchmarks.figure import Figure
from tests.benchmarks.window_run import run_in_window

GOAL_MB = 250.0
ANSWERS_PER_SECOND = 650
SAMPLES = 28
"""Answers to each of the 360 questions: 10,080."""


def measure() -> Figure:
    """Run the evaluation in a process of its own and ask it for its peak."""
    run = run_in_window(samples=SAMPLES, answers_per_second=ANSWERS_PER_SECOND)
    return Figure(
        name="window_memory",
        value=run.peak_bytes / 1e6,
        unit="megabytes",
        comparison="below",
        goal=GOAL_MB,
        details={"answers": run.n_answers, "answers_per_second": round(run.answers_per_second, 1)},
    )
