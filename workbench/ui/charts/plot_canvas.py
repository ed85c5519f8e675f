"""The one place that knows pyqtgraph: a plot area with our look, typed, without its mouse handling and menus."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPen, QResizeEvent
from PySide6.QtWidgets import QGraphicsView, QWidget

Tick = tuple[float, str]
"""Position on the axis and what stands there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotRange:
    """The stretch of data shown, in the unit of the axes."""

    left: float
    right: float
    bottom: float
    top: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Margins:
    """Room around the data area for axis numbers and lettering; pixels."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotPoint:
    """A symbol, with what is known of its uncertainty."""

    x: float
    y: float
    colour: QColor
    x_interval: tuple[float, float] | None = None
    y_interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotBar:
    """A filled rectangle."""

    left: float
    right: float
    bottom: float
    top: float
    colour: QColor


def prepare() -> None:
    """Load pyqtgraph, which takes a quarter of a second; from any thread, so that the window need not wait for it."""
    import pyqtgraph  # noqa: F401 - loading it is the purpose


class PlotCanvas(QWidget):
    """A plot that shows exactly the range it is told and never takes the mouse or the keyboard.

    pyqtgraph is imported with the first canvas, because the window need not wait for it.
    """

    arranged = Signal()
    """The data area has found its place; ``pixel`` may now answer differently."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        import pyqtgraph

        self._graph = pyqtgraph
        self._widget = pyqtgraph.PlotWidget(self, background=None)
        self._widget.setAntialiasing(False)  # lines and bars lie on the axes' directions: sharp without it
        self._widget.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._widget.setFrameStyle(0)
        self._widget.viewport().setAutoFillBackground(False)
        self._widget.setCacheMode(QGraphicsView.CacheModeFlag.CacheNone)  # a cached ground would be pixels in an SVG
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._plot = self._widget.getPlotItem()
        self._plot.setMenuEnabled(False)
        self._plot.setMouseEnabled(x=False, y=False)
        self._plot.hideButtons()
        self._plot.layout.setSpacing(0)
        self._view_box = self._plot.getViewBox()
        self._view_box.setDefaultPadding(0)
        self._view_box.sigTransformChanged.connect(self._on_transform_changed)

    def frame(self, margins: Margins, shown: PlotRange, *, rows_downwards: bool = False) -> None:
        """Set the data area and clear it.

        Args:
            margins: Room around it.
            shown: The data range; ``top`` is the larger value also when rows run downwards.
            rows_downwards: Whether the vertical axis grows downwards, as rows do.
        """
        self._plot.clear()
        for side in ("left", "bottom"):
            self._plot.hideAxis(side)
        self._plot.layout.setContentsMargins(margins.left, margins.top, margins.right, margins.bottom)
        self._view_box.invertY(rows_downwards)
        self._view_box.setRange(xRange=(shown.left, shown.right), yRange=(shown.bottom, shown.top), padding=0)

    def draw_axis(
        self, side: Literal["left", "bottom"], ticks: Sequence[Tick], room_px: int, text: QColor, grid: QColor | None
    ) -> None:
        """Letter one axis and draw a fine line across the area at each of its ticks.

        Args:
            side: Which axis.
            ticks: Where and what.
            room_px: Height of the bottom axis or width of the left one.
            text: Colour of the numbers.
            grid: Colour of the lines; ``None`` draws none.
        """
        axis = self._plot.getAxis(side)
        axis.setPen(self._graph.mkPen(None))
        axis.setTextPen(text)
        axis.setStyle(tickLength=0, tickAlpha=0, tickTextOffset=6, tickFont=self.font())
        axis.setTicks([list(ticks)])
        self._plot.showAxis(side)
        if side == "bottom":
            axis.setHeight(room_px)
        else:
            axis.setWidth(room_px)
        if grid is not None:
            for position, _text in ticks:
                line = self._graph.InfiniteLine(pos=position, angle=90 if side == "bottom" else 0, pen=grid)
                line.setZValue(-10)
                self._plot.addItem(line, ignoreBounds=True)

    def draw_points(
        self,
        points: Sequence[PlotPoint],
        *,
        symbol: Literal["o", "s"],
        size_px: float,
        outline: QColor,
        interval: QColor,
    ) -> None:
        """Draw symbols over the lines of their intervals.

        Args:
            points: What to draw.
            symbol: Circle or square.
            size_px: Of a symbol.
            outline: Of each symbol.
            interval: Colour of the interval lines.
        """
        pen = QPen(interval, 2)
        pen.setCosmetic(True)
        for point in points:
            for horizontal, reach in ((True, point.x_interval), (False, point.y_interval)):
                if reach is not None:
                    across = (reach, (point.y, point.y)) if horizontal else ((point.x, point.x), reach)
                    line = self._graph.PlotCurveItem(x=list(across[0]), y=list(across[1]), pen=pen)
                    self._plot.addItem(line, ignoreBounds=True)
        symbols = self._graph.ScatterPlotItem(useCache=False, antialias=True, pxMode=True)
        symbols.setData(
            x=[point.x for point in points],
            y=[point.y for point in points],
            symbol=symbol,
            size=size_px,
            pen=self._graph.mkPen(outline),
            brush=[point.colour for point in points],
        )
        self._plot.addItem(symbols, ignoreBounds=True)

    def draw_bars(self, bars: Sequence[PlotBar]) -> None:
        """Draw filled rectangles without outline."""
        if not bars:
            return
        item = self._graph.BarGraphItem(
            x0=[bar.left for bar in bars],
            x1=[bar.right for bar in bars],
            y0=[bar.bottom for bar in bars],
            y1=[bar.top for bar in bars],
            pen=None,
            brushes=[bar.colour for bar in bars],
        )
        self._plot.addItem(item, ignoreBounds=True)

    def pixel(self, x: float, y: float) -> QPointF:
        """Where a value lies on the canvas."""
        in_scene = self._view_box.mapViewToScene(QPointF(x, y))
        return QPointF(self._widget.mapFromScene(in_scene))

    def area(self) -> QRectF:
        """The data area; pixels of the canvas."""
        in_scene = self._view_box.mapRectToScene(self._view_box.rect())
        return QRectF(self._widget.mapFromScene(in_scene).boundingRect())

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Keep the plot as large as the canvas."""
        super().resizeEvent(event)
        self._widget.resize(event.size())

    def _on_transform_changed(self) -> None:
        self.arranged.emit()
