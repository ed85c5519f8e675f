"""How many answers the program itself can take in: from a worker that plays a script to rows in the database.

No llm computes and no window watches; everything else is the real thing: the worker process, its protocol, the use
cases, and one SQLite file on disk. The clock runs from the moment the worker is ready until the last answer is stored.
"""

import tempfile
import time
from pathlib import Path

from tests.benchmarks.figure import Figure
from tests.benchmarks.scripted_evaluation import scripted_request
from workbench import app
from workbench.services.control import RunControl
from workbench.services.progress import AnswerStored, LlmLoaded

GOAL = 3_000.0
SAMPLES = 56
"""Answers to each of the 360 questions: about 20,000."""


def measure() -> Figure:
    """Run the evaluation here, without a window."""
    n_answers = 0
    started = ended = 0.0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        request = scripted_request(Path(folder), samples=SAMPLES)
        with app.build(Path(folder) / "workbench.sqlite") as workbench:
            for progress in workbench.evaluation.start(request, RunControl()):
                if isinstance(progress, LlmLoaded):
                    started = time.perf_counter()
                elif isinstance(progress, AnswerStored):
                    n_answers += 1
                    ended = time.perf_counter()
    return Figure(
        name="scripted_throughput",
        value=n_answers / (ended - started),
        unit="answers per second",
        comparison="at least",
        goal=GOAL,
        details={"answers": n_answers, "duration_s": round(ended - started, 2)},
    )
