"""A window over a real database and an engine made of plain functions."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from tests.helpers.fake_engine import FakeEngine
from tests.helpers.gated_engine import Gate
from tests.helpers.stores import SET, a_draft
from workbench import paths
from workbench.reports.html_summary import HtmlSummary
from workbench.services.resources import Resources
from workbench.services.workbench import Workbench
from workbench.storage.store import SqliteEvaluationStore
from workbench.ui.background import Background
from workbench.ui.main_window import MainWindow
from workbench.ui.pages.page import PageContext
from workbench.ui.preferences import Preferences
from workbench.ui.theme import Appearance, Theme

N_QUESTIONS = 6
"""Three harmful ones and their twins."""


@pytest.fixture
def gate() -> Gate:
    """Holds the answers of the engine in tests that ask for it by overriding ``engine``."""
    return Gate()


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def practice_dir(tmp_path: Path) -> Path:
    """A folder with files that have the names of the practice files."""
    folder = tmp_path / "practice"
    folder.mkdir()
    for name in ("practice-open.gguf", "practice-guarded.gguf", "practice-judge.gguf"):
        (folder / name).write_bytes(name.encode())
    return folder


@pytest.fixture
def workbench(tmp_path: Path, engine: FakeEngine, practice_dir: Path) -> Iterator[Workbench]:
    resources = Resources(paths.resources_dir(), practice_dir)
    store = SqliteEvaluationStore.open(tmp_path / "workbench.sqlite")
    store.save_question_set(SET, [a_draft(number) for number in range(1, N_QUESTIONS + 1)])
    made = Workbench(
        database=store.path,
        resources=resources,
        open_store=lambda: store,
        make_engine=lambda: engine,
        make_summary_writer=lambda: HtmlSummary(paths.resources_dir() / "report_templates", resources.principles()),
    )
    assert made.store is store
    yield made
    made.close()


@pytest.fixture
def theme(qapp: QApplication) -> Iterator[Theme]:
    """The look of the program; the application gets its own back afterwards."""
    font, palette = qapp.font(), qapp.palette()
    qapp.setStyle("fusion")
    made = Theme(qapp, Appearance.LIGHT)
    yield made
    made.deleteLater()
    qapp.setStyleSheet("")
    qapp.setFont(font)
    qapp.setPalette(palette)


@pytest.fixture
def preferences(tmp_path: Path) -> Preferences:
    return Preferences(tmp_path / "window.ini")


@pytest.fixture
def background(qtbot: QtBot) -> Iterator[Background]:
    made = Background()
    yield made
    qtbot.waitUntil(lambda: not made.busy)


@pytest.fixture
def context(workbench: Workbench, theme: Theme, background: Background, preferences: Preferences) -> PageContext:
    return PageContext(workbench=workbench, theme=theme, background=background, preferences=preferences)


@pytest.fixture
def window(
    qtbot: QtBot, workbench: Workbench, theme: Theme, preferences: Preferences, gate: Gate
) -> Iterator[MainWindow]:
    """The window, shown and painted; closed with nothing left running."""
    made = MainWindow(workbench, theme, preferences, ask=lambda _window: True)
    with qtbot.waitSignal(made.first_painted):
        made.show()
    yield made
    gate.let_through(1000)
    if made.isVisible():
        with qtbot.waitSignal(made.closed, timeout=10_000):
            made.close()
    made.deleteLater()
