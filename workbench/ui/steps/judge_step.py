"""Step 4: who scores the answers."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QHBoxLayout

from workbench.domain.judging import Rubric
from workbench.domain.runs import JudgeMode
from workbench.errors import WorkbenchError
from workbench.services.evaluation import JudgeRequest
from workbench.ui.background import Background
from workbench.ui.steps.fields import Choice, FieldGrid
from workbench.ui.steps.llms_step import CheckFile, PickFiles, dropped_files, pick_files
from workbench.ui.widgets.card import Card
from workbench.ui.widgets.error_banner import ErrorBanner
from workbench.ui.widgets.labels import plain_label, push_button
from workbench.ui.widgets.visible_text import one_line
from workbench.ui.wording import size


class JudgeStep(Card):
    """Judge file or none, mode and rubric.

    Args:
        rubrics: To choose from.
        check: Looks at a file before it is taken.
        background: Where that happens.
        pick: Asks the person for a file.
    """

    changed = Signal()

    def __init__(
        self,
        rubrics: Sequence[Rubric],
        check: CheckFile,
        background: Background,
        pick: PickFiles = pick_files,
    ) -> None:
        super().__init__(self.tr("Judge"), step=4)
        self._check = check
        self._background = background
        self._pick = pick
        self._path: Path | None = None
        self._size_bytes = 0
        self.setAcceptDrops(True)
        self._file = plain_label()
        self._detail = plain_label(kind="secondary", wrap=True)
        self._choose = push_button(self.tr("Choose file…"), name=self.tr("Choose the judge's model file"))
        self._choose.clicked.connect(self._on_choose)
        self._none = push_button(self.tr("No judge"), kind="quiet", name=self.tr("Evaluate without a judge"))
        self._none.clicked.connect(self.clear)
        self.banner = ErrorBanner()
        self._mode = Choice(
            self.tr("Judge mode"),
            ((self.tr("Score only"), JudgeMode.SCORE), (self.tr("Reason, then score"), JudgeMode.REASONED)),
        )
        automatic: tuple[str, str | None] = (self.tr("The one the judge names"), None)
        self._rubric = Choice(self.tr("Rubric"), (automatic, *((rubric.title, rubric.key) for rubric in rubrics)))
        for combo in (self._mode, self._rubric):
            combo.currentIndexChanged.connect(self.changed)
        self._lay_out()
        self._refresh()

    @property
    def path(self) -> Path | None:
        """The judge's file, or ``None`` for no judge."""
        return self._path

    @property
    def size_bytes(self) -> int:
        """Of the judge's file; 0 without one."""
        return self._size_bytes

    def request(self) -> JudgeRequest | None:
        """What is chosen."""
        if self._path is None:
            return None
        return JudgeRequest(path=self._path, mode=self._mode.value(), rubric=self._rubric.value())

    def choose(self, path: Path) -> None:
        """Look at a file in the background and take it."""
        self.banner.clear()
        task = self._background.run_function(lambda: self._checked(path))
        task.succeeded.connect(self._on_checked)
        task.failed.connect(self._on_refused)
        task.start()

    def clear(self) -> None:
        """No judge."""
        self._path, self._size_bytes = None, 0
        self._refresh()
        self.changed.emit()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt's name
        """Take files only."""
        if dropped_files(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802 - Qt's name
        """Take the first dropped file."""
        self.choose(dropped_files(event.mimeData())[0])
        event.acceptProposedAction()

    def _lay_out(self) -> None:
        self.body.addWidget(self._file)
        self.body.addWidget(self._detail)
        self.body.addWidget(self.banner)
        grid = FieldGrid(2)
        grid.add(
            self.tr("Mode"),
            self._mode,
            tool_tip=self.tr("Score only is fast; with a reason first, the judge explains itself."),
        )
        grid.add(self.tr("Rubric"), self._rubric)
        self.body.addLayout(grid)
        self.body.addStretch(1)
        buttons = QHBoxLayout()
        buttons.addWidget(self._choose)
        buttons.addWidget(self._none)
        buttons.addStretch(1)
        self.body.addLayout(buttons)

    def _on_choose(self) -> None:
        files = self._pick(self, self.tr("Choose the judge's model file"))
        if files:
            self.choose(files[0])

    def _checked(self, path: Path) -> tuple[Path, int]:
        self._check(path)
        return path, path.stat().st_size

    def _on_checked(self, checked: tuple[Path, int]) -> None:
        self._path, self._size_bytes = checked
        self._refresh()
        self.changed.emit()

    def _on_refused(self, error: WorkbenchError) -> None:
        self.banner.show_error(error)

    def _refresh(self) -> None:
        if self._path is None:
            self._file.setText(self.tr("No judge"))
            self._detail.setText(
                self.tr("Answers are collected without scores. A judge can be a model file (GGUF); drop it here.")
            )
        else:
            self._file.setText(one_line(self._path.name))
            self._detail.setText(
                self.tr("{size}. It sees question and answer, never who answered.").format(size=size(self._size_bytes))
            )
        self._none.setVisible(self._path is not None)
        for combo in (self._mode, self._rubric):
            combo.setEnabled(self._path is not None)
