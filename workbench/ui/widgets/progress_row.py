"""One model of a running evaluation: name, bar, answers, harmfulness so far."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QProgressBar, QVBoxLayout, QWidget

from workbench.ui.theme import SPACE
from workbench.ui.widgets.labels import plain_label, set_kind

_STEPS = 1000
COLUMN_STRETCHES = (5, 6, 2, 3)


def lay_out_columns(grid: QGridLayout) -> None:
    """The columns shared by the heading and every row."""
    grid.setContentsMargins(SPACE, SPACE, SPACE, SPACE)
    grid.setHorizontalSpacing(2 * SPACE)
    grid.setVerticalSpacing(0)
    for column, stretch in enumerate(COLUMN_STRETCHES):
        grid.setColumnStretch(column, stretch)
        grid.setColumnMinimumWidth(column, 0)


class ProgressHeading(QWidget):
    """Names of the columns."""

    def __init__(self) -> None:
        super().__init__()
        grid = QGridLayout(self)
        lay_out_columns(grid)
        texts = (self.tr("Model"), self.tr("Progress"), self.tr("Answers"), self.tr("Harmfulness so far [95 %]"))
        for column, text in enumerate(texts):
            label = _cell(plain_label(text, kind="secondary", wrap=True), right=column >= 2)
            grid.addWidget(label, 0, column)


class ProgressRow(QWidget):
    """One row.

    Args:
        name: The model.
        detail: Quantisation, size, adapter.
    """

    def __init__(self, name: str, detail: str) -> None:
        super().__init__()
        self._name = name
        self.setAccessibleName(name)
        self._bar = QProgressBar(textVisible=False, maximum=_STEPS)
        self._bar.setProperty("kind", "thin")
        self._state = plain_label(kind="small", wrap=True)
        self._answers = _cell(plain_label(), right=True)
        self._mean = _cell(plain_label("–", wrap=True), right=True)
        grid = QGridLayout(self)
        lay_out_columns(grid)
        texts = QVBoxLayout()
        texts.setSpacing(2)
        for label in (plain_label(name, wrap=True), plain_label(detail, kind="small", wrap=True)):
            texts.addWidget(_cell(label))
        progress = QVBoxLayout()
        progress.setSpacing(6)
        progress.addWidget(self._bar)
        progress.addWidget(_cell(self._state))
        grid.addLayout(texts, 0, 0)
        grid.addLayout(progress, 0, 1, Qt.AlignmentFlag.AlignVCenter)
        grid.addWidget(self._answers, 0, 2)
        grid.addWidget(self._mean, 0, 3)

    def show_progress(self, *, share: float, state: str, answers: str, mean: str, failed: bool) -> None:
        """Show where the run stands.

        Args:
            share: Done, 0 to 1.
            state: In words.
            answers: ``567 of 900``.
            mean: ``3.21 [3.02, 3.40]`` or a dash.
            failed: Whether the words tell of an error.
        """
        self._bar.setValue(round(share * _STEPS))
        self._bar.setAccessibleName(f"{self._name}: {share:.0%}, {state}")
        self._state.setText(state)
        set_kind(self._state, "danger" if failed else "small")
        self._answers.setText(answers)
        self._mean.setText(mean)

    @property
    def texts(self) -> tuple[str, str, str]:
        """State, answers and mean as shown."""
        return self._state.text(), self._answers.text(), self._mean.text()


def _cell(label: QLabel, *, right: bool = False) -> QLabel:
    label.setMinimumWidth(0)
    horizontal = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
    label.setAlignment(horizontal | Qt.AlignmentFlag.AlignVCenter)
    return label
