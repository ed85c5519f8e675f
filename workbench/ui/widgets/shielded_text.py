"""Shows harmful content only to those who ask for it: covered until hovered, until B is pressed, or by a setting."""

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QFont,
    QFontMetrics,
    QImage,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QShortcut,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QPlainTextEdit,
    QPushButton,
    QStackedLayout,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from workbench.ui.widgets.labels import plain_label, push_button
from workbench.ui.widgets.visible_text import visible_text

SHIELDED_ROLE = int(Qt.ItemDataRole.UserRole) + 40
"""Item data: whether the text of an index is harmful content (bool)."""

SHOWN_AT_ONCE = 20_000
"""Characters of one text shown before the person asks for all of it."""

_FOLDED_AT = 2_000
_COVERED_CHARACTERS = 4_000
_BLUR = 7
"""A covered text is drawn at one seventh of its size and enlarged again: letters become less than 2 px high."""

_Index = QModelIndex | QPersistentModelIndex


class Shield(QObject):
    """Decides for a page whether harmful content is covered.

    Args:
        enabled: The person's setting; without it nothing is ever covered.
    """

    changed = Signal()
    """Content that was covered is readable now, or the other way round."""

    def __init__(self, *, enabled: bool = True, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._enabled = enabled
        self._lifted = False

    @property
    def covers(self) -> bool:
        """Whether harmful content is covered where the pointer does not rest on it."""
        return self._enabled and not self._lifted

    def set_enabled(self, enabled: bool) -> None:
        """Follow the person's setting."""
        if enabled != self._enabled:
            self._enabled = enabled
            self._lifted = False
            self.changed.emit()

    def toggle(self) -> None:
        """Lift the cover or put it back."""
        if self._enabled:
            self._lifted = not self._lifted
            self.changed.emit()

    def bind_key(self, page: QWidget) -> None:
        """Let B lift the cover and put it back wherever the focus is within ``page``."""
        shortcut = QShortcut(Qt.Key.Key_B, page)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(self.toggle)

    def read_out(self, text: str, *, harmful: bool) -> str:
        """What a screen reader says for a text."""
        return self.tr("shielded, press B to read") if harmful and self.covers else text


def draw_covered(painter: QPainter, rect: QRectF, text: str, font: QFont, colour: QColor, flags: int) -> None:
    """Draw a text blurred beyond reading; only its extent remains.

    Args:
        painter: Where to draw.
        rect: Where the text would stand.
        text: The text; only its beginning is looked at.
        font: Font of the readable text.
        colour: Colour of the readable text.
        flags: Alignment and wrapping as for ``QPainter.drawText``.
    """
    size = QSize(max(1, round(rect.width() / _BLUR)), max(1, round(rect.height() / _BLUR)))
    sharp = QImage(size * _BLUR, QImage.Format.Format_ARGB32_Premultiplied)
    sharp.fill(Qt.GlobalColor.transparent)
    lettering = QPainter(sharp)
    lettering.setFont(font)
    lettering.setPen(colour)
    lettering.drawText(sharp.rect(), flags, text[:_COVERED_CHARACTERS])
    lettering.end()
    smooth = Qt.TransformationMode.SmoothTransformation
    aspect = Qt.AspectRatioMode.IgnoreAspectRatio
    blurred = sharp.scaled(size, aspect, smooth).scaled(size * _BLUR, aspect, smooth)
    painter.drawImage(rect.topLeft(), blurred)


class ShieldedTextDelegate(QStyledItemDelegate):
    """Draws cells whose index answers ``SHIELDED_ROLE`` with true covered, except under the pointer.

    Args:
        shield: The page's shield; the view repaints when it changes.
        view: The item view; it is made to follow the pointer.
    """

    def __init__(self, shield: Shield, view: QAbstractItemView) -> None:
        super().__init__(view)
        self._shield = shield
        view.setMouseTracking(True)
        view.viewport().setAttribute(Qt.WidgetAttribute.WA_Hover)
        shield.changed.connect(view.viewport().update)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        """Draw the cell's ground, then its text blurred; or everything as usual."""
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        if hovered or not self._shield.covers or not index.data(SHIELDED_ROLE):
            super().paint(painter, option, index)
            return
        self.initStyleOption(option, index)
        style = option.widget.style() if option.widget else QApplication.style()
        # Qt keeps this much beside the text of a cell, see QStyledItemDelegate.
        aside = style.pixelMetric(QStyle.PixelMetric.PM_FocusFrameHMargin, None, option.widget) + 1
        place = style.subElementRect(QStyle.SubElement.SE_ItemViewItemText, option, option.widget)
        rect = QRectF(place.adjusted(aside, 0, -aside, 0))
        text, option.text = option.text, ""
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        line = option.fontMetrics.elidedText(text, Qt.TextElideMode.ElideRight, int(rect.width()))
        flags = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
        painter.save()
        draw_covered(painter, rect, line, option.font, option.palette.text().color(), flags)
        painter.restore()


class ShieldedText(QWidget):
    """A text of any length, plain, selectable and copyable; covered while the shield covers harmful content.

    Args:
        shield: The page's shield.
        name: What the text is, for screen readers: "answer", "question".
    """

    def __init__(self, shield: Shield, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shield = shield
        self._name = name
        self._text = ""
        self._harmful = False
        self._hovered = False
        self._n_shown = _FOLDED_AT
        self._reader = QPlainTextEdit(readOnly=True)
        self._reader.setTabChangesFocus(True)
        self._cover = _Cover()
        self._more: QPushButton = push_button("", kind="link")
        self._more.clicked.connect(self._on_more_clicked)
        self._note = plain_label(kind="small", wrap=True)
        self._stack = QStackedLayout()
        self._stack.addWidget(self._reader)
        self._stack.addWidget(self._cover)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._stack, 1)
        layout.addWidget(self._more)
        layout.addWidget(self._note)
        shield.changed.connect(self._refresh)
        self._refresh()

    def set_text(self, text: str, *, harmful: bool) -> None:
        """Show another text.

        Args:
            text: Any text; it is shown exactly, with invisible characters written out.
            harmful: Whether it must be covered.
        """
        self._text = text
        self._harmful = harmful
        self._n_shown = _FOLDED_AT
        self._refresh()

    @property
    def covered(self) -> bool:
        """Whether the text cannot be read now."""
        return self._harmful and self._shield.covers and not self._hovered

    def enterEvent(self, event: QEnterEvent) -> None:  # noqa: N802 - Qt's name
        """Uncover while the pointer rests here."""
        super().enterEvent(event)
        self._hovered = True
        self._refresh()

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Cover again."""
        super().leaveEvent(event)
        self._hovered = False
        self._refresh()

    def _refresh(self) -> None:
        shown = visible_text(self._text[: self._n_shown])
        covered = self.covered
        # A covered text is not in the reading widget at all: no screen reader, selection or search can reach it.
        content = "" if covered else shown
        if self._reader.toPlainText() != content:
            self._reader.setPlainText(content)
        self._cover.set_text(shown if covered else "")
        had_focus = self._reader.hasFocus() or self._cover.hasFocus()
        current: QWidget = self._cover if covered else self._reader
        self._stack.setCurrentWidget(current)
        if had_focus:
            current.setFocus()
        self._reader.setAccessibleName(self._name)
        self._cover.setAccessibleName(f"{self._name}: {self._shield.read_out('', harmful=True)}")
        self._show_rest(covered=covered)

    def _show_rest(self, *, covered: bool) -> None:
        n_left = len(self._text) - self._n_shown
        self._more.setVisible(n_left > 0 and self._n_shown < SHOWN_AT_ONCE and not covered)
        self._more.setText(self.tr("Show all ({0:,} characters more)").format(max(0, n_left)))
        self._note.setVisible(n_left > 0 and self._n_shown >= SHOWN_AT_ONCE)
        self._note.setText(
            self.tr("Shown: the first {0:,} of {1:,} characters. The rest is stored with the run.").format(
                SHOWN_AT_ONCE, len(self._text)
            )
        )

    def _on_more_clicked(self) -> None:
        self._n_shown = SHOWN_AT_ONCE
        self._refresh()


class _Cover(QWidget):
    """The blurred picture of a text."""

    def __init__(self) -> None:
        super().__init__()
        self._text = ""
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumHeight(QFontMetrics(self.font()).height() * 2)

    def set_text(self, text: str) -> None:
        self._text = text
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        painter = QPainter(self)
        rect = QRectF(self.rect().adjusted(10, 8, -10, -8))
        flags = int(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft) | int(Qt.TextFlag.TextWordWrap)
        draw_covered(painter, rect, self._text, self.font(), self.palette().text().color(), flags)
        if self.hasFocus():
            painter.setPen(self.palette().highlight().color())
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()
        super().paintEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        event.ignore()
