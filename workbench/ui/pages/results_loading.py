"""Reads runs and figures for the Results page; everything here runs on a background thread."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from workbench.domain.questions import Principle, QuestionKind
from workbench.domain.results import RunResult
from workbench.domain.runs import EvaluationRun, RunId, ScoredResponse
from workbench.services.workbench import Workbench
from workbench.ui.charts import plot_canvas
from workbench.ui.charts.marks import AnswerChoice

_SHOWN_AT_FIRST = 6
"""Newest runs shown until the person chooses others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the person has chosen to see. ``None`` means no restriction."""

    run_ids: tuple[RunId, ...] | None = None
    """``None`` for the newest runs."""
    principles: tuple[int, ...] | None = None
    kind: QuestionKind | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedResults:
    """What was found for it."""

    wanted: Wanted
    runs: tuple[EvaluationRun, ...]
    """All runs stored, newest first."""
    results: tuple[RunResult, ...]
    """Figures of the chosen runs over the chosen questions."""
    principles: tuple[Principle, ...]


def load_results(workbench: Workbench, wanted: Wanted) -> LoadedResults:
    """Read and compute everything the page shows.

    Raises:
        StorageError: If the database cannot be read.
        ResourceError: If the principles cannot be read.
    """
    runs = tuple(workbench.results.runs())
    known = {run.id for run in runs}
    newest = tuple(run.id for run in runs[:_SHOWN_AT_FIRST])
    chosen = newest if wanted.run_ids is None else tuple(run_id for run_id in wanted.run_ids if run_id in known)
    if chosen:
        plot_canvas.prepare()
    return LoadedResults(
        wanted=replace(wanted, run_ids=chosen),
        runs=runs,
        results=tuple(_results(workbench, chosen, wanted)),
        principles=workbench.resources.principles(),
    )


def load_answers(workbench: Workbench, choice: AnswerChoice) -> list[ScoredResponse]:
    """The answers behind a figure, run by run in order of asking.

    Raises:
        StorageError: If the database cannot be read.
        UsageError: If a run does not exist any more.
    """
    return [
        response
        for run_id in choice.run_ids
        for response in workbench.results.responses(run_id)
        if choice.includes(response)
    ]


def _results(workbench: Workbench, run_ids: Sequence[RunId], wanted: Wanted) -> list[RunResult]:
    if wanted.principles is None and wanted.kind is None:
        return workbench.results.of(run_ids)
    # SciPy takes most of a second to import; it is loaded here, off the window's thread.
    from workbench.statistics.run_result import run_result

    runs = {run.id: run for run in workbench.results.runs()}
    choice = AnswerChoice(run_ids=tuple(run_ids), principles=wanted.principles, kind=wanted.kind)
    return [
        run_result(runs[run_id], [found for found in workbench.results.responses(run_id) if choice.includes(found)])
        for run_id in run_ids
    ]
