"""Mean harmfulness against over-refusal: a model that declines everything is safe and of no use."""

import math

from PySide6.QtCore import QLineF, QPointF, QRectF, QSizeF
from PySide6.QtGui import QFontMetricsF, QPainter, QPen
from PySide6.QtWidgets import QWidget

from workbench.domain.results import RunResult
from workbench.ui.charts.chart import CENTRE, MEAN_HEADER, Cell, Chart, FigureTable, mean_cells
from workbench.ui.charts.figures import Figures, mean_text, share_text
from workbench.ui.charts.label_placement import LabelledPoint, PlacedLabel, place_in_column, place_labels
from workbench.ui.charts.marks import Mark
from workbench.ui.charts.plot_canvas import Margins, PlotCanvas, PlotPoint, PlotRange
from workbench.ui.theme import Theme, harmfulness_colour
from workbench.ui.wording import counted

_PLOT_PX = 170
_LABEL_ROOM_PX = 18
"""Height added for each run beyond those that fit in a plain plot."""
_AXIS_PX = 24
_AXIS_LEFT_PX = 40
_TITLE_PX = 20
_POINT_PX = 12
_WIDEST_LABEL_PX = 190
_WIDEST_LABEL = 0.4
"""Share of the chart's width that a name may take."""
_BESIDE_POINTS_AT_MOST = 10
"""With more runs, names stand in a column beside the plot."""


class ScatterChart(Chart):
    """One point for each run with the intervals of both figures; names never lie on each other."""

    def __init__(self, theme: Theme, figures: Figures, parent: QWidget | None = None) -> None:
        super().__init__(theme, figures, parent)
        self._canvas = PlotCanvas(self)
        self._canvas.arranged.connect(self._on_arranged)
        self._put_below(self._canvas)
        self._labels: list[tuple[RunResult, PlacedLabel]] = []
        self._placing = False
        self._refresh()

    @property
    def label_rects(self) -> list[QRectF]:
        """Where names stand; pixels of the chart."""
        return [placed.rect for _result, placed in self._labels]

    def title(self) -> str:
        """Stands above the chart."""
        return self.tr("Harm against over-refusal")

    def subtitle(self) -> str:
        """Which way is better, of how many questions, and what is left out."""
        n = max((result.over_refusal.n_total for result in self.figures.results), default=0)
        twins = counted(n, self.tr("benign twin"), self.tr("benign twins"))
        text = self.tr("Down and left is better: safe, and still useful. {0}.").format(twins)
        n_missing = len(self.figures.results) - len(self._shown())
        if n_missing:
            text += " " + self.tr("{0} without scores of both kinds left out.").format(n_missing)
        return text

    def table(self) -> FigureTable:
        """Both figures of each run."""
        return FigureTable(
            header=(
                "run_id",
                "name",
                "detail",
                *MEAN_HEADER,
                "benign_refused",
                "benign_scored",
                "over_refusal",
                "over_refusal_low",
                "over_refusal_high",
            ),
            rows=tuple(self._row(result) for result in self.figures.results),
        )

    def _row(self, result: RunResult) -> tuple[Cell, ...]:
        label, score, refusal = self.figures.label(result), result.harmfulness, result.over_refusal
        return (
            int(result.run.id),
            label.name,
            label.detail,
            *mean_cells(score),
            refusal.n,
            refusal.n_total,
            refusal.share,
            None if refusal.interval is None else refusal.interval.low,
            None if refusal.interval is None else refusal.interval.high,
        )

    def _shown(self) -> list[RunResult]:
        return [
            result
            for result in self.figures.results
            if result.harmfulness.mean is not None and result.over_refusal.share is not None
        ]

    def _height_px(self) -> int:
        rows = max(_PLOT_PX, len(self.figures.results) * _LABEL_ROOM_PX)
        return self.theme.px(rows + _AXIS_PX + _TITLE_PX)

    def _highest_percent(self) -> int:
        highest = max((_refused_percent_high(result) for result in self._shown()), default=0.0)
        return min(100, max(20, math.ceil((highest + 1) / 20) * 20))

    def _place(self) -> list[Mark]:
        self._placing = True
        highest, title = self._highest_percent(), self.theme.px(_TITLE_PX)
        self._canvas.setFont(self.small_font())
        self._canvas.frame(
            Margins(left=title, top=self.theme.px(6), right=self.theme.px(8) + self._column_px(), bottom=title),
            PlotRange(left=0.9, right=5.1, bottom=-highest * 0.05, top=highest * 1.03),
        )
        secondary, line = self.colour("secondary"), self.colour("line")
        harm_ticks = [(float(step), str(step)) for step in range(1, 6)]
        step = 20 if highest > 40 else 10
        refusal_ticks = [(float(value), str(value)) for value in range(0, highest + 1, step)]
        self._canvas.draw_axis("bottom", harm_ticks, self.theme.px(_AXIS_PX), secondary, line)
        self._canvas.draw_axis("left", refusal_ticks, self.theme.px(_AXIS_LEFT_PX), secondary, line)
        self._canvas.draw_points(
            [_point(result) for result in self._shown()],
            symbol="o",
            size_px=self.theme.px(_POINT_PX),
            outline=self.colour("text"),
            interval=secondary,
        )
        self._placing = False
        return self._place_names()

    def _place_names(self) -> list[Mark]:
        shown = self._shown()
        metrics = QFontMetricsF(self.small_font())
        widest = self._column_px() or min(self.theme.px(_WIDEST_LABEL_PX), self.width() * _WIDEST_LABEL)
        points = [
            LabelledPoint(
                at=self._centre(result),
                label=QSizeF(min(metrics.horizontalAdvance(name) + 4, widest), metrics.height()),
                symbol=self._symbol(result),
                bars=self._bars(result),
            )
            for result, name in ((result, self.figures.short_name(result)) for result in shown)
        ]
        area = self._canvas.area()
        if self._column_px():
            column = QRectF(area.right() + self.theme.px(6), area.top(), widest, area.height())
            places = place_in_column(points, column)
        else:
            places = place_labels(points, area.adjusted(2, 0, self.theme.px(8) - 2, 0))
        self._labels = [(result, place) for result, place in zip(shown, places, strict=True) if place is not None]
        return [self._mark(result, point) for result, point in zip(shown, points, strict=True)]

    def _column_px(self) -> int:
        """Width of the column of names beside the plot; 0 while the names fit beside their points."""
        if len(self._shown()) <= _BESIDE_POINTS_AT_MOST:
            return 0
        return int(min(self.theme.px(_WIDEST_LABEL_PX), self.width() * _WIDEST_LABEL))

    def _mark(self, result: RunResult, point: LabelledPoint) -> Mark:
        side = self.theme.px(_POINT_PX) + 6
        rect = QRectF(0, 0, side, side)
        rect.moveCenter(point.at)
        return Mark(
            rect=rect,
            text=self.tr("{0}: mean harmfulness {1}, benign questions refused {2}").format(
                self.figures.label(result).full, mean_text(result.harmfulness), share_text(result.over_refusal)
            ),
            choice=self.figures.choice(result),
        )

    def _centre(self, result: RunResult) -> QPointF:
        point = _point(result)
        return self._canvas.pixel(point.x, point.y)

    def _symbol(self, result: RunResult) -> QRectF:
        side = self.theme.px(_POINT_PX) + 2
        box = QRectF(0, 0, side, side)
        box.moveCenter(self._centre(result))
        return box

    def _bars(self, result: RunResult) -> tuple[QLineF, ...]:
        point, bars = _point(result), []
        if point.x_interval is not None:
            bars.append(QLineF(*(self._canvas.pixel(x, point.y) for x in point.x_interval)))
        if point.y_interval is not None:
            bars.append(QLineF(*(self._canvas.pixel(point.x, y) for y in point.y_interval)))
        return tuple(bars)

    def _letter(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self.colour("control_line"), 1))
        for _result, place in self._labels:
            if place.leader is not None:
                painter.drawLine(place.leader)
        for result, place in self._labels:
            self.draw_text(painter, place.rect, self.figures.short_name(result), font=self.small_font())
        area, title = self._canvas.area(), self.theme.px(_TITLE_PX)
        if not self._labels:
            nothing = self.tr("No run has scores of both kinds.")
            self.draw_text(painter, area, nothing, colour="secondary", alignment=CENTRE)
        below = QRectF(area.left(), self.height() - title, area.width(), title)
        self.draw_text(
            painter, below, self.tr("mean harmfulness"), colour="secondary", alignment=CENTRE, font=self.small_font()
        )
        painter.save()
        painter.translate(0, area.center().y() + self.height() / 2)
        painter.rotate(-90)
        beside = QRectF(0, 0, self.height(), title)
        upwards = self.tr("benign questions refused, %")
        self.draw_text(painter, beside, upwards, colour="secondary", alignment=CENTRE, font=self.small_font())
        painter.restore()

    def _on_arranged(self) -> None:
        """The plot's area is known only after pyqtgraph has laid it out; names follow it."""
        if self.isVisible() and not self._placing:
            self._layer.set_marks(self._place_names())


def _point(result: RunResult) -> PlotPoint:
    score, refusal = result.harmfulness, result.over_refusal
    mean, share = score.mean or 0.0, refusal.share or 0.0
    return PlotPoint(
        x=mean,
        y=share * 100,
        colour=harmfulness_colour(mean),
        x_interval=None if score.interval is None else (score.interval.low, score.interval.high),
        y_interval=None if refusal.interval is None else (refusal.interval.low * 100, refusal.interval.high * 100),
    )


def _refused_percent_high(result: RunResult) -> float:
    share = result.over_refusal
    return 100 * (share.interval.high if share.interval is not None else share.share or 0.0)
