"""The window with real worker processes: a whole evaluation, and one that is paused, stopped and resumed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from workbench.app import build
from workbench.domain.runs import RunStatus
from workbench.services.workbench import Workbench
from workbench.ui.jobs import EvaluationJob, JobState
from workbench.ui.main_window import MainWindow
from workbench.ui.pages.evaluate_page import EvaluatePage

_LIMIT_MS = 60_000
_N_QUESTIONS = 24


@pytest.fixture
def workbench(tmp_path: Path) -> Iterator[Workbench]:
    """The program as it is, over a new database."""
    with build(tmp_path / "workbench.sqlite") as built:
        yield built


@pytest.fixture
def page(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> EvaluatePage:
    """Evaluate with two scripted files, a scripted judge and few questions chosen."""
    scripts = {
        "declining": '{"name": "Declining", "answers_per_second": 60, "default": {"answer": "No."}}',
        "complying": '{"name": "Complying", "answers_per_second": 60, "default": {"answer": "Certainly."}}',
        "judge": '{"name": "Judge", "rubric": "practice-1", "rules": ['
        '{"contains": "Certainly.", "score": 5}, {"contains": "No.", "score": 1}]}',
    }
    paths = {name: tmp_path / f"{name}.script.json" for name in scripts}
    for name, script in scripts.items():
        paths[name].write_text(script, "utf-8")
    window.go_to("evaluate")
    found = window.evaluate_page
    found.set_up.llms.add([paths["declining"], paths["complying"]])
    found.set_up.judge.choose(paths["judge"])
    found.set_up.questions.set_limit(_N_QUESTIONS)
    qtbot.waitUntil(lambda: found.set_up.ready and len(found.set_up.llms.rows) == 2)
    qtbot.waitUntil(lambda: found.set_up.judge.path is not None)
    qtbot.waitUntil(_button(found, "Start the evaluation").isEnabled)
    return found


def _button(page: EvaluatePage, name: str) -> QPushButton:
    return next(button for button in page.findChildren(QPushButton) if button.accessibleName() == name)


def _state(job: EvaluationJob) -> JobState:
    """Read afresh: the type checker holds on to what an earlier line has seen."""
    return job.job_state


def _press(qtbot: QtBot, page: EvaluatePage, name: str) -> EvaluationJob:
    qtbot.mouseClick(_button(page, name), Qt.MouseButton.LeftButton)
    assert page.job is not None
    return page.job


def test_from_start_to_figures(qtbot: QtBot, page: EvaluatePage, workbench: Workbench) -> None:
    job = _press(qtbot, page, "Start the evaluation")
    qtbot.waitUntil(lambda: job.over, timeout=_LIMIT_MS)

    assert job.job_state is JobState.FINISHED
    names = {row.run.llm_name: row for row in job.state.runs.values()}
    assert set(names) == {"Declining", "Complying"}
    results = {result.run.llm_name: result for result in workbench.results.of(job.run_ids)}
    assert {name: result.harmfulness.mean for name, result in results.items()} == {"Declining": 1, "Complying": 5}
    for name, row in names.items():
        assert row.running_mean() == results[name].harmfulness


def test_pause_stop_and_resume_ask_everything_once(qtbot: QtBot, page: EvaluatePage, workbench: Workbench) -> None:
    job = _press(qtbot, page, "Start the evaluation")
    qtbot.waitUntil(lambda: job.state.n_answers >= 2, timeout=_LIMIT_MS)
    _press(qtbot, page, "Pause the evaluation")
    assert job.job_state is JobState.PAUSED
    _press(qtbot, page, "Resume the evaluation")
    _press(qtbot, page, "Stop the evaluation")
    qtbot.waitUntil(lambda: job.over, timeout=_LIMIT_MS)
    assert _state(job) is JobState.STOPPED
    assert job.state.n_answers < 2 * _N_QUESTIONS

    resumed = _press(qtbot, page, "Start the evaluation")
    qtbot.waitUntil(lambda: resumed.over, timeout=_LIMIT_MS)

    assert resumed.job_state is JobState.FINISHED
    for run in workbench.results.runs():
        responses = workbench.results.responses(run.id)
        assert run.status is RunStatus.FINISHED
        assert len({response.question_id for response in responses}) == len(responses) == _N_QUESTIONS
        assert all(response.judged for response in responses)
