"""How soon ``workbench --help`` answers, against the least a Typer program can take."""

import subprocess
import sys
import time
from functools import partial

from tests.benchmarks.figure import Figure, ratio_of_medians

GOAL = 3.0


def measure() -> Figure:
    """Compare with a bare import of Typer."""
    python = sys.executable
    return ratio_of_medians(
        "command_start",
        GOAL,
        ours=partial(_seconds, [python, "-m", "workbench", "--help"]),
        theirs=partial(_seconds, [python, "-c", "import typer"]),
        repetitions=7,
    )


def _seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started
