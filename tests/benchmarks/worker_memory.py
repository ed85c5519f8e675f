"""The most memory a worker ever held, from its start to the end of a job, against the sum of its memory plan.

With the processor alone, all of the plan is in the worker's own memory. The figure is the largest deviation of a few
model files: 0.1 means that a worker took a tenth more or less than was planned.
"""

from dataclasses import replace

from pydantic import JsonValue

from tests.benchmarks.figure import Figure
from tests.benchmarks.peak_memory import held_bytes
from tests.benchmarks.random_llm import random_llm
from tests.benchmarks.workload import answering_load, answering_requests, work_off
from workbench.inference.client import LlamaEngine

GOAL = 0.10
MODEL_FILES = ("210m-q4_k_m", "1b-q4_k_m")
N_QUESTIONS = 32
"""Enough to fill every slot."""
_N_NEW_TOKENS = 8
"""Memory is taken when a file is loaded and when prompts are read; long answers would add time only."""


def measure() -> Figure:
    """Load each file, have it answer, and look at its worker."""
    details: dict[str, JsonValue] = {}
    deviations = []
    for name in MODEL_FILES:
        planned, peak = _planned_and_peak_bytes(name)
        deviations.append(abs(peak / planned - 1))
        details[name] = {
            "planned_mb": round(planned / 1e6, 1),
            "peak_mb": round(peak / 1e6, 1),
            "ratio": round(peak / planned, 3),
        }
    return Figure(
        name="worker_memory",
        value=max(deviations),
        unit="of the plan",
        comparison="at most",
        goal=GOAL,
        details=details,
    )


def _planned_and_peak_bytes(name: str) -> tuple[int, int]:
    session = LlamaEngine().open(random_llm(name), answering_load(N_QUESTIONS))
    try:
        work_off(session, [replace(request, max_tokens=_N_NEW_TOKENS) for request in answering_requests(N_QUESTIONS)])
        peak = held_bytes(session.worker_pid)
        (processor,) = [share for share in session.load_report.plan.shares if share.device.kind == "cpu"]
    finally:
        session.close()
    return processor.needed_bytes, peak
