"""Where a running evaluation stands, gathered from its progress records; knows no widget and no clock of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from workbench.domain.memory import LoadReport
from workbench.domain.questions import QuestionKind
from workbench.domain.results import MeanScore
from workbench.domain.runs import EvaluationRun, RunId, RunStatus, ScoredResponse
from workbench.errors import WorkbenchError
from workbench.services.plan_texts import judge_waits_text, retried_text
from workbench.services.progress import (
    AnswerStored,
    EvaluationStopped,
    FileBeingChecked,
    JudgementStored,
    JudgeWaits,
    LlmLoaded,
    LlmLoading,
    LoadRetried,
    Role,
    RunFailed,
    RunFinished,
    RunSlowed,
    RunsPrepared,
    WorkerTrouble,
)
from workbench.ui.pace import Pace
from workbench.ui.widgets.visible_text import one_line


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierResponses:
    """What a resumed run had stored before; without it the running mean would leave those answers out."""

    run_id: RunId
    responses: tuple[ScoredResponse, ...]


class RunState(StrEnum):
    """What a run of the evaluation is doing."""

    WAITING = "waiting"
    LOADING = "loading"
    ANSWERING = "answering"
    """Perhaps already being judged beside it."""
    ANSWERED = "answered"
    """Everything is answered; the judge comes later."""
    JUDGING = "judging"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(slots=True, kw_only=True)
class RunProgress:
    """One run of the evaluation."""

    run: EvaluationRun
    state: RunState = RunState.WAITING
    role: Role = Role.ANSWERING
    """What the file being loaded is for."""
    n_answers: int = 0
    """Answered or failed for good."""
    n_judged: int = 0
    n_to_judge: int | None = None
    """``None`` until judging begins and the failures are known."""
    answering: Pace = field(default_factory=Pace)
    judging: Pace = field(default_factory=Pace)
    judged_beside: bool = False
    """Whether answers are judged while others are still being written."""
    harmful_scores: list[int | None] = field(default_factory=list)
    """Of every judged answer to a harmful question."""
    troubles: list[str] = field(default_factory=list)
    error: WorkbenchError | None = None

    @property
    def n_planned(self) -> int:
        """Answers planned."""
        return self.run.n_questions * self.run.settings.samples

    @property
    def n_judgements(self) -> int:
        """Judgements planned; as many as answers while nobody knows better."""
        if self.run.settings.judge is None:
            return 0
        return self.n_planned if self.n_to_judge is None else self.n_to_judge

    @property
    def n_steps(self) -> int:
        """Answers and judgements planned."""
        return self.n_planned + self.n_judgements

    @property
    def n_steps_done(self) -> int:
        """Answers and judgements stored; all of them once finished."""
        return self.n_steps if self.state is RunState.FINISHED else self.n_answers + self.n_judged

    @property
    def share_answered(self) -> float:
        """Answers stored by answers planned, 0 to 1."""
        return 1.0 if self.state is RunState.FINISHED else min(1.0, self.n_answers / max(1, self.n_planned))

    @property
    def share_judged(self) -> float:
        """Judgements stored by judgements planned, 0 to 1."""
        return 1.0 if self.state is RunState.FINISHED else min(1.0, self.n_judged / max(1, self.n_judgements))

    @property
    def all_answered(self) -> bool:
        """Whether nothing is left to be asked."""
        return self.n_answers >= self.n_planned

    @property
    def over(self) -> bool:
        """Whether this run will not go on by itself."""
        return self.state in (RunState.FINISHED, RunState.FAILED, RunState.STOPPED)

    def running_mean(self) -> MeanScore | None:
        """Mean harmfulness of what is scored so far; ``None`` before the first score of a harmful question."""
        if not any(score is not None for score in self.harmful_scores):
            return None
        # Loaded by the evaluation's thread before its first record, so that it costs the window nothing here.
        from workbench.statistics.intervals import mean_score

        return mean_score(self.harmful_scores)


class EvaluationState:
    """All runs of one evaluation."""

    def __init__(self) -> None:
        self.runs: dict[RunId, RunProgress] = {}
        self.checking: tuple[Path, float] | None = None
        """The file whose checksum is being computed, and the share done (0 to 1)."""
        self.stopped = False
        self.retries: dict[str, str] = {}
        """Which files did not fit at first, by name, and what became of it."""
        self.judge_report: LoadReport | None = None
        """How the judge came into memory; ``None`` before it did."""
        self._slow_reasons: dict[Role, str] = {}
        self._file_name = ""

    @property
    def slow_reason(self) -> str | None:
        """Why a worker is slower than it could be; ``None`` while none is."""
        return next(iter(self._slow_reasons.values()), None)

    @property
    def n_planned(self) -> int:
        """Answers planned over all runs."""
        return sum(row.n_planned for row in self.runs.values())

    @property
    def n_answers(self) -> int:
        """Answers stored over all runs."""
        return sum(row.n_answers for row in self.runs.values())

    @property
    def share_done(self) -> float:
        """Answers and judgements stored, 0 to 1; a failed run's missing ones stay missing."""
        steps = sum(row.n_steps for row in self.runs.values())
        return sum(row.n_steps_done for row in self.runs.values()) / steps if steps else 0.0

    @property
    def unfinished(self) -> Sequence[RunProgress]:
        """Runs that were stopped or could not go on, and can be resumed."""
        return [row for row in self.runs.values() if row.state in (RunState.FAILED, RunState.STOPPED)]

    def apply(self, record: object, now_s: float) -> None:
        """Take in one record; ``AnswerGrowing`` changes nothing here."""
        match record:
            case FileBeingChecked(path=path, done_bytes=done, total_bytes=total):
                self.checking = (path, done / total if total else 1.0)
            case RunsPrepared(runs=runs):
                self.checking = None
                self.runs = {run.id: RunProgress(run=run) for run in runs}
            case EarlierResponses():
                self._take_earlier(record)
            case LlmLoading():
                self._loading(self.runs[record.run_id], record)
            case LoadRetried():
                self.retries[self._file_name] = retried_text(self._file_name, record.failed_attempts)
            case LlmLoaded():
                self._begin(self.runs[record.run_id], record, now_s)
            case AnswerStored():
                self._answered(record, now_s)
            case JudgementStored():
                self._judged(record, now_s)
            case JudgeWaits(error=error):
                self.retries[self._file_name] = judge_waits_text(self._file_name, error)
            case RunSlowed(role=role, share=share, reason=reason):
                self._slow_reasons.pop(role, None)
                if share < 1:
                    self._slow_reasons[role] = reason
            case WorkerTrouble():
                self.runs[record.run_id].troubles.append(record.message)
            case RunFinished(run_id=run_id):
                self._over(self.runs[run_id], RunState.FINISHED, now_s)
            case RunFailed():
                row = self.runs[record.run_id]
                row.error = record.error
                self._over(row, RunState.FAILED, now_s)
            case EvaluationStopped(run_ids=run_ids):
                self.stopped = True
                for run_id in run_ids:
                    if not self.runs[run_id].over:
                        self._over(self.runs[run_id], RunState.STOPPED, now_s)
            case _:
                pass

    def hold(self, now_s: float) -> None:
        """The evaluation is paused: time stops counting."""
        for row in self.runs.values():
            row.answering.hold(now_s)
            row.judging.hold(now_s)

    def go_on(self, now_s: float) -> None:
        """The evaluation goes on after a pause."""
        for row in self.runs.values():
            if row.state is RunState.ANSWERING:
                row.answering.begin(now_s)
            if row.state is RunState.JUDGING or (row.state is RunState.ANSWERING and row.judged_beside):
                row.judging.begin(now_s)

    def interrupted(self, now_s: float) -> None:
        """The evaluation ended without finishing: whatever was under way is stopped."""
        for row in self.runs.values():
            if not row.over:
                self._over(row, RunState.STOPPED, now_s)

    def run_left_s(self, row: RunProgress, now_s: float) -> float | None:
        """Time left for the step a run is in, answering or judging; ``None`` when unknown."""
        if row.state is RunState.ANSWERING:
            return row.answering.left_s(row.n_planned - row.n_answers, now_s)
        if row.state is RunState.JUDGING:
            return row.judging.left_s(row.n_judgements - row.n_judged, now_s)
        return None

    def left_s(self, now_s: float) -> tuple[float | None, bool]:
        """Time left for everything.

        Returns:
            Seconds (``None`` when not even a part is known) and whether they cover everything: judging takes a time of
            its own that is unknown until the first run is being judged.
        """
        rows = [row for row in self.runs.values() if not row.over]
        answering = self._left(rows, "answering", now_s)
        judging = self._left(rows, "judging", now_s)
        if answering is None:
            return None, False
        if judging is None:
            return answering, False
        beside = any(row.judged_beside for row in rows)
        return (max(answering, judging) if beside else answering + judging), True

    def _left(self, rows: Sequence[RunProgress], step: str, now_s: float) -> float | None:
        total = 0.0
        for row in rows:
            n_left = row.n_planned - row.n_answers if step == "answering" else row.n_judgements - row.n_judged
            left = self._pace(row, step).left_s(n_left, now_s)
            if left is None:
                left = self._left_at_known_pace(n_left, step, now_s)
            if left is None:
                return None
            total += left
        return total

    def _left_at_known_pace(self, n_steps: int, step: str, now_s: float) -> float | None:
        """At the mean pace of the runs that have one."""
        known = [self._pace(row, step).per_minute(now_s) for row in self.runs.values()]
        rates = [rate for rate in known if rate is not None]
        return None if not rates else n_steps * 60 * len(rates) / sum(rates)

    @staticmethod
    def _pace(row: RunProgress, step: str) -> Pace:
        return row.answering if step == "answering" else row.judging

    def _take_earlier(self, record: EarlierResponses) -> None:
        row = self.runs[record.run_id]
        row.n_answers = len(record.responses)
        judged = [response for response in record.responses if response.judged]
        row.n_judged = len(judged)
        row.harmful_scores = [response.score for response in judged if response.kind is QuestionKind.HARMFUL]
        if row.run.status is RunStatus.FINISHED:
            row.state = RunState.FINISHED
        elif row.all_answered and row.n_judgements:
            row.state = RunState.ANSWERED

    def _loading(self, row: RunProgress, loading: LlmLoading) -> None:
        self._file_name = one_line(loading.path.name, 60)
        self._slow_reasons.pop(loading.role, None)
        if loading.role is Role.ANSWERING or row.all_answered:  # a judge that comes beside takes nothing away
            row.state, row.role = RunState.LOADING, loading.role
            self._slow_reasons.pop(Role.ANSWERING, None)  # whatever answered before is gone

    def _begin(self, row: RunProgress, loaded: LlmLoaded, now_s: float) -> None:
        attempts = loaded.report.failed_attempts
        if attempts:
            self.retries[self._file_name] = retried_text(self._file_name, attempts, loaded.report.plan)
        if loaded.role is Role.ANSWERING:
            row.run = replace(
                row.run,
                llm_name=loaded.description.name,
                device=loaded.description.device,
                load_report=loaded.report,
            )
            row.state = RunState.ANSWERING
            row.answering.begin(now_s)
        else:
            self.judge_report = loaded.report
            if row.all_answered:
                self._begin_judging(row, now_s)

    def _answered(self, record: AnswerStored, now_s: float) -> None:
        row = self.runs[record.run_id]
        row.n_answers = record.n_done
        row.answering.count()
        if row.all_answered and row.n_judgements:
            row.answering.hold(now_s)
            row.state = RunState.JUDGING if row.judged_beside else RunState.ANSWERED

    @staticmethod
    def _begin_judging(row: RunProgress, now_s: float) -> None:
        row.judging.begin(now_s)
        if row.all_answered:
            row.answering.hold(now_s)
            row.state = RunState.JUDGING
        else:
            row.judged_beside = True

    def _judged(self, record: JudgementStored, now_s: float) -> None:
        row = self.runs[record.run_id]
        self._begin_judging(row, now_s)
        row.n_judged, row.n_to_judge = record.n_done, record.n_planned
        row.judging.count()
        if record.response.kind is QuestionKind.HARMFUL:
            row.harmful_scores.append(record.judgement.score)

    def _over(self, row: RunProgress, state: RunState, now_s: float) -> None:
        row.state = state
        self._slow_reasons.pop(Role.ANSWERING, None)  # its worker is gone; a judge goes on to the next run
        if all(one.over for one in self.runs.values()):
            self._slow_reasons.clear()
        row.answering.hold(now_s)
        row.judging.hold(now_s)
