"""Composition root: the only place that names every concrete class."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench import paths
from workbench.services.ports import EvaluationStore, InferenceEngine, SummaryWriter
from workbench.services.resources import Resources
from workbench.services.workbench import Workbench


@contextmanager
def build(database: Path | None = None) -> Iterator[Workbench]:
    """Wire the use cases; the database is opened by whoever needs it first, and closed at the end.

    Args:
        database: The file; ``None`` takes the environment's or the person's own (``paths.database_path``).
    """
    path = paths.database_path(database)
    resources = Resources(paths.resources_dir(), paths.practice_models_dir())
    workbench = Workbench(
        database=path,
        resources=resources,
        open_store=lambda: _open_store(path, resources),
        make_engine=_engine,
        make_summary_writer=lambda: _summary_writer(resources),
    )
    try:
        yield workbench
    finally:
        workbench.close()


def run_window(database: Path | None = None) -> int:
    """Open the window; returns the exit code when it is closed."""
    from workbench.ui.application import open_window  # Qt is loaded only when a window is wanted

    with build(database) as workbench:
        return open_window(workbench)


# What follows imports late: together these take longer than the window needs for its first paint.


def _open_store(path: Path, resources: Resources) -> EvaluationStore:
    from workbench.storage.store import SqliteEvaluationStore

    store = SqliteEvaluationStore.open(path)
    try:
        for name in resources.question_set_names():
            store.save_question_set(name, resources.question_set(name))
    except BaseException:
        store.close()
        raise
    return store


def _engine() -> InferenceEngine:
    from workbench.inference.client import LlamaEngine

    return LlamaEngine()


def _summary_writer(resources: Resources) -> SummaryWriter:
    from workbench.reports.html_summary import HtmlSummary

    return HtmlSummary(paths.resources_dir() / "report_templates", resources.principles())
