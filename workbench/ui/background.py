"""Runs generators and functions on threads and hands what they yield to the window, in order and in batches.

A generator may yield hundreds of records a second. Its thread puts them into a queue and wakes the event loop only
when nothing is waiting there yet; the loop takes them out for a few milliseconds at a time and then gives way to
painting and input. So the window stays responsive whatever runs, and the order is kept: all records, then the outcome.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from workbench.errors import WorkbenchError

_DRAIN_S = 0.008
"""Time a task may hold the event loop before it gives way."""
_PAUSE_MS = 12
"""Time left to painting and input before the next batch."""
_BATCH = 32
"""Records handed over at once; the clock is looked at between batches."""

_Record = TypeVar("_Record")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How the work ended; ``error`` and ``faulted`` exclude a result."""

    result: object = None
    error: WorkbenchError | None = None
    faulted: bool = False


class BackgroundTask(QObject):
    """One piece of work on a thread of its own. All signals arrive on the window's thread.

    After any number of ``progressed`` comes exactly one of ``succeeded``, ``failed`` and ``faulted``, then ``ended``.
    """

    progressed = Signal(list)
    """Records in the order they were yielded."""
    succeeded = Signal(object)
    """What the generator or function returned."""
    failed = Signal(WorkbenchError)
    """An expected failure, with text for a person."""
    faulted = Signal()
    """A fault of the program; the exception itself goes to ``threading.excepthook`` with its traceback."""
    ended = Signal()
    """Nothing will come any more."""

    _arrived = Signal()

    def __init__(self, work: Callable[[], Iterator[object]], result: Callable[[], object], parent: QObject) -> None:
        super().__init__(parent)
        self._work = work
        self._result = result
        self._lock = threading.Lock()
        self._records: deque[object] = deque()
        self._taken: deque[object] = deque()
        """What the window has taken over and not yet handed on; touched on its thread only."""
        self._outcome: _Outcome | None = None
        self._awake = False
        self._timer = QTimer(self, singleShot=True, interval=_PAUSE_MS)
        self._timer.timeout.connect(self._on_arrived)
        self._arrived.connect(self._on_arrived)
        self._thread = threading.Thread(target=self._run, name=f"background-{next(_NUMBERS)}", daemon=True)

    def start(self) -> None:
        """Begin; call once, after the signals are connected."""
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread; blocks the caller. Returns whether it has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def abandon(self) -> None:
        """Send no signal any more; for a window that closes although the thread is still busy."""
        with self._lock:
            self._awake = True

    def _run(self) -> None:
        outcome = _Outcome(faulted=True)
        try:
            for record in self._work():
                self._post(record, None)
            outcome = _Outcome(result=self._result())
        except WorkbenchError as error:
            outcome = _Outcome(error=error)
        finally:
            # An exception outside the tree is on its way to ``threading.excepthook``; the window must still learn
            # that this work is over.
            self._post(None, outcome)

    def _post(self, record: object, outcome: _Outcome | None) -> None:
        """Leave a record or the outcome for the window, and wake it unless it is awake already."""
        with self._lock:
            if outcome is None:
                self._records.append(record)
            self._outcome = outcome
            if self._awake:
                return
            self._awake = True
        self._arrived.emit()

    @Slot()
    def _on_arrived(self) -> None:
        until = time.monotonic() + _DRAIN_S
        while batch := self._next_batch():
            self.progressed.emit(batch)
            if time.monotonic() > until:
                self._timer.start()
                return
        with self._lock:
            if self._records:
                self._timer.start()
                return
            self._awake = False
            outcome, self._outcome = self._outcome, None
        if outcome is not None:
            self._thread.join()  # it has nothing left to do but return
            self._finish(outcome)

    def _next_batch(self) -> list[object]:
        if not self._taken:
            with self._lock:
                self._taken, self._records = self._records, self._taken
        return [self._taken.popleft() for _ in range(min(_BATCH, len(self._taken)))]

    def _finish(self, outcome: _Outcome) -> None:
        if outcome.error is not None:
            self.failed.emit(outcome.error)
        elif outcome.faulted:
            self.faulted.emit()
        else:
            self.succeeded.emit(outcome.result)
        self.ended.emit()


_NUMBERS = count(1)


class Background(QObject):
    """Starts tasks and knows which are under way, so that a closing window can wait for them."""

    all_ended = Signal()
    """The last task under way has ended."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tasks: set[BackgroundTask] = set()

    @property
    def busy(self) -> bool:
        """Whether any task is under way."""
        return bool(self._tasks)

    def run_generator(self, work: Callable[[], Generator[_Record, None, _Result]]) -> BackgroundTask:
        """Prepare a generator; connect to the task's signals, then ``start`` it.

        Args:
            work: Makes the generator; called on the task's thread, as is everything the generator does.
        """
        results: list[_Result] = []

        def records() -> Iterator[object]:
            results.append((yield from work()))

        return self._prepared(records, lambda: results[0])

    def run_function(self, work: Callable[[], object]) -> BackgroundTask:
        """Prepare a function that takes time; connect to the task's signals, then ``start`` it."""
        return self._prepared(lambda: iter(()), work)

    def wait(self, timeout_s: float) -> bool:
        """Wait for every task under way; blocks. Returns whether all have ended."""
        until = time.monotonic() + timeout_s
        return all(task.join(max(0.0, until - time.monotonic())) for task in self._tasks)

    def abandon(self) -> None:
        """Let tasks that do not end go on without the window."""
        for task in self._tasks:
            task.abandon()

    def _prepared(self, work: Callable[[], Iterator[object]], result: Callable[[], object]) -> BackgroundTask:
        task = BackgroundTask(work, result, self)
        self._tasks.add(task)
        task.ended.connect(self._on_ended)
        return task

    @Slot()
    def _on_ended(self) -> None:
        task = self.sender()
        if isinstance(task, BackgroundTask):
            self._tasks.discard(task)
            task.deleteLater()
        if not self._tasks:
            self.all_ended.emit()
