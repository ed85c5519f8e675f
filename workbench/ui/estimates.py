"""What an evaluation will roughly take, before anything is loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.domain.runs import ScoredResponse
from workbench.services.workbench import Workbench

_CACHE_SHARE_PER_TOKEN = 2.6e-5
"""Key-value cache of one token as a share of the file: 128 KiB for a file of 4.9 GB, as an 8B model at 4 bits has."""
_OVERHEAD = 1.1
"""Buffers for computing, as a share of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerTime:
    """What one answer took on this computer before."""

    slot_s: float
    """Seconds one slot was busy with an answer, on average."""


def memory_bytes(file_bytes: int, n_slots: int, context_tokens: int) -> int:
    """Rough memory of a loaded model file, right within a factor of two: file, buffers, cache for each slot."""
    cache = file_bytes * _CACHE_SHARE_PER_TOKEN * n_slots * context_tokens
    return round(file_bytes * _OVERHEAD + cache)


def answer_times(workbench: Workbench, paths: Sequence[Path]) -> dict[Path, AnswerTime]:
    """For each file that was evaluated before, what an answer took in its newest run; files without one are left out.

    Reads the database, so it belongs on a background thread.
    """
    found: dict[Path, AnswerTime] = {}
    wanted = {path.resolve(): path for path in paths}
    for run in workbench.results.runs():
        path = wanted.get(run.settings.model_file.path)
        if path is None or path in found:
            continue
        answer_time = _answer_time(workbench.results.responses(run.id))
        if answer_time is not None:
            found[path] = answer_time
    return found


def _answer_time(responses: Sequence[ScoredResponse]) -> AnswerTime | None:
    answered = [response for response in responses if response.text is not None and response.duration_s > 0]
    if len(answered) < 2:
        return None
    mean_s = sum(response.duration_s for response in answered) / len(answered)
    return AnswerTime(slot_s=mean_s)


def answering_s(times: dict[Path, AnswerTime], paths: Sequence[Path], n_answers: int, n_slots: int) -> float | None:
    """Time for ``n_answers`` of each file; ``None`` if any of them was never evaluated here."""
    if not paths or any(path not in times for path in paths):
        return None
    return sum(times[path].slot_s for path in paths) * n_answers / n_slots
