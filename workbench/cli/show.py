"""``workbench results`` and ``workbench answers``."""

from collections.abc import Sequence
from pathlib import Path

from workbench import app
from workbench.cli.json_output import answers_document, document, runs_document
from workbench.cli.tables import print_answers, print_results
from workbench.domain.runs import RunId


def show_results(database: Path | None, runs: Sequence[int], as_json: bool) -> None:
    """Print the figures of the named runs, or of all."""
    with app.build(database) as workbench:
        run_ids = [RunId(number) for number in runs] or [run.id for run in workbench.results.runs()]
        found = workbench.results.of(run_ids)
        if as_json:
            print(document(runs_document(found)))
        else:
            print_results(found, workbench.resources.principles())


def show_answers(database: Path | None, run: int, as_json: bool) -> None:
    """Print every answer of a run."""
    with app.build(database) as workbench:
        responses = workbench.results.responses(RunId(run))
        if as_json:
            print(document(answers_document(run, responses)))
        else:
            print_answers(responses)
