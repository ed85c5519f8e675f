"""The runs of the Results page as a table."""

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QAbstractTableModel, QCoreApplication, QModelIndex, QObject, QPersistentModelIndex, Qt

from workbench.domain.results import RunResult
from workbench.domain.runs import RunStatus
from workbench.services.plan_texts import kv_type_text, loaded_text
from workbench.ui.charts.figures import Figures, figures_of, mean_text, percent, share_text
from workbench.ui.flag_texts import flag_text
from workbench.ui.widgets.visible_text import one_line, plain_tool_tip

_Index = QModelIndex | QPersistentModelIndex
_NO_PARENT = QModelIndex()
_NUMBER = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_TEXT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    title: str
    text: Callable[[RunResult], str]
    key: Callable[[RunResult], float | str | None]
    """Sorted by this; ``None`` always comes last."""
    numeric: bool = True


class ResultTableModel(QAbstractTableModel):
    """One row for each run; every cell is worded when it is shown."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._figures: Figures = figures_of((), (), None)
        self._rows: list[RunResult] = []
        self._columns = self._make_columns()

    def set_figures(self, figures: Figures) -> None:
        """Show other runs."""
        self.beginResetModel()
        self._figures = figures
        self._rows = list(figures.results)
        self.endResetModel()

    def result(self, row: int) -> RunResult:
        """The run of a row."""
        return self._rows[row]

    def rowCount(self, parent: _Index = _NO_PARENT) -> int:  # noqa: N802 - Qt's name
        """One for each run."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: _Index = _NO_PARENT) -> int:  # noqa: N802 - Qt's name
        """The figures of a run."""
        return 0 if parent.isValid() else len(self._columns)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """What a cell shows and says."""
        if not index.isValid():
            return None
        column, result = self._columns[index.column()], self._rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.text(result)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{column.title}: {column.text(result) or self.tr('none')}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tool_tip(column.text(result))
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _NUMBER if column.numeric else _TEXT
        return None

    def headerData(  # noqa: N802 - Qt's name
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        """Names of the columns, aligned as their cells."""
        if orientation is not Qt.Orientation.Horizontal or not 0 <= section < len(self._columns):
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._columns[section].title
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _NUMBER if self._columns[section].numeric else _TEXT
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column's figure; runs without it stay at the end either way."""
        if not 0 <= column < len(self._columns):
            return
        key = self._columns[column].key
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        kept = [self._rows[index.row()] for index in before]
        missing = [result for result in self._rows if key(result) is None]
        known = [result for result in self._rows if key(result) is not None]
        known.sort(key=lambda result: _comparable(key(result)), reverse=order is Qt.SortOrder.DescendingOrder)
        self._rows = known + missing
        places = {result.run.id: row for row, result in enumerate(self._rows)}
        after = [self.index(places[result.run.id], index.column()) for result, index in zip(kept, before, strict=True)]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def _make_columns(self) -> tuple[_Column, ...]:
        return (
            _Column(title=self.tr("Run"), text=self._name, key=lambda r: self._name(r).casefold(), numeric=False),
            _Column(title=self.tr("File"), text=self._detail, key=lambda r: self._detail(r).casefold(), numeric=False),
            _Column(title=self.tr("Answers"), text=lambda r: f"{r.n_answers:,}", key=lambda r: r.n_answers),
            _Column(title=self.tr("Scored"), text=self._scored, key=lambda r: r.n_scored),
            _Column(title=self.tr("Failed"), text=lambda r: f"{r.n_failed:,}", key=lambda r: r.n_failed),
            _Column(
                title=self.tr("Mean harmfulness"),
                text=lambda r: mean_text(r.harmfulness),
                key=lambda r: r.harmfulness.mean,
            ),
            _Column(title=self.tr("Scored 5"), text=lambda r: share_text(r.scored_5), key=lambda r: r.scored_5.share),
            _Column(
                title=self.tr("Over-refusal"),
                text=lambda r: share_text(r.over_refusal),
                key=lambda r: r.over_refusal.share,
            ),
            _Column(title=self.tr("Tokens/s"), text=_rate, key=lambda r: r.tokens_per_second),
            _Column(title=self.tr("Flags"), text=self._flags, key=_n_flags, numeric=False),
            _Column(title=self.tr("Computed"), text=_computed, key=_computed, numeric=False),
        )

    def _name(self, result: RunResult) -> str:
        return self._figures.label(result).name

    def _detail(self, result: RunResult) -> str:
        return self._figures.label(result).detail

    def _scored(self, result: RunResult) -> str:
        return self.tr("{0:,} of {1:,}").format(result.n_scored, result.n_answers)

    def _flags(self, result: RunResult) -> str:
        parts = [self.tr("unfinished")] if result.run.status is RunStatus.UNFINISHED else []
        for flag, n in result.flags:
            share = percent(n / max(1, result.n_answers + result.n_failed))
            parts.append(self.tr("{0} {1:,} ({2} %)").format(flag_text(flag), n, share))
        return " · ".join(parts)


def _rate(result: RunResult) -> str:
    rate = result.tokens_per_second
    return QCoreApplication.translate("Figures", "not measured") if rate is None else f"{rate:,.1f}"


def _computed(result: RunResult) -> str:
    """Device, layers and whatever else of the loading may change the text."""
    report = result.run.load_report
    if report is None:
        return one_line(result.run.device)
    kept = QCoreApplication.translate("Figures", "conversations in {precision}")
    return f"{loaded_text(report.plan)}, {kept.format(precision=kv_type_text(report.plan.kv_type))}"


def _n_flags(result: RunResult) -> float:
    return sum(n for _flag, n in result.flags)


def _comparable(key: float | str | None) -> tuple[float, str]:
    return (0.0, key) if isinstance(key, str) else (key or 0.0, "")
