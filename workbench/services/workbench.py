"""The use cases as one bundle: what the window and the command line are given."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from workbench.services.evaluation import Evaluation
from workbench.services.ports import EvaluationStore, InferenceEngine, SummaryWriter
from workbench.services.resources import Resources
from workbench.services.results import Results

_PartT = TypeVar("_PartT")


class Workbench:
    """Everything the program can do; its heavy parts are made at first use.

    So a window can show itself before the database is open, and whoever first needs the database learns why it cannot
    be opened, and may try again. The parts may be asked for from any thread.

    Args:
        database: The database file, whether it can be opened or not.
        resources: Texts shipped with the program.
        open_store: Opens the database; may raise StorageError.
        make_engine: Makes what runs model files.
        make_summary_writer: Makes what writes documents.
    """

    def __init__(
        self,
        *,
        database: Path,
        resources: Resources,
        open_store: Callable[[], EvaluationStore],
        make_engine: Callable[[], InferenceEngine],
        make_summary_writer: Callable[[], SummaryWriter],
    ) -> None:
        self.database = database
        self.resources = resources
        self._store = _Once(open_store)
        self._engine = _Once(make_engine)
        self._summary_writer = _Once(make_summary_writer)

    @property
    def store(self) -> EvaluationStore:
        """The open database.

        Raises:
            StorageError: If it cannot be opened; the next call tries again.
        """
        return self._store.get()

    @property
    def is_open(self) -> bool:
        """Whether the database is open."""
        return self._store.made is not None

    @property
    def engine(self) -> InferenceEngine:
        """What runs model files."""
        return self._engine.get()

    @property
    def summary_writer(self) -> SummaryWriter:
        """What writes documents."""
        return self._summary_writer.get()

    @property
    def evaluation(self) -> Evaluation:
        """Runs and resumes evaluations; opens the database."""
        return Evaluation(self.store, self.engine, self.resources)

    @property
    def results(self) -> Results:
        """Figures of stored runs; opens the database."""
        return Results(self.store)

    def close(self) -> None:
        """Let go of the database, if it was opened."""
        store = self._store.made
        if store is not None:
            store.close()


class _Once(Generic[_PartT]):
    """A part that is made by the first who asks; a failed attempt leaves it unmade."""

    _lock = threading.Lock()
    """Shared by all parts: making one imports packages, and threads importing pydantic together disturb each other."""

    def __init__(self, make: Callable[[], _PartT]) -> None:
        self._make = make
        self.made: _PartT | None = None

    def get(self) -> _PartT:
        with self._lock:
            if self.made is None:
                self.made = self._make()
            return self.made
