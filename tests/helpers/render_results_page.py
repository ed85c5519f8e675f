"""Renders the Results page of invented runs as pictures to look at: python -m tests.helpers.render_results_page DIR."""

import os
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEventLoop, QSize, QTimer
from PySide6.QtWidgets import QApplication

from tests.helpers.sample_results import (
    SampleResults,
    hostile_results,
    many_results,
    pictured_results,
    sample_workbench,
    unscored_results,
)
from workbench.domain.runs import RunId
from workbench.ui.background import Background
from workbench.ui.charts.marks import AnswerChoice
from workbench.ui.pages.page import PageContext
from workbench.ui.pages.results_page import ResultsPage
from workbench.ui.preferences import Preferences
from workbench.ui.theme import Appearance, Theme

SIDEBAR_PX, STATUS_PX = 190, 30
SIZES = (QSize(1440, 900), QSize(1280, 720))


def main(folder: Path) -> None:
    """Write one picture for each case, size and appearance."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "preferences.ini").unlink(missing_ok=True)
    application = QApplication([])
    theme = Theme(application, Appearance.LIGHT)
    preferences = Preferences(folder / "preferences.ini")
    cases = {
        "pictured": pictured_results(),
        "many": many_results(30),
        "two": many_results(2),
        "unscored": unscored_results(),
        "hostile": hostile_results(),
        "empty": SampleResults(),
    }
    for name, results in cases.items():
        context = PageContext(
            workbench=sample_workbench(results), theme=theme, background=Background(), preferences=preferences
        )
        page = ResultsPage(context)
        for size in SIZES if name == "pictured" else SIZES[:1]:
            for appearance in (Appearance.LIGHT, Appearance.DARK):
                theme.set_appearance(appearance)
                _render(page, results, size, folder / f"{name}-{size.width()}-{appearance.value}")
        if name == "pictured":
            theme.set_percent(200)
            _render(page, results, SIZES[1], folder / f"{name}-200")
            theme.set_percent(100)
        page.close()


def _settle(loop: QEventLoop) -> None:
    """Let layouts that were asked for meanwhile happen."""
    QTimer.singleShot(100, loop.quit)
    loop.exec()


def _render(page: ResultsPage, results: SampleResults, size: QSize, stem: Path) -> None:
    page.resize(size - QSize(SIDEBAR_PX, STATUS_PX))
    page.show()
    loop = QEventLoop()
    page.loaded.connect(loop.quit)
    page.show_runs([RunId(run.id) for run in results.stored])
    loop.exec()
    _settle(loop)
    page.grab().save(f"{stem}.png")
    if page.overview is None:
        return
    page.overview.grab().save(f"{stem}-all.png")
    page.answers_shown.connect(loop.quit)
    page.open_answers(AnswerChoice(run_ids=(results.stored[0].id,), principles=(1, 4)))
    loop.exec()
    _settle(loop)
    page.grab().save(f"{stem}-answers.png")
    page.show_runs([RunId(run.id) for run in results.stored])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
