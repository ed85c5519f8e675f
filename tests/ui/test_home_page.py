"""Home: first start, running, unfinished, last runs."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton, QTableView
from pytestqt.qtbot import QtBot

from tests.helpers.fake_engine import FakeEngine
from tests.helpers.gated_engine import Gate
from tests.helpers.stores import a_stored_run, answer_all
from workbench import computer
from workbench.domain.runs import RunStatus
from workbench.services.workbench import Workbench
from workbench.ui.main_window import MainWindow
from workbench.ui.pages.home_page import HomePage
from workbench.ui.widgets.notice import Notice

_LIMIT_MS = 20_000


def _buttons(page: HomePage) -> dict[str, QPushButton]:
    return {button.text(): button for button in page.findChildren(QPushButton) if button.isVisible()}


def _notices(page: HomePage) -> list[str]:
    return [notice.text for notice in page.findChildren(Notice) if notice.isVisible()]


def _read(qtbot: QtBot, window: MainWindow) -> HomePage:
    qtbot.waitUntil(lambda: not window.background.busy, timeout=_LIMIT_MS)
    window.home_page.on_shown()
    qtbot.waitUntil(lambda: not window.background.busy, timeout=_LIMIT_MS)
    return window.home_page


def test_the_first_start_offers_the_practice_evaluation_with_one_click(
    qtbot: QtBot, window: MainWindow, workbench: Workbench
) -> None:
    page = _read(qtbot, window)
    practice = _buttons(page)["Start the practice evaluation"]
    assert practice.property("kind") == "primary"

    qtbot.mouseClick(practice, Qt.MouseButton.LeftButton)

    job = window.jobs.running
    assert job is not None
    assert window.current_key == "evaluate"
    qtbot.waitUntil(lambda: job.over, timeout=_LIMIT_MS)
    assert [run.status for run in workbench.results.runs()] == [RunStatus.FINISHED] * 2


def test_without_practice_files_it_offers_an_evaluation(qtbot: QtBot, window: MainWindow, practice_dir: Path) -> None:
    (practice_dir / "practice-judge.gguf").unlink()
    page = _read(qtbot, window)

    assert set(_buttons(page)) == {"New evaluation"}


def test_an_unfinished_run_can_be_resumed(qtbot: QtBot, window: MainWindow, workbench: Workbench) -> None:
    run_id = a_stored_run(workbench.store)
    page = _read(qtbot, window)
    assert _notices(page) == [
        f"Not finished: run {run_id}. Every answer stored is safe; only what is missing is asked."
    ]

    with qtbot.waitSignal(page.resume_wanted) as wanted:
        qtbot.mouseClick(_buttons(page)["Resume"], Qt.MouseButton.LeftButton)

    assert wanted.args == [(run_id,)]
    assert window.current_key == "evaluate"
    job = window.jobs.all[-1]
    qtbot.waitUntil(lambda: job.over, timeout=_LIMIT_MS)
    assert window.evaluate_page.banner.isVisible()  # its model file is not on this computer: told in words


def test_runs_of_one_evaluation_are_resumed_together(qtbot: QtBot, window: MainWindow, workbench: Workbench) -> None:
    run_ids = (a_stored_run(workbench.store), a_stored_run(workbench.store))
    page = _read(qtbot, window)

    with qtbot.waitSignal(page.resume_wanted) as wanted:
        qtbot.mouseClick(_buttons(page)["Resume"], Qt.MouseButton.LeftButton)

    assert wanted.args == [run_ids]
    qtbot.waitUntil(lambda: window.jobs.running is None)


def test_the_last_runs_lead_to_their_results(qtbot: QtBot, window: MainWindow, workbench: Workbench) -> None:
    run_id = a_stored_run(workbench.store)
    answer_all(workbench.store, run_id)
    workbench.store.finish_run(run_id)
    page = _read(qtbot, window)
    table = page.findChild(QTableView)
    assert table is not None
    assert table.model().index(0, 4).data() == "4 of 4"

    with qtbot.waitSignal(page.results_wanted) as wanted:
        table.setCurrentIndex(table.model().index(0, 0))
        qtbot.keyClick(table, Qt.Key.Key_Return)

    assert wanted.args == [(run_id,)]
    assert window.current_key == "results"


def test_a_nearly_full_disk_is_told(qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(computer, "free_disk_bytes", lambda _folder: 1024**2)
    page = _read(qtbot, window)

    assert _notices(page) == ["The disk is nearly full: 1.0 MB left. Please make room before a long evaluation."]


class TestWhileAnEvaluationRuns:
    @pytest.fixture
    def engine(self, gate: Gate) -> FakeEngine:
        return FakeEngine(reply=gate)

    def test_home_shows_it_and_offers_no_second_one(self, qtbot: QtBot, window: MainWindow, gate: Gate) -> None:
        window.start_practice()
        gate.let_through(1)
        job = window.jobs.running
        assert job is not None
        qtbot.waitUntil(lambda: job.state.n_answers == 1)
        window.go_to("home")
        page = window.home_page

        assert "Show" in _buttons(page)
        practice = next(b for b in page.findChildren(QPushButton) if b.text() == "Start the practice evaluation")
        assert not practice.isEnabled()
        assert _notices(page) == []
