"""Framed panels the pages are made of."""

from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from workbench.ui.theme import SPACE
from workbench.ui.widgets.labels import plain_label


class Card(QFrame):
    """A panel with an optional heading and a sentence below it; ``body`` takes the content.

    Args:
        title: Heading; also the panel's name for screen readers.
        sentence: What is shown here.
        step: A step number shown before the heading.
    """

    def __init__(self, title: str = "", sentence: str = "", *, step: int | None = None) -> None:
        super().__init__()
        self.setProperty("kind", "card")
        self.setAccessibleName(title)
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, 2 * SPACE)
        self.body.setSpacing(SPACE)
        self.header = QHBoxLayout()
        self.header.setSpacing(SPACE)
        if step is not None:
            badge = plain_label(str(step), kind="step")
            badge.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
            self.header.addWidget(badge)
        if title:
            self.header.addWidget(plain_label(title, kind="strong"), 1)
            self.body.addLayout(self.header)
        if sentence:
            self.body.addWidget(plain_label(sentence, kind="secondary", wrap=True))


def line(parent: QWidget | None = None) -> QFrame:
    """A hairline between rows."""
    hairline = QFrame(parent)
    hairline.setProperty("kind", "line")
    return hairline
