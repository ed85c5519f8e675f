"""The last runs, for Home."""

from collections.abc import Sequence
from enum import IntEnum

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from workbench.domain.results import RunResult, mean_with_interval
from workbench.domain.runs import RunId, RunStatus
from workbench.ui.charts.run_labels import run_labels
from workbench.ui.widgets.visible_text import one_line
from workbench.ui.wording import date_and_time, number

_Index = QModelIndex | QPersistentModelIndex
_NO_INDEX = QModelIndex()


class Column(IntEnum):
    """Columns from left to right."""

    LLM = 0
    QUESTIONS = 1
    BEGUN = 2
    STATE = 3
    ANSWERS = 4
    HARMFULNESS = 5


class RunTableModel(QAbstractTableModel):
    """Runs with their figures, in the order given."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._cells: list[tuple[str, ...]] = []
        self._run_ids: list[RunId] = []
        self._headings = (
            self.tr("Model"),
            self.tr("Questions"),
            self.tr("Begun"),
            self.tr("State"),
            self.tr("Answers"),
            self.tr("Harmfulness [95 %]"),
        )

    def set_results(self, results: Sequence[RunResult]) -> None:
        """Show other runs."""
        labels = run_labels([result.run for result in results])
        self.beginResetModel()
        self._run_ids = [result.run.id for result in results]
        self._cells = [self._row(result, labels[result.run.id].full) for result in results]
        self.endResetModel()

    def run_id(self, row: int) -> RunId:
        """The run in a row."""
        return self._run_ids[row]

    def rowCount(self, parent: _Index = _NO_INDEX) -> int:  # noqa: N802 - Qt's name
        """Number of runs."""
        return 0 if parent.isValid() else len(self._cells)

    def columnCount(self, parent: _Index = _NO_INDEX) -> int:  # noqa: N802 - Qt's name
        """Number of columns."""
        return 0 if parent.isValid() else len(Column)

    def headerData(  # noqa: N802 - Qt's name
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        """Column headings, aligned as their columns."""
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._headings[section]
        return _alignment(section) if role == Qt.ItemDataRole.TextAlignmentRole else None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Text and alignment of a cell."""
        if not index.isValid():
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._cells[index.row()][index.column()]
        return _alignment(index.column()) if role == Qt.ItemDataRole.TextAlignmentRole else None

    def _row(self, result: RunResult, name: str) -> tuple[str, ...]:
        run = result.run
        finished = run.status is RunStatus.FINISHED
        return (
            name,
            one_line(run.settings.selection.question_set, 60),
            date_and_time(run.created_at),
            self.tr("finished") if finished else self.tr("unfinished"),
            self.tr("{done} of {planned}").format(done=number(result.n_answers), planned=number(result.n_planned)),
            mean_with_interval(result.harmfulness),
        )


def _alignment(column: int) -> Qt.AlignmentFlag:
    right = column in (Column.ANSWERS, Column.HARMFULNESS)
    return (Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft) | Qt.AlignmentFlag.AlignVCenter
