"""Composition root: the only place that names every concrete class."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench import paths
from workbench.inference.client import LlamaEngine
from workbench.reports.html_summary import HtmlSummary
from workbench.services.evaluation import Evaluation
from workbench.services.resources import Resources
from workbench.services.results import Results
from workbench.services.workbench import Workbench
from workbench.storage.store import SqliteEvaluationStore


@contextmanager
def build(database: Path | None = None) -> Iterator[Workbench]:
    """Open the database, bring the shipped question sets up to date and wire the use cases.

    Args:
        database: The file; ``None`` takes the environment's or the person's own (``paths.database_path``).

    Raises:
        StorageError: If the database cannot be used.
        ResourceError: If a shipped file is damaged.
    """
    resources = Resources(paths.resources_dir(), paths.practice_models_dir())
    store = SqliteEvaluationStore.open(paths.database_path(database))
    try:
        for name in resources.question_set_names():
            store.save_question_set(name, resources.question_set(name))
        engine = LlamaEngine()
        yield Workbench(
            store=store,
            engine=engine,
            resources=resources,
            evaluation=Evaluation(store, engine, resources),
            results=Results(store),
            summary_writer=HtmlSummary(paths.resources_dir() / "report_templates", resources.principles()),
        )
    finally:
        store.close()


def run_window(database: Path | None = None) -> int:
    """Open the window; returns the exit code when it is closed."""
    from workbench.ui.application import open_window  # Qt is loaded only when a window is wanted

    with build(database) as workbench:
        return open_window(workbench)
