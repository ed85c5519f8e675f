"""Mean harmfulness of each run for each principle of medical ethics."""

import math

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen
from PySide6.QtWidgets import QWidget

from workbench.domain.questions import Principle, QuestionKind
from workbench.domain.results import RunResult
from workbench.ui.charts.chart import MEAN_HEADER, Cell, Chart, FigureTable, mean_cells
from workbench.ui.charts.figures import Figures, mean_text, not_scored, of_principle
from workbench.ui.charts.marks import Mark
from workbench.ui.theme import TextSize, Theme, harmfulness_colour, text_on
from workbench.ui.widgets.score_chip import MISSING
from workbench.ui.wording import counted

_ROW_PX = 28
_GAP_PX = 3
_WIDEST_CELL_PX = 64
_SLANT_DEGREES = 35


class HeatMap(Chart):
    """A cell for each run and principle, with the figure written on it."""

    def __init__(self, theme: Theme, figures: Figures, parent: QWidget | None = None) -> None:
        super().__init__(theme, figures, parent)
        self._grid = QRectF()
        """The first cell with the gaps around it; all others repeat it."""
        self._refresh()

    def title(self) -> str:
        """Stands above the chart."""
        return self.tr("By principle of medical ethics")

    def subtitle(self) -> str:
        """What is shown, and of how many questions."""
        sizes = {found.harmfulness.n_answers for result in self.figures.results for found in result.by_principle}
        if not sizes:
            return self.tr("Mean harmfulness.")
        if len(sizes) == 1:
            questions = counted(sizes.pop(), self.tr("question"), self.tr("questions"))
            return self.tr("Mean harmfulness; {0} in each cell.").format(questions)
        return self.tr("Mean harmfulness; {0:,} to {1:,} questions in each cell.").format(min(sizes), max(sizes))

    def table(self) -> FigureTable:
        """One row for each cell."""
        rows: list[tuple[Cell, ...]] = []
        for result in self.figures.results:
            label = self.figures.label(result)
            for principle in self.figures.principles:
                found = of_principle(result, principle.number)
                score = None if found is None else found.harmfulness
                rows.append(
                    (
                        int(result.run.id),
                        label.name,
                        label.detail,
                        principle.number,
                        principle.name,
                        0 if score is None else score.n_answers,
                        0 if score is None else score.n_scored,
                        *mean_cells(score),
                    )
                )
        header = (
            "run_id",
            "name",
            "detail",
            "principle",
            "principle_name",
            "answers",
            "scored",
            *MEAN_HEADER,
        )
        return FigureTable(header=header, rows=tuple(rows))

    def _height_px(self) -> int:
        return math.ceil(self._header_px()) + self.theme.px(_ROW_PX) * max(1, len(self.figures.results)) + 4

    def _header(self, principle: Principle) -> str:
        return f"{principle.number} {principle.short_name}"

    def _measure(self) -> None:
        """Find the grid for the present size; once for each placement, because every cell needs it."""
        self._grid = QRectF(
            math.floor(self.names_width_px), math.ceil(self._header_px()), self._cell_px(), self.theme.px(_ROW_PX)
        )

    def _header_px(self) -> float:
        metrics = QFontMetricsF(self.small_font())
        longest = max((metrics.horizontalAdvance(self._header(p)) for p in self.figures.principles), default=0.0)
        return longest * math.sin(math.radians(_SLANT_DEGREES)) + metrics.height() + self.theme.px(6)

    def _cell_px(self) -> float:
        """Width of a column; the slanted last header keeps room at the right."""
        metrics = QFontMetricsF(self.small_font())
        last = self._header(self.figures.principles[-1]) if self.figures.principles else ""
        overhang = metrics.horizontalAdvance(last) * math.cos(math.radians(_SLANT_DEGREES))
        n = max(1, len(self.figures.principles))
        available = self.width() - self.names_width_px
        # The last header starts in the middle of its column and may run out of the grid by the overhang.
        width = min((available - overhang) / (n - 0.5), available / n, self.theme.px(_WIDEST_CELL_PX))
        return math.floor(max(width, self.theme.px(26)))

    def _cell(self, row: int, column: int) -> QRectF:
        first = self._grid
        left, top = first.left() + column * first.width(), first.top() + row * first.height()
        return QRectF(left, top, first.width() - _GAP_PX, first.height() - _GAP_PX)

    def _place(self) -> list[Mark]:
        self._measure()
        marks: list[Mark] = []
        for row, result in enumerate(self.figures.results):
            label = self.figures.label(result)
            first = self._cell(row, 0)
            marks.append(
                Mark(
                    rect=QRectF(2, first.top(), first.left() - 6, first.height()),
                    text=self.tr("{0}: all principles {1}").format(label.full, mean_text(result.harmfulness)),
                    choice=self.figures.choice(result, kind=QuestionKind.HARMFUL),
                )
            )
            for column, principle in enumerate(self.figures.principles):
                found = of_principle(result, principle.number)
                figure = not_scored() if found is None else mean_text(found.harmfulness)
                n = 0 if found is None else found.harmfulness.n_scored
                marks.append(
                    Mark(
                        rect=self._cell(row, column),
                        text=self.tr("{0}, principle {1}, {2}: {3}, n {4:,}").format(
                            label.full, principle.number, principle.name, figure, n
                        ),
                        choice=self.figures.choice(result, kind=QuestionKind.HARMFUL, principle=principle.number),
                    )
                )
        return marks

    def _letter(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._letter_header(painter)
        for row, result in enumerate(self.figures.results):
            first = self._cell(row, 0)
            name = QRectF(0, first.top(), first.left() - self.theme.px(8), first.height())
            self.draw_name(painter, name, result)
            for column, principle in enumerate(self.figures.principles):
                self._draw_cell(painter, self._cell(row, column), result, principle.number)

    def _letter_header(self, painter: QPainter) -> None:
        painter.setFont(self.small_font())
        painter.setPen(self.colour("secondary"))
        for column, principle in enumerate(self.figures.principles):
            cell = self._cell(0, column)
            painter.save()
            painter.translate(QPointF(cell.center().x() - self.theme.px(2), cell.top() - self.theme.px(6)))
            painter.rotate(-_SLANT_DEGREES)
            painter.drawText(QPointF(0, 0), self._header(principle))
            painter.restore()

    def _draw_cell(self, painter: QPainter, cell: QRectF, result: RunResult, number: int) -> None:
        found = of_principle(result, number)
        mean = None if found is None else found.harmfulness.mean
        radius = 3.0
        if mean is None:
            painter.setPen(QPen(self.colour("control_line"), 1, Qt.PenStyle.DashLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(cell.adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
            ink = self.colour("secondary")
        else:
            ground = harmfulness_colour(mean)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(ground)
            painter.drawRoundedRect(cell, radius, radius)
            ink = QColor(text_on(ground))
        painter.setPen(ink)
        painter.setFont(self.theme.font(TextSize.SMALL))
        painter.drawText(cell, Qt.AlignmentFlag.AlignCenter, MISSING if mean is None else f"{mean:.1f}")
