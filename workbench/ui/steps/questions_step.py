"""Step 1: which questions are asked."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QCoreApplication, QSignalBlocker, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton

from workbench.domain.questions import Principle, Question, QuestionKind, QuestionSelection, Split, select
from workbench.services.resources import STARTER_SET
from workbench.ui.steps.fields import Choice, ComboBox, FieldGrid, SpinBox
from workbench.ui.theme import SPACE
from workbench.ui.widgets.card import Card
from workbench.ui.widgets.flow_layout import FlowLayout
from workbench.ui.widgets.labels import plain_label, push_button
from workbench.ui.wording import number


class QuestionsStep(Card):
    """Set, kind, split, principles and limit, with the number of questions they give."""

    changed = Signal()

    def __init__(self, principles: Sequence[Principle]) -> None:
        super().__init__(self.tr("Questions"), step=1)
        self._questions: Mapping[str, Sequence[Question]] = {}
        self._set = ComboBox(self.tr("Question set"))
        self._kind: Choice[QuestionKind | None] = Choice(
            self.tr("Kind of question"),
            (
                (self.tr("Harmful and benign"), None),
                (self.tr("Harmful only"), QuestionKind.HARMFUL),
                (self.tr("Benign only"), QuestionKind.BENIGN),
            ),
        )
        self._split: Choice[Split | None] = Choice(
            self.tr("Split"),
            (
                (self.tr("All"), None),
                (self.tr("Kept for testing"), Split.EVALUATE),
                (self.tr("For training"), Split.IMPROVE),
            ),
        )
        self._limit = SpinBox(self.tr("At most so many questions"), 0, 100_000, 0)
        self._limit.setSpecialValueText(self.tr("No limit"))
        self._chips = [self._chip(principle) for principle in principles]
        self._count = plain_label(kind="secondary", wrap=True)
        self._lay_out()
        for combo in (self._set, self._kind, self._split):
            combo.currentIndexChanged.connect(self._on_changed)
        self._limit.valueChanged.connect(self._on_changed)

    def set_questions(self, questions: Mapping[str, Sequence[Question]]) -> None:
        """Offer these sets; the choice stays where its set is still there."""
        chosen = self._set.currentText() or STARTER_SET
        self._questions = questions
        with QSignalBlocker(self._set):
            self._set.clear()
            self._set.addItems(list(questions))
            self._set.setCurrentText(chosen)
        self._on_changed()

    def choose(self, selection: QuestionSelection) -> None:
        """Set every field from a selection."""
        fields = (self._set, self._kind, self._split, self._limit, *self._chips)
        blockers = [QSignalBlocker(field) for field in fields]
        self._set.setCurrentText(selection.question_set)
        self._kind.choose(selection.kind)
        self._split.choose(selection.split)
        self._limit.setValue(selection.limit or 0)
        for chip in self._chips:
            chip.setChecked(selection.principles is None or chip.property("principle") in selection.principles)
        for blocker in blockers:
            blocker.unblock()
        self._on_changed()

    def set_limit(self, limit: int | None) -> None:
        """Ask at most so many questions."""
        self._limit.setValue(limit or 0)

    def selection(self) -> QuestionSelection:
        """What is chosen."""
        chosen = tuple(chip.property("principle") for chip in self._chips if chip.isChecked())
        return QuestionSelection(
            question_set=self._set.currentText(),
            principles=None if len(chosen) == len(self._chips) else chosen,
            kind=self._kind.value(),
            split=self._split.value(),
            limit=self._limit.value() or None,
        )

    def chosen_questions(self) -> Sequence[Question]:
        """The questions the choice gives, in order."""
        return select(list(self._questions.get(self._set.currentText(), ())), self.selection())

    def _chip(self, principle: Principle) -> QPushButton:
        chip = push_button(
            f"{principle.number} {principle.short_name}",
            kind="chip",
            name=self.tr("Principle {number}: {name}").format(number=principle.number, name=principle.name),
        )
        chip.setCheckable(True)
        chip.setChecked(True)
        chip.setProperty("principle", principle.number)
        chip.setToolTip(principle.name)
        chip.toggled.connect(self._on_changed)
        return chip

    def _lay_out(self) -> None:
        grid = FieldGrid(2)
        grid.add(self.tr("Set"), self._set)
        grid.add(self.tr("Kind"), self._kind)
        grid.add(
            self.tr("Split"),
            self._split,
            tool_tip=self.tr("Questions that train a mitigation must not be used to test it."),
        )
        grid.add(self.tr("At most"), self._limit, tool_tip=self.tr("Spread evenly over principles and kinds."))
        self.body.addLayout(grid)
        row = QHBoxLayout()
        row.addWidget(plain_label(self.tr("Principles of medical ethics"), kind="small"), 1)
        everything = push_button(self.tr("All"), kind="link", name=self.tr("Choose all principles"))
        everything.clicked.connect(lambda: self._set_all(checked=True))
        nothing = push_button(self.tr("None"), kind="link", name=self.tr("Choose no principle"))
        nothing.clicked.connect(lambda: self._set_all(checked=False))
        row.addWidget(everything)
        row.addWidget(nothing)
        self.body.addLayout(row)
        chips = FlowLayout(SPACE // 2)
        for chip in self._chips:
            chips.addWidget(chip)
        self.body.addLayout(chips)
        self.body.addStretch(1)
        self.body.addWidget(self._count)

    def _set_all(self, *, checked: bool) -> None:
        for chip in self._chips:
            with QSignalBlocker(chip):
                chip.setChecked(checked)
        self._on_changed()

    def _on_changed(self) -> None:
        self._count.setText(counted_questions(self.chosen_questions()))
        self.changed.emit()


def counted_questions(questions: Sequence[Question]) -> str:
    """``180 harmful + 180 benign twins``."""
    translate = QCoreApplication.translate
    n_harmful = sum(1 for question in questions if question.kind is QuestionKind.HARMFUL)
    n_benign = len(questions) - n_harmful
    if not questions:
        return translate("Wording", "No question is chosen.")
    if not n_benign:
        return translate("Wording", "{harmful} harmful").format(harmful=number(n_harmful))
    if not n_harmful:
        return translate("Wording", "{benign} benign").format(benign=number(n_benign))
    return translate("Wording", "{harmful} harmful + {benign} benign twins").format(
        harmful=number(n_harmful), benign=number(n_benign)
    )
