"""The sum of a memory plan: a column for each device, read downwards."""

from PySide6.QtCore import QAbstractTableModel, QCoreApplication, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QFont

from workbench.domain.memory import MemoryPlan
from workbench.services.plan_texts import LAYERS_EXPLAINED, gib, heading_text, plan_rows
from workbench.ui.widgets.visible_text import plain_tool_tip

_Index = QModelIndex | QPersistentModelIndex
_NO_INDEX = QModelIndex()
_NUMBER = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_TEXT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


class PlanTableModel(QAbstractTableModel):
    """Layers, then the sum in GiB; empty until a plan is shown."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._headings: tuple[str, ...] = ()
        self._rows: list[tuple[str, ...]] = []
        self._tool_tips: list[str] = []
        self._strong_row = -1

    def show_plan(self, plan: MemoryPlan | None) -> None:
        """Show another plan, or none."""
        self.beginResetModel()
        self._headings, self._rows, self._tool_tips = (), [], []
        if plan is not None:
            translate = QCoreApplication.translate
            self._headings = (translate("Plan", "GiB"), *(heading_text(share.device) for share in plan.shares))
            self._rows.append((translate("Plan", "Layers"), *(str(share.n_layers) for share in plan.shares)))
            self._tool_tips.append(LAYERS_EXPLAINED)
            for row in plan_rows(plan):
                self._rows.append((translate("Plan", row.title), *(gib(value) for value in row.values_bytes)))
                self._tool_tips.append(translate("Plan", row.explanation))
            self._strong_row = len(self._rows) - 2
            sums = zip(self._rows[self._strong_row][1:], plan.shares, strict=True)
            marked = (text if share.fits else f"✘ {text}" for text, share in sums)
            self._rows[self._strong_row] = (self._rows[self._strong_row][0], *marked)
        self.endResetModel()

    def rowCount(self, parent: _Index = _NO_INDEX) -> int:  # noqa: N802 - Qt's name
        """Lines of the sum."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: _Index = _NO_INDEX) -> int:  # noqa: N802 - Qt's name
        """Names, then the devices."""
        return 0 if parent.isValid() else len(self._headings)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Text, alignment, explanation and weight of a cell."""
        if not index.isValid():
            return None
        row, column = index.row(), index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._rows[row][column]
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{self._rows[row][0]}, {self._headings[column]}: {self._rows[row][column]}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tool_tip(self._tool_tips[row])
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _NUMBER if column else _TEXT
        if role == Qt.ItemDataRole.FontRole and row == self._strong_row:
            font = QFont()
            font.setBold(True)
            return font
        return None

    def headerData(  # noqa: N802 - Qt's name
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        """The devices, aligned as their figures."""
        if orientation is not Qt.Orientation.Horizontal or not 0 <= section < len(self._headings):
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._headings[section]
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tool_tip(self._headings[section])
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _NUMBER if section else _TEXT
        return None
