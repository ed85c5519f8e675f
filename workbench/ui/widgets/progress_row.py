"""One model of a running evaluation: name, bars, answers, harmfulness so far."""

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
        detail: Quantisation, size, adapter, device.
        judged: Whether there is a judge; its bar stands below the one of the answers.
    """

    def __init__(self, name: str, detail: str, *, judged: bool) -> None:
        super().__init__()
        self._name = name
        self.setAccessibleName(name)
        self._answering = _bar()
        self._judging = _bar() if judged else None
        self._state = plain_label(kind="small", wrap=True)
        self._answers = _cell(plain_label(), right=True)
        self._mean = _cell(plain_label("–", wrap=True), right=True)
        grid = QGridLayout(self)
        lay_out_columns(grid)
        texts = QVBoxLayout()
        texts.setSpacing(2)
        self._detail = plain_label(detail, kind="small", wrap=True)
        for label in (plain_label(name, wrap=True), self._detail):
            texts.addWidget(_cell(label))
        progress = QVBoxLayout()
        progress.setSpacing(2)
        progress.addLayout(self._bars())
        progress.addWidget(_cell(self._state))
        grid.addLayout(texts, 0, 0)
        grid.addLayout(progress, 0, 1, Qt.AlignmentFlag.AlignVCenter)
        grid.addWidget(self._answers, 0, 2)
        grid.addWidget(self._mean, 0, 3)

    def show_progress(
        self, *, answered: float, judged: float, state: str, answers: str, mean: str, failed: bool
    ) -> None:
        """Show where the run stands.

        Args:
            answered: Share of the answers that are there, 0 to 1.
            judged: Share of the judgements that are there, 0 to 1; of no meaning without a judge.
            state: In words.
            answers: ``567 of 900``.
            mean: ``3.21 [3.02, 3.40]`` or a dash.
            failed: Whether the words tell of an error.
        """
        self._answering.setValue(round(answered * _STEPS))
        self._answering.setAccessibleName(
            self.tr("{model}: {share} answered, {state}").format(model=self._name, share=f"{answered:.0%}", state=state)
        )
        if self._judging is not None:
            self._judging.setValue(round(judged * _STEPS))
            self._judging.setAccessibleName(
                self.tr("{model}: {share} judged").format(model=self._name, share=f"{judged:.0%}")
            )
        self._state.setText(state)
        set_kind(self._state, "danger" if failed else "small")
        self._answers.setText(answers)
        self._mean.setText(mean)

    def _bars(self) -> QGridLayout:
        """The bar of the answers, and below it the one of the judge, each with its name where there are two."""
        bars = QGridLayout()
        bars.setHorizontalSpacing(SPACE)
        bars.setVerticalSpacing(0)
        bars.setColumnStretch(1, 1)
        if self._judging is None:
            bars.addWidget(self._answering, 0, 0, 1, 2)
            return bars
        for row, (text, bar) in enumerate(((self.tr("answers"), self._answering), (self.tr("judge"), self._judging))):
            bars.addWidget(plain_label(text, kind="small"), row, 0)
            bars.addWidget(bar, row, 1)
        return bars

    @property
    def detail(self) -> str:
        """File and device as shown."""
        return self._detail.text()

    @property
    def texts(self) -> tuple[str, str, str]:
        """State, answers and mean as shown."""
        return self._state.text(), self._answers.text(), self._mean.text()


def _bar() -> QProgressBar:
    bar = QProgressBar(textVisible=False, maximum=_STEPS)
    bar.setProperty("kind", "thin")
    return bar


def _cell(label: QLabel, *, right: bool = False) -> QLabel:
    label.setMinimumWidth(0)
    horizontal = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
    label.setAlignment(horizontal | Qt.AlignmentFlag.AlignVCenter)
    return label
