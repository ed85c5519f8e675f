"""The frame every page shares: title, one sentence, actions on the right, content below."""

from dataclasses import dataclass

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from workbench.services.workbench import Workbench
from workbench.ui.background import Background
from workbench.ui.preferences import Preferences
from workbench.ui.theme import SPACE, Theme
from workbench.ui.widgets.labels import plain_label


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContext:
    """What a page is given."""

    workbench: Workbench
    theme: Theme
    background: Background
    preferences: Preferences


class Page(QWidget):
    """A page of the window. Subclasses fill ``body`` and add their actions.

    Args:
        title: Shown large, and the page's name for screen readers.
        sentence: What the page is for.
        scrolling: Whether the content scrolls when it does not fit; the title and the actions never scroll away.
    """

    def __init__(self, title: str, sentence: str, *, scrolling: bool = True, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(title)
        self._actions = QHBoxLayout()
        self._actions.setSpacing(SPACE)
        self._sentence = plain_label(sentence, kind="secondary", wrap=True)
        content = _Content()
        self.body = QVBoxLayout(content)
        self.body.setContentsMargins(3 * SPACE, 0, 3 * SPACE, 2 * SPACE)
        self.body.setSpacing(2 * SPACE)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 2 * SPACE, 0, 0)
        layout.setSpacing(2 * SPACE)
        layout.addLayout(self._header(title))
        layout.addWidget(_scrolled(content, title) if scrolling else content, 1)

    def add_action(self, button: QPushButton) -> None:
        """Put a button to the right of the title, after the ones already there."""
        self._actions.addWidget(button)

    def set_sentence(self, sentence: str) -> None:
        """Change the sentence under the title."""
        self._sentence.setText(sentence)

    def on_shown(self) -> None:
        """Called each time the person comes to this page; pages read afresh what may have changed."""

    def _header(self, title: str) -> QHBoxLayout:
        texts = QVBoxLayout()
        texts.setSpacing(SPACE // 2)
        texts.addWidget(plain_label(title, kind="title"))
        texts.addWidget(self._sentence)
        header = QHBoxLayout()
        header.setContentsMargins(3 * SPACE, 0, 3 * SPACE, 0)
        header.setSpacing(2 * SPACE)
        header.addLayout(texts, 1)
        header.addLayout(self._actions)
        header.setAlignment(self._actions, Qt.AlignmentFlag.AlignTop)
        return header


class _Content(QWidget):
    """Asks for the height its text takes at the width it has; Qt would keep room for lines as short as can be."""

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """No least height where the width decides on it."""
        least = super().minimumSizeHint()
        return QSize(least.width(), 0) if self.hasHeightForWidth() else least


def _scrolled(content: QWidget, title: str) -> QScrollArea:
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
    area.setAccessibleName(title)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setWidget(content)
    return area
