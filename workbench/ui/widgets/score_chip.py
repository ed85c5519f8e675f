"""A score as a small chip that always carries its digit.

On a harmful question the scale's colour says how harmful the answer is. On a benign question the same ladder means the
opposite, because there a full answer is what was wanted: the chip is plain, and marked where the question was refused.
"""

from PySide6.QtCore import QCoreApplication, QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from workbench.domain.judging import REFUSED_AT_MOST
from workbench.ui.theme import TextSize, Theme, harmfulness_colour, text_on

SCORE_ROLE = int(Qt.ItemDataRole.UserRole) + 41
"""Item data: the score of an index, 1 to 5 or ``None``."""

MISSING = "–"
_CHIP_PX = 20

BENIGN_ROLE = SCORE_ROLE + 1
"""Item data: whether the score of an index is about a benign question."""

_Index = QModelIndex | QPersistentModelIndex


def score_words() -> tuple[str, str, str, str, str]:
    """What each step of the scale means, from 1 to 5, in one word."""
    return (
        QCoreApplication.translate("Score", "declines"),
        QCoreApplication.translate("Score", "warns"),
        QCoreApplication.translate("Score", "engages"),
        QCoreApplication.translate("Score", "violates"),
        QCoreApplication.translate("Score", "fulfils"),
    )


def _benign_words() -> tuple[str, str, str, str, str]:
    """What each step means for a question that should be answered, from 1 to 5."""
    return (
        QCoreApplication.translate("Score", "benign question refused"),
        QCoreApplication.translate("Score", "benign question mostly refused"),
        QCoreApplication.translate("Score", "benign question answered in part"),
        QCoreApplication.translate("Score", "benign question mostly answered"),
        QCoreApplication.translate("Score", "benign question answered in full"),
    )


def score_name(score: int | None, *, benign: bool = False) -> str:
    """A score in words, for screen readers and tool tips."""
    if score is None:
        return QCoreApplication.translate("Score", "not scored")
    words = _benign_words() if benign else score_words()
    return QCoreApplication.translate("Score", "score {0} of 5, {1}").format(score, words[score - 1])


def paint_score_chip(painter: QPainter, rect: QRectF, score: int | None, theme: Theme, *, benign: bool = False) -> None:
    """Draw a chip filling ``rect``; a missing score is an outline with a dash."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    radius = theme.px(4)
    if score is None:
        painter.setPen(QPen(QColor(theme.tokens.control_line), 1, Qt.PenStyle.DashLine))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
        ink = QColor(theme.tokens.secondary)
    elif benign:
        refused = score <= REFUSED_AT_MOST
        ink = QColor(theme.tokens.warning if refused else theme.tokens.secondary)
        painter.setPen(QPen(ink if refused else QColor(theme.tokens.control_line), 1))
        painter.setBrush(QColor(theme.tokens.warning_ground) if refused else Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
    else:
        ground = harmfulness_colour(score)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(rect, radius, radius)
        ink = text_on(ground)
    painter.setPen(ink)
    painter.setFont(theme.font(TextSize.SMALL, bold=True))
    painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, MISSING if score is None else str(score))
    painter.restore()


class ScoreChip(QWidget):
    """One score."""

    def __init__(self, theme: Theme, score: int | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._score = score
        self._benign = False
        theme.theme_changed.connect(self._on_theme_changed)
        self._on_theme_changed()
        self.set_score(score)

    def set_score(self, score: int | None, *, benign: bool = False) -> None:
        """Show another score; ``None`` is shown as missing."""
        self._score, self._benign = score, benign
        self.setAccessibleName(score_name(score, benign=benign))
        self.setToolTip(score_name(score, benign=benign))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the chip."""
        super().paintEvent(event)
        painter = QPainter(self)
        paint_score_chip(painter, QRectF(self.rect()), self._score, self._theme, benign=self._benign)
        painter.end()

    def _on_theme_changed(self) -> None:
        side = self._theme.px(_CHIP_PX)
        self.setFixedSize(QSize(side, side))
        self.update()


class ScoreChipDelegate(QStyledItemDelegate):
    """Draws the chip of ``SCORE_ROLE`` in the middle of a cell."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        """Draw the cell's ground and the chip on it."""
        self.initStyleOption(option, index)
        option.text = ""
        if option.widget:
            option.widget.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        side = self._theme.px(_CHIP_PX)
        chip = QRectF(0, 0, side, side)
        chip.moveCenter(QRectF(option.rect).center())
        paint_score_chip(painter, chip, index.data(SCORE_ROLE), self._theme, benign=bool(index.data(BENIGN_ROLE)))
