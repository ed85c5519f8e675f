"""Evaluate: choose, start, watch, pause, stop, resume, fail."""

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QComboBox, QPushButton
from pytestqt.qtbot import QtBot

from tests.helpers.fake_engine import FakeEngine
from tests.helpers.gated_engine import Gate
from tests.ui.conftest import N_QUESTIONS
from workbench.domain.questions import QuestionKind
from workbench.domain.runs import JudgeMode, RunStatus
from workbench.services.workbench import Workbench
from workbench.ui.evaluation_state import RunState
from workbench.ui.jobs import EvaluationJob, JobState
from workbench.ui.main_window import MainWindow
from workbench.ui.pages.evaluate_page import EvaluatePage

_LIMIT_MS = 20_000


@pytest.fixture
def engine(gate: Gate) -> FakeEngine:
    return FakeEngine(reply=gate)


@pytest.fixture
def page(qtbot: QtBot, window: MainWindow) -> EvaluatePage:
    """The page in its window, with the question sets read."""
    window.go_to("evaluate")
    found = window.evaluate_page
    qtbot.waitUntil(lambda: len(found.set_up.questions.chosen_questions()) == N_QUESTIONS)
    return found


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two model files and a judge."""
    paths = [tmp_path / name for name in ("safe-Q4_K_M.gguf", "open-Q8_0.gguf", "judge.gguf")]
    for path in paths:
        path.write_bytes(path.name.encode())
    return paths


def _button(page: EvaluatePage, name: str) -> QPushButton:
    return next(button for button in page.findChildren(QPushButton) if button.accessibleName() == name)


def _choose(qtbot: QtBot, page: EvaluatePage, llms: list[Path], judge: Path | None = None) -> None:
    page.set_up.llms.add(llms)
    if judge is not None:
        page.set_up.judge.choose(judge)
    qtbot.waitUntil(lambda: len(page.set_up.llms.rows) == len(llms) and page.set_up.judge.path == judge)
    qtbot.waitUntil(_button(page, "Start the evaluation").isEnabled)


def _start(qtbot: QtBot, page: EvaluatePage) -> EvaluationJob:
    qtbot.mouseClick(_button(page, "Start the evaluation"), Qt.MouseButton.LeftButton)
    assert page.job is not None
    return page.job


def _texts(page: EvaluatePage) -> list[tuple[str, str, str]]:
    page.view.refresh()
    return page.view.texts


def test_start_waits_for_a_model_and_a_question(qtbot: QtBot, page: EvaluatePage, files: list[Path]) -> None:
    start = _button(page, "Start the evaluation")
    assert not start.isEnabled()
    assert "Add at least one model file" in page.set_up.summary

    _choose(qtbot, page, files[:1])
    assert start.isEnabled()

    qtbot.mouseClick(_button(page, "Choose no principle"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not start.isEnabled())
    assert "at least one question" in page.set_up.summary


def test_the_summary_counts_answers_and_admits_what_is_not_known(
    qtbot: QtBot, page: EvaluatePage, files: list[Path]
) -> None:
    _choose(qtbot, page, files[:2], files[2])

    assert "2 models, 6 questions: 12 answers, each judged." in page.set_up.summary
    assert "known once the first answers are there" in page.set_up.summary
    qtbot.waitUntil(lambda: "Memory: 1.2 GiB at most for one file, which fits." in page.set_up.summary)


def test_every_choice_reaches_the_request(qtbot: QtBot, page: EvaluatePage, files: list[Path]) -> None:
    _choose(qtbot, page, files[:2], files[2])
    page.set_up.settings.choose("no-system-prompt", max_tokens=77)
    page.set_up.llms.rows[1].set_adapter(files[0])

    request = page.set_up.request()

    assert [llm.path for llm in request.llms] == files[:2]
    assert request.llms[1].adapter is not None
    assert (request.llms[1].adapter.path, request.llms[1].adapter.scale) == (files[0], 1.0)
    assert (request.preset, request.system_prompt, request.max_tokens) == ("no-system-prompt", "", 77)
    assert request.judge is not None
    assert (request.judge.path, request.judge.mode, request.judge.rubric) == (files[2], JudgeMode.SCORE, None)
    assert request.selection.principles is None


def test_a_file_that_cannot_be_used_is_refused_with_words(qtbot: QtBot, page: EvaluatePage, tmp_path: Path) -> None:
    page.set_up.llms.add([tmp_path / "missing.gguf"])

    qtbot.waitUntil(page.set_up.llms.banner.isVisible)
    assert page.set_up.llms.rows == []


def test_files_can_be_dropped_and_removed(qtbot: QtBot, page: EvaluatePage, files: list[Path]) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in files])
    none = Qt.KeyboardModifier.NoModifier
    event = QDropEvent(QPoint(5, 5), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, none)
    page.set_up.llms.dropEvent(event)
    qtbot.waitUntil(lambda: len(page.set_up.llms.rows) == 3)

    qtbot.mouseClick(_button(page, f"Remove {page.set_up.llms.rows[0].path.name}"), Qt.MouseButton.LeftButton)

    assert len(page.set_up.llms.rows) == 2


def test_the_whole_story(qtbot: QtBot, page: EvaluatePage, files: list[Path], gate: Gate, workbench: Workbench) -> None:
    _choose(qtbot, page, files[:2], files[2])
    job = _start(qtbot, page)
    gate.let_through(2)
    qtbot.waitUntil(lambda: job.state.n_answers == 2)

    first, second = _texts(page)
    assert first[0].startswith("answering")
    assert first[1:] == ("2 of 6", "–")
    assert second == ("waiting", "0 of 6", "–")

    gate.let_through(100)
    qtbot.waitUntil(lambda: job.over, timeout=_LIMIT_MS)
    assert job.job_state is JobState.FINISHED
    assert [texts[1:] for texts in _texts(page)] == [("6 of 6", "2.00 [1.37, 3.89]")] * 2
    assert all(texts[0].startswith("finished") for texts in _texts(page))
    assert [run.status for run in workbench.results.runs()] == [RunStatus.FINISHED] * 2

    with qtbot.waitSignal(page.results_wanted) as wanted:
        qtbot.mouseClick(_button(page, "Open results"), Qt.MouseButton.LeftButton)
    assert wanted.args == [job.run_ids]


def test_pausing_holds_the_session_and_the_clock(
    qtbot: QtBot, page: EvaluatePage, files: list[Path], gate: Gate, engine: FakeEngine
) -> None:
    _choose(qtbot, page, files[:1])
    job = _start(qtbot, page)
    gate.let_through(1)
    qtbot.waitUntil(lambda: job.state.n_answers == 1)

    qtbot.mouseClick(_button(page, "Pause the evaluation"), Qt.MouseButton.LeftButton)
    assert engine.sessions[-1].paused
    assert _texts(page)[0][0].startswith("paused")

    qtbot.mouseClick(_button(page, "Resume the evaluation"), Qt.MouseButton.LeftButton)
    assert not engine.sessions[-1].paused
    gate.let_through(100)
    qtbot.waitUntil(lambda: job.over, timeout=_LIMIT_MS)


def test_a_stopped_evaluation_resumes_with_what_is_missing(
    qtbot: QtBot, page: EvaluatePage, files: list[Path], gate: Gate, workbench: Workbench
) -> None:
    _choose(qtbot, page, files[:1], files[2])
    job = _start(qtbot, page)
    gate.let_through(2)
    qtbot.waitUntil(lambda: job.state.n_answers == 2)
    qtbot.mouseClick(_button(page, "Stop the evaluation"), Qt.MouseButton.LeftButton)
    gate.let_through(1)
    qtbot.waitUntil(lambda: job.over, timeout=_LIMIT_MS)
    assert job.job_state is JobState.STOPPED
    assert _texts(page)[0][0].startswith("stopped")

    start = _button(page, "Start the evaluation")
    assert start.text() == "Resume"
    gate.let_through(100)
    qtbot.mouseClick(start, Qt.MouseButton.LeftButton)
    resumed = page.job
    assert resumed is not None
    assert resumed is not job
    qtbot.waitUntil(lambda: resumed.over, timeout=_LIMIT_MS)

    assert resumed.job_state is JobState.FINISHED
    assert _texts(page)[0][1:] == ("6 of 6", "2.00 [1.37, 3.89]")
    [run] = workbench.results.runs()
    assert len(workbench.results.responses(run.id)) == N_QUESTIONS


def test_a_model_that_cannot_be_loaded_fails_alone_and_is_told_once(
    qtbot: QtBot, page: EvaluatePage, window: MainWindow, files: list[Path], gate: Gate
) -> None:
    files[0].write_bytes(b"broken")
    _choose(qtbot, page, files[:2])
    gate.let_through(100)
    job = _start(qtbot, page)
    qtbot.waitUntil(lambda: job.over, timeout=_LIMIT_MS)

    failed, finished = job.state.runs.values()
    assert (failed.state, finished.state) == (RunState.FAILED, RunState.FINISHED)
    assert _texts(page)[0][0].startswith("failed · safe-Q4_K_M.gguf cannot be used.")
    assert not page.banner.isVisible()
    assert [kept.error for kept in window.jobs.errors] == [failed.error]


def test_an_evaluation_that_never_began_goes_back_to_the_choices(
    qtbot: QtBot, page: EvaluatePage, window: MainWindow, files: list[Path]
) -> None:
    _choose(qtbot, page, files[:1])
    files[0].unlink()
    job = _start(qtbot, page)
    qtbot.waitUntil(lambda: job.over, timeout=_LIMIT_MS)

    assert page.banner.isVisible()
    assert page.banner.error is job.error
    assert page.job is None
    assert page.set_up.isVisible()
    assert len(window.jobs.errors) == 1


def test_without_a_judge_there_is_no_mean(qtbot: QtBot, page: EvaluatePage, files: list[Path], gate: Gate) -> None:
    _choose(qtbot, page, files[:1])
    gate.let_through(100)
    job = _start(qtbot, page)
    qtbot.waitUntil(lambda: job.over, timeout=_LIMIT_MS)

    assert _texts(page)[0][1:] == ("6 of 6", "–")


def test_benign_questions_can_be_asked_alone(page: EvaluatePage) -> None:
    assert page.set_up.questions.selection().kind is None
    combos = {combo.accessibleName(): combo for combo in page.findChildren(QComboBox)}
    combos["Kind of question"].setCurrentText("Benign only")

    assert page.set_up.questions.selection().kind is QuestionKind.BENIGN
    assert len(page.set_up.questions.chosen_questions()) == N_QUESTIONS // 2


def test_an_earlier_run_tells_how_long_it_will_take(
    qtbot: QtBot, page: EvaluatePage, files: list[Path], gate: Gate
) -> None:
    _choose(qtbot, page, files[:1])
    gate.let_through(100)
    job = _start(qtbot, page)
    qtbot.waitUntil(lambda: job.over, timeout=_LIMIT_MS)

    qtbot.mouseClick(_button(page, "New evaluation"), Qt.MouseButton.LeftButton)

    qtbot.waitUntil(lambda: "by earlier runs on this computer" in page.set_up.summary)
