"""The window: pages on the left, the current page, the status line, the job panel."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QSize, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QMainWindow, QMessageBox, QStackedWidget, QVBoxLayout, QWidget

from workbench.domain.llm import Device
from workbench.domain.runs import RunId
from workbench.errors import WorkbenchError
from workbench.services.workbench import Workbench
from workbench.ui.background import Background
from workbench.ui.destinations import coming_page, destinations
from workbench.ui.job_panel import JobPanel
from workbench.ui.jobs import Jobs
from workbench.ui.pages.home_page import HomePage
from workbench.ui.pages.page import Page, PageContext
from workbench.ui.preferences import Preferences
from workbench.ui.sidebar import Sidebar
from workbench.ui.status_line import StatusLine
from workbench.ui.theme import Theme

if TYPE_CHECKING:  # both are loaded on first use, after the first paint
    from workbench.computer import Computer
    from workbench.ui.pages.evaluate_page import EvaluatePage
    from workbench.ui.pages.results_page import ResultsPage

_GEOMETRY = "main_window"
_FIRST_SIZE = QSize(1280, 800)
_LEAST_SIZE = QSize(960, 600)
_WAIT_FOR_STOP_MS = 5000
_MEMORY_MS = 5000
"""How often the free memory of the computer is read."""

AskToClose = Callable[[QWidget], bool]
"""Asks whether to stop what runs and close."""


def ask_to_close(window: QWidget) -> bool:
    """Ask in a dialog."""
    box = QMessageBox(window)
    box.setIcon(QMessageBox.Icon.Question)
    box.setText(box.tr("An evaluation is running."))
    box.setInformativeText(
        box.tr("Every answer stored so far is safe. You can resume the evaluation the next time you open the program.")
    )
    close = box.addButton(box.tr("Stop and close"), QMessageBox.ButtonRole.AcceptRole)
    stay = box.addButton(box.tr("Keep running"), QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(stay)
    box.setEscapeButton(stay)
    box.exec()
    return box.clickedButton() is close


class MainWindow(QMainWindow):
    """Builds pages on their first visit and keeps them.

    Args:
        workbench: The use cases.
        theme: The look.
        preferences: Where size and settings are remembered.
        ask: Asks before closing while something runs.
    """

    first_painted = Signal()
    """The window has been drawn for the first time."""
    closed = Signal()
    """The window is closed and nothing runs any more."""

    def __init__(
        self,
        workbench: Workbench,
        theme: Theme,
        preferences: Preferences,
        ask: AskToClose = ask_to_close,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Medical Safety Workbench"))
        self.setMinimumSize(_LEAST_SIZE)
        self._ask = ask
        self._painted = False
        self._closing = False
        self.background = Background(self)
        self.context = PageContext(
            workbench=workbench, theme=theme, background=self.background, preferences=preferences
        )
        self.jobs = Jobs(workbench, self.background, self)
        self._pages: dict[str, Page] = {}
        self._key = ""
        places = destinations()
        self.sidebar = Sidebar(places, theme)
        self.sidebar.chosen.connect(self.go_to)
        self._stack = QStackedWidget()
        self.status_line = StatusLine(self.jobs)
        self._lay_out()
        self.job_panel = JobPanel(self.jobs, theme, self)
        self.status_line.jobs_wanted.connect(self.job_panel.toggle)
        for destination in places:
            shortcut = QShortcut(destination.shortcut, self)
            shortcut.activated.connect(lambda key=destination.key: self.go_to(key))
        self.jobs.ended.connect(self._read_computer)
        self._memory = QTimer(self, interval=_MEMORY_MS)
        self._memory.timeout.connect(self._read_memory)
        self._force_close = QTimer(self, singleShot=True, interval=_WAIT_FOR_STOP_MS)
        self._force_close.timeout.connect(self.close)
        self.background.all_ended.connect(self._on_all_ended)
        self._restore_geometry()
        self.go_to("home")

    def set_ask(self, ask: AskToClose) -> None:
        """Ask in another way before closing."""
        self._ask = ask

    @property
    def current_key(self) -> str:
        """Key of the page shown."""
        return self._key

    def page(self, key: str) -> Page:
        """A page, built if it was never visited."""
        if key not in self._pages:
            page = self._built(key)
            self._pages[key] = page
            self._stack.addWidget(page)
        return self._pages[key]

    def go_to(self, key: str) -> None:
        """Show a page."""
        page = self.page(key)
        self._key = key
        self._stack.setCurrentWidget(page)
        self.sidebar.set_current(key)
        page.setFocus()  # so that the page's own keys work at once
        if self._painted:
            page.on_shown()
            if key == "evaluate" and self.jobs.running is None:
                self._read_computer()  # what is free decides on how model files are loaded

    @cached_property
    def home_page(self) -> HomePage:
        """Home."""
        page = HomePage(self.context, self.jobs)
        page.practice_wanted.connect(self.start_practice)
        page.evaluate_wanted.connect(lambda: self.go_to("evaluate"))
        page.resume_wanted.connect(self.resume_runs)
        page.results_wanted.connect(self.show_results)
        return page

    @cached_property
    def evaluate_page(self) -> "EvaluatePage":
        """Evaluate, built on the first visit."""
        from workbench.ui.pages.evaluate_page import EvaluatePage

        page = EvaluatePage(self.context, self.jobs)
        page.results_wanted.connect(self.show_results)
        return page

    @cached_property
    def results_page(self) -> "ResultsPage":
        """Results, built on the first visit; loads the charts."""
        from workbench.ui.pages.results_page import ResultsPage

        page = ResultsPage(self.context)
        page.evaluation_wanted.connect(lambda: self.go_to("evaluate"))
        return page

    def start_practice(self) -> None:
        """Go to Evaluate and start the practice evaluation."""
        self.go_to("evaluate")
        self.evaluate_page.start_practice()

    def resume_runs(self, run_ids: tuple[RunId, ...]) -> None:
        """Go to Evaluate and go on with stopped runs."""
        self.go_to("evaluate")
        self.evaluate_page.resume_runs(run_ids)

    def show_results(self, run_ids: tuple[RunId, ...]) -> None:
        """Go to Results and show these runs."""
        self.go_to("results")
        self.results_page.show_runs(run_ids)

    def event(self, event: QEvent) -> bool:
        """Everything that may wait until the window is visible begins after its first paint."""
        handled = super().event(event)
        if event.type() == QEvent.Type.UpdateRequest and self.isVisible() and not self._painted:
            self._painted = True
            self.first_painted.emit()
            QTimer.singleShot(0, self._on_first_painted)
        return handled

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 - Qt's name
        """Ask while something runs; stop it, wait for it without blocking, then close."""
        if self._closing and not self._may_close():
            event.ignore()
            return
        if not self._closing and self.jobs.running is not None and not self._ask(self):
            event.ignore()
            return
        if not self._closing:
            self._begin_closing()
        if not self._may_close():
            event.ignore()
            return
        self._force_close.stop()
        self.background.abandon()
        event.accept()
        self.closed.emit()

    def _begin_closing(self) -> None:
        self._closing = True
        self.setEnabled(False)
        self.context.preferences.remember(_GEOMETRY, self.saveGeometry())
        self.context.preferences.save()
        if self.jobs.running is not None:
            self.jobs.running.stop()
        self._force_close.start()

    def _may_close(self) -> bool:
        return not self.background.busy or not self._force_close.isActive()

    def _on_all_ended(self) -> None:
        if self._closing:
            self.close()

    def _on_first_painted(self) -> None:
        self.page(self._key).on_shown()
        self._read_computer()

    def _read_computer(self) -> None:
        task = self.background.run_function(self._computer)
        task.succeeded.connect(self._on_computer)
        task.failed.connect(self._on_no_devices)
        task.start()

    def _computer(self) -> "tuple[Computer, tuple[Device, ...]]":
        from workbench.computer import this_computer  # not needed for the first paint

        return this_computer(), self.context.workbench.engine.devices()

    def _on_computer(self, read: "tuple[Computer, tuple[Device, ...]]") -> None:
        computer, devices = read
        self.status_line.set_devices(devices)
        self.status_line.set_computer(computer)
        self._memory.start()

    def _read_memory(self) -> None:
        """The computer's memory only; devices are asked of a process, which is too much for every few seconds."""
        from workbench.computer import this_computer

        self.status_line.set_computer(this_computer())

    def _on_no_devices(self, error: WorkbenchError) -> None:
        self._memory.stop()
        self.status_line.set_problem(error.happened)

    def _built(self, key: str) -> Page:
        match key:
            case "home":
                return self.home_page
            case "evaluate":
                return self.evaluate_page
            case "results":
                return self.results_page
            case "settings":
                from workbench.ui.pages.settings_page import SettingsPage

                return SettingsPage(self.context)
            case _:
                return coming_page(key)

    def _lay_out(self) -> None:
        central = QWidget()
        self.setCentralWidget(central)
        row = QHBoxLayout()
        row.setSpacing(0)
        row.addWidget(self.sidebar)
        row.addWidget(self._stack, 1)
        column = QVBoxLayout(central)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(row, 1)
        column.addWidget(self.status_line)

    def _restore_geometry(self) -> None:
        remembered = self.context.preferences.remembered(_GEOMETRY)
        if remembered is None or not self.restoreGeometry(remembered):
            self.resize(_FIRST_SIZE)
