"""Labels and buttons in the looks the style sheet knows; text is always plain."""

from typing import Literal

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton, QSizePolicy, QWidget

LabelKind = Literal["body", "strong", "secondary", "small", "heading", "title", "step", "notice", "danger", "mark"]
ButtonKind = Literal["plain", "primary", "quiet", "link", "chip", "status"]


def plain_label(text: str = "", *, kind: LabelKind = "body", wrap: bool = False) -> QLabel:
    """A label that shows its text as it is: no markup, no links, no images read from the disk."""
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setProperty("kind", kind)
    label.setWordWrap(wrap)
    if wrap:
        label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
    return label


def push_button(text: str, *, kind: ButtonKind = "plain", name: str = "", parent: QWidget | None = None) -> QPushButton:
    """A button.

    Args:
        name: Read out by screen readers where ``text`` alone does not say enough; the text otherwise.
    """
    button = QPushButton(text, parent)
    button.setProperty("kind", kind)
    button.setAccessibleName(name or text.replace("&", ""))
    button.setAutoDefault(False)
    return button


def set_kind(widget: QWidget, kind: str) -> None:
    """Change the look of a widget; the style sheet is applied to it again."""
    if widget.property("kind") != kind:
        widget.setProperty("kind", kind)
        widget.style().unpolish(widget)
        widget.style().polish(widget)
