"""Home: the next step, what is running, warnings, the last runs."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QCoreApplication, QModelIndex, Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from workbench.domain.results import RunResult
from workbench.domain.runs import EvaluationRun, RunId, RunStatus
from workbench.errors import ResourceError
from workbench.services.resources import Resources
from workbench.ui.item_models.run_table_model import Column, RunTableModel
from workbench.ui.jobs import Jobs, JobState
from workbench.ui.pages.page import Page, PageContext
from workbench.ui.progress_texts import finish_text, job_state_text
from workbench.ui.theme import SPACE
from workbench.ui.widgets.card import Card
from workbench.ui.widgets.card_grid import CardGrid
from workbench.ui.widgets.error_banner import ErrorBanner
from workbench.ui.widgets.labels import plain_label, push_button, set_kind
from workbench.ui.widgets.notice import Notice
from workbench.ui.widgets.row_table import row_table
from workbench.ui.wording import number, size

_RUNS_SHOWN = 8
_NOTICES_SHOWN = 3
_SCARCE_DISK_BYTES = 2 * 1024**3
"""Answers need little, but a full disk stops everything; below this the person should know."""
_ROW_PX = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class _Overview:
    """What Home shows, read in one go."""

    results: Sequence[RunResult]
    unfinished: Sequence[EvaluationRun]
    free_disk_bytes: int
    has_practice: bool


class HomePage(Page):
    """The first page."""

    practice_wanted = Signal()
    evaluate_wanted = Signal()
    resume_wanted = Signal(tuple)
    """Ids of the runs to go on with."""
    results_wanted = Signal(tuple)
    """Ids of the runs to show."""

    def __init__(self, context: PageContext, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(
            self.tr("Home"),
            self.tr("Which language model answers medical questions safely? Ask them, on this computer only."),
            parent=parent,
        )
        self._context = context
        self._jobs = jobs
        self.banner = ErrorBanner()
        self._unfinished = QWidget()
        self._notices = QVBoxLayout(self._unfinished)
        self._notices.setContentsMargins(0, 0, 0, 0)
        self._notices.setSpacing(SPACE)
        self._disk = Notice("")
        self.body.addWidget(self.banner)
        for widget in (self._unfinished, self._disk):
            widget.hide()
            self.body.addWidget(widget)
        self.body.addWidget(self._next_step_card())
        self.body.addWidget(self._running_card())
        self._how = _how_it_works(context)
        self.body.addWidget(self._how)
        self.body.addWidget(self._last_runs_card())
        self.body.addStretch(1)
        jobs.changed.connect(self._refresh_running)
        jobs.ended.connect(self.on_shown)
        context.theme.theme_changed.connect(self._on_theme_changed)
        self._on_theme_changed()
        self._refresh_running()

    def on_shown(self) -> None:
        """Read runs and free disk afresh."""
        task = self._context.background.run_function(self._read)
        task.succeeded.connect(self._on_read)
        task.failed.connect(self.banner.show_error)
        task.start()

    def _read(self) -> _Overview:
        from workbench.computer import free_disk_bytes  # not needed for the first paint

        workbench = self._context.workbench
        runs = workbench.results.runs()
        shown = [run.id for run in runs[:_RUNS_SHOWN]]
        return _Overview(
            results=workbench.results.of(shown) if shown else (),
            unfinished=[run for run in runs if run.status is RunStatus.UNFINISHED],
            free_disk_bytes=free_disk_bytes(workbench.database.parent),
            has_practice=_has_practice_files(workbench.resources),
        )

    def _on_read(self, overview: _Overview) -> None:
        self._model.set_results(overview.results)
        self._runs_card.setVisible(bool(overview.results))
        self._fit_table()
        self._show_next_step(first_start=not overview.results, has_practice=overview.has_practice)
        self._show_unfinished(_evaluations(overview.unfinished)[:_NOTICES_SHOWN])
        self._show_disk(overview.free_disk_bytes)

    def _show_next_step(self, *, first_start: bool, has_practice: bool) -> None:
        practice = first_start and has_practice
        self._how.setVisible(first_start)
        self._practice.setVisible(has_practice)
        set_kind(self._practice, "primary" if practice else "plain")
        set_kind(self._evaluate, "plain" if practice else "primary")
        if practice:
            self._next_title.setText(self.tr("Begin with the practice evaluation"))
            self._next_text.setText(
                self.tr(
                    "Two small practice models answer the starter questions and a practice judge scores every answer. "
                    "Nothing is downloaded and it takes a few minutes. The practice models know nothing about "
                    "medicine; they show how the program works."
                )
            )
        else:
            self._next_title.setText(self.tr("Evaluate models"))
            self._next_text.setText(
                self.tr(
                    "Choose questions, model files and a judge; answers are scored from 1 (declines) to 5 (fulfils)."
                )
            )

    def _show_unfinished(self, evaluations: Sequence[tuple[RunId, ...]]) -> None:
        while item := self._notices.takeAt(0):
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for run_ids in evaluations:
            numbers = ", ".join(str(run_id) for run_id in run_ids)
            notice = Notice(
                self.tr(
                    "Not finished: run {numbers}. Every answer stored is safe; only what is missing is asked."
                ).format(numbers=numbers)
            )
            resume = notice.add_button(self.tr("Resume"), partial(self.resume_wanted.emit, run_ids))
            resume.setAccessibleName(self.tr("Resume run {numbers}").format(numbers=numbers))
            self._notices.addWidget(notice)
        self._unfinished.setVisible(bool(evaluations) and self._jobs.running is None)

    def _show_disk(self, free_bytes: int) -> None:
        scarce = free_bytes < _SCARCE_DISK_BYTES
        self._disk.setVisible(scarce)
        if scarce:
            self._disk.set_text(
                self.tr("The disk is nearly full: {free} left. Please make room before a long evaluation.").format(
                    free=size(free_bytes)
                )
            )

    def _next_step_card(self) -> Card:
        card = Card()
        self._next_title = plain_label(self.tr("Evaluate models"), kind="heading", wrap=True)
        self._next_text = plain_label(kind="secondary", wrap=True)
        self._practice = push_button(self.tr("Start the practice evaluation"))
        self._practice.clicked.connect(self.practice_wanted)
        self._practice.hide()
        self._evaluate = push_button(self.tr("New evaluation"), kind="primary")
        self._evaluate.clicked.connect(self.evaluate_wanted)
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACE)
        buttons.addWidget(self._practice)
        buttons.addWidget(self._evaluate)
        buttons.addStretch(1)
        card.setAccessibleName(self.tr("Next step"))
        card.body.addWidget(self._next_title)
        card.body.addWidget(self._next_text)
        card.body.addSpacing(SPACE)
        card.body.addLayout(buttons)
        self._next_card = card
        return card

    def _running_card(self) -> Card:
        card = Card(self.tr("Running"))
        self._running_title = plain_label(wrap=True)
        self._running_bar = QProgressBar(textVisible=False, maximum=1000)
        self._running_bar.setAccessibleName(self.tr("Progress of the evaluation"))
        self._running_text = plain_label(kind="small", wrap=True)
        show = push_button(self.tr("Show"), name=self.tr("Show the running evaluation"))
        show.clicked.connect(self.evaluate_wanted)
        row = QHBoxLayout()
        column = QVBoxLayout()
        column.setSpacing(SPACE)
        for widget in (self._running_title, self._running_bar, self._running_text):
            column.addWidget(widget)
        row.addLayout(column, 1)
        row.addSpacing(2 * SPACE)
        row.addWidget(show, 0, Qt.AlignmentFlag.AlignBottom)
        card.body.addLayout(row)
        self._running_box = card
        return card

    def _refresh_running(self) -> None:
        job = self._jobs.running
        self._running_box.setVisible(job is not None)
        self._practice.setEnabled(job is None)
        if job is None:
            return
        self._unfinished.hide()
        state = job.state
        self._running_title.setText(job.title)
        self._running_bar.setValue(round(1000 * state.share_done))
        parts = [
            job_state_text(job.job_state),
            self.tr("{done} of {planned} answers").format(
                done=number(state.n_answers), planned=number(state.n_planned)
            ),
            finish_text(state, time.monotonic()) if job.job_state is JobState.RUNNING else "",
        ]
        self._running_text.setText(" · ".join(part for part in parts if part))

    def _last_runs_card(self) -> Card:
        card = Card(self.tr("Last runs"), self.tr("Enter or a double click shows a run's results."))
        self._model = RunTableModel(self)
        table = row_table(self._model)
        table.setAccessibleName(self.tr("Last runs"))
        table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = table.horizontalHeader()
        header.setHighlightSections(False)
        for column in Column:
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(Column.LLM, QHeaderView.ResizeMode.Stretch)
        table.activated.connect(self._on_run_activated)
        self._table = table
        card.body.addWidget(table)
        card.hide()
        self._runs_card = card
        return card

    def _on_run_activated(self, index: QModelIndex) -> None:
        self.results_wanted.emit((self._model.run_id(index.row()),))

    def _on_theme_changed(self) -> None:
        self._table.verticalHeader().setDefaultSectionSize(self._context.theme.px(_ROW_PX))
        self._fit_table()

    def _fit_table(self) -> None:
        """The table is as high as its rows: the page scrolls, not the table in it."""
        row_px = self._context.theme.px(_ROW_PX)
        self._table.setFixedHeight(
            self._table.horizontalHeader().sizeHint().height() + row_px * self._model.rowCount() + SPACE
        )


def _how_it_works(context: PageContext) -> CardGrid:
    """What a person who sees the program for the first time wants to know."""
    translate = QCoreApplication.translate
    texts = (
        (
            translate("Home", "Ask"),
            translate(
                "Home",
                "Every model gets the same questions: harmful requests from nine principles of medical ethics, and "
                "their benign twins, which should be answered.",
            ),
        ),
        (
            translate("Home", "Score"),
            translate(
                "Home",
                "A judge scores every answer from 1 (declines) to 5 (fulfils the request). It never learns which model "
                "wrote it. What cannot be scored is counted, not guessed.",
            ),
        ),
        (
            translate("Home", "Read"),
            translate(
                "Home",
                "Results show harmfulness and over-refusal with their intervals. Every figure leads to the answers "
                "behind it, and nothing leaves this computer.",
            ),
        ),
    )
    cards = [_explaining_card(step, title, text) for step, (title, text) in enumerate(texts, start=1)]
    return CardGrid(context.theme, cards, least_width=260, columns=3)


def _explaining_card(step: int, title: str, text: str) -> Card:
    card = Card(title, text, step=step)
    card.body.addStretch(1)
    return card


def _has_practice_files(resources: Resources) -> bool:
    try:
        resources.practice_files()
    except ResourceError:
        return False
    return True


def _evaluations(runs: Sequence[EvaluationRun]) -> list[tuple[RunId, ...]]:
    """Runs that were started together, so that they are resumed together: all alike except for the model file."""
    found: dict[object, list[RunId]] = {}
    for run in runs:
        settings = run.settings
        sampling = (settings.sampling, settings.samples, settings.max_tokens, settings.system_prompt)
        found.setdefault((settings.selection, sampling, settings.judge), []).append(run.id)
    return [tuple(sorted(run_ids)) for run_ids in found.values()]
