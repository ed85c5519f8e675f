"""What an evaluation's figures read like; shared by the Evaluate page, Home and the job panel."""

from datetime import datetime

from PySide6.QtCore import QCoreApplication

from workbench.services.plan_texts import computing_text
from workbench.services.progress import Role
from workbench.ui.evaluation_state import EvaluationState, RunProgress, RunState
from workbench.ui.jobs import JobState
from workbench.ui.widgets.visible_text import one_line
from workbench.ui.wording import clock_time, duration, moment_in, number


def job_state_text(state: JobState) -> str:
    """One word for where a job stands."""
    return {
        JobState.RUNNING: QCoreApplication.translate("Progress", "running"),
        JobState.PAUSED: QCoreApplication.translate("Progress", "paused"),
        JobState.STOPPING: QCoreApplication.translate("Progress", "stopping"),
        JobState.FINISHED: QCoreApplication.translate("Progress", "finished"),
        JobState.STOPPED: QCoreApplication.translate("Progress", "stopped"),
        JobState.FAILED: QCoreApplication.translate("Progress", "failed"),
    }[state]


def finish_text(state: EvaluationState, now_s: float) -> str:
    """``14:32 left · finishes about 15:20``; says so when only a part of the time is known, empty when none is."""
    left_s, complete = state.left_s(now_s)
    if left_s is None:
        return ""
    if not complete and left_s == 0:
        return QCoreApplication.translate("Progress", "judging comes next")
    if not complete:
        return QCoreApplication.translate("Progress", "{time} left for the answers, then judging").format(
            time=duration(left_s)
        )
    end = clock_time(moment_in(left_s, datetime.now().astimezone()))
    return QCoreApplication.translate("Progress", "{time} left · finishes about {end}").format(
        time=duration(left_s), end=end
    )


def computing_now_text(state: EvaluationState) -> str:
    """``33 of 33 layers on NVIDIA RTX 4090``: where answers are being written or judged; empty while neither is."""
    answering = judging = ""
    for row in state.runs.values():
        if row.state is RunState.ANSWERING and row.run.load_report is not None:
            answering = computing_text(row.run.load_report.plan)
        beside = row.state is RunState.ANSWERING and row.judged_beside
        if (beside or row.state is RunState.JUDGING) and state.judge_report is not None:
            judging = computing_text(state.judge_report.plan)
    if answering and judging and answering != judging:
        return QCoreApplication.translate("Progress", "answers: {place}, judge: {judge_place}").format(
            place=answering, judge_place=judging
        )
    return answering or judging


def run_state_text(state: EvaluationState, row: RunProgress, now_s: float, *, paused: bool) -> str:
    """``answering · 398 answers/min · 0:52 left`` and what corresponds to it in every other state."""
    match row.state:
        case RunState.ANSWERING:
            parts = [QCoreApplication.translate("Progress", "answering"), _rate(row, now_s), *_left(state, row, now_s)]
            if row.judged_beside:
                parts.append(_judged(row))
        case RunState.ANSWERED:
            parts = [
                QCoreApplication.translate("Progress", "answered"),
                _rate(row, now_s),
                _judged(row) if row.n_judged else QCoreApplication.translate("Progress", "waits for the judge"),
            ]
        case RunState.JUDGING:
            parts = [QCoreApplication.translate("Progress", "judging"), _judged(row), *_left(state, row, now_s)]
        case RunState.LOADING:
            judge = row.role is Role.JUDGING
            parts = [
                QCoreApplication.translate("Progress", "loading the judge")
                if judge
                else QCoreApplication.translate("Progress", "loading")
            ]
        case RunState.FINISHED:
            parts = [QCoreApplication.translate("Progress", "finished"), _rate(row, now_s)]
        case RunState.FAILED:
            happened = row.error.happened if row.error is not None else ""
            parts = [QCoreApplication.translate("Progress", "failed"), one_line(happened, 160)]
        case RunState.STOPPED:
            parts = [
                QCoreApplication.translate("Progress", "stopped"),
                QCoreApplication.translate("Progress", "can be resumed"),
            ]
        case RunState.WAITING:
            parts = [QCoreApplication.translate("Progress", "waiting")]
    if paused and row.state in (RunState.ANSWERING, RunState.JUDGING):
        parts = [QCoreApplication.translate("Progress", "paused"), parts[0]]
    if row.troubles:
        parts.append(QCoreApplication.translate("Progress", "worker restarted {n}×").format(n=len(row.troubles)))
    return " · ".join(part for part in parts if part)


def _judged(row: RunProgress) -> str:
    return QCoreApplication.translate("Progress", "{n} of {total} judged").format(
        n=number(row.n_judged), total=number(row.n_judgements)
    )


def _rate(row: RunProgress, now_s: float) -> str:
    rate = row.answering.per_minute(now_s)
    return (
        "" if rate is None else QCoreApplication.translate("Progress", "{n} answers/min").format(n=number(round(rate)))
    )


def _left(state: EvaluationState, row: RunProgress, now_s: float) -> list[str]:
    left_s = state.run_left_s(row, now_s)
    return (
        [] if left_s is None else [QCoreApplication.translate("Progress", "{time} left").format(time=duration(left_s))]
    )
