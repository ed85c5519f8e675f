"""Asks in the background how model files would be loaded, and forgets answers nobody waits for any more."""

import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from workbench.domain.llm import LoadSettings
from workbench.domain.memory import DeviceCorrection, MemoryPlan
from workbench.errors import StorageError, WorkbenchError
from workbench.services.progress import Role
from workbench.services.workbench import Workbench
from workbench.ui.background import Background

_WAIT_MS = 250
"""A plan starts a process, so it waits until the person has stopped clicking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanWish:
    """A model file whose plan is wanted."""

    path: Path
    role: Role
    settings: LoadSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanReply:
    """A plan, or why there is none."""

    wish: PlanWish
    plan: MemoryPlan | None = None
    error: WorkbenchError | None = None


class Planner(QObject):
    """Plans what was wished for last; one process at a time.

    Args:
        workbench: Has the engine, and the database with what earlier loadings taught.
        background: Where the planning happens.
    """

    replied = Signal(object)
    """A ``PlanReply`` to one of the present wishes."""

    def __init__(self, workbench: Workbench, background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self._background = background
        self._wishes: tuple[PlanWish, ...] = ()
        self._outdated = threading.Event()
        """Tells the task under way that nobody waits for it; each task has its own."""
        self._busy = False
        self._later = QTimer(self, singleShot=True, interval=_WAIT_MS)
        self._later.timeout.connect(self._begin)

    def wish(self, wishes: Sequence[PlanWish]) -> bool:
        """Ask for these plans and for no others; returns whether they differ from what was asked before."""
        if tuple(wishes) == self._wishes:
            return False
        self._wishes = tuple(wishes)
        self._outdated.set()
        self._later.start()
        return True

    def forget(self) -> None:
        """Take nothing for known: memory that was free may be so no longer."""
        self._wishes = ()
        self._outdated.set()
        self._later.stop()

    @Slot()
    def _begin(self) -> None:
        if self._busy or not self._wishes:
            return  # what is under way sees that it is outdated, ends, and begins anew
        self._outdated = threading.Event()
        self._busy = True
        workbench, wishes, outdated = self._workbench, self._wishes, self._outdated
        task = self._background.run_generator(lambda: _replies(workbench, wishes, outdated))
        task.progressed.connect(self._on_progressed)
        task.faulted.connect(self._on_faulted)
        task.ended.connect(self._on_ended)
        task.start()

    @Slot(list)
    def _on_progressed(self, replies: list[PlanReply]) -> None:
        if not self._outdated.is_set():
            for reply in replies:
                self.replied.emit(reply)

    @Slot()
    def _on_faulted(self) -> None:
        """A fault of the program itself, which is reported elsewhere; no row may wait for ever."""
        fault = WorkbenchError(
            "How this file would be loaded cannot be said because of a fault in the program.",
            safe="Nothing was changed.",
            todo="Choose the file again, or start; loading it is tried in any case.",
        )
        if not self._outdated.is_set():
            for wish in self._wishes:
                self.replied.emit(PlanReply(wish=wish, error=fault))

    @Slot()
    def _on_ended(self) -> None:
        self._busy = False
        if self._outdated.is_set() and not self._later.isActive():
            self._begin()


def _replies(
    workbench: Workbench, wishes: Sequence[PlanWish], outdated: threading.Event
) -> Generator[PlanReply, None, None]:
    corrections = _corrections(workbench)
    for wish in wishes:
        if outdated.is_set():
            return
        try:
            _layout, plan = workbench.engine.plan(wish.path, wish.settings, corrections)
        except WorkbenchError as error:
            yield PlanReply(wish=wish, error=error)
        else:
            yield PlanReply(wish=wish, plan=plan)


def _corrections(workbench: Workbench) -> tuple[DeviceCorrection, ...]:
    """What earlier loadings taught; nothing where the database cannot be opened, which the window says elsewhere."""
    try:
        return workbench.store.device_corrections()
    except StorageError:
        return ()
