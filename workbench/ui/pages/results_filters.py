"""The filter bar of the Results page: which runs, which principles, which kind of question."""

from collections.abc import Hashable, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QActionGroup, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QMenu, QPushButton, QWidget, QWidgetAction

from workbench.domain.questions import QuestionKind
from workbench.domain.runs import RunId
from workbench.ui.charts.run_labels import run_labels
from workbench.ui.pages.results_loading import LoadedResults, Wanted
from workbench.ui.theme import SPACE
from workbench.ui.widgets.flow_layout import FlowLayout
from workbench.ui.wording import counted, date_and_time

_LIST_WIDTH_PX = 460
_MOST_ROWS = 12


class ResultsFilters(QWidget):
    """A row of chips, each opening its choices."""

    changed = Signal(object)
    """A ``Wanted``: the person chose something else."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._wanted = Wanted()
        self.runs = CheckList(self.tr("Runs"))
        self.principles = CheckList(self.tr("Principles"))
        self.kind = KindChip()
        layout = FlowLayout()
        for chip in (self.runs, self.principles, self.kind):
            layout.addWidget(chip)
        outer = QHBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(SPACE)
        outer.addLayout(layout, 1)
        for chip in (self.runs, self.principles, self.kind):
            chip.chosen.connect(self._on_chosen)

    def show_loaded(self, loaded: LoadedResults) -> None:
        """Offer what is stored and mark what is shown."""
        self._wanted = loaded.wanted
        labels = run_labels(loaded.runs)
        chosen_runs = loaded.wanted.run_ids or ()
        self.runs.set_choices(
            [(run.id, f"{labels[run.id].full} · {date_and_time(run.created_at)}") for run in loaded.runs], chosen_runs
        )
        self.runs.set_caption(counted(len(chosen_runs), self.tr("run"), self.tr("runs")), active=True)
        numbers = tuple(principle.number for principle in loaded.principles)
        chosen = loaded.wanted.principles
        self.principles.set_choices([(p.number, f"{p.number} {p.name}") for p in loaded.principles], chosen or numbers)
        caption = self.tr("All principles")
        if chosen is not None:
            caption = counted(len(chosen), self.tr("principle"), self.tr("principles"))
        self.principles.set_caption(caption, active=chosen is not None)
        self.kind.set_kind(loaded.wanted.kind)

    def _on_chosen(self) -> None:
        principles = tuple(int(str(number)) for number in self.principles.chosen_values())
        every = len(principles) in (0, self.principles.n_choices)
        self._wanted = Wanted(
            run_ids=tuple(RunId(int(str(run_id))) for run_id in self.runs.chosen_values()),
            principles=None if every else principles,
            kind=self.kind.kind,
        )
        self.changed.emit(self._wanted)


class CheckList(QPushButton):
    """A chip that opens a list of things to tick; it stays open until the person leaves it."""

    chosen = Signal()
    """The list was closed with another choice than before."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._name = name
        self._before: tuple[Hashable, ...] = ()
        self.setProperty("kind", "chip")
        self.setCheckable(True)
        self._list = _TickList()
        self._list.setAccessibleName(name)
        menu = QMenu(self)
        action = QWidgetAction(menu)
        action.setDefaultWidget(self._list)
        menu.addAction(action)
        menu.aboutToHide.connect(self._on_closed)
        self._menu = menu
        self._active = False
        self.clicked.connect(self._on_clicked)

    @property
    def n_choices(self) -> int:
        """How many things can be ticked."""
        return self._list.count()

    def set_caption(self, caption: str, *, active: bool) -> None:
        """Say on the chip what is chosen; ``active`` marks a restriction."""
        self._active = active
        self.setText(f"{caption} ▾")
        self.setAccessibleName(f"{self._name}: {caption}")
        self.setChecked(active)

    def set_choices(self, choices: Sequence[tuple[Hashable, str]], chosen: Sequence[Hashable]) -> None:
        """Replace what can be ticked.

        Args:
            choices: Value and text of each.
            chosen: Values that are ticked.
        """
        self._list.clear()
        for value, text in choices:
            item = QListWidgetItem(text)
            item.setData(Qt.ItemDataRole.UserRole, value)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked if value in chosen else Qt.CheckState.Unchecked)
            self._list.addItem(item)
        self._before = self.chosen_values()
        rows = min(max(1, len(choices)), _MOST_ROWS)
        self._list.setFixedSize(_LIST_WIDTH_PX, rows * max(24, self._list.sizeHintForRow(0)) + 8)

    def chosen_values(self) -> tuple[Hashable, ...]:
        """Values ticked, in the order of the list."""
        items = (self._list.item(row) for row in range(self._list.count()))
        ticked = (item for item in items if item.checkState() == Qt.CheckState.Checked)
        return tuple(item.data(Qt.ItemDataRole.UserRole) for item in ticked)

    def tick(self, value: Hashable, *, ticked: bool) -> None:
        """Tick or untick one thing, as a click does."""
        for row in range(self._list.count()):
            item = self._list.item(row)
            if item.data(Qt.ItemDataRole.UserRole) == value:
                item.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)

    def close_list(self) -> None:
        """Take what is ticked as the choice."""
        self._menu.hide()
        self._on_closed()

    def _on_clicked(self) -> None:
        self.setChecked(self._active)
        self._menu.popup(self.mapToGlobal(self.rect().bottomLeft()))
        self._list.setFocus()

    def _on_closed(self) -> None:
        if self.chosen_values() != self._before:
            self._before = self.chosen_values()
            self.chosen.emit()


class _TickList(QListWidget):
    """Enter closes the list; the space bar and a click anywhere on a row tick."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            menu = self.parentWidget()
            if menu is not None:
                menu.hide()
            return
        super().keyPressEvent(event)


class KindChip(QPushButton):
    """A chip that opens the kinds of question."""

    chosen = Signal()
    """Another kind was chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "chip")
        self.setCheckable(True)
        self._kind: QuestionKind | None = None
        self._menu = QMenu(self)
        self._group = QActionGroup(self)
        self._texts: dict[QuestionKind | None, str] = {
            None: self.tr("Harmful and benign"),
            QuestionKind.HARMFUL: self.tr("Harmful only"),
            QuestionKind.BENIGN: self.tr("Benign only"),
        }
        for kind, text in self._texts.items():
            action = QAction(text, self, checkable=True)
            action.triggered.connect(lambda _checked=False, chosen=kind: self._on_triggered(chosen))
            self._group.addAction(action)
            self._menu.addAction(action)
        self.clicked.connect(self._on_clicked)
        self.set_kind(None)

    @property
    def kind(self) -> QuestionKind | None:
        """The kind chosen; ``None`` for both."""
        return self._kind

    def set_kind(self, kind: QuestionKind | None) -> None:
        """Show a kind as chosen."""
        self._kind = kind
        self.setText(f"{self._texts[kind]} ▾")
        self.setAccessibleName(self.tr("Kind of question: {0}").format(self._texts[kind]))
        self.setChecked(kind is not None)
        for action, known in zip(self._group.actions(), self._texts, strict=True):
            action.setChecked(known is kind)

    def _on_triggered(self, kind: QuestionKind | None) -> None:
        if kind is not self._kind:
            self.set_kind(kind)
            self.chosen.emit()

    def _on_clicked(self) -> None:
        self.setChecked(self._kind is not None)
        self._menu.popup(self.mapToGlobal(self.rect().bottomLeft()))
