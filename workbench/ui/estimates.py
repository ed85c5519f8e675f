"""What an evaluation will roughly take, before anything is loaded."""

from collections.abc import Sequence
from pathlib import Path

from workbench.domain.runs import EvaluationRun, ScoredResponse
from workbench.services.workbench import Workbench


def answer_times(workbench: Workbench, paths: Sequence[Path]) -> dict[Path, float]:
    """Seconds from one answer to the next in the newest run of each file; files never evaluated here are left out.

    Reads the database, so it belongs on a background thread.
    """
    found: dict[Path, float] = {}
    wanted = {path.resolve(): path for path in paths}
    for run in workbench.results.runs():
        path = wanted.get(run.settings.model_file.path)
        if path is None or path in found:
            continue
        answer_time_s = _answer_time_s(run, workbench.results.responses(run.id))
        if answer_time_s is not None:
            found[path] = answer_time_s
    return found


def _answer_time_s(run: EvaluationRun, responses: Sequence[ScoredResponse]) -> float | None:
    """Mean time of an answer in its slot by the number of slots that were busy at the same time."""
    answered = [response for response in responses if response.text is not None and response.duration_s > 0]
    if len(answered) < 2 or run.n_slots is None:
        return None
    return sum(response.duration_s for response in answered) / len(answered) / min(run.n_slots, len(answered))


def answering_s(times: dict[Path, float], paths: Sequence[Path], n_answers: int) -> float | None:
    """Time for ``n_answers`` of each file; ``None`` if any of them was never evaluated here."""
    if not paths or any(path not in times for path in paths):
        return None
    return sum(times[path] for path in paths) * n_answers
