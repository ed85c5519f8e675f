"""What surrounds the window: interrupts, faults, errors, preferences, wording."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QLabel, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from workbench.errors import UsageError
from workbench.ui import wording
from workbench.ui.application import InterruptWatcher, prepared_application
from workbench.ui.errors import FaultReporter, show_error
from workbench.ui.main_window import MainWindow
from workbench.ui.pages.settings_page import SettingsPage
from workbench.ui.preferences import Preferences
from workbench.ui.theme import Appearance, Theme
from workbench.ui.widgets.error_banner import ErrorBanner

_ERROR = UsageError("It did not work.", safe="All is safe.", todo="Try again.", detail="line 7")


def test_ctrl_c_reaches_a_waiting_event_loop(qtbot: QtBot, qapp: QApplication) -> None:
    before = signal.getsignal(signal.SIGINT)
    watcher = InterruptWatcher(qapp)
    with qtbot.waitSignal(watcher.interrupted):
        threading.Thread(target=lambda: signal.raise_signal(signal.SIGINT)).start()
    watcher.close()

    assert signal.getsignal(signal.SIGINT) is before


def test_the_application_knows_its_name(qapp: QApplication) -> None:
    found = prepared_application()

    assert found is qapp
    assert found.applicationDisplayName() == "Medical Safety Workbench"
    assert not found.windowIcon().isNull()


def test_a_banner_says_what_happened_and_copies_the_details(qtbot: QtBot) -> None:
    banner = ErrorBanner()
    qtbot.addWidget(banner)
    assert banner.isHidden()

    banner.show_error(_ERROR)
    texts = " ".join(label.text() for label in banner.findChildren(QLabel))
    copy, close = banner.findChildren(QPushButton)
    qtbot.mouseClick(copy, Qt.MouseButton.LeftButton)

    assert all(part in texts for part in (_ERROR.happened, _ERROR.safe, _ERROR.todo))
    assert "line 7" not in texts
    assert "line 7" in QGuiApplication.clipboard().text()
    qtbot.mouseClick(close, Qt.MouseButton.LeftButton)
    assert banner.isHidden()
    assert banner.error is None


def test_an_error_dialog_is_plain_text(window: MainWindow) -> None:
    box = show_error(window, UsageError("<b>It</b>", safe="\u202esafe", todo="Try.", detail="d"))

    assert box.textFormat() is Qt.TextFormat.PlainText
    assert box.text() == "<b>It</b>"
    assert "⟦U+202E⟧" in box.informativeText()
    box.close()


def test_a_fault_from_any_thread_is_shown_once(
    qtbot: QtBot, qapp: QApplication, capsys: pytest.CaptureFixture[str]
) -> None:
    reporter = FaultReporter(qapp)
    try:
        raise ZeroDivisionError("a mistake")
    except ZeroDivisionError as error:
        fault = error
    arguments = (type(fault), fault, fault.__traceback__)
    thread = threading.Thread(target=lambda: reporter.report(*arguments))
    thread.start()
    thread.join()
    reporter.report(*arguments)

    qtbot.waitUntil(lambda: len(_boxes()) == 1)
    box = _boxes()[0]
    assert "a mistake" in box.informativeText()
    assert "ZeroDivisionError" in capsys.readouterr().err
    box.close()
    qtbot.waitUntil(lambda: not _boxes())


def _boxes() -> list[QMessageBox]:
    return [widget for widget in QApplication.topLevelWidgets() if isinstance(widget, QMessageBox)]


@pytest.mark.usefixtures("qapp")
def test_preferences_survive_a_restart_and_nonsense(tmp_path: Path) -> None:
    path = tmp_path / "window.ini"
    first = Preferences(path)
    assert (first.appearance, first.text_percent, first.shielding) == (Appearance.SYSTEM, 100, True)
    first.appearance, first.text_percent, first.shielding = Appearance.DARK, 150, False
    first.save()

    second = Preferences(path)
    assert (second.appearance, second.text_percent, second.shielding) == (Appearance.DARK, 150, False)
    assert second.remembered("nothing") is None

    path.write_text("[window]\nappearance=pink\ntext_percent=9000\n", "utf-8")
    third = Preferences(path)
    assert (third.appearance, third.text_percent) == (Appearance.SYSTEM, 100)


def test_settings_take_effect_at_once(window: MainWindow, theme: Theme) -> None:
    window.go_to("settings")
    page = window.page("settings")
    assert isinstance(page, SettingsPage)
    preferences = window.context.preferences

    page.appearance.choose(Appearance.DARK)
    page.text_size.choose(150)
    page.shielding.setChecked(False)

    assert theme.dark
    assert theme.percent == 150
    assert (preferences.appearance, preferences.text_percent, preferences.shielding) == (Appearance.DARK, 150, False)


def test_the_window_opens_and_gives_its_exit_code(tmp_path: Path) -> None:
    """In a process of its own, because it runs the application's own event loop to its end."""
    program = f"""
import sys
from pathlib import Path
from workbench.app import build
from workbench.ui import application
class QuickWindow(application.MainWindow):
    def show(self):
        self.first_painted.connect(self.close)
        super().show()
application.MainWindow = QuickWindow
with build(Path({str(tmp_path / "w.sqlite")!r})) as workbench:
    sys.exit(application.open_window(workbench, preferences_file=Path({str(tmp_path / "w.ini")!r})))
"""
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", timeout=60)

    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
    assert (tmp_path / "w.ini").exists()


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(0, "0 B"), (999, "999 B"), (4_300_000, "4.1 MB"), (5_261_334_938, "4.9 GB"), (3 * 2**50, "3,072 TB")],
)
def test_sizes(n_bytes: int, text: str) -> None:
    assert wording.size(n_bytes) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (52, "0:52"), (872, "14:32"), (7500, "2:05:00")])
def test_durations(seconds: float, text: str) -> None:
    assert wording.duration(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(3, "10 s"), (44, "40 s"), (240, "4 min"), (7800, "2 h 10 min")])
def test_rough_durations(seconds: float, text: str) -> None:
    assert wording.rough_duration(seconds) == text


def test_counts() -> None:
    assert wording.counted(1, "file", "files") == "1 file"
    assert wording.counted(3600, "file", "files") == "3,600 files"
