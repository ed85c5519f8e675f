"""Evaluate: whether files fit, what is behind it, choosing by hand, and what is told while it runs."""

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton, QSpinBox
from pytestqt.qtbot import QtBot

from tests.helpers.fake_engine import FakeEngine
from tests.helpers.gated_engine import Gate
from tests.helpers.records import GIB, a_device, a_layout, a_plan, a_share
from tests.ui.conftest import N_QUESTIONS
from workbench.domain.llm import AdapterChoice, Device, KvType, LoadSettings
from workbench.domain.memory import DeviceCorrection, LlmLayout, MemoryPlan, PlanNote
from workbench.errors import ModelFileError
from workbench.services.progress import Role, RunSlowed
from workbench.ui.main_window import MainWindow
from workbench.ui.pages.evaluate_page import EvaluatePage
from workbench.ui.planning import PlanReply
from workbench.ui.steps.memory_card import MemoryCard
from workbench.ui.theme import Theme
from workbench.ui.widgets.plan_row import PlanRow

_CARD = a_device("CUDA0", free_bytes=20 * GIB, total_bytes=24 * GIB)
_SHARES = {
    "fits": (a_share(_CARD, n_layers=3), a_share(n_layers=0)),
    "partly": (a_share(_CARD, n_layers=1), a_share(n_layers=2)),
    "processor": (a_share(n_layers=3),),
    "large": (a_share(n_layers=3, weights_bytes=40 * GIB),),
}
_NOTES: dict[str, tuple[PlanNote, ...]] = {"partly": (PlanNote.LAYERS_ON_PROCESSOR,), "large": (PlanNote.DOES_NOT_FIT,)}
_MOST_SLOTS_THAT_FIT = 16


@dataclass
class PlanningEngine(FakeEngine):
    """Plans by the file's name and the slots wished for, and remembers what it was asked."""

    asked: list[tuple[str, LoadSettings]] = field(default_factory=list)
    may_plan: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.may_plan.set()

    def plan(
        self, path: Path, settings: LoadSettings, corrections: Sequence[DeviceCorrection] = ()
    ) -> tuple[LlmLayout, MemoryPlan]:
        self.asked.append((path.stem, settings))
        self.corrections.append(tuple(corrections))
        assert self.may_plan.wait(timeout=10), "the test never let it plan"
        if path.stem == "damaged":
            raise ModelFileError("The header is damaged.", safe="Nothing was loaded.", todo="Get the file again.")
        n_slots = settings.n_slots or 8
        notes = _NOTES.get(path.stem, ())
        if n_slots > _MOST_SLOTS_THAT_FIT:
            notes = (PlanNote.OVERRIDDEN, PlanNote.DOES_NOT_FIT)
        plan = a_plan(*_SHARES.get(path.stem, _SHARES["processor"]), n_slots=n_slots, notes=notes)
        return a_layout(), replace(plan, kv_type=settings.kv_type or KvType.F16)

    def devices(self) -> tuple[Device, ...]:
        return (_CARD, a_device("CUDA1"), a_device())


@pytest.fixture
def engine(gate: Gate) -> PlanningEngine:
    return PlanningEngine(reply=gate)


@pytest.fixture
def page(qtbot: QtBot, window: MainWindow) -> EvaluatePage:
    """The page in its window, with the question sets read."""
    window.go_to("evaluate")
    found = window.evaluate_page
    qtbot.waitUntil(lambda: len(found.set_up.questions.chosen_questions()) == N_QUESTIONS)
    return found


def _files(folder: Path, *names: str) -> list[Path]:
    paths = [folder / f"{name}.gguf" for name in names]
    for path in paths:
        path.write_bytes(path.name.encode())
    return paths


def _button(page: EvaluatePage, name: str) -> QPushButton:
    return next(button for button in page.findChildren(QPushButton) if button.accessibleName() == name)


def _planned(qtbot: QtBot, card: MemoryCard, n_rows: int) -> list[PlanRow]:
    qtbot.waitUntil(lambda: len(card.rows) == n_rows and card.settled)
    return card.rows


def _choose(qtbot: QtBot, page: EvaluatePage, folder: Path, *names: str) -> list[PlanRow]:
    """Choose files, one after the other, and wait for their plans."""
    for path in _files(folder, *names):
        with qtbot.waitSignal(page.set_up.llms.changed):
            page.set_up.llms.add([path])
    return _planned(qtbot, page.set_up.memory, len(names))


def _set(page: EvaluatePage, name: str, value: int) -> None:
    next(box for box in page.findChildren(QSpinBox) if box.accessibleName() == name).setValue(value)


def test_each_file_says_in_words_whether_it_fits(qtbot: QtBot, page: EvaluatePage, tmp_path: Path) -> None:
    fits, partly, processor, large = _choose(qtbot, page, tmp_path, "fits", "partly", "processor", "large")

    assert fits.text == ("Fits. All 3 layers on Invented graphics, 8 answers at a time, moderate speed.")
    assert partly.text.startswith("Fits with the processor's help. 1 of 3 layers on Invented graphics, the rest on")
    assert "computed by the processor" in partly.notes
    assert processor.text.startswith("Fits. All 3 layers on the processor")
    assert large.text.startswith("Does not fit.")
    assert large.notes.startswith("The sum is larger than the memory that is free")
    assert [row.mark for row in (fits, partly, processor, large)] == ["✔", "◐", "✔", "✘"]
    assert "✘ large.gguf: more memory is needed than is free" in page.set_up.summary
    assert _button(page, "Start the evaluation").isEnabled()


def test_the_sum_can_be_unfolded(qtbot: QtBot, page: EvaluatePage, tmp_path: Path) -> None:
    [row] = _choose(qtbot, page, tmp_path, "fits")
    assert not row.table.isVisible()

    qtbot.mouseClick(_button(page, "Show the memory of fits.gguf"), Qt.MouseButton.LeftButton)

    assert row.table.isVisible()
    model = row.table.model()
    cells = [
        [str(model.index(line, column).data()) for column in range(model.columnCount())]
        for line in range(model.rowCount())
    ]
    assert [model.headerData(column, Qt.Orientation.Horizontal) for column in range(3)] == [
        "GiB",
        "CUDA0: Invented graphics",
        "Processor",
    ]
    assert cells == [
        ["Layers", "3", "0"],
        ["Weights", "1.0", "1.0"],
        ["Conversations (KV)", "0.1", "0.1"],
        ["Working memory", "0.1", "0.1"],
        ["Program", "0.0", "0.0"],
        ["Kept free", "0.2", "0.2"],
        ["Sum", "1.5", "1.5"],
        ["Free now", "20.0", "8.0"],
    ]
    right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
    assert model.index(1, 1).data(Qt.ItemDataRole.TextAlignmentRole) == right


def test_a_file_that_cannot_be_planned_says_why(qtbot: QtBot, page: EvaluatePage, tmp_path: Path) -> None:
    damaged, fits = _choose(qtbot, page, tmp_path, "damaged", "fits")

    assert damaged.text == "The header is damaged. Get the file again."
    assert not damaged.details.isVisible()
    assert fits.text.startswith("Fits")
    assert "Memory" not in page.set_up.summary


def test_choices_by_hand_are_planned_at_once_and_reach_the_request(
    qtbot: QtBot, page: EvaluatePage, tmp_path: Path, engine: PlanningEngine
) -> None:
    [row] = _choose(qtbot, page, tmp_path, "fits")
    assert page.set_up.request().load == LoadSettings()

    qtbot.mouseClick(_button(page, "Adjust memory and device"), Qt.MouseButton.LeftButton)
    _set(page, "Answers at the same time", 2)
    _set(page, "Context in tokens", 4096)
    _set(page, "Layers on the graphics card", 0)
    kv_type = next(box for box in page.findChildren(QComboBox) if box.accessibleName() == "Conversations kept in")
    kv_type.setCurrentText("8 bits")
    qtbot.waitUntil(lambda: "2 answers at a time" in row.text and page.set_up.memory.settled)

    load = page.set_up.request().load
    assert load == LoadSettings(n_slots=2, context_tokens=4096, n_gpu_layers=0, kv_type=KvType.Q8_0)
    name, asked = engine.asked[-1]
    assert name == "fits"
    assert replace(asked, request_tokens=None) == load

    qtbot.mouseClick(_button(page, "Everything automatic"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "8 answers at a time" in row.text)
    assert page.set_up.request().load == LoadSettings()


def test_the_arrows_of_a_number_begin_at_its_least_value(page: EvaluatePage) -> None:
    context = next(box for box in page.findChildren(QSpinBox) if box.accessibleName() == "Context in tokens")
    shown = [context.text()]
    for _ in range(2):
        context.stepUp()
        shown.append(context.text())
    context.stepDown()
    context.stepDown()

    assert [*shown, context.text()] == ["automatic", "256", "512", "automatic"]


def test_a_choice_that_does_not_fit_is_said_and_allowed(qtbot: QtBot, page: EvaluatePage, tmp_path: Path) -> None:
    [row] = _choose(qtbot, page, tmp_path, "fits")
    _set(page, "Answers at the same time", 64)

    qtbot.waitUntil(lambda: row.text.startswith("Does not fit."))
    assert "A part of this was chosen by hand." in row.notes
    assert "✘ fits.gguf" in page.set_up.summary
    assert _button(page, "Start the evaluation").isEnabled()


def test_clicking_through_numbers_plans_only_what_stays(
    qtbot: QtBot, page: EvaluatePage, tmp_path: Path, engine: PlanningEngine
) -> None:
    [row] = _choose(qtbot, page, tmp_path, "fits")
    n_before = len(engine.asked)
    for n_slots in range(1, 16):
        _set(page, "Answers at the same time", n_slots)

    qtbot.waitUntil(lambda: "15 answers at a time" in row.text)
    assert len(engine.asked) == n_before + 1


def test_a_plan_nobody_waits_for_is_not_shown(
    qtbot: QtBot, page: EvaluatePage, tmp_path: Path, engine: PlanningEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.may_plan.clear()
    [path] = _files(tmp_path, "fits")
    page.set_up.llms.add([path])
    qtbot.waitUntil(lambda: len(engine.asked) == 1)
    [row] = page.set_up.memory.rows
    assert row.text == "Being worked out …"

    with qtbot.waitSignal(page.set_up.changed):
        _set(page, "Answers at the same time", 3)
    shown: list[PlanReply] = []
    monkeypatch.setattr(row, "show_reply", shown.append)
    engine.may_plan.set()
    qtbot.waitUntil(lambda: page.set_up.memory.settled)
    assert len(engine.asked) == 2
    assert [reply.wish.settings.n_slots for reply in shown] == [3]


def test_judge_and_adapter_are_planned_as_they_will_be_loaded(
    qtbot: QtBot, page: EvaluatePage, tmp_path: Path, engine: PlanningEngine
) -> None:
    _choose(qtbot, page, tmp_path, "fits")
    [adapter, judge] = _files(tmp_path, "adapter", "judge")
    page.set_up.llms.rows[0].set_adapter(adapter)
    page.set_up.judge.choose(judge)
    _planned(qtbot, page.set_up.memory, 2)

    asked = dict(engine.asked)
    assert asked["fits"].adapter == AdapterChoice(path=adapter, scale=1.0)
    assert asked["fits"].request_tokens is not None
    assert asked["judge"].adapter is None


def test_the_run_tells_device_layers_and_slowness(qtbot: QtBot, page: EvaluatePage, tmp_path: Path, gate: Gate) -> None:
    _choose(qtbot, page, tmp_path, "fits")
    [judge] = _files(tmp_path, "judge")
    page.set_up.judge.choose(judge)
    _planned(qtbot, page.set_up.memory, 2)
    qtbot.mouseClick(_button(page, "Start the evaluation"), Qt.MouseButton.LeftButton)
    job = page.job
    assert job is not None
    gate.let_through(1)
    qtbot.waitUntil(lambda: job.state.n_answers == 1)
    page.view.refresh()
    assert page.view.details == ["fits.gguf · 9 B · on CUDA0, 3 of 3 layers, 8 answers at a time"]
    assert page.view.notices == []

    [run_id] = job.run_ids
    slowed = RunSlowed(run_id=run_id, role=Role.ANSWERING, share=0.3, reason="Other programs take the processor.")
    job.state.apply(slowed, 1.0)
    page.view.refresh()
    assert page.view.notices == ["Slower than usual. Other programs take the processor."]
    job.state.apply(replace(slowed, share=1.0, reason=""), 2.0)
    page.view.refresh()
    assert page.view.notices == []

    gate.let_through(100)
    qtbot.waitUntil(lambda: job.over, timeout=20_000)


def test_what_did_not_fit_at_first_is_told(
    qtbot: QtBot, page: EvaluatePage, tmp_path: Path, gate: Gate, engine: PlanningEngine
) -> None:
    engine.n_failed_attempts = 1
    _choose(qtbot, page, tmp_path, "fits")
    gate.let_through(100)
    qtbot.mouseClick(_button(page, "Start the evaluation"), Qt.MouseButton.LeftButton)
    job = page.job
    assert job is not None
    qtbot.waitUntil(lambda: job.over, timeout=20_000)

    page.view.refresh()
    assert page.view.notices == [
        "fits.gguf did not fit on CUDA0, 3 of 3 layers, 8 answers at a time. "
        "It was loaded on CUDA0, 3 of 3 layers, 8 answers at a time."
    ]


def test_the_status_line_names_the_accelerator_and_all_devices_on_hovering(qtbot: QtBot, window: MainWindow) -> None:
    qtbot.waitUntil(lambda: "cores" in window.status_line.text)

    assert re.search(
        r"Invented graphics: 20\.0 GB of 24\.0 GB free at \d\d:\d\d \(and 1 more\)", window.status_line.text
    )
    tool_tip = window.status_line.tool_tip
    assert all(f"{name}: " in tool_tip for name in ("CUDA0", "CUDA1", "CPU"))


def test_the_status_line_names_where_a_run_computes_and_no_memory_from_before_it(
    qtbot: QtBot, page: EvaluatePage, window: MainWindow, tmp_path: Path, gate: Gate
) -> None:
    qtbot.waitUntil(lambda: "24.0 GB free" in window.status_line.text)
    _choose(qtbot, page, tmp_path, "partly")
    qtbot.mouseClick(_button(page, "Start the evaluation"), Qt.MouseButton.LeftButton)
    job = page.job
    assert job is not None
    gate.let_through(1)
    qtbot.waitUntil(lambda: "1 of 3 layers" in window.status_line.running_text)

    assert window.status_line.running_text.startswith("1 job: evaluation ")
    assert window.status_line.running_text.endswith("% · 1 of 3 layers on Invented graphics")
    assert "Invented graphics: 24.0 GB (and 1 more)" in window.status_line.text
    assert "of 24.0 GB" not in window.status_line.text + window.status_line.tool_tip
    job.pause()
    assert window.status_line.running_text.endswith("%, paused · 1 of 3 layers on Invented graphics")

    job.resume()
    gate.let_through(100)
    qtbot.waitUntil(lambda: job.over, timeout=20_000)
    assert window.status_line.running_text == "No job running"
    assert "20.0 GB of 24.0 GB free at" in window.status_line.text


def test_a_long_status_line_does_not_widen_the_window(
    qtbot: QtBot, window: MainWindow, theme: Theme, page: EvaluatePage, tmp_path: Path, gate: Gate
) -> None:
    qtbot.waitUntil(lambda: "cores" in window.status_line.text)
    theme.set_percent(200)
    window.resize(1280, 720)
    _choose(qtbot, page, tmp_path, "partly")
    gate.let_through(1)
    qtbot.mouseClick(_button(page, "Start the evaluation"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "layers" in window.status_line.running_text)
    button = window.status_line.findChild(QPushButton)
    label = window.status_line.findChild(QLabel)
    assert button is not None
    assert label is not None
    assert label.fontMetrics().horizontalAdvance(label.text()) > label.width()  # more than there is room for

    for text in (button.text(), button.text() * 5):
        button.setText(text)
        qtbot.waitUntil(lambda: label.geometry().right() < button.geometry().left())
        assert window.width() == 1280
        assert window.status_line.rect().contains(button.geometry())
        assert label.fontMetrics().horizontalAdvance("Offline") <= label.width()


def test_roles_are_told_apart(qtbot: QtBot, page: EvaluatePage, tmp_path: Path) -> None:
    [path] = _files(tmp_path, "fits")
    page.set_up.llms.add([path])
    page.set_up.judge.choose(path)
    answering, judging = _planned(qtbot, page.set_up.memory, 2)

    assert (answering.title, judging.title) == ("fits.gguf", "fits.gguf (judge)")
    assert [wish.role for wish in page.set_up.memory.wishes] == [Role.ANSWERING, Role.JUDGING]
