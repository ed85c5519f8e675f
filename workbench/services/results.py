"""Reads runs and their figures."""

from collections.abc import Sequence

from workbench.domain.results import RunResult
from workbench.domain.runs import EvaluationRun, RunId, ScoredResponse
from workbench.services.ports import EvaluationStore


class Results:
    """Figures of stored runs, computed afresh at each call.

    Args:
        store: The database.
    """

    def __init__(self, store: EvaluationStore) -> None:
        self._store = store

    def runs(self) -> list[EvaluationRun]:
        """All runs, newest first."""
        return self._store.runs()

    def of(self, run_ids: Sequence[RunId]) -> list[RunResult]:
        """The figures of the named runs, in the order named.

        Raises:
            UsageError: If a run does not exist.
        """
        # SciPy takes most of a second to import; neither the window nor ``--help`` may wait for it.
        from workbench.statistics.run_result import run_result

        return [run_result(self._store.run(run_id), self._store.scored_responses(run_id)) for run_id in run_ids]

    def responses(self, run_id: RunId) -> list[ScoredResponse]:
        """Every response of a run with its question and current judgement, in order of asking.

        Raises:
            UsageError: If the run does not exist.
        """
        self._store.run(run_id)
        return self._store.scored_responses(run_id)
