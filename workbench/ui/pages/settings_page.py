"""Settings of the window: colours, text size, content shielding; and where the data lies."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QWidget

from workbench.ui.pages.page import Page, PageContext
from workbench.ui.steps.fields import Choice, FieldGrid
from workbench.ui.theme import SPACE, TEXT_PERCENTS, Appearance
from workbench.ui.widgets.card import Card
from workbench.ui.widgets.labels import plain_label
from workbench.ui.widgets.visible_text import visible_text

_WIDEST = 90 * SPACE


class SettingsPage(Page):
    """Every change takes effect at once and is remembered."""

    def __init__(self, context: PageContext, parent: QWidget | None = None) -> None:
        super().__init__(
            self.tr("Settings"),
            self.tr("Changes take effect at once and are remembered on this computer."),
            parent=parent,
        )
        self._context = context
        for card in (self._look(), self._content(), self._data()):
            card.setMaximumWidth(_WIDEST)
            self.body.addWidget(card)
        self.body.addStretch(1)

    def _look(self) -> Card:
        preferences = self._context.preferences
        card = Card(self.tr("Look"))
        self.appearance = Choice(
            self.tr("Colours"),
            (
                (self.tr("As the system"), Appearance.SYSTEM),
                (self.tr("Light"), Appearance.LIGHT),
                (self.tr("Dark"), Appearance.DARK),
            ),
        )
        self.appearance.choose(preferences.appearance)
        self.appearance.currentIndexChanged.connect(self._on_appearance)
        self.text_size = Choice(self.tr("Text size"), [(f"{percent} %", percent) for percent in TEXT_PERCENTS])
        self.text_size.choose(preferences.text_percent)
        self.text_size.currentIndexChanged.connect(self._on_text_size)
        grid = FieldGrid(2)
        grid.add(self.tr("Colours"), self.appearance)
        grid.add(self.tr("Text size"), self.text_size)
        card.body.addLayout(grid)
        return card

    def _content(self) -> Card:
        card = Card(
            self.tr("Content"),
            self.tr("Answers to harmful questions can be disturbing. Blurred, they are read on purpose only."),
        )
        self.shielding = QCheckBox(self.tr("Blur answers to harmful questions until hovered or B is pressed"))
        self.shielding.setAccessibleName(self.shielding.text())
        self.shielding.setChecked(self._context.preferences.shielding)
        self.shielding.toggled.connect(self._on_shielding)
        card.body.addWidget(self.shielding)
        return card

    def _data(self) -> Card:
        card = Card(self.tr("Data"), self.tr("Questions, answers and scores are in one file on this computer:"))
        path = plain_label(visible_text(str(self._context.workbench.database)), wrap=True)
        path.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        card.body.addWidget(path)
        return card

    def _on_appearance(self) -> None:
        appearance = self.appearance.value()
        self._context.preferences.appearance = appearance
        self._context.theme.set_appearance(appearance)

    def _on_text_size(self) -> None:
        percent = self.text_size.value()
        self._context.preferences.text_percent = percent
        self._context.theme.set_percent(percent)

    def _on_shielding(self, shielding: bool) -> None:
        self._context.preferences.shielding = shielding
