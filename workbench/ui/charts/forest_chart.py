"""Mean harmfulness of each run with its 95 % interval."""

from PySide6.QtCore import QRectF
from PySide6.QtGui import QFontMetricsF, QPainter
from PySide6.QtWidgets import QWidget

from workbench.domain.questions import QuestionKind
from workbench.domain.results import RunResult
from workbench.ui.charts.chart import MEAN_HEADER, RIGHT, Cell, Chart, FigureTable, mean_cells
from workbench.ui.charts.figures import Figures, mean_text, not_scored
from workbench.ui.charts.marks import Mark
from workbench.ui.charts.plot_canvas import Margins, PlotCanvas, PlotPoint, PlotRange
from workbench.ui.theme import Theme, harmfulness_colour
from workbench.ui.wording import counted

_ROW_PX = 33
_AXIS_PX = 24
_SQUARE_PX = 10
_GAP_PX = 16


class ForestChart(Chart):
    """One row for each run: name, square at the mean, line over the interval, and the numbers."""

    def __init__(self, theme: Theme, figures: Figures, parent: QWidget | None = None) -> None:
        super().__init__(theme, figures, parent)
        self._canvas = PlotCanvas(self)
        self._put_below(self._canvas)
        self._refresh()

    def title(self) -> str:
        """Stands above the chart."""
        return self.tr("Harmfulness by model")

    def subtitle(self) -> str:
        """What is shown and which way is better."""
        n = max((result.harmfulness.n_answers for result in self.figures.results), default=0)
        questions = counted(n, self.tr("harmful question"), self.tr("harmful questions"))
        text = self.tr("Mean of {0}, 95 % interval. 1 declines, 5 fulfils; lower is safer.")
        return text.format(questions)

    def table(self) -> FigureTable:
        """Name, answers, mean and interval of each run."""
        return FigureTable(
            header=("run_id", "name", "detail", "answers", "scored", *MEAN_HEADER),
            rows=tuple(self._row(result) for result in self.figures.results),
        )

    def _row(self, result: RunResult) -> tuple[Cell, ...]:
        label, score = self.figures.label(result), result.harmfulness
        return (
            int(result.run.id),
            label.name,
            label.detail,
            score.n_answers,
            score.n_scored,
            *mean_cells(score),
        )

    def _lettered_name(self, result: RunResult) -> str:
        return self.figures.label(result).name  # the detail stands below it

    def _height_px(self) -> int:
        return self._row_px() * max(1, len(self.figures.results)) + self.theme.px(_AXIS_PX)

    def _row_px(self) -> int:
        return self.theme.px(_ROW_PX)

    def _numbers_width_px(self) -> float:
        metrics = QFontMetricsF(self.theme.font())
        return max(metrics.horizontalAdvance("0.00 [0.00, 0.00]"), metrics.horizontalAdvance(not_scored())) + 4

    def _place(self) -> list[Mark]:
        results = self.figures.results
        gap = self.theme.px(_GAP_PX)
        self._canvas.setFont(self.small_font())
        self._canvas.frame(
            Margins(left=int(self.names_width_px), top=0, right=int(self._numbers_width_px()) + gap, bottom=0),
            PlotRange(left=0.8, right=5.2, bottom=-0.5, top=max(1, len(results)) - 0.5),
            rows_downwards=True,
        )
        self._canvas.draw_axis(
            "bottom",
            [(float(step), str(step)) for step in range(1, 6)],
            self.theme.px(_AXIS_PX),
            self.colour("secondary"),
            self.colour("line"),
        )
        self._canvas.draw_points(
            [point for row, result in enumerate(results) if (point := _point(row, result)) is not None],
            symbol="s",
            size_px=self.theme.px(_SQUARE_PX),
            outline=self.colour("panel"),
            interval=self.colour("secondary"),
        )
        return [self._mark(row, result) for row, result in enumerate(results)]

    def _mark(self, row: int, result: RunResult) -> Mark:
        score = result.harmfulness
        return Mark(
            rect=QRectF(2, row * self._row_px() + 2, self.width() - 4, self._row_px() - 4),
            text=self.tr("{0}: mean harmfulness {1}, {2:,} of {3:,} answers scored").format(
                self.figures.label(result).full, mean_text(score), score.n_scored, score.n_answers
            ),
            choice=self.figures.choice(result, kind=QuestionKind.HARMFUL),
        )

    def _letter(self, painter: QPainter) -> None:
        names, numbers, row_px = self.names_width_px - self.theme.px(8), self._numbers_width_px(), self._row_px()
        for row, result in enumerate(self.figures.results):
            label, top = self.figures.label(result), row * row_px
            half = row_px / 2
            self.draw_text(painter, QRectF(0, top + 1, names, half), label.name)
            detail = QRectF(0, top + half - 1, names, half - 1)
            self.draw_text(painter, detail, label.detail, colour="secondary", font=self.small_font())
            scored = result.harmfulness.mean is not None
            self.draw_text(
                painter,
                QRectF(self.width() - numbers, top, numbers, row_px),
                mean_text(result.harmfulness),
                colour="text" if scored else "secondary",
                alignment=RIGHT,
            )


def _point(row: int, result: RunResult) -> PlotPoint | None:
    score = result.harmfulness
    if score.mean is None:
        return None
    interval = score.interval
    return PlotPoint(
        x=score.mean,
        y=row,
        colour=harmfulness_colour(score.mean),
        x_interval=None if interval is None else (interval.low, interval.high),
    )
