"""Starts the program as a person would, with model files that are scripts."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

PROGRAM = (sys.executable, "-m", "workbench")
ROOT = Path(__file__).resolve().parents[2]
_LIMIT_S = 120


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def workbench(*arguments: str | Path, limit_s: float = _LIMIT_S) -> Ended:
    """Run a command to its end, which must come within ``limit_s`` seconds."""
    done = subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=limit_s,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def started(*arguments: str | Path) -> subprocess.Popen[str]:
    """Start a command whose standard error can be read line by line; the test ends it."""
    return subprocess.Popen(
        [*PROGRAM, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
    )


def wait_for_line(stream: IO[str] | None, words: str) -> None:
    """Read until a line contains the words.

    Raises:
        AssertionError: If the stream ends first.
    """
    assert stream is not None
    seen: list[str] = []
    for line in stream:
        seen.append(line)
        if words in line:
            return
    raise AssertionError(f"“{words}” never came; the program wrote:\n{''.join(seen)}")


def a_script(folder: Path, name: str = "llm", **content: Any) -> Path:
    """Write a script that stands in for a model file."""
    path = folder / f"{name}.script.json"
    path.write_text(json.dumps({"name": name, **content}), encoding="utf-8")
    return path
