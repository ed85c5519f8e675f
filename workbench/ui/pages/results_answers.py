"""The answers behind a figure: a table, and the selected one in full beside it."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QSplitter,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from workbench.domain.questions import Principle
from workbench.domain.runs import RunId, ScoredResponse
from workbench.ui.charts.marks import AnswerChoice
from workbench.ui.charts.run_labels import RunLabel
from workbench.ui.item_models.response_table_model import ResponseColumn, ResponseTableModel
from workbench.ui.pages.page import PageContext
from workbench.ui.pages.results_detail import AnswerDetail
from workbench.ui.theme import SPACE
from workbench.ui.widgets.card import Card
from workbench.ui.widgets.labels import plain_label, push_button
from workbench.ui.widgets.row_table import row_table
from workbench.ui.widgets.score_chip import ScoreChipDelegate, score_name
from workbench.ui.widgets.shielded_text import Shield, ShieldedTextDelegate
from workbench.ui.wording import counted

_ROW_PX = 32
_LAYOUT = "results/answers"
_SPLITTER = "results/answers/splitter"
_NOT_SCORED = "unscored"
_FAILED = "failed"


class AnswersView(QWidget):
    """Arrows move through the answers, B uncovers them, Esc goes back."""

    back_wanted = Signal()

    def __init__(self, context: PageContext, shield: Shield, principles: Sequence[Principle]) -> None:
        super().__init__()
        self._context = context
        self._responses: list[ScoredResponse] = []
        self._labels: Mapping[RunId, RunLabel] = {}
        self._heading_text = ""
        self._principle_names = {principle.number: principle.short_name for principle in principles}
        self.model = ResponseTableModel(shield, self._principle_names, self)
        self.table = self._make_table(shield)
        self.detail = AnswerDetail(context.theme, shield)
        self.filter = self._make_filter()
        self.heading = plain_label(kind="heading", wrap=True)
        self._splitter = self._make_splitter()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * SPACE)
        layout.addLayout(self._header())
        layout.addWidget(self._splitter, 1)
        back = QShortcut(QKeySequence(Qt.Key.Key_Escape), self)
        back.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        back.activated.connect(self.back_wanted)
        context.theme.theme_changed.connect(self._set_row_height)
        self._set_row_height()

    def show_answers(
        self, responses: Sequence[ScoredResponse], choice: AnswerChoice, labels: Mapping[RunId, RunLabel]
    ) -> None:
        """Show the answers a choice led to, the first one in full."""
        self._responses = list(responses)
        self._labels = labels
        self._heading_text = self._describe(choice)
        self.table.setColumnHidden(ResponseColumn.RUN, len(choice.run_ids) == 1)
        self.filter.blockSignals(True)
        self.filter.setCurrentIndex(0)
        self.filter.blockSignals(False)
        self.table.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self._apply_filter()
        self.table.setFocus()

    def save_layout(self) -> None:
        """Remember widths for the next time."""
        self._context.preferences.remember(_LAYOUT, self.table.horizontalHeader().saveState())
        self._context.preferences.remember(_SPLITTER, self._splitter.saveState())

    def _header(self) -> QHBoxLayout:
        back = push_button(self.tr("‹ Back to the charts"), kind="quiet", name=self.tr("Back to the charts"))
        back.setToolTip(self.tr("Esc"))
        back.clicked.connect(self.back_wanted)
        header = QHBoxLayout()
        header.setSpacing(SPACE)
        header.addWidget(back, 0, Qt.AlignmentFlag.AlignTop)
        header.addWidget(self.heading, 1)
        header.addWidget(plain_label(self.tr("B uncovers harmful content"), kind="small"))
        header.addWidget(self.filter)
        return header

    def _make_filter(self) -> QComboBox:
        chosen = QComboBox()
        chosen.setAccessibleName(self.tr("Which of these answers"))
        chosen.addItem(self.tr("All of them"), None)
        for score in range(1, 6):
            chosen.addItem(self.tr("Only {0}").format(score_name(score)), score)
        chosen.addItem(self.tr("Only not scored"), _NOT_SCORED)
        chosen.addItem(self.tr("Only failed"), _FAILED)
        chosen.currentIndexChanged.connect(self._apply_filter)
        return chosen

    def _make_table(self, shield: Shield) -> QTableView:
        table = row_table(self.model)
        table.setAccessibleName(self.tr("Answers"))
        table.setSortingEnabled(True)
        table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header = table.horizontalHeader()
        header.setSortIndicatorClearable(True)
        header.setHighlightSections(False)
        table.setItemDelegateForColumn(ResponseColumn.SCORE, ScoreChipDelegate(self._context.theme, table))
        for column in (ResponseColumn.QUESTION, ResponseColumn.ANSWER):
            table.setItemDelegateForColumn(column, ShieldedTextDelegate(shield, table))
        table.selectionModel().currentRowChanged.connect(self._on_current_changed)
        self._set_widths(table)
        return table

    def _set_widths(self, table: QTableView) -> None:
        px = self._context.theme.px
        for column, width in {
            ResponseColumn.SCORE: 58,
            ResponseColumn.RUN: 150,
            ResponseColumn.PRINCIPLE: 128,
            ResponseColumn.KIND: 84,
            ResponseColumn.QUESTION: 160,
            ResponseColumn.ANSWER: 160,
        }.items():
            table.setColumnWidth(column, px(width))
        remembered = self._context.preferences.remembered(_LAYOUT)
        if remembered is not None:
            table.horizontalHeader().restoreState(remembered)
        table.horizontalHeader().setStretchLastSection(True)

    def _make_splitter(self) -> QSplitter:
        card = Card()
        card.setAccessibleName(self.tr("Answers"))
        card.body.setContentsMargins(1, 1, 1, 1)
        card.body.addWidget(self.table)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.setChildrenCollapsible(False)
        splitter.setHandleWidth(2 * SPACE)
        splitter.addWidget(card)
        splitter.addWidget(self.detail)
        splitter.setStretchFactor(0, 3)
        splitter.setStretchFactor(1, 2)
        splitter.setSizes([600, 400])
        remembered = self._context.preferences.remembered(_SPLITTER)
        if remembered is not None:
            splitter.restoreState(remembered)
        return splitter

    def _set_row_height(self) -> None:
        self.table.verticalHeader().setDefaultSectionSize(self._context.theme.px(_ROW_PX))

    def _apply_filter(self) -> None:
        chosen = self.filter.currentData()
        shown = [response for response in self._responses if _passes(response, chosen)]
        self.model.set_responses(shown, self._labels)
        header = self.table.horizontalHeader()
        if header.sortIndicatorSection() < self.model.columnCount():
            self.model.sort(header.sortIndicatorSection(), header.sortIndicatorOrder())
        count = counted(len(shown), self.tr("answer"), self.tr("answers"))
        self.heading.setText(f"{self._heading_text}: {count}")
        self.detail.setVisible(bool(shown))
        if shown:
            self.table.setCurrentIndex(self.model.index(0, 0))

    def _on_current_changed(self, current: QModelIndex) -> None:
        if current.isValid():
            response = self.model.response(current.row())
            self.detail.show_response(response, self._labels[response.run_id])

    def _describe(self, choice: AnswerChoice) -> str:
        """The choice in words: run, principle, kind, score."""
        parts = [
            self._labels[choice.run_ids[0]].full
            if len(choice.run_ids) == 1
            else counted(len(choice.run_ids), self.tr("run"), self.tr("runs"))
        ]
        if choice.principles is not None:
            names = (f"{number} {self._principle_names.get(number, '')}".strip() for number in choice.principles)
            parts.append(", ".join(names))
        if choice.kind is not None:
            parts.append(self.tr("{0} questions").format(choice.kind.value))
        if choice.score is not None:
            parts.append(score_name(choice.score))
        if choice.unscored:
            parts.append(self.tr("not scored"))
        return " · ".join(parts)


def _passes(response: ScoredResponse, chosen: object) -> bool:
    if chosen is None:
        return True
    if chosen == _FAILED:
        return response.text is None
    if chosen == _NOT_SCORED:
        return response.text is not None and response.score is None
    return response.score == chosen
