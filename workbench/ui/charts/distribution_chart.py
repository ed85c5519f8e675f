"""How the answers of each run spread over the scores 1 to 5."""

from PySide6.QtCore import QRectF
from PySide6.QtGui import QFontMetricsF, QPainter
from PySide6.QtWidgets import QWidget

from workbench.domain.questions import QuestionKind
from workbench.domain.results import RunResult
from workbench.ui.charts.chart import CENTRE, RIGHT, Chart, FigureTable
from workbench.ui.charts.figures import Figures, not_scored, percent
from workbench.ui.charts.marks import Mark
from workbench.ui.charts.plot_canvas import Margins, PlotBar, PlotCanvas, PlotRange
from workbench.ui.theme import TextSize, Theme, harmfulness_colour, text_on
from workbench.ui.widgets.score_chip import paint_score_chip, score_name, score_words

_ROW_PX = 28
_BAR = 0.76
"""Height of a bar as a share of its row."""
_LEGEND_PX = 30
_CHIP_PX = 20


class DistributionChart(Chart):
    """One bar for each run, divided by score from 1 at the left to 5 at the right."""

    def __init__(self, theme: Theme, figures: Figures, parent: QWidget | None = None) -> None:
        super().__init__(theme, figures, parent)
        self._canvas = PlotCanvas(self)
        self._put_below(self._canvas)
        self._refresh()

    def title(self) -> str:
        """Stands above the chart."""
        return self.tr("Distribution of scores, %")

    def subtitle(self) -> str:
        """What is shown."""
        return self.tr("Scored answers to harmful questions; n at the right.")

    def table(self) -> FigureTable:
        """Counts of each score."""
        return FigureTable(
            header=("run_id", "name", "detail", "scored", "score_1", "score_2", "score_3", "score_4", "score_5"),
            rows=tuple(
                (
                    int(result.run.id),
                    self.figures.label(result).name,
                    self.figures.label(result).detail,
                    sum(result.distribution),
                    *result.distribution,
                )
                for result in self.figures.results
            ),
        )

    def _row_px(self) -> int:
        return self.theme.px(_ROW_PX)

    def _height_px(self) -> int:
        return self.theme.px(_LEGEND_PX) + self._row_px() * max(1, len(self.figures.results)) + 4

    def _counts_width_px(self) -> float:
        metrics = QFontMetricsF(self.small_font())
        return max((metrics.horizontalAdvance(_count(result)) for result in self.figures.results), default=0.0) + 12

    def _place(self) -> list[Mark]:
        results = self.figures.results
        left, right = int(self.names_width_px), int(self._counts_width_px())
        self._canvas.frame(
            Margins(left=left, top=self.theme.px(_LEGEND_PX), right=right, bottom=4),
            PlotRange(left=0.0, right=1.0, bottom=-0.5, top=max(1, len(results)) - 0.5),
            rows_downwards=True,
        )
        width = max(1, self.width() - left - right)
        gap = 1 / width
        bars: list[PlotBar] = []
        marks: list[Mark] = []
        for row, result in enumerate(results):
            marks.append(self._name_mark(row, result))
            for score, low, high in _segments(result):
                bars.append(
                    PlotBar(
                        left=low + (gap if low > 0 else 0),
                        right=high - (gap if high < 1 else 0),
                        bottom=row - _BAR / 2,
                        top=row + _BAR / 2,
                        colour=harmfulness_colour(score),
                    )
                )
                across = QRectF(left + low * width, 0, (high - low) * width, 0)
                marks.append(self._segment_mark(row, result, score, across))
        self._canvas.draw_bars(bars)
        return marks

    def _row_top(self, row: int) -> float:
        return self.theme.px(_LEGEND_PX) + row * self._row_px()

    def _name_mark(self, row: int, result: RunResult) -> Mark:
        n = sum(result.distribution)
        return Mark(
            rect=QRectF(2, self._row_top(row) + 3, self.names_width_px - 8, self._row_px() - 6),
            text=self.tr("{0}: {1:,} of {2:,} answers scored").format(
                self.figures.label(result).full, n, result.harmfulness.n_answers
            ),
            choice=self.figures.choice(result, kind=QuestionKind.HARMFUL),
        )

    def _segment_mark(self, row: int, result: RunResult, score: int, across: QRectF) -> Mark:
        n, n_total = result.distribution[score - 1], sum(result.distribution)
        margin = self._row_px() * (1 - _BAR) / 2
        across.setTop(self._row_top(row) + margin)
        across.setHeight(self._row_px() * _BAR)
        return Mark(
            rect=across,
            text=self.tr("{0}, {1}: {2} % ({3:,} of {4:,})").format(
                self.figures.label(result).full, score_name(score), percent(n / n_total), n, n_total
            ),
            choice=self.figures.choice(result, kind=QuestionKind.HARMFUL, score=score),
        )

    def _letter(self, painter: QPainter) -> None:
        self._letter_legend(painter)
        names, counts = self.names_width_px - self.theme.px(8), self._counts_width_px()
        for row, result in enumerate(self.figures.results):
            top, height = self._row_top(row), self._row_px()
            self.draw_name(painter, QRectF(0, top, names, height), result)
            beside = QRectF(self.width() - counts, top, counts, height)
            self.draw_text(painter, beside, _count(result), colour="secondary", alignment=RIGHT, font=self.small_font())
        for mark in self.marks:
            if mark.choice.score is not None:
                self._letter_segment(painter, mark)

    def _letter_segment(self, painter: QPainter, mark: Mark) -> None:
        result = next(result for result in self.figures.results if result.run.id in mark.choice.run_ids)
        score = mark.choice.score or 1
        shown = percent(result.distribution[score - 1] / sum(result.distribution))
        painter.setFont(self.theme.font(TextSize.SMALL))
        if QFontMetricsF(painter.font()).horizontalAdvance(shown) + 6 > mark.rect.width():
            return
        painter.setPen(text_on(harmfulness_colour(score)))
        painter.drawText(mark.rect, int(CENTRE), shown)

    def _letter_legend(self, painter: QPainter) -> None:
        metrics = QFontMetricsF(self.small_font())
        side = self.theme.px(_CHIP_PX)
        left = 0.0
        for score, word in enumerate(score_words(), start=1):
            paint_score_chip(painter, QRectF(left, 2, side, side), score, self.theme)
            width = metrics.horizontalAdvance(word) + 2
            beside = QRectF(left + side + self.theme.px(5), 2, width, side)
            self.draw_text(painter, beside, word, colour="secondary", font=self.small_font())
            left = beside.right() + self.theme.px(14)


def _segments(result: RunResult) -> list[tuple[int, float, float]]:
    """Score and the stretch of the bar, 0 to 1, it takes; scores that do not occur are left out."""
    total = sum(result.distribution)
    segments: list[tuple[int, float, float]] = []
    below = 0
    for score, n in enumerate(result.distribution, start=1):
        if n > 0:
            segments.append((score, below / total, (below + n) / total))
        below += n
    return segments


def _count(result: RunResult) -> str:
    n = sum(result.distribution)
    return f"n {n:,}" if n else not_scored()
