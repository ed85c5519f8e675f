"""The list of pages on the left."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QFontMetrics, QKeySequence, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QSizePolicy, QVBoxLayout, QWidget

from workbench.ui.icons import icon_pixmap
from workbench.ui.theme import SPACE, TextSize, Theme
from workbench.ui.widgets.labels import plain_label

_ICON_PX = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A page the person can go to."""

    key: str
    """Names the page in code and its icon."""
    text: str
    shortcut: QKeySequence
    begins_group: bool = False
    """Whether a little room sets it apart from the entry above."""


class NavigationButton(QAbstractButton):
    """One entry: icon, name, shortcut."""

    def __init__(self, destination: Destination, theme: Theme) -> None:
        super().__init__()
        self.destination = destination
        self._theme = theme
        self.setCheckable(True)
        self.setText(destination.text)
        self.setAccessibleName(destination.text)
        self._hint = destination.shortcut.toString(QKeySequence.SequenceFormat.NativeText)
        self.setAccessibleDescription(self._hint)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self._by_keyboard = False

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: N802 - Qt's name
        """Remember whether the keyboard brought the focus; only then a ring shows it."""
        self._by_keyboard = event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        super().focusInEvent(event)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Room for the longest name beside the shortcut."""
        px = self._theme.px
        height = QFontMetrics(self._theme.font()).height() + 2 * SPACE
        text = QFontMetrics(self._theme.font(bold=True)).horizontalAdvance(self.text())
        hint = QFontMetrics(self._theme.font(TextSize.SMALL)).horizontalAdvance(self._hint)
        return QSize(px(10 + _ICON_PX + 12) + text + px(16) + hint + px(10), height)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Never shortened."""
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the entry; the current one has a ground, a bold name and the accent colour."""
        del event
        tokens, px = self._theme.tokens, self._theme.px
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.isChecked() or self.underMouse():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(tokens.accent_ground if self.isChecked() else tokens.line))
            painter.drawRoundedRect(self.rect(), 6, 6)
        if self.hasFocus() and self._by_keyboard:
            painter.setPen(QColor(tokens.accent))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(self.rect().adjusted(1, 1, -2, -2), 6, 6)
        colour = tokens.accent if self.isChecked() else tokens.secondary
        side = px(_ICON_PX)
        icon = icon_pixmap(self.destination.key, colour, side, self.devicePixelRatioF())
        painter.drawPixmap(px(10), (self.height() - side) // 2, icon)
        row = QRect(px(10) + side + px(12), 0, self.width() - px(20) - side - px(12), self.height())
        painter.setPen(QColor(colour))
        painter.setFont(self._theme.font(bold=self.isChecked()))
        vertical = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(row, vertical | Qt.AlignmentFlag.AlignLeft, self.text())
        painter.setPen(QColor(tokens.secondary))
        painter.setFont(self._theme.font(TextSize.SMALL))
        painter.drawText(row, vertical | Qt.AlignmentFlag.AlignRight, self._hint)
        painter.end()


class Sidebar(QWidget):
    """Program name and entries; exactly one entry is current."""

    chosen = Signal(str)
    """Key of the destination the person wants."""

    def __init__(self, destinations: Sequence[Destination], theme: Theme) -> None:
        super().__init__()
        self.setObjectName("sidebar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName(self.tr("Pages"))
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        self._group = QButtonGroup(self)
        self._buttons: dict[str, NavigationButton] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE, 2 * SPACE, SPACE, SPACE)
        column.setSpacing(SPACE // 4)
        name = plain_label(self.tr("Medical Safety\nWorkbench"))
        name.setObjectName("programName")
        name.setContentsMargins(SPACE, 0, 0, 2 * SPACE)
        name.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        column.addWidget(name)
        for destination in destinations:
            if destination.begins_group:
                column.addSpacing(2 * SPACE)
            button = NavigationButton(destination, theme)
            button.clicked.connect(lambda _checked=False, key=destination.key: self.chosen.emit(key))
            self._group.addButton(button)
            self._buttons[destination.key] = button
            column.addWidget(button)
        column.addStretch(1)
        theme.theme_changed.connect(self._on_theme_changed)

    def button(self, key: str) -> NavigationButton:
        """The entry of a page."""
        return self._buttons[key]

    def set_current(self, key: str) -> None:
        """Mark the entry of the page that is shown."""
        self._buttons[key].setChecked(True)

    def _on_theme_changed(self) -> None:
        for button in self._buttons.values():
            button.updateGeometry()
            button.update()
