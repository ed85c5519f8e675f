"""Step 2: which model files answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QMimeData, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from workbench.domain.llm import AdapterChoice
from workbench.errors import WorkbenchError
from workbench.services.evaluation import LlmChoice
from workbench.ui.background import Background
from workbench.ui.steps.fields import DecimalBox
from workbench.ui.theme import SPACE
from workbench.ui.widgets.card import Card, line
from workbench.ui.widgets.error_banner import ErrorBanner
from workbench.ui.widgets.labels import plain_label, push_button
from workbench.ui.widgets.visible_text import one_line
from workbench.ui.wording import size

FILE_FILTER = "GGUF (*.gguf);;(*)"

CheckFile = Callable[[Path], None]
"""Looks at a file; raises a ``WorkbenchError`` if it cannot be a model file. Called on a background thread."""

PickFiles = Callable[[QWidget, str], list[Path]]
"""Asks the person for files; takes the parent and the question."""


def pick_files(parent: QWidget, question: str) -> list[Path]:
    """Ask for one or more files with the system's dialog."""
    return [Path(name) for name in QFileDialog.getOpenFileNames(parent, question, "", FILE_FILTER)[0]]


def dropped_files(data: QMimeData) -> list[Path]:
    """Local files that were dragged here."""
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]


@dataclass(frozen=True, slots=True, kw_only=True)
class _CheckedFile:
    path: Path
    size_bytes: int


class LlmRow(QWidget):
    """One chosen model file with its adapter."""

    changed = Signal()
    removed = Signal()

    def __init__(self, path: Path, size_bytes: int, pick: PickFiles) -> None:
        super().__init__()
        self.path = path
        self.size_bytes = size_bytes
        self._adapter: Path | None = None
        self._pick = pick
        name = one_line(path.name)
        self.setAccessibleName(name)
        self._detail = plain_label(kind="small")
        self._scale = DecimalBox(self.tr("Adapter scale for {file}").format(file=name), 0.0, 4.0, 1.0, 0.1)
        self._scale.setMaximumWidth(12 * SPACE)
        self._scale.valueChanged.connect(self.changed)
        self._choose = push_button("", kind="quiet")
        self._choose.clicked.connect(self._on_choose_adapter)
        remove = push_button(self.tr("Remove"), kind="quiet", name=self.tr("Remove {file}").format(file=name))
        remove.clicked.connect(self.removed)
        texts = QVBoxLayout()
        texts.setSpacing(0)
        label = plain_label(name)
        label.setToolTip(one_line(str(path)))
        label.setMinimumWidth(10 * SPACE)
        texts.addWidget(label)
        texts.addWidget(self._detail)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, SPACE // 2, 0, SPACE // 2)
        row.setSpacing(SPACE // 2)
        row.addLayout(texts, 1)
        for widget in (self._scale, self._choose, remove):
            row.addWidget(widget)
        self._refresh()

    def choice(self) -> LlmChoice:
        """The file with its adapter."""
        adapter = None if self._adapter is None else AdapterChoice(path=self._adapter, scale=self._scale.value())
        return LlmChoice(path=self.path, adapter=adapter)

    def set_adapter(self, adapter: Path | None) -> None:
        """Use a LoRA adapter, or none."""
        self._adapter = adapter
        self._refresh()
        self.changed.emit()

    def _on_choose_adapter(self) -> None:
        if self._adapter is not None:
            self.set_adapter(None)
            return
        files = self._pick(self, self.tr("Choose a LoRA adapter"))
        if files:
            self.set_adapter(files[0])

    def _refresh(self) -> None:
        adapter = self.tr("no adapter") if self._adapter is None else one_line(self._adapter.name)
        self._detail.setText(f"{size(self.size_bytes)} · {adapter}")
        self._scale.setVisible(self._adapter is not None)
        name = one_line(self.path.name)
        if self._adapter is None:
            self._choose.setText(self.tr("Adapter…"))
            self._choose.setAccessibleName(self.tr("Choose an adapter for {file}").format(file=name))
        else:
            self._choose.setText(self.tr("No adapter"))
            self._choose.setAccessibleName(self.tr("Use {file} without adapter").format(file=name))


class LlmsStep(Card):
    """The list of model files to be evaluated.

    Args:
        check: Looks at a file before it is listed.
        background: Where that happens.
        pick: Asks the person for files.
    """

    changed = Signal()

    def __init__(self, check: CheckFile, background: Background, pick: PickFiles = pick_files) -> None:
        super().__init__(self.tr("Models"), step=2)
        self._check = check
        self._background = background
        self._pick = pick
        self.setAcceptDrops(True)
        self._rows: list[LlmRow] = []
        self._list = QVBoxLayout()
        self._list.setSpacing(0)
        self._empty = plain_label(
            self.tr("Add the model files (GGUF) to be compared, or drop them here."), kind="secondary", wrap=True
        )
        self.banner = ErrorBanner()
        add = push_button(self.tr("Add files…"), name=self.tr("Add model files"))
        add.clicked.connect(lambda: self.add(self._pick(self, self.tr("Choose model files"))))
        buttons = QHBoxLayout()
        buttons.addWidget(add)
        buttons.addStretch(1)
        self.body.addWidget(self._empty)
        self.body.addLayout(self._list)
        self.body.addWidget(self.banner)
        self.body.addStretch(1)
        self.body.addLayout(buttons)

    @property
    def rows(self) -> Sequence[LlmRow]:
        """The files listed, in order."""
        return self._rows

    def choices(self) -> tuple[LlmChoice, ...]:
        """What is chosen, in order."""
        return tuple(row.choice() for row in self._rows)

    def add(self, paths: Sequence[Path]) -> None:
        """Look at files in the background and list those that can be model files; the first error is shown."""
        if not paths:
            return
        self.banner.clear()
        for path in paths:
            task = self._background.run_function(partial(self._checked, path))
            task.succeeded.connect(self._on_checked)
            task.failed.connect(self._on_refused)
            task.start()

    def clear(self) -> None:
        """Empty the list."""
        for row in tuple(self._rows):
            self._remove(row)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt's name
        """Take files only."""
        if dropped_files(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802 - Qt's name
        """Add the dropped files."""
        self.add(dropped_files(event.mimeData()))
        event.acceptProposedAction()

    def _checked(self, path: Path) -> _CheckedFile:
        self._check(path)
        return _CheckedFile(path=path, size_bytes=path.stat().st_size)

    def _on_checked(self, file: _CheckedFile) -> None:
        row = LlmRow(file.path, file.size_bytes, self._pick)
        row.changed.connect(self.changed)
        row.removed.connect(lambda: self._remove(row))
        if self._rows:
            self._list.addWidget(line())
        self._list.addWidget(row)
        self._rows.append(row)
        self._on_list_changed()

    def _on_refused(self, error: WorkbenchError) -> None:
        if self.banner.error is None:
            self.banner.show_error(error)

    def _remove(self, row: LlmRow) -> None:
        position = self._list.indexOf(row)
        self._rows.remove(row)
        # The hairline above goes with the row; the first row takes the one below it.
        for index in sorted({position, position - 1 if position else position + 1}, reverse=True):
            item = self._list.takeAt(index) if index < self._list.count() else None
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self._on_list_changed()

    def _on_list_changed(self) -> None:
        self._empty.setVisible(not self._rows)
        self.changed.emit()
