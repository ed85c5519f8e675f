"""The frame: pages, shortcuts, status line, job panel, closing."""

import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from tests.helpers.fake_engine import FakeEngine
from tests.helpers.gated_engine import Gate
from workbench.domain.runs import RunStatus
from workbench.services.practice import practice_request
from workbench.services.workbench import Workbench
from workbench.ui.main_window import MainWindow
from workbench.ui.preferences import Preferences
from workbench.ui.theme import Theme

_KEYS = ("home", "models", "questions", "evaluate", "review", "results", "compare", "mitigate", "report")


@pytest.mark.parametrize(("number", "key"), [*enumerate(_KEYS, start=1)])
def test_a_shortcut_opens_each_page(qtbot: QtBot, window: MainWindow, number: int, key: str) -> None:
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)

    qtbot.keyClick(window, Qt.Key(Qt.Key.Key_0 + number), Qt.KeyboardModifier.ControlModifier)

    assert window.current_key == key
    assert window.page(key).isVisible()
    assert window.sidebar.button(key).isChecked()


def test_clicking_an_entry_opens_its_page(qtbot: QtBot, window: MainWindow) -> None:
    qtbot.mouseClick(window.sidebar.button("settings"), Qt.MouseButton.LeftButton)

    assert window.current_key == "settings"


def test_a_page_keeps_its_state(window: MainWindow) -> None:
    window.go_to("evaluate")
    page = window.page("evaluate")
    window.evaluate_page.set_up.settings.choose("no-system-prompt")
    window.go_to("home")
    window.go_to("evaluate")

    assert window.page("evaluate") is page
    assert window.evaluate_page.set_up.settings.preset == "no-system-prompt"


def test_the_status_line_tells_of_the_computer(qtbot: QtBot, window: MainWindow) -> None:
    qtbot.waitUntil(lambda: "cores" in window.status_line.text)

    assert window.status_line.text.startswith("Offline")
    assert "free" in window.status_line.text


def test_the_window_remembers_its_size(
    qtbot: QtBot, workbench: Workbench, theme: Theme, preferences: Preferences
) -> None:
    first = MainWindow(workbench, theme, preferences)
    first_size = first.size()
    first.resize(1000, 640)
    with qtbot.waitSignal(first.first_painted):
        first.show()
    with qtbot.waitSignal(first.closed):
        first.close()

    second = MainWindow(workbench, theme, preferences)

    assert second.size() != first_size  # the screen of a test is too small for more
    assert second.height() == 640
    for window in (first, second):
        window.deleteLater()


def test_the_first_paint_waits_for_nothing_heavy(tmp_path: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from workbench.app import build
from workbench.ui.application import prepared_application
from workbench.ui.main_window import MainWindow
from workbench.ui.preferences import Preferences
from workbench.ui.theme import Theme
application = prepared_application()
with build(Path({str(tmp_path / "w.sqlite")!r})) as workbench:
    window = MainWindow(workbench, Theme(application), Preferences(Path({str(tmp_path / "w.ini")!r})))
    def on_painted():
        print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
        window.close()
    window.first_painted.connect(on_painted)
    window.closed.connect(application.quit)
    window.show()
    application.exec()
"""
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True, timeout=60
    )
    loaded = set(finished.stdout.split())

    assert "PySide6" in loaded
    assert not loaded & {"scipy", "pyqtgraph", "psutil", "llama_cpp", "huggingface_hub"}
    assert finished.stderr == ""


class TestWhileAnEvaluationRuns:
    @pytest.fixture
    def engine(self, gate: Gate) -> FakeEngine:
        return FakeEngine(reply=gate)

    def _start(self, qtbot: QtBot, window: MainWindow, gate: Gate) -> None:
        """Start the practice evaluation and let one answer through."""
        gate.let_through(1)
        window.start_practice()
        job = window.jobs.running
        assert job is not None
        qtbot.waitUntil(lambda: job.state.n_answers == 1)

    def test_closing_asks_and_staying_changes_nothing(self, qtbot: QtBot, window: MainWindow, gate: Gate) -> None:
        self._start(qtbot, window, gate)
        window.set_ask(lambda _window: False)

        window.close()

        assert window.isVisible()
        assert window.jobs.running is not None
        window.set_ask(lambda _window: True)

    def test_closing_stops_the_run_and_loses_nothing(
        self, qtbot: QtBot, window: MainWindow, gate: Gate, workbench: Workbench
    ) -> None:
        self._start(qtbot, window, gate)
        with qtbot.waitSignal(window.closed):
            window.close()
            gate.let_through(1)

        runs = workbench.results.runs()
        assert [run.status for run in runs] == [RunStatus.UNFINISHED, RunStatus.UNFINISHED]
        assert sum(len(workbench.results.responses(run.id)) for run in runs) in (1, 2)

    def test_the_status_line_and_the_job_panel_tell_of_it(self, qtbot: QtBot, window: MainWindow, gate: Gate) -> None:
        self._start(qtbot, window, gate)
        button = window.status_line.findChild(QPushButton)
        assert button is not None
        qtbot.waitUntil(lambda: button.text().startswith("1 job: evaluation"))

        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        assert window.job_panel.isVisible()
        texts = {label.text() for label in window.job_panel.findChildren(QPushButton)}
        assert {"Pause", "Stop"} <= texts

        qtbot.keyClick(window.job_panel, Qt.Key.Key_Escape)
        assert not window.job_panel.isVisible()

    def test_the_job_panel_pauses_and_stops_it(self, qtbot: QtBot, window: MainWindow, gate: Gate) -> None:
        self._start(qtbot, window, gate)
        window.job_panel.toggle()
        buttons = {button.text(): button for button in window.job_panel.findChildren(QPushButton)}

        qtbot.mouseClick(buttons["Pause"], Qt.MouseButton.LeftButton)
        assert buttons["Pause"].text() == "Resume"
        qtbot.mouseClick(buttons["Pause"], Qt.MouseButton.LeftButton)
        assert buttons["Pause"].text() == "Pause"
        qtbot.mouseClick(buttons["Stop"], Qt.MouseButton.LeftButton)
        gate.let_through(1)
        qtbot.waitUntil(lambda: window.jobs.running is None)


def test_the_practice_request_names_everything(workbench: Workbench) -> None:
    request = practice_request(workbench.resources)

    assert [llm.path.name for llm in request.llms] == ["practice-open.gguf", "practice-guarded.gguf"]
    assert request.judge is not None
    assert request.max_tokens == 128
    assert request.preset == "paper-protocol"
