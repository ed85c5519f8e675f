"""Pages that are not built yet: they say what they will be for."""

from PySide6.QtWidgets import QWidget

from workbench.ui.pages.page import Page
from workbench.ui.widgets.card import Card
from workbench.ui.widgets.empty_state import EmptyState


class ComingPage(Page):
    """One of them.

    Args:
        title: The page.
        sentence: What it is for.
        content: What will be there.
        meanwhile: What to do until then.
    """

    def __init__(
        self, title: str, sentence: str, *, content: str, meanwhile: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(title, sentence, parent=parent)
        card = Card()
        card.setAccessibleName(title)
        card.body.addWidget(EmptyState(content, meanwhile))
        self.body.addWidget(card)
        self.body.addStretch(1)
