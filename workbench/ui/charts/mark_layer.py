"""The upper layer of a chart: lettering, tool tips, clicks, and a focus that the keyboard moves from mark to mark."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QColor,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QToolTip, QWidget

from workbench.ui.charts.marks import Mark
from workbench.ui.theme import Theme
from workbench.ui.widgets.visible_text import plain_tool_tip

_DIRECTIONS = {
    Qt.Key.Key_Left: QPointF(-1, 0),
    Qt.Key.Key_Right: QPointF(1, 0),
    Qt.Key.Key_Up: QPointF(0, -1),
    Qt.Key.Key_Down: QPointF(0, 1),
}
_ASIDE_WEIGHT = 4.0
"""How much a mark beside the way counts as further away than one on it."""


class MarkLayer(QWidget):
    """Draws what a chart letters and lets marks be pointed at.

    Args:
        theme: Colours of the focus ring.
        letter: Draws the chart's own lettering in pixels of the layer.
    """

    activated = Signal(object)
    """An ``AnswerChoice``: a mark was clicked or chosen with Enter."""

    def __init__(self, theme: Theme, letter: Callable[[QPainter], None], parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._letter = letter
        self._marks: tuple[Mark, ...] = ()
        self._focused: int | None = None
        self._hovered: int | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    @property
    def marks(self) -> tuple[Mark, ...]:
        """The marks in the order the keyboard first meets them."""
        return self._marks

    @property
    def focused_mark(self) -> Mark | None:
        """The mark the keyboard stands on."""
        return None if self._focused is None else self._marks[self._focused]

    def set_marks(self, marks: Sequence[Mark]) -> None:
        """Replace all marks."""
        self._marks = tuple(marks)
        if self._focused is not None and self._focused >= len(self._marks):
            self._focused = None
        self._hovered = None
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the lettering, then what is pointed at."""
        super().paintEvent(event)
        painter = QPainter(self)
        self._letter(painter)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._hovered is not None:
            self._outline(painter, self._marks[self._hovered].rect, 1)
        if self._focused is not None and self.hasFocus():
            self._outline(painter, self._marks[self._focused].rect, 2)
        painter.end()

    def event(self, event: QEvent) -> bool:
        """Show the figure of a mark as plain text."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            position = self._mark_at(QPointF(event.pos()))
            if position is None:
                QToolTip.hideText()
            else:
                QToolTip.showText(event.globalPos(), plain_tool_tip(self._marks[position].text), self)
            return True
        return super().event(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Outline the mark under the pointer."""
        self._hover(self._mark_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Take the outline away."""
        super().leaveEvent(event)
        self._hover(None)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Open the answers behind the mark that was clicked."""
        position = self._mark_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and position is not None:
            self._focus(position)
            self.activated.emit(self._marks[position].choice)

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: N802 - Qt's name
        """Stand on the mark last stood on, or on the first."""
        super().focusInEvent(event)
        if self._marks and event.reason() != Qt.FocusReason.MouseFocusReason:
            self._focus(0 if self._focused is None else self._focused)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802 - Qt's name
        """Hide the focus ring."""
        super().focusOutEvent(event)
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Arrows, Home and End move between marks; Enter and the space bar open one."""
        key = Qt.Key(event.key())
        if self._marks and key in _DIRECTIONS:
            self._focus(self._neighbour(_DIRECTIONS[key]))
        elif self._marks and key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self._focus(0 if key == Qt.Key.Key_Home else len(self._marks) - 1)
        elif self._focused is not None and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.activated.emit(self._marks[self._focused].choice)
        else:
            super().keyPressEvent(event)

    def _outline(self, painter: QPainter, rect: QRectF, width: int) -> None:
        painter.setPen(QPen(QColor(self._theme.tokens.accent), width))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(rect.adjusted(-1.5, -1.5, 1.5, 1.5), 4, 4)

    def _mark_at(self, at: QPointF) -> int | None:
        """The smallest mark at a place: a point lies above its row."""
        under = [position for position, mark in enumerate(self._marks) if mark.rect.contains(at)]
        return min(under, key=self._size_of, default=None)

    def _size_of(self, position: int) -> float:
        rect = self._marks[position].rect
        return rect.width() * rect.height()

    def _hover(self, position: int | None) -> None:
        if position != self._hovered:
            self._hovered = position
            pointing = Qt.CursorShape.ArrowCursor if position is None else Qt.CursorShape.PointingHandCursor
            self.setCursor(pointing)
            self.update()

    def _focus(self, position: int) -> None:
        self._focused = position
        self.update()
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, self._marks[position].text))

    def _neighbour(self, direction: QPointF) -> int:
        if self._focused is None:
            return 0
        here = self._marks[self._focused].rect.center()
        best, best_cost = self._focused, float("inf")
        for position, mark in enumerate(self._marks):
            way = mark.rect.center() - here
            ahead = QPointF.dotProduct(way, direction)
            aside = abs(way.x() * direction.y() - way.y() * direction.x())
            if ahead > 1 and ahead + _ASIDE_WEIGHT * aside < best_cost:
                best, best_cost = position, ahead + _ASIDE_WEIGHT * aside
        return best
