"""``python -m tests.benchmarks [NAME ...]``: measure, and print one JSON document.

Exits with 1 when a goal is missed. What is going on is told on stderr.
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

from tests.benchmarks import command_start, engine_throughput, event_loop_gap, window_start
from tests.benchmarks.figure import Figure

BENCHMARKS: dict[str, Callable[[], Figure]] = {
    "engine_throughput": engine_throughput.measure,
    "window_start": window_start.measure,
    "command_start": command_start.measure,
    "event_loop_gap": event_loop_gap.measure,
}
PACKAGES = ("llama-cpp-python", "PySide6-Essentials", "numpy", "pyqtgraph", "typer", "sqlite-utils")


def main() -> int:
    """Run the benchmarks named on the command line, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHMARKS)}; all by default")
    names: list[str] = parser.parse_args().names or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")
    machine = _machine()  # first: it says how busy the computer was before it was measured
    figures = []
    for name in names:
        print(f"{name} …", file=sys.stderr, flush=True)
        figures.append(BENCHMARKS[name]())
    document = {"machine": machine, "versions": _versions(), "figures": [figure.as_json() for figure in figures]}
    print(json.dumps(document, indent=2, ensure_ascii=False))
    return 0 if all(figure.reached for figure in figures) else 1


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
