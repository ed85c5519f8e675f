"""What an empty place says: what will be here, and what to do next."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from workbench.ui.theme import SPACE
from workbench.ui.widgets.labels import plain_label, push_button


class EmptyState(QWidget):
    """A heading and a sentence in the middle of an empty place."""

    def __init__(self, title: str, sentence: str) -> None:
        super().__init__()
        self.setAccessibleName(title)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(2 * SPACE, 4 * SPACE, 2 * SPACE, 4 * SPACE)
        self._column.setSpacing(SPACE)
        self._column.setAlignment(Qt.AlignmentFlag.AlignCenter)
        heading = plain_label(title, kind="heading")
        text = plain_label(sentence, kind="secondary", wrap=True)
        text.setMaximumWidth(80 * SPACE)
        for label in (heading, text):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            self._column.addWidget(label)

    def add_button(self, text: str, on_clicked: Callable[[], None]) -> QPushButton:
        """Add the button that does the next step."""
        button = push_button(text, kind="primary")
        button.clicked.connect(lambda _checked=False: on_clicked())
        self._column.addSpacing(SPACE)
        self._column.addWidget(button, 0, Qt.AlignmentFlag.AlignCenter)
        return button
