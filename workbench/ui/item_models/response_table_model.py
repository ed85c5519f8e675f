"""Answers as a table: of one run or of several, with what is known of each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from workbench.domain.questions import QuestionKind
from workbench.domain.runs import RunId, ScoredResponse
from workbench.ui.charts.run_labels import RunLabel
from workbench.ui.flag_texts import flags_text
from workbench.ui.widgets.score_chip import BENIGN_ROLE, SCORE_ROLE, score_name
from workbench.ui.widgets.shielded_text import SHIELDED_ROLE, Shield
from workbench.ui.widgets.visible_text import one_line, plain_tool_tip

_Index = QModelIndex | QPersistentModelIndex
_NO_PARENT = QModelIndex()
_NUMBER = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_TEXT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


class ResponseColumn(IntEnum):
    """The columns, in order."""

    SCORE = 0
    RUN = 1
    PRINCIPLE = 2
    KIND = 3
    QUESTION = 4
    ANSWER = 5
    FLAGS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    title: str
    text: Callable[[ScoredResponse], str]
    key: Callable[[ScoredResponse], tuple[float, str]]


_SHIELDED = (ResponseColumn.QUESTION, ResponseColumn.ANSWER)


class ResponseTableModel(QAbstractTableModel):
    """One row for each response; texts are cut to a line and worded only when shown.

    Args:
        shield: Decides what screen readers may say of harmful content.
        principle_names: Short name of each principle.
    """

    def __init__(self, shield: Shield, principle_names: Mapping[int, str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._shield = shield
        self._principle_names = dict(principle_names)
        self._labels: Mapping[RunId, RunLabel] = {}
        self._rows: list[ScoredResponse] = []
        self._columns = self._make_columns()
        shield.changed.connect(self._on_shield_changed)

    def set_responses(self, responses: Sequence[ScoredResponse], labels: Mapping[RunId, RunLabel]) -> None:
        """Show other responses.

        Args:
            responses: In the order to show them.
            labels: What each of their runs is called.
        """
        self.beginResetModel()
        self._rows = list(responses)
        self._labels = labels
        self.endResetModel()

    def response(self, row: int) -> ScoredResponse:
        """The response of a row."""
        return self._rows[row]

    def rowCount(self, parent: _Index = _NO_PARENT) -> int:  # noqa: N802 - Qt's name
        """One for each response."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: _Index = _NO_PARENT) -> int:  # noqa: N802 - Qt's name
        """See ``ResponseColumn``."""
        return 0 if parent.isValid() else len(self._columns)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """What a cell shows and says."""
        if not index.isValid():
            return None
        column, response = ResponseColumn(index.column()), self._rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return self._columns[column].text(response)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return self._spoken(column, response)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _NUMBER if column is ResponseColumn.SCORE else _TEXT
        if role == Qt.ItemDataRole.ToolTipRole and column not in _SHIELDED:
            return plain_tool_tip(self._columns[column].text(response))
        if role == SCORE_ROLE and column is ResponseColumn.SCORE:
            return response.score
        if role == BENIGN_ROLE:
            return _benign(response)
        if role == SHIELDED_ROLE:
            return self._harmful(column, response)
        return None

    def headerData(  # noqa: N802 - Qt's name
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        """Names of the columns."""
        if orientation is not Qt.Orientation.Horizontal or not 0 <= section < len(self._columns):
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._columns[section].title
        return _TEXT if role == Qt.ItemDataRole.TextAlignmentRole else None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; responses without a score come last in the score's column either way."""
        if not 0 <= column < len(self._columns):
            return
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        kept = [self._rows[index.row()] for index in before]
        self._rows.sort(key=self._columns[column].key, reverse=order is Qt.SortOrder.DescendingOrder)
        if column == ResponseColumn.SCORE:
            self._rows.sort(key=lambda response: response.score is None)
        places = {response.response_id: row for row, response in enumerate(self._rows)}
        after = [self.index(places[old.response_id], index.column()) for old, index in zip(kept, before, strict=True)]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def _make_columns(self) -> tuple[_Column, ...]:
        def by_text(text: Callable[[ScoredResponse], str]) -> Callable[[ScoredResponse], tuple[float, str]]:
            return lambda response: (0.0, text(response).casefold())

        return (
            _Column(
                title=self.tr("Score"),
                text=lambda r: "–" if r.score is None else str(r.score),
                key=lambda r: (r.score or 0, ""),
            ),
            _Column(title=self.tr("Run"), text=self._run, key=by_text(self._run)),
            _Column(title=self.tr("Principle"), text=self._principle, key=lambda r: (r.principle, "")),
            _Column(title=self.tr("Kind"), text=self._kind, key=by_text(self._kind)),
            _Column(title=self.tr("Question"), text=lambda r: one_line(r.question), key=by_text(lambda r: r.question)),
            _Column(title=self.tr("Answer"), text=self._answer, key=by_text(self._answer)),
            _Column(title=self.tr("Flags"), text=_flags, key=by_text(_flags)),
        )

    def _run(self, response: ScoredResponse) -> str:
        return self._labels[response.run_id].full

    def _principle(self, response: ScoredResponse) -> str:
        return f"{response.principle} {self._principle_names.get(response.principle, '')}".strip()

    def _kind(self, response: ScoredResponse) -> str:
        return self.tr("harmful") if response.kind is QuestionKind.HARMFUL else self.tr("benign")

    def _answer(self, response: ScoredResponse) -> str:
        return self.tr("no answer") if response.text is None else one_line(response.text)

    def _harmful(self, column: ResponseColumn, response: ScoredResponse) -> bool:
        if column is ResponseColumn.ANSWER and response.text is None:
            return False
        return column in _SHIELDED and response.kind is QuestionKind.HARMFUL

    def _spoken(self, column: ResponseColumn, response: ScoredResponse) -> str:
        text = (
            score_name(response.score, benign=_benign(response))
            if column is ResponseColumn.SCORE
            else self._columns[column].text(response)
        )
        return self._shield.read_out(text or self.tr("none"), harmful=self._harmful(column, response))

    def _on_shield_changed(self) -> None:
        if self._rows:
            last = self.index(len(self._rows) - 1, len(self._columns) - 1)
            self.dataChanged.emit(self.index(0, 0), last, [Qt.ItemDataRole.AccessibleTextRole])


def _flags(response: ScoredResponse) -> str:
    return flags_text(response.flags, response.failure)


def _benign(response: ScoredResponse) -> bool:
    return response.kind is QuestionKind.BENIGN
