"""Cards side by side, as many in a row as fit."""

from collections.abc import Sequence

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QWidget

from workbench.ui.theme import SPACE, Theme


class CardGrid(QWidget):
    """Lays cards out in equal columns and takes fewer columns where the window is narrow or the text large.

    Args:
        theme: Scales the least width with the text.
        cards: In reading order.
        least_width: Of one card in px at 100 % text.
        columns: At most this many; the numbers tried are this one and its halves.
    """

    def __init__(self, theme: Theme, cards: Sequence[QWidget], *, least_width: int, columns: int) -> None:
        super().__init__()
        self._theme = theme
        self._cards = tuple(cards)
        self._least_width = least_width
        self._most_columns = columns
        self._columns = 0
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(2 * SPACE)
        self._arrange(columns)
        theme.theme_changed.connect(self._fit)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Take as many columns as fit."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        columns = self._most_columns
        while columns > 1 and self.width() < columns * self._theme.px(self._least_width):
            columns //= 2
        self._arrange(columns)

    def _arrange(self, columns: int) -> None:
        if columns == self._columns:
            return
        for position, card in enumerate(self._cards):
            self._grid.addWidget(card, position // columns, position % columns)
        for column in range(self._most_columns):
            self._grid.setColumnStretch(column, 1 if column < columns else 0)
        self._columns = columns
