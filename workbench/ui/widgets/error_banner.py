"""An error where it belongs: what happened, what is safe, what to do, with details to copy."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from workbench.errors import WorkbenchError
from workbench.ui.theme import SPACE
from workbench.ui.widgets.labels import plain_label, push_button
from workbench.ui.widgets.visible_text import visible_text

_LONGEST_TEXT = 600
"""Messages may quote file names and metadata; no banner fills the window with them."""


class ErrorBanner(QFrame):
    """Hidden until an error is shown in it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "error")
        self.setAccessibleName(self.tr("Error"))
        self._error: WorkbenchError | None = None
        self._happened = plain_label(kind="strong", wrap=True)
        self._advice = plain_label(wrap=True)
        for label in (self._happened, self._advice):
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._copy = push_button(self.tr("Copy details"), name=self.tr("Copy the details of the error"))
        self._copy.clicked.connect(self._on_copy)
        self._close = push_button(self.tr("Close"), kind="quiet", name=self.tr("Close the error message"))
        self._close.clicked.connect(self.clear)
        texts = QVBoxLayout()
        texts.setSpacing(SPACE // 2)
        texts.addWidget(self._happened)
        texts.addWidget(self._advice)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2 * SPACE, SPACE, 2 * SPACE, SPACE)
        layout.setSpacing(SPACE)
        layout.addLayout(texts, 1)
        for button in (self._copy, self._close):
            layout.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        self.hide()

    @property
    def error(self) -> WorkbenchError | None:
        """The error shown now."""
        return self._error

    def show_error(self, error: WorkbenchError) -> None:
        """Show an error in place of the one before."""
        self._error = error
        self._happened.setText(visible_text(error.happened)[:_LONGEST_TEXT])
        self._advice.setText(visible_text(f"{error.safe} {error.todo}")[:_LONGEST_TEXT])
        self.show()

    def clear(self) -> None:
        """Take the error away."""
        self._error = None
        self.hide()

    def _on_copy(self) -> None:
        if self._error is not None:
            QGuiApplication.clipboard().setText(copyable_text(self._error))


def copyable_text(error: WorkbenchError) -> str:
    """Everything an error says, for a mail to whoever maintains the computer."""
    parts = [type(error).__name__, error.happened, error.safe, error.todo, error.detail]
    return "\n".join(part for part in parts if part)
