"""Where each model file would be computed and whether it fits, before anything is loaded."""

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from workbench.domain.llm import KvType, LoadSettings
from workbench.domain.memory import MemoryPlan
from workbench.services.plan_texts import LAYERS_EXPLAINED, kv_type_text
from workbench.ui.planning import PlanReply, PlanWish
from workbench.ui.steps.fields import Choice, FieldGrid, SpinBox
from workbench.ui.theme import Theme
from workbench.ui.widgets.card import Card, line
from workbench.ui.widgets.card_grid import CardGrid
from workbench.ui.widgets.labels import plain_label, push_button
from workbench.ui.widgets.plan_row import PlanRow
from workbench.ui.widgets.visible_text import one_line

_MOST_SLOTS = 64
_LEAST_CONTEXT, _MOST_CONTEXT, _CONTEXT_STEP = 256, 131_072, 256
_MOST_LAYERS = 999
_FIELD_PX = 170


class MemoryCard(Card):
    """One row for each chosen file, and choices by hand for who knows better."""

    changed = Signal()
    """Something was chosen by hand, or left to the plan again."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(
            self.tr("Memory and device"),
            self.tr("How each file would be loaded with the memory that is free now. Nothing is loaded before Start."),
        )
        self._theme = theme
        self._wishes: tuple[PlanWish, ...] = ()
        self._replied: set[int] = set()
        self.rows: list[PlanRow] = []
        self._empty = plain_label(self.tr("Choose model files to see whether they fit."), kind="secondary", wrap=True)
        self._list = QVBoxLayout()
        self._list.setSpacing(0)
        self._adjust = push_button("", kind="quiet")
        self._adjust.clicked.connect(self._on_adjust)
        self.header.addWidget(self._adjust)
        self._form = self._make_form()
        self.body.addWidget(self._form)  # next to its button: below the files it could open out of sight
        self.body.addWidget(self._empty)
        self.body.addLayout(self._list)
        self._unfold(False)
        self._on_changed()

    @property
    def wishes(self) -> Sequence[PlanWish]:
        """The files shown, in order."""
        return self._wishes

    @property
    def settled(self) -> bool:
        """Whether nothing is being worked out."""
        return len(self._replied) == len(self.rows)

    @property
    def plans(self) -> list[MemoryPlan] | None:
        """A plan for each file; ``None`` while some are being worked out or cannot be made."""
        plans = [row.plan for row in self.rows if row.plan is not None]
        return plans if self.settled and len(plans) == len(self.rows) else None

    @property
    def too_large(self) -> list[str]:
        """Names of the files that do not fit, as far as is known."""
        known = zip(self._wishes, self.rows, strict=True)
        return [one_line(wish.path.name, 60) for wish, row in known if row.plan is not None and not row.plan.fits]

    def settings(self) -> LoadSettings:
        """What was chosen by hand; the rest is left to the plan."""
        automatic = LoadSettings()
        return LoadSettings(
            n_slots=self._slots.chosen(),
            context_tokens=self._context.chosen() or automatic.context_tokens,
            n_gpu_layers=self._layers.chosen(),
            kv_type=self._kv_type.value(),
        )

    def reset(self) -> None:
        """Leave everything to the plan."""
        blockers = [QSignalBlocker(field) for field in (*self._numbers, self._kv_type)]
        for field in self._numbers:
            field.setValue(field.minimum())
        self._kv_type.choose(None)
        for blocker in blockers:
            blocker.unblock()
        self._on_changed()

    def show_pending(self, wishes: Sequence[PlanWish]) -> None:
        """Show these files; their plans are being worked out."""
        files = [(wish.path, wish.role) for wish in wishes]
        if files != [(wish.path, wish.role) for wish in self._wishes]:
            self._show_rows(wishes)
        self._wishes = tuple(wishes)
        self._replied.clear()
        for row in self.rows:
            row.show_pending()

    def show_reply(self, reply: PlanReply) -> None:
        """Show a plan, or why there is none, at every row it belongs to."""
        for position, wish in enumerate(self._wishes):
            if wish == reply.wish:
                self.rows[position].show_reply(reply)
                self._replied.add(position)

    def _show_rows(self, wishes: Sequence[PlanWish]) -> None:
        while item := self._list.takeAt(0):
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self.rows = [PlanRow(wish, self._theme) for wish in wishes]
        for row in self.rows:
            self._list.addWidget(line())
            self._list.addWidget(row)
        self._empty.setVisible(not self.rows)

    def _make_form(self) -> QWidget:
        automatic = self.tr("automatic")
        self._slots = _OptionalSpinBox(self.tr("Answers at the same time"), 1, _MOST_SLOTS, automatic)
        self._context = _OptionalSpinBox(self.tr("Context in tokens"), _LEAST_CONTEXT, _MOST_CONTEXT, automatic)
        self._context.setSingleStep(_CONTEXT_STEP)
        self._layers = _OptionalSpinBox(self.tr("Layers on the graphics card"), 0, _MOST_LAYERS, automatic)
        choices: list[tuple[str, KvType | None]] = [(automatic, None)]
        choices += [(kv_type_text(kv_type), kv_type) for kv_type in KvType]
        self._kv_type = Choice(self.tr("Conversations kept in"), choices)
        self._numbers = (self._slots, self._context, self._layers)
        for box in self._numbers:
            box.valueChanged.connect(self._on_changed)
        self._kv_type.currentIndexChanged.connect(self._on_changed)
        cells = [
            _cell(self.tr("Answers at the same time"), self._slots, self.tr("More is faster and takes more memory.")),
            _cell(
                self.tr("Context, tokens"),
                self._context,
                self.tr("Room for one prompt and its answer. More takes more memory."),
            ),
            _cell(
                self.tr("Layers on the graphics card"),
                self._layers,
                self.tr("0 leaves everything to the processor.") + " " + LAYERS_EXPLAINED,
            ),
            _cell(
                self.tr("Conversations kept in"),
                self._kv_type,
                self.tr("8 bits take half the memory; the wording of answers may differ slightly."),
            ),
        ]
        self._back = push_button(self.tr("Everything automatic"), kind="link")
        self._back.clicked.connect(self.reset)
        form = QWidget()
        column = QVBoxLayout(form)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(line())
        column.addWidget(
            plain_label(
                self.tr("For the models that answer; the judge is always loaded automatically."),
                kind="small",
                wrap=True,
            )
        )
        column.addWidget(CardGrid(self._theme, cells, least_width=_FIELD_PX, columns=4))
        column.addWidget(self._back)
        return form

    def _unfold(self, unfolded: bool) -> None:
        self._form.setVisible(unfolded)
        self._adjust.setText(self.tr("Hide choices") if unfolded else self.tr("Adjust…"))
        self._adjust.setAccessibleName(
            self.tr("Hide the choices about memory") if unfolded else self.tr("Adjust memory and device")
        )

    def _on_adjust(self) -> None:
        self._unfold(not self._form.isVisible())

    def _on_changed(self) -> None:
        self._back.setEnabled(self.settings() != LoadSettings())
        self.changed.emit()


class _OptionalSpinBox(SpinBox):
    """A whole number, or a word one step below the least one."""

    def __init__(self, name: str, low: int, high: int, word: str) -> None:
        super().__init__(name, low - 1, high, low - 1)
        self._low = low
        self.setSpecialValueText(word)

    def stepBy(self, steps: int) -> None:  # noqa: N802 - Qt's name
        """Go from the word to the least number, however large a step is."""
        if self.chosen() is None and steps > 0:
            self.setValue(self._low)
            steps -= 1
        super().stepBy(steps)

    def chosen(self) -> int | None:
        """The number, or ``None`` for the word."""
        return None if self.value() == self.minimum() else self.value()


def _cell(name: str, field: QWidget, tool_tip: str) -> QWidget:
    cell = QWidget()
    grid = FieldGrid(1)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.add(name, field, tool_tip=tool_tip)
    cell.setLayout(grid)
    return cell
