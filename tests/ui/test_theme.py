"""Colours a person can read, switched while the window is open."""

from dataclasses import fields
from itertools import pairwise

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from workbench.ui.theme import Appearance, TextSize, Theme, contrast, harmfulness_colour, text_on
from workbench.ui.tokens import DARK, LIGHT, Tokens

_TEXT_PAIRS = (
    ("text", "window"),
    ("text", "panel"),
    ("text", "sidebar"),
    ("text", "accent_ground"),
    ("text", "danger_ground"),
    ("secondary", "window"),
    ("secondary", "panel"),
    ("secondary", "sidebar"),
    ("accent", "panel"),
    ("accent", "window"),
    ("accent", "accent_ground"),
    ("on_accent", "accent"),
    ("on_accent", "accent_hover"),
    ("warning", "warning_ground"),
    ("danger", "panel"),
)


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), _TEXT_PAIRS)
def test_text_can_be_read(tokens: Tokens, ink: str, ground: str) -> None:
    assert contrast(QColor(getattr(tokens, ink)), QColor(getattr(tokens, ground))) >= 4.5


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
def test_borders_of_fields_can_be_seen(tokens: Tokens) -> None:
    assert contrast(QColor(tokens.control_line), QColor(tokens.panel)) >= 3
    assert contrast(QColor(tokens.accent), QColor(tokens.track)) >= 3


def test_every_token_is_a_colour() -> None:
    assert all(QColor(getattr(tokens, field.name)).isValid() for tokens in (LIGHT, DARK) for field in fields(Tokens))


def test_contrast_follows_the_standard() -> None:
    assert contrast(QColor("black"), QColor("white")) == pytest.approx(21)
    assert contrast(QColor("#777777"), QColor("white")) == pytest.approx(4.48, abs=0.01)


def test_digits_can_be_read_on_every_colour_of_the_scale() -> None:
    scores = [1 + step / 20 for step in range(81)]

    assert all(contrast(text_on(harmfulness_colour(s)), harmfulness_colour(s)) >= 4.5 for s in scores)


def test_the_scale_has_the_colours_of_its_steps_and_none_beyond_its_ends() -> None:
    names = [harmfulness_colour(score).name() for score in (1, 2, 3, 4, 5)]

    assert names == ["#1d6e73", "#7fb8b0", "#e6d9b8", "#d98b5f", "#9e2f2f"]
    assert harmfulness_colour(0).name() == names[0]
    assert harmfulness_colour(9).name() == names[-1]


def test_neighbouring_steps_differ_in_lightness_so_that_no_hue_is_needed() -> None:
    white = QColor("white")
    lightness = [1 / contrast(harmfulness_colour(score), white) for score in (1, 2, 3, 4, 5)]

    assert all(abs(one - other) > 0.1 for one, other in pairwise(lightness))


def test_switching_changes_palette_and_style_sheet_at_once(qtbot: QtBot, qapp: QApplication, theme: Theme) -> None:
    with qtbot.waitSignal(theme.theme_changed):
        theme.set_appearance(Appearance.DARK)

    assert qapp.palette().color(QPalette.ColorRole.Window).name() == DARK.window
    assert DARK.panel in qapp.styleSheet()
    assert theme.tokens is DARK


def test_following_the_system_takes_its_colours(theme: Theme) -> None:
    theme.set_appearance(Appearance.SYSTEM)

    assert theme.dark is (QGuiApplication.styleHints().colorScheme() is Qt.ColorScheme.Dark)


def test_text_grows_with_its_setting(qapp: QApplication, theme: Theme) -> None:
    before = theme.px(TextSize.BODY)

    theme.set_percent(200)

    assert theme.px(TextSize.BODY) == 2 * before
    assert qapp.font().pixelSize() == 2 * before
    assert f"font-size: {theme.px(TextSize.TITLE)}px" in qapp.styleSheet()
