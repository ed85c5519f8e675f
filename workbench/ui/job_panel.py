"""What runs, with its controls, and every error of this session."""

import time

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QScrollArea, QVBoxLayout, QWidget

from workbench.ui.jobs import EvaluationJob, Jobs, JobState, KeptError
from workbench.ui.progress_texts import finish_text, job_state_text
from workbench.ui.theme import SPACE, Theme
from workbench.ui.widgets.card import Card, line
from workbench.ui.widgets.error_banner import copyable_text
from workbench.ui.widgets.labels import plain_label, push_button
from workbench.ui.widgets.visible_text import one_line, visible_text
from workbench.ui.wording import clock_time, number

_WIDTH = 400
_HEIGHT = 420


class JobPanel(Card):
    """Opens above the status line on the right; Esc closes it.

    Args:
        jobs: What runs.
        theme: Scales the panel with the text.
        window: What it lies on.
    """

    closed = Signal()

    def __init__(self, jobs: Jobs, theme: Theme, window: QWidget) -> None:
        super().__init__(self.tr("Jobs"))
        self.setParent(window)
        self._jobs = jobs
        self._theme = theme
        self._window = window
        self._n_errors_shown = 0
        close = push_button(self.tr("Close"), kind="quiet", name=self.tr("Close the job panel"))
        close.clicked.connect(self.hide_panel)
        self.header.addWidget(close)
        self._close = close
        self._nothing = plain_label(self.tr("Nothing is running."), kind="secondary")
        self.body.addWidget(self._nothing)
        self._job = _JobBox()
        self.body.addWidget(self._job)
        self.body.addWidget(line())
        self.body.addWidget(plain_label(self.tr("Errors of this session"), kind="strong"))
        self._no_errors = plain_label(self.tr("None."), kind="secondary")
        self.body.addWidget(self._no_errors)
        self._errors = QVBoxLayout()
        self._errors.setSpacing(SPACE)
        self.body.addWidget(_scrolled(self._errors, self.tr("Errors of this session")), 1)
        jobs.changed.connect(self._refresh)
        window.installEventFilter(self)
        self.hide()

    def toggle(self) -> None:
        """Open or close."""
        if self.isVisible():
            self.hide_panel()
            return
        self._refresh()
        self._place()
        self.show()
        self.raise_()
        self._close.setFocus()

    def hide_panel(self) -> None:
        """Close."""
        self.hide()
        self.closed.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Esc closes."""
        if event.key() == Qt.Key.Key_Escape:
            self.hide_panel()
        else:
            super().keyPressEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Stay in the corner when the window changes its size."""
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self._place()
        return super().eventFilter(watched, event)

    def _place(self) -> None:
        room = self._window.size()
        self.resize(
            min(self._theme.px(_WIDTH), room.width() - 4 * SPACE),
            min(self._theme.px(_HEIGHT), room.height() - 8 * SPACE),
        )
        corner = QPoint(room.width() - self.width() - 2 * SPACE, room.height() - self.height() - self._theme.px(40))
        self.move(corner)

    def _refresh(self) -> None:
        job = self._jobs.running or (self._jobs.all[-1] if self._jobs.all else None)
        self._nothing.setVisible(job is None)
        self._job.setVisible(job is not None)
        if job is not None:
            self._job.show_job(job)
        self._no_errors.setVisible(not self._jobs.errors)
        for kept in self._jobs.errors[self._n_errors_shown :]:
            self._errors.insertWidget(0, _error_box(kept))
        self._n_errors_shown = len(self._jobs.errors)


class _JobBox(QWidget):
    """One job: bar, rate, time left, controls."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: EvaluationJob | None = None
        self._title = plain_label(wrap=True)
        self._bar = QProgressBar(textVisible=False, maximum=1000)
        self._bar.setAccessibleName(self.tr("Progress of the evaluation"))
        self._figures = plain_label(kind="small", wrap=True)
        self._pause = push_button(self.tr("Pause"))
        self._pause.clicked.connect(self._on_pause)
        self._stop = push_button(self.tr("Stop"))
        self._stop.clicked.connect(self._on_stop)
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACE)
        buttons.addWidget(self._pause)
        buttons.addWidget(self._stop)
        buttons.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, SPACE)
        column.setSpacing(SPACE)
        for widget in (self._title, self._bar, self._figures):
            column.addWidget(widget)
        column.addLayout(buttons)

    def show_job(self, job: EvaluationJob) -> None:
        """Show where a job stands."""
        self._shown = job
        state, now_s = job.state, time.monotonic()
        self._title.setText(one_line(job.title))
        self._bar.setValue(round(1000 * state.share_done))
        parts = [
            job_state_text(job.job_state),
            self.tr("{done} of {planned} answers").format(
                done=number(state.n_answers), planned=number(state.n_planned)
            ),
            finish_text(state, now_s) if job.job_state is JobState.RUNNING else "",
        ]
        self._figures.setText(" · ".join(part for part in parts if part))
        paused = job.job_state is JobState.PAUSED
        self._pause.setText(self.tr("Resume") if paused else self.tr("Pause"))
        self._pause.setAccessibleName(self.tr("Resume the evaluation") if paused else self.tr("Pause the evaluation"))
        self._stop.setAccessibleName(self.tr("Stop the evaluation"))
        self._pause.setEnabled(job.job_state in (JobState.RUNNING, JobState.PAUSED))
        self._stop.setEnabled(job.job_state in (JobState.RUNNING, JobState.PAUSED))
        self._pause.setVisible(not job.over)
        self._stop.setVisible(not job.over)

    def _on_pause(self) -> None:
        if self._shown is None:
            return
        if self._shown.job_state is JobState.PAUSED:
            self._shown.resume()
        else:
            self._shown.pause()

    def _on_stop(self) -> None:
        if self._shown is not None:
            self._shown.stop()


def _error_box(kept: KeptError) -> QFrame:
    box = QFrame()
    box.setProperty("kind", "error")
    column = QVBoxLayout(box)
    column.setContentsMargins(2 * SPACE, SPACE, SPACE, SPACE)
    column.setSpacing(SPACE // 2)
    head = QHBoxLayout()
    head.addWidget(plain_label(f"{clock_time(kept.at)} · {one_line(kept.subject, 60)}", kind="strong"), 1)
    copy = push_button(box.tr("Copy details"), kind="quiet", name=box.tr("Copy the details of this error"))
    copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(copyable_text(kept.error)))
    head.addWidget(copy)
    column.addLayout(head)
    text = visible_text(f"{kept.error.happened} {kept.error.safe} {kept.error.todo}")
    column.addWidget(plain_label(text[:1000], wrap=True))
    return box


def _scrolled(column: QVBoxLayout, name: str) -> QScrollArea:
    content = QWidget()
    outer = QVBoxLayout(content)
    outer.setContentsMargins(0, 0, 0, 0)
    outer.addLayout(column)
    outer.addStretch(1)
    area = QScrollArea()
    area.setAccessibleName(name)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setWidget(content)
    return area
