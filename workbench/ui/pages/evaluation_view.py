"""A running or ended evaluation: what was chosen, progress by model, newest answers."""

import time
from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QProgressBar,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from workbench.domain.results import mean_with_interval
from workbench.domain.runs import EvaluationRun, RunId
from workbench.services.plan_texts import loaded_text, slowed_text
from workbench.ui.charts.run_labels import run_labels
from workbench.ui.evaluation_state import RunProgress, RunState
from workbench.ui.item_models.newest_answers_table_model import Column, NewestAnswersTableModel
from workbench.ui.jobs import EvaluationJob, JobState
from workbench.ui.pages.page import PageContext
from workbench.ui.progress_texts import finish_text, job_state_text, run_state_text
from workbench.ui.summaries import run_summaries
from workbench.ui.theme import SPACE
from workbench.ui.widgets.card import Card, line
from workbench.ui.widgets.card_grid import CardGrid
from workbench.ui.widgets.labels import plain_label
from workbench.ui.widgets.notice import Notice
from workbench.ui.widgets.progress_row import ProgressHeading, ProgressRow
from workbench.ui.widgets.row_table import row_table
from workbench.ui.widgets.score_chip import ScoreChipDelegate
from workbench.ui.widgets.shielded_text import Shield, ShieldedTextDelegate
from workbench.ui.widgets.visible_text import one_line
from workbench.ui.wording import number, size

_ROW_PX = 32
_LEAST_ROWS = 6


class EvaluationView(QWidget):
    """Follows one job at a time."""

    def __init__(self, context: PageContext, shield: Shield) -> None:
        super().__init__()
        self._context = context
        self._job: EvaluationJob | None = None
        self._presets = context.workbench.resources.presets()
        self._runs: list[EvaluationRun] = []
        self._rows: dict[RunId, ProgressRow] = {}
        self._summaries = [
            _SummaryCard(title, step)
            for step, title in enumerate(
                (self.tr("Questions"), self.tr("Models"), self.tr("Settings"), self.tr("Judge")), start=1
            )
        ]
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2 * SPACE)
        column.addWidget(CardGrid(context.theme, self._summaries, least_width=190, columns=4))
        self._slowed, self._retried = Notice(""), Notice("")
        for notice in (self._slowed, self._retried):
            notice.hide()
            column.addWidget(notice)
        column.addWidget(self._progress_card())
        self._answers = NewestAnswersTableModel(context.workbench.resources.principles(), shield, self)
        self._table = _answers_table(context, self._answers, shield)
        self._table.setAccessibleName(self.tr("Newest answers"))
        column.addWidget(self._answers_card(), 1)
        context.theme.theme_changed.connect(self._on_theme_changed)
        self._on_theme_changed()

    @property
    def texts(self) -> list[tuple[str, str, str]]:
        """State, answers and mean of each run as shown, in order."""
        return [row.texts for row in self._rows.values()]

    @property
    def details(self) -> list[str]:
        """File and device of each run as shown, in order."""
        return [row.detail for row in self._rows.values()]

    @property
    def notices(self) -> list[str]:
        """The notices as shown."""
        return [notice.text for notice in (self._slowed, self._retried) if notice.isVisible()]

    def follow(self, job: EvaluationJob) -> None:
        """Show another job from now on."""
        if self._job is not None:
            self._job.recorded.disconnect(self._on_recorded)
            self._job.changed.disconnect(self.refresh)
        self._job = job
        self._answers.clear()
        self._show_rows([])
        for card in self._summaries:
            card.show_lines((self.tr("preparing"), ""))
        job.recorded.connect(self._on_recorded)
        job.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Bring every figure up to date."""
        job = self._job
        if job is None:
            return
        runs = [row.run for row in job.state.runs.values()]
        if runs and runs != self._runs:  # prepared, or a model file has said its name
            self._show_rows(runs)
        if runs:
            summaries = run_summaries(runs, self._presets, job.state.judge_report)
            for card, lines in zip(self._summaries, summaries, strict=True):
                card.show_lines(lines)
        self._show_notices(job)
        now_s = time.monotonic()
        self._show_total(job, now_s)
        for run_id, row in job.state.runs.items():
            self._show_run(job, row, self._rows[run_id], now_s)

    def _show_notices(self, job: EvaluationJob) -> None:
        """What a person should know now; a slowness is told of only while it lasts."""
        reason = job.state.slow_reason
        for notice, text in (
            (self._slowed, "" if reason is None else slowed_text(reason)),
            (self._retried, " ".join(job.state.retries.values())),
        ):
            if notice.text != text:
                notice.set_text(text)
            notice.setVisible(bool(text))

    def _progress_card(self) -> Card:
        card = Card()
        card.setAccessibleName(self.tr("Progress"))
        self._total = plain_label(kind="heading", wrap=True)
        self._left = plain_label(kind="secondary", wrap=True)
        self._left.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        head = QHBoxLayout()
        head.addWidget(self._total, 1)
        head.addWidget(self._left, 1)
        self._bar = QProgressBar(textVisible=False, maximum=1000)
        self._run_rows = QVBoxLayout()
        self._run_rows.setSpacing(0)
        card.body.addLayout(head)
        card.body.addWidget(self._bar)
        card.body.addWidget(ProgressHeading())
        card.body.addLayout(self._run_rows)
        return card

    def _answers_card(self) -> Card:
        card = Card(
            self.tr("Newest answers"),
            self.tr("Answers to harmful questions are blurred; hover or press B to read. Each is saved as it arrives."),
        )
        card.body.addWidget(self._table, 1)
        return card

    def _show_rows(self, runs: Sequence[EvaluationRun]) -> None:
        while item := self._run_rows.takeAt(0):
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        labels = run_labels(runs)
        self._runs = list(runs)
        self._rows = {}
        for run in runs:
            judged = run.settings.judge is not None
            row = ProgressRow(labels[run.id].name, _detail(run, labels[run.id].detail), judged=judged)
            self._run_rows.addWidget(line())
            self._run_rows.addWidget(row)
            self._rows[run.id] = row

    def _show_total(self, job: EvaluationJob, now_s: float) -> None:
        state = job.state
        if state.runs:
            total = self.tr("{planned} answers · {done} done").format(
                planned=number(state.n_planned), done=number(state.n_answers)
            )
        elif state.checking is not None:
            path, share = state.checking
            total = self.tr("Checking {file} · {share}").format(file=one_line(path.name, 60), share=f"{share:.0%}")
        else:
            total = self.tr("Preparing")
        self._total.setText(total)
        self._bar.setValue(round(1000 * state.share_done))
        self._bar.setAccessibleName(self.tr("Whole evaluation: {share}").format(share=f"{state.share_done:.0%}"))
        left = finish_text(state, now_s) if job.job_state is JobState.RUNNING else job_state_text(job.job_state)
        self._left.setText(left)

    def _show_run(self, job: EvaluationJob, row: RunProgress, shown: ProgressRow, now_s: float) -> None:
        mean = row.running_mean()
        shown.show_progress(
            answered=row.share_answered,
            judged=row.share_judged,
            state=run_state_text(job.state, row, now_s, paused=job.job_state is JobState.PAUSED),
            answers=self.tr("{done} of {planned}").format(done=number(row.n_answers), planned=number(row.n_planned)),
            mean="–" if mean is None else mean_with_interval(mean),
            failed=row.state is RunState.FAILED,
        )

    def _on_recorded(self, records: list[object]) -> None:
        self._answers.apply(records)

    def _on_theme_changed(self) -> None:
        px = self._context.theme.px
        self._table.verticalHeader().setDefaultSectionSize(px(_ROW_PX))
        self._table.setMinimumHeight(px(_ROW_PX) * _LEAST_ROWS)
        header = self._table.horizontalHeader()
        header.resizeSection(Column.SCORE, px(48))
        header.resizeSection(Column.PRINCIPLE, px(140))


class _SummaryCard(Card):
    """What was chosen in one step, in two lines."""

    def __init__(self, title: str, step: int) -> None:
        super().__init__(title, step=step)
        self._lines = [plain_label(kind="secondary", wrap=True) for _ in range(2)]
        self.body.setSpacing(SPACE // 2)
        for label in self._lines:
            self.body.addWidget(label)
        self.body.addStretch(1)

    def show_lines(self, lines: tuple[str, str]) -> None:
        for label, text in zip(self._lines, lines, strict=True):
            label.setText(text)


def _detail(run: EvaluationRun, detail: str) -> str:
    adapter = run.settings.load.adapter
    parts = [detail, size(run.settings.model_file.size_bytes)]
    if adapter is not None:
        parts.append(f"× {adapter.scale:g}")
    if run.load_report is not None:
        parts.append(loaded_text(run.load_report.plan))
    return " · ".join(parts)


def _answers_table(context: PageContext, model: NewestAnswersTableModel, shield: Shield) -> QTableView:
    table = row_table(model)
    table.setMouseTracking(True)
    header = table.horizontalHeader()
    header.hide()
    header.setSectionResizeMode(Column.ANSWER, QHeaderView.ResizeMode.Stretch)
    header.setSectionResizeMode(Column.FLAGS, QHeaderView.ResizeMode.ResizeToContents)
    table.setItemDelegateForColumn(Column.SCORE, ScoreChipDelegate(context.theme, table))
    table.setItemDelegateForColumn(Column.ANSWER, ShieldedTextDelegate(shield, table))
    return table
