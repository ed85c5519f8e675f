"""Brings failures before a person: expected ones in words, faults of the program with their traceback."""

import sys
import threading
import traceback
from types import TracebackType

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMessageBox, QWidget

from workbench.errors import WorkbenchError
from workbench.ui.widgets.error_banner import copyable_text
from workbench.ui.widgets.visible_text import visible_text


def show_error(parent: QWidget, error: WorkbenchError) -> QMessageBox:
    """Show an error in a window of its own, for the few that belong to no page; does not wait for the answer."""
    text = visible_text(f"{error.safe}\n\n{error.todo}")
    return _message_box(parent, visible_text(error.happened), text, copyable_text(error))


def _message_box(parent: QWidget | None, heading: str, text: str, details: str) -> QMessageBox:
    box = QMessageBox(parent)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setIcon(QMessageBox.Icon.Warning)
    box.setWindowTitle(QGuiApplication.applicationDisplayName())
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setText(heading)
    box.setInformativeText(text)
    copy = box.addButton(box.tr("Copy details"), QMessageBox.ButtonRole.ActionRole)
    # A message box closes on any of its buttons; copying must not close it.
    copy.clicked.disconnect()
    copy.clicked.connect(lambda _checked=False: QGuiApplication.clipboard().setText(details))
    box.addButton(QMessageBox.StandardButton.Close)
    box.open()
    return box


class FaultReporter(QObject):
    """Shows exceptions nobody expected, from any thread.

    Args:
        parent: Owner; the dialogs have the active window as theirs.
    """

    _fault = Signal(str, str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        # Queued even on the window's thread: an exception may arrive in the middle of painting.
        self._fault.connect(self._on_fault, Qt.ConnectionType.QueuedConnection)
        self._shown: set[str] = set()
        self._boxes: list[QMessageBox] = []
        """A dialog without a parent lives as long as somebody holds it."""

    def install(self) -> None:
        """Take over what Python does with exceptions nobody caught."""
        sys.excepthook = self.report
        threading.excepthook = self._report_from_thread

    def report(self, kind: type[BaseException], exception: BaseException, trace: TracebackType | None) -> None:
        """Write an exception to standard error and show it; touches no widget, so any thread may call it."""
        if issubclass(kind, KeyboardInterrupt):
            return
        details = "".join(traceback.format_exception(kind, exception, trace))
        if sys.stderr is not None:
            sys.stderr.write(details)
        self._fault.emit(f"{kind.__name__}: {exception}", details)

    def _report_from_thread(self, arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None:
            self.report(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)

    @Slot(str, str)
    def _on_fault(self, summary: str, details: str) -> None:
        if details in self._shown:
            return
        self._shown.add(details)
        box = _message_box(
            None,
            self.tr("The program has made a mistake."),
            self.tr(
                "Everything stored so far is safe. Please copy the details and send them to whoever maintains this "
                "program; then start it again.\n\n{summary}"
            ).format(summary=visible_text(summary)[:300]),
            details,
        )
        self._boxes.append(box)
        box.finished.connect(lambda _result: self._boxes.remove(box))
