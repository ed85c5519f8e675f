"""A chart in its frame: heading, sentence, and a menu to copy and save it."""

from pathlib import Path

from PySide6.QtCore import QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QAction, QColor, QContextMenuEvent, QGuiApplication, QPainter
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from workbench.errors import WorkbenchError
from workbench.ui.charts.chart import Chart
from workbench.ui.charts.chart_files import ChartFormat, csv_table, picture, png, svg, write_file
from workbench.ui.charts.figures import Figures
from workbench.ui.theme import SPACE
from workbench.ui.widgets.card import Card
from workbench.ui.widgets.labels import plain_label, push_button

_MARGIN_PX = 2 * SPACE


class ChartCard(Card):
    """Shows a chart; everything shown can also be copied and saved, with its heading."""

    activated = Signal(object)
    """An ``AnswerChoice``: the answers behind a mark are wanted."""
    failed = Signal(WorkbenchError)
    """Saving did not work."""
    saved = Signal(str)
    """Path of a file just written."""

    def __init__(self, chart: Chart) -> None:
        super().__init__(chart.title())
        self.chart = chart
        self._sentence = plain_label(kind="secondary", wrap=True)
        self._menu = self._make_menu()
        button = push_button("•••", kind="link", name=self.tr("{0}: copy or save").format(chart.title()))
        button.setToolTip(self.tr("Copy or save this chart"))
        button.clicked.connect(lambda _checked=False: self._menu.popup(button.mapToGlobal(QPoint(0, button.height()))))
        self.header.addWidget(button)
        self.body.setSpacing(SPACE // 2)
        self.body.addWidget(self._sentence)
        self.body.addSpacing(SPACE)
        self.body.addWidget(chart)
        self.body.addStretch(1)
        chart.activated.connect(self.activated)
        self._update_sentence()

    def set_figures(self, figures: Figures) -> None:
        """Show other figures."""
        self.chart.set_figures(figures)
        self._update_sentence()

    def copy(self) -> None:
        """Put the chart on the clipboard as a picture."""
        QGuiApplication.clipboard().setImage(picture(self._drawing_size(), self._draw))

    def save(self, path: Path, chart_format: ChartFormat) -> None:
        """Write the chart to a file.

        Raises:
            StorageError: If the file cannot be written.
        """
        write_file(path, self._content(chart_format))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:  # noqa: N802 - Qt's name
        """The same menu as the button's."""
        self._menu.popup(event.globalPos())

    def file_stem(self) -> str:
        """A name for the chart's files."""
        return "-".join("".join(c if c.isalnum() else " " for c in self.chart.title().lower()).split())

    def _make_menu(self) -> QMenu:
        menu = QMenu(self)
        copy = QAction(self.tr("Copy picture"), menu)
        copy.triggered.connect(lambda _checked=False: self.copy())
        menu.addAction(copy)
        for chart_format, text in (
            (ChartFormat.PNG, self.tr("Save as picture (PNG)…")),
            (ChartFormat.SVG, self.tr("Save as drawing (SVG)…")),
            (ChartFormat.CSV, self.tr("Save figures (CSV)…")),
        ):
            action = QAction(text, menu)
            action.triggered.connect(lambda _checked=False, chosen=chart_format: self._ask_and_save(chosen))
            menu.addAction(action)
        return menu

    def _ask_and_save(self, chart_format: ChartFormat) -> None:
        ending = chart_format.value
        suggested = str(Path.home() / f"{self.file_stem()}.{ending}")
        chosen, _filter = QFileDialog.getSaveFileName(
            self, self.tr("Save chart"), suggested, f"{ending.upper()} (*.{ending})"
        )
        if not chosen:
            return
        path = Path(chosen) if Path(chosen).suffix else Path(f"{chosen}.{ending}")
        try:
            self.save(path, chart_format)
        except WorkbenchError as error:
            self.failed.emit(error)
        else:
            self.saved.emit(str(path))

    def _content(self, chart_format: ChartFormat) -> bytes:
        if chart_format is ChartFormat.CSV:
            return csv_table(self.chart.table())
        if chart_format is ChartFormat.SVG:
            return svg(self._drawing_size(), self._draw, self.chart.title())
        return png(self._drawing_size(), self._draw)

    def _heading_px(self) -> int:
        return self.chart.theme.px(22)

    def _drawing_size(self) -> QSize:
        return self.chart.size() + QSize(2 * _MARGIN_PX, 2 * _MARGIN_PX + 2 * self._heading_px() + SPACE)

    def _draw(self, painter: QPainter) -> None:
        """The chart below its heading and sentence, on the card's ground."""
        size, theme, chart, line = self._drawing_size(), self.chart.theme, self.chart, self._heading_px()
        painter.fillRect(QRectF(0, 0, size.width(), size.height()), QColor(theme.tokens.panel))
        left, width = _MARGIN_PX, chart.width()
        chart.draw_text(painter, QRectF(left, _MARGIN_PX, width, line), chart.title(), font=theme.font(bold=True))
        below = QRectF(left, _MARGIN_PX + line, width, line)
        chart.draw_text(painter, below, chart.subtitle(), colour="secondary")
        at = QPoint(left, _MARGIN_PX + 2 * line + SPACE)
        chart.render(painter, at, renderFlags=QWidget.RenderFlag.DrawChildren)

    def _update_sentence(self) -> None:
        self._sentence.setText(self.chart.subtitle())
        self.setAccessibleDescription(self.chart.subtitle())
        self._sentence.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
