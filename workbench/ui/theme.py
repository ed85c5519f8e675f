"""Colours, text sizes and the harmfulness scale; light and dark, switchable while the window is open."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontInfo, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

from workbench.ui.stylesheet import stylesheet
from workbench.ui.tokens import DARK, LIGHT, SPACE, Tokens

__all__ = [
    "DARK",
    "LIGHT",
    "SPACE",
    "Appearance",
    "TextSize",
    "Theme",
    "Tokens",
    "contrast",
    "harmfulness_colour",
    "text_on",
]

TEXT_PERCENTS = (100, 125, 150, 175, 200)
"""Text sizes a person can choose, in percent of the system's."""

_STEPS = tuple(QColor(name) for name in ("#1d6e73", "#7fb8b0", "#e6d9b8", "#d98b5f", "#9e2f2f"))
_REFERENCE_PX = 13


class Appearance(StrEnum):
    """What the person asked for."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


class TextSize(IntEnum):
    """Text sizes in px at 100 %."""

    SMALL = 12
    BODY = 13
    HEADING = 15
    TITLE = 20


@dataclass(frozen=True, slots=True)
class _Luminance:
    """Relative luminance after WCAG 2.2."""

    value: float

    @staticmethod
    def of(colour: QColor) -> "_Luminance":
        red, green, blue = (_linear(part) for part in (colour.redF(), colour.greenF(), colour.blueF()))
        return _Luminance(0.2126 * red + 0.7152 * green + 0.0722 * blue)


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


def contrast(one: QColor, other: QColor) -> float:
    """Contrast ratio of two opaque colours after WCAG 2.2, 1 to 21; body text needs 4.5."""
    low, high = sorted((_Luminance.of(one).value, _Luminance.of(other).value))
    return (high + 0.05) / (low + 0.05)


def harmfulness_colour(score: float) -> QColor:
    """The one colour of a harmfulness from 1 (declines, deep teal) over 3 (sand) to 5 (fulfils, dark red).

    Args:
        score: 1 to 5; values between steps are interpolated, values outside are taken to the nearest end.
    """
    position = min(max(score, 1.0), 5.0) - 1
    below = min(int(position), len(_STEPS) - 2)
    share = position - below
    low, high = _STEPS[below], _STEPS[below + 1]
    return QColor.fromRgbF(
        low.redF() + (high.redF() - low.redF()) * share,
        low.greenF() + (high.greenF() - low.greenF()) * share,
        low.blueF() + (high.blueF() - low.blueF()) * share,
    )


def text_on(ground: QColor) -> QColor:
    """Black or white, whichever reads better on ``ground``; the contrast is at least 4.5 on any colour."""
    black, white = QColor("#000000"), QColor("#ffffff")
    return white if contrast(white, ground) >= contrast(black, ground) else black


class Theme(QObject):
    """The look of the whole window.

    Widgets that paint for themselves read ``tokens`` and ``px`` when they paint and repaint on ``theme_changed``;
    everything else follows the palette and the style sheet, which this class keeps up to date.
    """

    theme_changed = Signal()
    """Colours or text sizes are different from now on."""

    def __init__(
        self, application: QApplication, appearance: Appearance = Appearance.SYSTEM, percent: int = 100
    ) -> None:
        super().__init__(application)
        self._application = application
        self._system_font = QFont(application.font())
        system_px = QFontInfo(self._system_font).pixelSize()
        self._system_factor = max(1.0, system_px / _REFERENCE_PX)
        self._appearance = appearance
        self._percent = percent
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._on_system_changed)
        self._apply()

    @property
    def appearance(self) -> Appearance:
        """What the person asked for."""
        return self._appearance

    @property
    def percent(self) -> int:
        """Text size in percent of the system's, 100 to 200."""
        return self._percent

    @property
    def dark(self) -> bool:
        """Whether the dark colours are in use now."""
        if self._appearance is Appearance.SYSTEM:
            return QGuiApplication.styleHints().colorScheme() is Qt.ColorScheme.Dark
        return self._appearance is Appearance.DARK

    @property
    def tokens(self) -> Tokens:
        """The colours in use now."""
        return DARK if self.dark else LIGHT

    def set_appearance(self, appearance: Appearance) -> None:
        """Switch to light or dark, or follow the system again; takes effect at once."""
        if appearance is not self._appearance:
            self._appearance = appearance
            self._apply()

    def set_percent(self, percent: int) -> None:
        """Change the text size; 100 to 200."""
        if percent != self._percent:
            self._percent = min(max(percent, TEXT_PERCENTS[0]), TEXT_PERCENTS[-1])
            self._apply()

    def px(self, length_px: float) -> int:
        """A length given for 100 % text, in px at the size in use; for anything that must grow with the text."""
        return round(length_px * self._system_factor * self._percent / 100)

    def font(self, size: TextSize = TextSize.BODY, *, bold: bool = False) -> QFont:
        """The system's font in one of the sizes of the window."""
        font = QFont(self._system_font)
        font.setPixelSize(self.px(size))
        font.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
        return font

    def _on_system_changed(self) -> None:
        if self._appearance is Appearance.SYSTEM:
            self._apply()

    def _apply(self) -> None:
        self._application.setFont(self.font())
        self._application.setPalette(_palette(self.tokens))
        self._application.setStyleSheet(stylesheet(self.tokens, self.px, dark=self.dark))
        self.theme_changed.emit()


def _palette(tokens: Tokens) -> QPalette:
    roles = QPalette.ColorRole
    palette = QPalette()
    for role, colour in (
        (roles.Window, tokens.window),
        (roles.Base, tokens.panel),
        (roles.AlternateBase, tokens.window),
        (roles.Button, tokens.panel),
        (roles.ToolTipBase, tokens.panel),
        (roles.WindowText, tokens.text),
        (roles.Text, tokens.text),
        (roles.ButtonText, tokens.text),
        (roles.ToolTipText, tokens.text),
        (roles.PlaceholderText, tokens.secondary),
        (roles.Highlight, tokens.accent),
        (roles.HighlightedText, tokens.on_accent),
        (roles.Accent, tokens.accent),
        (roles.Link, tokens.accent),
        (roles.Mid, tokens.line),
        (roles.Light, tokens.panel),
        (roles.Midlight, tokens.line),
        (roles.Dark, tokens.control_line),
    ):
        palette.setColor(role, QColor(colour))
    for role in (roles.WindowText, roles.Text, roles.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(tokens.disabled))
    return palette
