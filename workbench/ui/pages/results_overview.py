"""The charts and the table of the Results page."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QVBoxLayout, QWidget

from workbench.errors import WorkbenchError
from workbench.ui.charts.chart import Chart
from workbench.ui.charts.chart_card import ChartCard
from workbench.ui.charts.distribution_chart import DistributionChart
from workbench.ui.charts.figures import Figures, figures_of
from workbench.ui.charts.forest_chart import ForestChart
from workbench.ui.charts.heat_map import HeatMap
from workbench.ui.charts.scatter_chart import ScatterChart
from workbench.ui.item_models.result_table_model import ResultTableModel
from workbench.ui.theme import SPACE, Theme
from workbench.ui.widgets.card import Card
from workbench.ui.widgets.card_grid import CardGrid
from workbench.ui.widgets.notice import Notice
from workbench.ui.widgets.row_table import row_table

_LEAST_CARD_PX = 420
_ROW_PX = 30
_MOST_ROWS = 12
_WIDEST_COLUMN_PX = 240
CHARTS: tuple[Callable[[Theme, Figures], Chart], ...] = (ForestChart, HeatMap, DistributionChart, ScatterChart)
"""The charts in reading order."""


class ResultsOverview(QWidget):
    """The finding in words, the charts and the table of runs.

    Args:
        theme: Sizes of the table's rows and columns.
        cards: The charts in reading order, see ``CHARTS``.
    """

    activated = Signal(object)
    """An ``AnswerChoice``: the answers behind a mark are wanted."""
    failed = Signal(WorkbenchError)
    saved = Signal(str)

    def __init__(self, theme: Theme, cards: Sequence[ChartCard], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._figures: Figures = figures_of((), (), None)
        self.finding = Notice("", "callout")
        self.cards = tuple(cards)
        self.table_model = ResultTableModel(self)
        self.table = self._make_table()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * SPACE)
        layout.addWidget(self.finding)
        layout.addWidget(CardGrid(theme, self.cards, least_width=_LEAST_CARD_PX, columns=2))
        layout.addWidget(self._table_card())
        layout.addStretch(1)
        for card in self.cards:
            card.activated.connect(self.activated)
            card.failed.connect(self.failed)
            card.saved.connect(self.saved)
        theme.theme_changed.connect(self._fit_table)

    def set_figures(self, figures: Figures, finding: str) -> None:
        """Show other figures."""
        self._figures = figures
        self.finding.set_text(finding)
        for card in self.cards:
            card.set_figures(figures)
        self.table_model.set_figures(figures)
        self._fit_columns()
        self._fit_table()

    def _make_table(self) -> QTableView:
        table = row_table(self.table_model)
        table.setAccessibleName(self.tr("Runs and their figures"))
        table.setTextElideMode(Qt.TextElideMode.ElideRight)
        table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        table.horizontalHeader().setStretchLastSection(True)
        table.horizontalHeader().setHighlightSections(False)
        table.horizontalHeader().setSortIndicatorClearable(True)
        table.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        table.setSortingEnabled(True)
        table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        table.clicked.connect(self._on_row_chosen)
        table.activated.connect(self._on_row_chosen)
        return table

    def _table_card(self) -> Card:
        card = Card(self.tr("Runs"), self.tr("Click a row for its answers, a heading to sort."))
        card.body.addWidget(self.table)
        return card

    def _fit_columns(self) -> None:
        """As wide as the cells and the heading; Qt's own way also keeps room for a sort arrow in every column."""
        heading = QFontMetrics(self._theme.font())
        for column in range(self.table_model.columnCount()):
            title = self.table_model.headerData(column, Qt.Orientation.Horizontal)
            title_px = heading.horizontalAdvance(str(title)) + self._theme.px(18)
            width = max(self.table.sizeHintForColumn(column), title_px)
            self.table.setColumnWidth(column, min(width, self._theme.px(_WIDEST_COLUMN_PX)))

    def _fit_table(self) -> None:
        """As high as its rows, so that the page scrolls and not the table, up to a limit."""
        row_px = self._theme.px(_ROW_PX)
        self.table.verticalHeader().setDefaultSectionSize(row_px)
        rows = min(max(1, self.table_model.rowCount()), _MOST_ROWS)
        self.table.setFixedHeight(self.table.horizontalHeader().sizeHint().height() + rows * row_px + 14)

    def _on_row_chosen(self, index: QModelIndex) -> None:
        if index.isValid():
            self.activated.emit(self._figures.choice(self.table_model.result(index.row())))
