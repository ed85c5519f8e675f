"""A warning or a suggestion on one line, with a button that acts on it."""

from collections.abc import Callable
from typing import Literal

from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton

from workbench.ui.theme import SPACE
from workbench.ui.widgets.labels import ButtonKind, plain_label, push_button


class Notice(QFrame):
    """A sentence on a coloured ground; the words say what the colour means."""

    def __init__(self, text: str, kind: Literal["notice", "callout"] = "notice") -> None:
        super().__init__()
        self.setProperty("kind", kind)
        self.setAccessibleName(text)
        self._label = plain_label(text, kind="notice" if kind == "notice" else "body", wrap=True)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(2 * SPACE, SPACE, SPACE, SPACE)
        self._row.setSpacing(SPACE)
        self._row.addWidget(self._label, 1)

    @property
    def text(self) -> str:
        """The sentence."""
        return self._label.text()

    def set_text(self, text: str) -> None:
        """Change the sentence."""
        self._label.setText(text)
        self.setAccessibleName(text)

    def add_button(self, text: str, on_clicked: Callable[[], None], kind: ButtonKind = "plain") -> QPushButton:
        """Add a button to the right of the sentence."""
        button = push_button(text, kind=kind)
        button.clicked.connect(lambda _checked=False: on_clicked())
        self._row.addWidget(button)
        return button
