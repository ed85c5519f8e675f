"""Every control says its name; everything fits small screens and large text."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QAbstractButton, QAbstractScrollArea, QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from workbench.ui.main_window import MainWindow
from workbench.ui.theme import Appearance, Theme

_PAGES = (
    "home",
    "models",
    "questions",
    "evaluate",
    "review",
    "results",
    "compare",
    "mitigate",
    "report",
    "settings",
)
_PRIMARY = {"home": "Start the practice evaluation", "evaluate": "Start the evaluation"}


def _focusable(page: QWidget) -> Iterator[QWidget]:
    """What the tab key or the pointer can reach, popups left out: they speak with the name of their owner."""
    for widget in page.findChildren(QWidget):
        inner = widget.objectName().startswith("qt_")
        reachable = widget.focusPolicy() != Qt.FocusPolicy.NoFocus and widget.focusProxy() is None
        if reachable and not inner and widget.window() is page.window():
            yield widget


def _spoken_name(widget: QWidget) -> str:
    interface = QAccessible.queryAccessibleInterface(widget)
    return interface.text(QAccessible.Text.Name)


def _settled(qtbot: QtBot, window: MainWindow) -> None:
    qtbot.waitUntil(lambda: not window.background.busy, timeout=20_000)


@pytest.mark.parametrize("key", _PAGES)
def test_every_control_has_a_name(qtbot: QtBot, window: MainWindow, key: str) -> None:
    window.go_to(key)
    _settled(qtbot, window)
    page = window.page(key)

    nameless = [type(widget).__name__ for widget in _focusable(page) if widget.isVisible() and not _spoken_name(widget)]

    assert page.accessibleName()
    assert nameless == []


def test_the_frame_has_names_too(window: MainWindow) -> None:
    frame = (window.sidebar, window.status_line, window.job_panel)

    assert all(widget.accessibleName() for widget in frame)
    assert all(button.accessibleName() for part in frame for button in part.findChildren(QAbstractButton))


@pytest.mark.parametrize("key", _PAGES)
def test_labels_never_read_markup(qtbot: QtBot, window: MainWindow, key: str) -> None:
    window.go_to(key)
    _settled(qtbot, window)

    labels = window.page(key).findChildren(QLabel)

    assert all(label.textFormat() is Qt.TextFormat.PlainText for label in labels)


@pytest.mark.parametrize("percent", [100, 200])
@pytest.mark.parametrize("key", ["home", "evaluate"])
def test_the_primary_action_is_never_cut_off(
    qtbot: QtBot, window: MainWindow, theme: Theme, key: str, percent: int
) -> None:
    window.go_to(key)
    _settled(qtbot, window)
    theme.set_percent(percent)
    window.resize(1280, 720)
    qtbot.waitUntil(lambda: (window.width(), window.height()) == (1280, 720))
    page = window.page(key)
    button = next(b for b in page.findChildren(QPushButton) if b.accessibleName() == _PRIMARY[key])

    qtbot.waitUntil(lambda: button.width() >= button.sizeHint().width())
    on_page = QRect(button.mapTo(page, QPoint()), button.size())
    assert page.rect().contains(on_page)
    assert window.rect().contains(QRect(page.mapTo(window, QPoint()), page.size()))


@pytest.mark.parametrize(("key", "percent"), [("home", 100), ("evaluate", 100), ("evaluate", 200), ("settings", 100)])
def test_pages_do_not_scroll_sideways(qtbot: QtBot, window: MainWindow, theme: Theme, key: str, percent: int) -> None:
    window.go_to(key)
    _settled(qtbot, window)
    theme.set_percent(percent)
    window.resize(1280, 720)
    qtbot.waitUntil(lambda: window.width() == 1280)
    area = next(area for area in window.page(key).findChildren(QAbstractScrollArea) if area.accessibleName())

    qtbot.waitUntil(lambda: area.horizontalScrollBar().maximum() == 0)


def test_the_whole_window_follows_the_theme(window: MainWindow, theme: Theme) -> None:
    theme.set_appearance(Appearance.DARK)
    dark = window.grab().toImage()
    theme.set_appearance(Appearance.LIGHT)
    light = window.grab().toImage()

    corners = [(window.width() - 5, 5), (5, window.height() // 2), (5, window.height() - 5)]
    assert all(dark.pixelColor(*corner).lightness() < 60 < light.pixelColor(*corner).lightness() for corner in corners)


def test_b_uncovers_answers_wherever_the_focus_is_on_the_page(qtbot: QtBot, window: MainWindow) -> None:
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    window.go_to("evaluate")
    shield = window.evaluate_page.shield
    assert shield.covers

    with qtbot.waitSignal(shield.changed):
        qtbot.keyClick(window, Qt.Key.Key_B)
    assert not shield.covers
