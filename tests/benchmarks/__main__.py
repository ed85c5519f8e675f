"""``python -m tests.benchmarks [NAME ...]``: measure, and print one JSON document.

Exits with 1 when a goal is missed, and with 2 when none is missed but something could not be measured. What is going on
is told on stderr.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import psutil
from pydantic import JsonValue

from tests.benchmarks import (
    ceiling,
    command_start,
    engine_throughput,
    event_loop_gap,
    inspect_evaluation,
    llama_server,
    scripted_throughput,
    window_memory,
    window_start,
    worker_memory,
)
from tests.benchmarks.figure import Figure
from tests.benchmarks.options import Options
from tests.benchmarks.random_llm import DEFAULT_NAME, NAMES

BENCHMARKS: dict[str, Callable[[Options], Figure]] = {
    "whole_job_vs_ceiling": ceiling.measure,
    "answering_vs_llama_server": llama_server.measure_answering,
    "judging_vs_llama_server": llama_server.measure_judging,
    "engine_throughput": engine_throughput.measure,
    "reasoned_evaluation_vs_inspect_ai": inspect_evaluation.measure_reasoned,
    "scored_evaluation_vs_inspect_ai": inspect_evaluation.measure_scored,
    "worker_memory": lambda _options: worker_memory.measure(),
    "scripted_throughput": lambda _options: scripted_throughput.measure(),
    "window_start": lambda _options: window_start.measure(),
    "command_start": lambda _options: command_start.measure(),
    "event_loop_gap": lambda _options: event_loop_gap.measure(),
    "window_memory": lambda _options: window_memory.measure(),
}
PACKAGES = ("llama-cpp-python", "PySide6-Essentials", "numpy", "pyqtgraph", "typer", "sqlite-utils")
EXIT_MISSED = 1
EXIT_NOT_MEASURED = 2


def main() -> int:
    """Run the benchmarks named on the command line, or all."""
    names, options = _arguments()
    machine = _machine()  # first: it says how busy the computer was before it was measured
    figures = []
    for name in names:
        print(f"{name} …", file=sys.stderr, flush=True)
        figures.append(BENCHMARKS[name](options))
        print(f"  {_in_words(figures[-1])}", file=sys.stderr, flush=True)
    document = {"machine": machine, "versions": _versions(), "figures": [figure.as_json() for figure in figures]}
    print(json.dumps(document, indent=2, ensure_ascii=False))
    if any(figure.reached is False for figure in figures):
        return EXIT_MISSED
    return EXIT_NOT_MEASURED if any(figure.reached is None for figure in figures) else 0


def _arguments() -> tuple[list[str], Options]:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHMARKS)}; all by default")
    parser.add_argument("--model-file", choices=NAMES, default=DEFAULT_NAME, help="random weights to compute with")
    parser.add_argument("--rounds", type=int, help="how often two ways take turns; a few by default")
    arguments = parser.parse_args()
    names: list[str] = arguments.names or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")
    if arguments.rounds is not None and arguments.rounds < 1:
        parser.error("at least one round is needed")
    return names, Options(model_file=arguments.model_file, rounds=arguments.rounds)


def _in_words(figure: Figure) -> str:
    if figure.value is None:
        return f"not measured: {figure.details['not_measured']}"
    verdict = "reached" if figure.reached else "MISSED"
    return f"{figure.value:.4g} {figure.unit}, {verdict} ({figure.comparison} {figure.goal:g})"


def _machine() -> dict[str, JsonValue]:
    return {
        "system": platform.platform(),
        "processor": _processor_name(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_before": [round(load, 2) for load in psutil.getloadavg()],
    }


def _processor_name() -> str:
    """The name on the box; Linux tells it in a file only."""
    cpu_info = Path("/proc/cpuinfo")
    if cpu_info.exists():
        for line in cpu_info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _versions() -> dict[str, JsonValue]:
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in PACKAGES}}


if __name__ == "__main__":
    sys.exit(main())
