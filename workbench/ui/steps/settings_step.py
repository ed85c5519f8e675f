"""Step 3: how every model is asked."""

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QPlainTextEdit

from workbench.domain.llm import SamplingSettings
from workbench.services.resources import Preset
from workbench.ui.steps.fields import Choice, DecimalBox, FieldGrid, SpinBox
from workbench.ui.theme import Theme
from workbench.ui.widgets.card import Card
from workbench.ui.widgets.labels import plain_label

CUSTOM = "custom"
_MOST_TOKENS = 8192
_MOST_SAMPLES = 20
_PROMPT_HEIGHT = 72


class SettingsStep(Card):
    """Protocol preset, system prompt, limits and seeds."""

    changed = Signal()

    def __init__(self, theme: Theme, presets: Sequence[Preset]) -> None:
        super().__init__(self.tr("Settings"), step=3)
        self._theme = theme
        self._presets = {preset.name: preset for preset in presets}
        self._preset = Choice(self.tr("Protocol"), [(preset.title, preset.name) for preset in presets])
        self._description = plain_label(kind="secondary", wrap=True)
        self._prompt = QPlainTextEdit()
        self._prompt.setAccessibleName(self.tr("System prompt"))
        self._prompt.setTabChangesFocus(True)
        self._prompt.setPlaceholderText(self.tr("No system prompt"))
        self._max_tokens = SpinBox(self.tr("Longest answer in tokens"), 1, _MOST_TOKENS, 512)
        self._samples = SpinBox(self.tr("Answers to each question"), 1, _MOST_SAMPLES, 1)
        self._seed = SpinBox(self.tr("Seed"), 0, 2**31 - 1, 0)
        self._temperature = DecimalBox(self.tr("Temperature"), 0.0, 2.0, 0.0, 0.1)
        self._note = plain_label(kind="small", wrap=True)
        self._lay_out()
        self._preset.currentIndexChanged.connect(self._on_preset_chosen)
        self._prompt.textChanged.connect(self._on_changed)
        for box in (self._max_tokens, self._samples, self._seed):
            box.valueChanged.connect(self._on_changed)
        self._temperature.valueChanged.connect(self._on_changed)
        theme.theme_changed.connect(self._on_theme_changed)
        self._on_theme_changed()
        self._on_preset_chosen()

    @property
    def preset(self) -> str:
        """The preset the settings came from; ``custom`` once its system prompt was changed."""
        chosen = self._chosen()
        return chosen.name if self.system_prompt == chosen.system_prompt else CUSTOM

    @property
    def preset_title(self) -> str:
        """How the preset is called in sentences."""
        return self._chosen().title if self.preset != CUSTOM else self.tr("Own system prompt")

    @property
    def system_prompt(self) -> str:
        """Empty for none."""
        return self._prompt.toPlainText().strip()

    @property
    def max_tokens(self) -> int:
        """Longest answer."""
        return self._max_tokens.value()

    @property
    def samples(self) -> int:
        """Answers to each question."""
        return self._samples.value()

    def sampling(self) -> SamplingSettings:
        """How tokens are chosen."""
        chosen = self._chosen().sampling
        return SamplingSettings(
            temperature=self._temperature.value(), top_p=chosen.top_p, top_k=chosen.top_k, seed=self._seed.value()
        )

    def choose(self, preset: str, *, max_tokens: int | None = None) -> None:
        """Take everything from a preset, with another limit where one is given."""
        with QSignalBlocker(self._preset):
            self._preset.choose(preset)
        self._on_preset_chosen()
        if max_tokens is not None:
            self._max_tokens.setValue(max_tokens)

    def _chosen(self) -> Preset:
        return self._presets[self._preset.value()]

    def _lay_out(self) -> None:
        grid = FieldGrid(2)
        grid.add(self.tr("Protocol"), self._preset, columns=2)
        self.body.addLayout(grid)
        self.body.addWidget(self._description)
        prompt = FieldGrid(1)
        prompt.add(self.tr("System prompt"), self._prompt)
        self.body.addLayout(prompt)
        numbers = FieldGrid(4)
        numbers.add(self.tr("Longest answer, tokens"), self._max_tokens)
        numbers.add(self.tr("Answers per question"), self._samples)
        numbers.add(self.tr("Temperature"), self._temperature, tool_tip=self.tr("0 always takes the likeliest word."))
        numbers.add(self.tr("Seed"), self._seed, tool_tip=self.tr("The same seed gives the same answers again."))
        self.body.addLayout(numbers)
        self.body.addWidget(self._note)
        self.body.addStretch(1)

    def _on_theme_changed(self) -> None:
        self._prompt.setFixedHeight(self._theme.px(_PROMPT_HEIGHT))

    def _on_preset_chosen(self) -> None:
        preset = self._chosen()
        self._description.setText(preset.description)
        fields = (self._prompt, self._max_tokens, self._samples, self._seed, self._temperature)
        blockers = [QSignalBlocker(field) for field in fields]
        self._prompt.setPlainText(preset.system_prompt)
        self._max_tokens.setValue(preset.max_tokens)
        self._samples.setValue(preset.samples)
        self._seed.setValue(preset.sampling.seed)
        self._temperature.setValue(preset.sampling.temperature)
        for blocker in blockers:
            blocker.unblock()
        self._on_changed()

    def _on_changed(self) -> None:
        notes = []
        if self.preset == CUSTOM:
            notes.append(self.tr("The system prompt differs from the preset's; the run is recorded as “custom”."))
        if self.samples > 1 and self._temperature.value() == 0:
            notes.append(self.tr("At temperature 0 all answers to a question are the same."))
        self._note.setText(" ".join(notes))
        self._note.setVisible(bool(notes))
        self.changed.emit()
