"""What every chart of the results has in common."""

from abc import abstractmethod
from dataclasses import dataclass

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from workbench.domain.results import MeanScore, RunResult
from workbench.ui.charts.figures import Figures
from workbench.ui.charts.mark_layer import MarkLayer
from workbench.ui.charts.marks import Mark
from workbench.ui.theme import TextSize, Theme

Cell = str | int | float | None

LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
CENTRE = Qt.AlignmentFlag.AlignCenter

_GAP_PX = 16
_WIDEST_NAMES = 0.38
"""Share of the width that names of runs may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureTable:
    """The figures of a chart as a table, for files and screen readers."""

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


MEAN_HEADER = ("mean_harmfulness", "interval_low", "interval_high")


def mean_cells(score: MeanScore | None) -> tuple[Cell, Cell, Cell]:
    """The cells under ``MEAN_HEADER``; empty where a figure is missing."""
    if score is None or score.interval is None:
        return (None if score is None else score.mean, None, None)
    return (score.mean, score.interval.low, score.interval.high)


class Chart(QWidget):
    """A chart: figures in, marks that can be clicked out.

    Subclasses place their marks for the present size in ``_place`` and draw their lettering in ``_letter``.

    Args:
        theme: Colours and text sizes, read whenever the chart paints.
        figures: Nothing yet; see ``set_figures``.
    """

    activated = Signal(object)
    """An ``AnswerChoice``: the answers behind a mark are wanted."""

    def __init__(self, theme: Theme, figures: Figures, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme = theme
        self.figures = figures
        self._lower: QWidget | None = None
        self._longest_name_px = 0.0
        self._layer = MarkLayer(theme, self._letter, self)
        self._layer.activated.connect(self.activated)
        self.setFocusProxy(self._layer)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.theme_changed.connect(self._on_theme_changed)

    @property
    def marks(self) -> tuple[Mark, ...]:
        """Every figure that can be clicked; pixels of the chart."""
        return self._layer.marks

    @abstractmethod
    def title(self) -> str:
        """Stands above the chart and names it for screen readers."""

    @abstractmethod
    def subtitle(self) -> str:
        """What is shown, of how many questions, and which way is better."""

    @abstractmethod
    def table(self) -> FigureTable:
        """The figures shown."""

    def description(self) -> str:
        """All figures in sentences, for those who cannot see the chart."""
        return " ".join((self.subtitle(), *(f"{mark.text}." for mark in self.marks)))

    def set_figures(self, figures: Figures) -> None:
        """Show other figures."""
        self.figures = figures
        self._refresh()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Find the marks' places for the new size."""
        super().resizeEvent(event)
        if self._lower is not None:
            self._lower.resize(event.size())
        self._layer.resize(event.size())
        self._place_all()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Find the marks' places before the first painting."""
        super().showEvent(event)
        self._place_all()

    @abstractmethod
    def _height_px(self) -> int:
        """Height the figures need."""

    @abstractmethod
    def _place(self) -> list[Mark]:
        """Arrange everything for the present size."""

    @abstractmethod
    def _letter(self, painter: QPainter) -> None:
        """Draw what stands above the plot."""

    def _put_below(self, lower: QWidget) -> None:
        """Show a plot under the lettering."""
        self._lower = lower
        lower.lower()

    def _place_all(self) -> None:
        if not self.isVisible():
            return  # placed when shown; a hidden chart costs nothing
        self._layer.set_marks(self._place())
        self._layer.setAccessibleName(self.title())
        self._layer.setAccessibleDescription(self.description())

    def _refresh(self) -> None:
        self._longest_name_px = self._measure_names()
        self.setFixedHeight(self._height_px())
        self._place_all()

    def _on_theme_changed(self) -> None:
        self._refresh()
        self.update()

    # Lettering that several charts share.

    def colour(self, name: str) -> QColor:
        """A named colour of the theme as it is now."""
        return QColor(getattr(self.theme.tokens, name))

    @property
    def names_width_px(self) -> float:
        """Width of the column of names, wide enough for the longest as far as the chart's width allows."""
        return min(self._longest_name_px + self.theme.px(_GAP_PX), self.width() * _WIDEST_NAMES)

    def _measure_names(self) -> float:
        """Width of the longest name; measured once for each set of figures, because shaping text is slow."""
        metrics = QFontMetricsF(self.theme.font())
        names = (self._lettered_name(result) for result in self.figures.results)
        return max((metrics.horizontalAdvance(name) for name in names), default=0.0)

    def draw_name(self, painter: QPainter, rect: QRectF, result: RunResult) -> None:
        """Letter the name of a run; what tells it from a namesake is never elided away."""
        detail = self.figures.distinguishing(result)
        metrics = QFontMetricsF(self.theme.font())
        after = metrics.horizontalAdvance(f" {detail}") if detail else 0.0
        name = self.figures.label(result).name
        room = max(0.0, rect.width() - after)
        self.draw_text(painter, QRectF(rect.left(), rect.top(), room, rect.height()), name)
        if detail:
            left = rect.left() + min(room, metrics.horizontalAdvance(name))
            beside = QRectF(left, rect.top(), after + 1, rect.height())
            self.draw_text(painter, beside, f" {detail}", colour="secondary")

    def _lettered_name(self, result: RunResult) -> str:
        return f"{self.figures.label(result).name} {self.figures.distinguishing(result)}".strip()

    def draw_text(
        self,
        painter: QPainter,
        rect: QRectF,
        text: str,
        *,
        colour: str = "text",
        alignment: Qt.AlignmentFlag = LEFT,
        font: QFont | None = None,
    ) -> None:
        """Draw one line, elided where it does not fit; never markup."""
        painter.setFont(font or self.theme.font())
        painter.setPen(self.colour(colour))
        shown = QFontMetricsF(painter.font()).elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
        painter.drawText(rect, int(alignment) | int(Qt.TextFlag.TextSingleLine), shown)

    def small_font(self) -> QFont:
        """The font of details."""
        return self.theme.font(TextSize.SMALL)
