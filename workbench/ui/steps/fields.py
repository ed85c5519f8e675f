"""Labelled fields in the form the steps share."""

from collections.abc import Iterable
from typing import Generic, TypeVar

from PySide6.QtCore import Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QGridLayout, QSizePolicy, QSpinBox, QVBoxLayout, QWidget

from workbench.ui.theme import SPACE
from workbench.ui.widgets.labels import plain_label

_Value = TypeVar("_Value")
_LEAST_WIDTH = 8 * SPACE


class _NoWheel:
    """Fields on a scrolling page leave the wheel to the page: nobody changes a protocol by scrolling past it."""

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 - Qt's name
        """Hand the event on to the page."""
        event.ignore()


class ComboBox(_NoWheel, QComboBox):
    """A choice of a few."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)


class Choice(ComboBox, Generic[_Value]):
    """A choice of a few values. Qt would turn an enumeration's member into plain text; here it stays what it is."""

    def __init__(self, name: str, choices: Iterable[tuple[str, _Value]], parent: QWidget | None = None) -> None:
        super().__init__(name, parent)
        self._values: list[_Value] = []
        for text, value in choices:
            self.addItem(text)
            self._values.append(value)

    def value(self) -> _Value:
        """What is chosen."""
        return self._values[self.currentIndex()]

    def choose(self, value: _Value) -> None:
        """Choose one of the values."""
        self.setCurrentIndex(self._values.index(value))


class SpinBox(_NoWheel, QSpinBox):
    """A whole number."""

    def __init__(self, name: str, low: int, high: int, value: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setRange(low, high)
        self.setMinimumWidth(_LEAST_WIDTH)  # else the longest number it allows would widen the page
        self.setValue(value)
        self.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)


class DecimalBox(_NoWheel, QDoubleSpinBox):
    """A decimal number."""

    def __init__(
        self, name: str, low: float, high: float, value: float, step: float, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setDecimals(2)
        self.setRange(low, high)
        self.setSingleStep(step)
        self.setValue(value)
        self.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)


class FieldGrid(QGridLayout):
    """Fields with their names above them, in columns of equal width.

    Args:
        columns: How many stand side by side.
    """

    def __init__(self, columns: int) -> None:
        super().__init__()
        self._columns = columns
        self._n = 0
        self.setHorizontalSpacing(2 * SPACE)
        self.setVerticalSpacing(SPACE)
        for column in range(columns):
            self.setColumnStretch(column, 1)

    def add(self, text: str, field: QWidget, *, columns: int = 1, tool_tip: str = "") -> None:
        """Put the next field, over so many columns."""
        label = plain_label(text, kind="small", wrap=True)
        label.setBuddy(field)
        if tool_tip:
            field.setToolTip(tool_tip)
            field.setAccessibleDescription(tool_tip)
        cell = QVBoxLayout()
        cell.setSpacing(SPACE // 2)
        cell.addStretch(1)  # fields of a row stay level where one of the names takes two lines
        cell.addWidget(label)
        cell.addWidget(field)
        self.addLayout(cell, self._n // self._columns, self._n % self._columns, 1, columns)
        self._n += columns
