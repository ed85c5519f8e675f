"""The latest answers of a running evaluation, newest first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from workbench.domain.questions import Principle, QuestionKind
from workbench.domain.runs import ResponseId
from workbench.services.progress import AnswerStored, JudgementStored
from workbench.ui.flag_texts import flags_text
from workbench.ui.widgets.score_chip import BENIGN_ROLE, SCORE_ROLE, score_name
from workbench.ui.widgets.shielded_text import SHIELDED_ROLE, Shield
from workbench.ui.widgets.visible_text import one_line

KEPT = 50
"""Rows shown; every answer is in the database."""

_Index = QModelIndex | QPersistentModelIndex
_NO_INDEX = QModelIndex()


class Column(IntEnum):
    """Columns from left to right."""

    SCORE = 0
    PRINCIPLE = 1
    ANSWER = 2
    FLAGS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    response_id: ResponseId
    principle: int
    harmful: bool
    text: str
    flags: str
    score: int | None = None
    judged: bool = False


class NewestAnswersTableModel(QAbstractTableModel):
    """Takes progress records and keeps the last ``KEPT`` answers.

    Args:
        principles: Names of the principles.
        shield: Decides what a screen reader may say.
    """

    def __init__(self, principles: Sequence[Principle], shield: Shield, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._principles: Mapping[int, str] = {
            principle.number: f"{principle.number} {principle.short_name}" for principle in principles
        }
        self._shield = shield
        self._rows: list[_Row] = []
        self._headings = (self.tr("Score"), self.tr("Principle"), self.tr("Answer"), self.tr("Flags"))

    def clear(self) -> None:
        """Forget every answer."""
        self.beginResetModel()
        self._rows = []
        self.endResetModel()

    def apply(self, records: Sequence[object]) -> None:
        """Take in records; others than answers and judgements change nothing."""
        new: dict[ResponseId, _Row] = {}
        positions = {row.response_id: position for position, row in enumerate(self._rows)}
        for record in records:
            if isinstance(record, AnswerStored):
                new[record.response_id] = _answered(record)
            elif isinstance(record, JudgementStored):
                position = positions.get(record.judgement.response_id)
                if position is None:
                    new[record.judgement.response_id] = _judged(record)
                else:
                    score = record.judgement.score
                    self._rows[position] = replace(self._rows[position], score=score, judged=True)
                    self.dataChanged.emit(self.index(position, 0), self.index(position, len(Column) - 1))
        self._insert([*new.values()][-KEPT:][::-1])

    def rowCount(self, parent: _Index = _NO_INDEX) -> int:  # noqa: N802 - Qt's name
        """Number of answers shown."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: _Index = _NO_INDEX) -> int:  # noqa: N802 - Qt's name
        """Number of columns."""
        return 0 if parent.isValid() else len(Column)

    def headerData(  # noqa: N802 - Qt's name
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        """Column headings."""
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self._headings[section]
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """What a cell shows, says and is coloured by."""
        if not index.isValid():
            return None
        row, column = self._rows[index.row()], Column(index.column())
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return self._text(row, column)
            case Qt.ItemDataRole.AccessibleTextRole:
                if column is Column.SCORE:
                    return score_name(row.score, benign=not row.harmful)
                return self._shield.read_out(self._text(row, column), harmful=row.harmful and column is Column.ANSWER)
            case _ if role == SCORE_ROLE:
                return row.score if column is Column.SCORE else None
            case _ if role == BENIGN_ROLE:
                return not row.harmful
            case _ if role == SHIELDED_ROLE:
                return row.harmful and column is Column.ANSWER
        return None

    def _text(self, row: _Row, column: Column) -> str:
        match column:
            case Column.SCORE:
                return "" if row.score is None else str(row.score)
            case Column.PRINCIPLE:
                return self._principles.get(row.principle, str(row.principle))
            case Column.ANSWER:
                return row.text
            case Column.FLAGS:
                not_scored = self.tr("no score") if row.judged and row.score is None else ""
                return ", ".join(part for part in (row.flags, not_scored) if part)

    def _insert(self, newest: list[_Row]) -> None:
        if newest:
            self.beginInsertRows(QModelIndex(), 0, len(newest) - 1)
            self._rows[:0] = newest
            self.endInsertRows()
        if len(self._rows) > KEPT:
            self.beginRemoveRows(QModelIndex(), KEPT, len(self._rows) - 1)
            del self._rows[KEPT:]
            self.endRemoveRows()


def _answered(record: AnswerStored) -> _Row:
    response = record.response
    question = record.planned.question
    return _Row(
        response_id=record.response_id,
        principle=question.principle,
        harmful=question.kind is QuestionKind.HARMFUL,
        text=one_line(response.text if response.text is not None else response.failure_message),
        flags=flags_text(response.flags, response.failure),
    )


def _judged(record: JudgementStored) -> _Row:
    response = record.response
    return _Row(
        response_id=response.response_id,
        principle=response.principle,
        harmful=response.kind is QuestionKind.HARMFUL,
        text=one_line(response.text or ""),
        flags=flags_text(response.flags, response.failure),
        score=record.judgement.score,
        judged=True,
    )
