"""What runs in the background for longer than a moment: evaluations now, downloads and trainings later."""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from importlib import import_module

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from workbench.domain.runs import RunId
from workbench.errors import WorkbenchError
from workbench.services.control import RunControl
from workbench.services.progress import Progress, RunFailed, RunsPrepared
from workbench.services.workbench import Workbench
from workbench.ui.background import Background
from workbench.ui.evaluation_state import EarlierResponses, EvaluationState

_REFRESH_MS = 250
"""Figures change at most this often; faster than anybody reads."""

Work = Callable[[RunControl], Generator[Progress, None, None]]
"""Makes the generator of an evaluation for the control that steers it."""


class JobState(StrEnum):
    """Where a job stands."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptError:
    """An error that stays in the job panel until the window closes."""

    at: datetime
    subject: str
    """The file or evaluation it happened to."""
    error: WorkbenchError


class EvaluationJob(QObject):
    """One evaluation under way.

    Args:
        title: How it is called in the job panel.
        workbench: For what a resumed run has stored before.
        work: Makes the evaluation's generator for a control.
        background: Runs it.
    """

    recorded = Signal(list)
    """Progress records, in order; ``state`` has them already."""
    changed = Signal()
    """Figures or state changed; at most four times a second while running."""
    error_kept = Signal(object)
    """A ``KeptError``."""
    ended = Signal()
    """Over; ``job_state`` says how."""

    def __init__(
        self,
        title: str,
        workbench: Workbench,
        work: Work,
        background: Background,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self.title = title
        self.state = EvaluationState()
        self.job_state = JobState.RUNNING
        self.error: WorkbenchError | None = None
        """What ended the whole evaluation, if anything did."""
        self._control = RunControl()
        self._task = background.run_generator(lambda: _with_earlier_responses(workbench, work(self._control)))
        self._task.progressed.connect(self._on_progressed)
        self._task.succeeded.connect(self._on_succeeded)
        self._task.failed.connect(self._on_failed)
        self._task.faulted.connect(self._on_faulted)
        self._refresh = QTimer(self, interval=_REFRESH_MS)
        self._refresh.timeout.connect(self.changed)

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.job_state in (JobState.FINISHED, JobState.STOPPED, JobState.FAILED)

    @property
    def run_ids(self) -> tuple[RunId, ...]:
        """Its runs; empty until they are prepared."""
        return tuple(self.state.runs)

    def start(self) -> None:
        """Begin; call once."""
        self._task.start()
        self._refresh.start()
        self.changed.emit()

    def pause(self) -> None:
        """Hold after the current step."""
        if self.job_state is JobState.RUNNING:
            self._control.pause()
            self.state.hold(time.monotonic())
            self._set_state(JobState.PAUSED)

    def resume(self) -> None:
        """Go on after a pause."""
        if self.job_state is JobState.PAUSED:
            self.state.go_on(time.monotonic())
            self._control.resume()
            self._set_state(JobState.RUNNING)

    def stop(self) -> None:
        """End within one step; what is stored stays."""
        if not self.over:
            self._control.stop()
            self._set_state(JobState.STOPPING)

    @Slot(list)
    def _on_progressed(self, records: list[Progress | EarlierResponses]) -> None:
        now_s = time.monotonic()
        for record in records:
            self.state.apply(record, now_s)
            if isinstance(record, RunFailed):
                name = self.state.runs[record.run_id].run.llm_name
                self.error_kept.emit(KeptError(at=datetime.now().astimezone(), subject=name, error=record.error))
        if self.job_state is JobState.PAUSED:
            self.state.hold(now_s)
        self.recorded.emit(records)

    @Slot()
    def _on_succeeded(self) -> None:
        self._end(JobState.STOPPED if self.state.stopped else JobState.FINISHED)

    @Slot(object)
    def _on_failed(self, error: WorkbenchError) -> None:
        self.error = error
        self.error_kept.emit(KeptError(at=datetime.now().astimezone(), subject=self.title, error=error))
        self._end(JobState.FAILED)

    @Slot()
    def _on_faulted(self) -> None:
        self._end(JobState.FAILED)

    def _end(self, job_state: JobState) -> None:
        self.state.interrupted(time.monotonic())
        self._refresh.stop()
        self._set_state(job_state)
        self.ended.emit()

    def _set_state(self, job_state: JobState) -> None:
        self.job_state = job_state
        self.changed.emit()


def _with_earlier_responses(
    workbench: Workbench, records: Generator[Progress, None, None]
) -> Generator[Progress | EarlierResponses, None, None]:
    """The records of an evaluation, and after its preparation what resumed runs had stored before."""
    import_module("workbench.statistics.intervals")  # NumPy and SciPy load here and not on the window's thread

    for record in records:
        yield record
        if isinstance(record, RunsPrepared):
            for run in record.runs:
                responses = tuple(workbench.results.responses(run.id))
                if responses:
                    yield EarlierResponses(run_id=run.id, responses=responses)


class Jobs(QObject):
    """All jobs of this session and the errors they met."""

    changed = Signal()
    """A job began, moved on or ended, or an error was kept."""
    started = Signal(object)
    """An ``EvaluationJob`` began."""
    ended = Signal(object)
    """An ``EvaluationJob`` ended."""

    def __init__(self, workbench: Workbench, background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workbench = workbench
        self._background = background
        self.all: list[EvaluationJob] = []
        """Oldest first; ended ones stay."""
        self.errors: list[KeptError] = []
        """Oldest first."""

    @property
    def running(self) -> EvaluationJob | None:
        """The evaluation under way; there is at most one, since each takes the whole computer."""
        return next((job for job in self.all if not job.over), None)

    def start(self, title: str, work: Work) -> EvaluationJob:
        """Start an evaluation; only call while none is running."""
        job = EvaluationJob(title, self._workbench, work, self._background, self)
        self.all.append(job)
        job.changed.connect(self.changed)
        job.error_kept.connect(self._on_error_kept)
        job.ended.connect(self._on_ended)
        self.started.emit(job)
        job.start()
        return job

    def _on_error_kept(self, kept: KeptError) -> None:
        self.errors.append(kept)
        self.changed.emit()

    def _on_ended(self) -> None:
        job = self.sender()
        if isinstance(job, EvaluationJob):
            self.ended.emit(job)
        self.changed.emit()
