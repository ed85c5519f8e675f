"""One model file's memory plan: whether it fits, in words, and the sum behind it."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QHeaderView, QTableView, QVBoxLayout, QWidget

from workbench.domain.memory import MemoryPlan
from workbench.errors import WorkbenchError
from workbench.services.plan_texts import (
    LAYERS_EXPLAINED,
    Fit,
    fit_of,
    fit_text,
    note_texts,
    plan_text,
    speed_explained,
    speed_text,
)
from workbench.services.progress import Role
from workbench.ui.item_models.plan_table_model import PlanTableModel
from workbench.ui.planning import PlanReply, PlanWish
from workbench.ui.theme import SPACE, Theme
from workbench.ui.widgets.labels import plain_label, push_button, set_kind
from workbench.ui.widgets.row_table import row_table
from workbench.ui.widgets.visible_text import one_line, plain_tool_tip, visible_text

_ROW_PX = 26
_LONGEST_ERROR = 400
_MARKS = {Fit.ACCELERATOR: "✔", Fit.PARTLY: "◐", Fit.PROCESSOR: "✔", Fit.TOO_LARGE: "✘"}
_UNKNOWN_MARK = "…"


class PlanRow(QWidget):
    """Shows one plan after the other for the same file.

    Args:
        wish: The file.
        theme: Sizes of the table.
    """

    def __init__(self, wish: PlanWish, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._name = one_line(wish.path.name)
        self.plan: MemoryPlan | None = None
        self._mark = plain_label(_UNKNOWN_MARK, kind="strong")
        title = self.tr("{file} (judge)") if wish.role is Role.JUDGING else "{file}"
        self._title = plain_label(title.format(file=self._name), wrap=True)
        self._words = plain_label(self.tr("Being worked out …"), kind="secondary", wrap=True)
        self._notes = plain_label(kind="small", wrap=True)
        self._table_model = PlanTableModel(self)
        self.table = self._make_table()
        self.details = push_button("", kind="quiet")
        self.details.clicked.connect(lambda: self._unfold(not self.table.isVisible()))
        self.details.hide()
        texts = QVBoxLayout()
        texts.setSpacing(2)
        for widget in (self._title, self._words, self._notes):
            texts.addWidget(widget)
        head = QHBoxLayout()
        head.setSpacing(SPACE)
        head.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        head.addLayout(texts, 1)
        head.addWidget(self.details, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, SPACE // 2, 0, SPACE // 2)
        column.setSpacing(SPACE)
        column.addLayout(head)
        column.addWidget(self.table)
        self._notes.hide()
        self._unfold(False)
        theme.theme_changed.connect(self._fit_table)

    @property
    def title(self) -> str:
        """The file as it is called here."""
        return self._title.text()

    @property
    def mark(self) -> str:
        """The sign for how well it fits."""
        return self._mark.text()

    @property
    def text(self) -> str:
        """What is said of the file."""
        return self._words.text()

    @property
    def notes(self) -> str:
        """What a person should know about the plan; empty for nothing."""
        return self._notes.text()

    def show_pending(self) -> None:
        """What is shown is being worked out anew."""
        self._mark.setText(_UNKNOWN_MARK)
        set_kind(self._mark, "strong")

    def show_reply(self, reply: PlanReply) -> None:
        """Show a plan, or why there is none."""
        self.plan = reply.plan
        if reply.plan is not None:
            self._show_plan(reply.plan)
        elif reply.error is not None:
            self._show_error(reply.error)
        self._table_model.show_plan(reply.plan)
        self._fit_table()
        self.details.setVisible(reply.plan is not None)
        if reply.plan is None:
            self._unfold(False)

    def _show_plan(self, plan: MemoryPlan) -> None:
        fit = fit_of(plan)
        words = fit_text(fit)
        self._mark.setText(_MARKS[fit])
        set_kind(self._mark, "danger" if fit is Fit.TOO_LARGE else "mark")
        self._say(f"{words[0].upper()}{words[1:]}. {plan_text(plan)}.", fit is Fit.TOO_LARGE)
        speed = self.tr("{word}: {figure}, roughly.").format(
            word=speed_text(plan.speed).capitalize(), figure=speed_explained(plan.speed)
        )
        explained = f"{LAYERS_EXPLAINED} {speed}"
        self._words.setToolTip(plain_tool_tip(explained))
        self._words.setAccessibleDescription(explained)
        self._notes.setText(" ".join(note_texts(plan)))
        self._notes.setVisible(bool(plan.notes))

    def _show_error(self, error: WorkbenchError) -> None:
        self._mark.setText(_MARKS[Fit.TOO_LARGE])
        set_kind(self._mark, "danger")
        self._say(visible_text(f"{error.happened} {error.todo}")[:_LONGEST_ERROR], danger=True)
        self._notes.hide()

    def _say(self, text: str, danger: bool) -> None:
        self._words.setText(text)
        set_kind(self._words, "danger" if danger else "secondary")

    def _make_table(self) -> QTableView:
        table = row_table(self._table_model)
        table.setAccessibleName(self.tr("Memory of {file} by device, in GiB").format(file=self._name))
        table.setSelectionMode(QTableView.SelectionMode.NoSelection)
        table.horizontalHeader().setHighlightSections(False)
        table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        return table

    def _unfold(self, unfolded: bool) -> None:
        self.table.setVisible(unfolded)
        self.details.setText(self.tr("Hide the sum") if unfolded else self.tr("Show the sum"))
        name = self.tr("Hide the memory of {file}") if unfolded else self.tr("Show the memory of {file}")
        self.details.setAccessibleName(name.format(file=self._name))

    def _fit_table(self) -> None:
        """As high as its rows, so that the page scrolls and not the table."""
        row_px = self._theme.px(_ROW_PX)
        self.table.verticalHeader().setDefaultSectionSize(row_px)
        rows = self._table_model.rowCount()
        self.table.setFixedHeight(self.table.horizontalHeader().sizeHint().height() + rows * row_px + SPACE)
