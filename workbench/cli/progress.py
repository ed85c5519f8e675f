"""Progress on standard error: bars on a terminal, a line now and then anywhere else."""

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from workbench.domain.memory import MemoryPlan, PlanNote
from workbench.domain.runs import RunId
from workbench.domain.text import visible
from workbench.services.control import RunControl
from workbench.services.plan_texts import judge_waits_text, loaded_text, note_texts, retried_text, slowed_text
from workbench.services.progress import (
    AnswerGrowing,
    AnswerStored,
    EvaluationStopped,
    FileBeingChecked,
    JudgementStored,
    JudgeWaits,
    LlmLoaded,
    LlmLoading,
    LoadRetried,
    Progress,
    Role,
    RunFailed,
    RunFinished,
    RunSlowed,
    RunsPrepared,
    WorkerTrouble,
)

_LINES_PER_PHASE = 4


class ProgressDisplay:
    """Shows an evaluation while it goes on and remembers how it ended.

    Args:
        database: The database that was chosen, so that the command to resume can name it; ``None`` for the usual one.
    """

    def __init__(self, database: Path | None) -> None:
        self._database = database
        self.run_ids: list[RunId] = []
        self._exit_code = 0
        self._console = Console(stderr=True, highlight=False)
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[tuple[RunId, Role], TaskID] = {}
        self._names: dict[RunId, str] = {}
        self._resumed: set[RunId] = set()
        """Runs that repeat the choices of their first loading."""
        self._loading = ""
        """Name of the file loaded last."""

    def follow(self, evaluation: Generator[Progress, None, None], control: RunControl) -> int:
        """Consume an evaluation to its end; returns the exit code: 0, 1 if a run failed, 130 if it was stopped."""
        with self._bars:
            for progress in evaluation:
                self._show(progress)
        return 130 if control.stopped else self._exit_code

    def _show(self, progress: Progress) -> None:
        match progress:
            case RunsPrepared(runs=runs):
                self.run_ids = [run.id for run in runs]
                self._names = {run.id: run.settings.model_file.path.name for run in runs}
                self._resumed = {run.id for run in runs if run.load_report is not None}
                for run in runs:
                    self._say(f"Run {run.id}: {self._names[run.id]}, {run.n_questions} questions")
            case FileBeingChecked(path=path, done_bytes=done, total_bytes=total) if done == total:
                self._say(f"Checked {path.name}")
            case LlmLoading(role=role, path=path):
                self._loading = path.name
                self._say(f"Loading {path.name} for {role}")
            case LoadRetried(failed_attempts=attempts):
                for n_tried in range(1, len(attempts) + 1):
                    self._say(retried_text(self._loading, attempts[:n_tried]))
            case LlmLoaded(run_id=run_id, role=role, description=description, report=report):
                self._say(f"Loaded {description.name} {loaded_text(report.plan)}")
                self._say_notes(report.plan, repeated=role is Role.JUDGING or run_id in self._resumed)
            case JudgeWaits(error=error):
                self._say(judge_waits_text(self._loading, error))
            case RunSlowed(run_id=run_id, role=role, share=share, reason=reason):
                self._say(f"Run {run_id} {role}: {'Back to the usual speed' if share >= 1 else slowed_text(reason)}")
            case AnswerStored(run_id=run_id, n_done=done, n_planned=planned, response=response):
                self._advance(run_id, Role.ANSWERING, done, planned)
                if response.failure is not None:
                    self._say(f"No answer to {progress.planned.question.id}: {response.failure_message}")
            case JudgementStored(run_id=run_id, n_done=done, n_planned=planned):
                self._advance(run_id, Role.JUDGING, done, planned)
            case WorkerTrouble(message=message):
                self._say(f"The worker was restarted: {message}")
            case RunFinished(run_id=run_id):
                self._say(f"Run {run_id} is finished")
            case RunFailed(run_id=run_id, error=error):
                self._exit_code = error.exit_code
                self._say(f"Run {run_id} could not go on. {error}")
                if error.detail:
                    self._say(f"Detail: {error.detail}")
                self._say(f"When the cause is removed, go on with: {self._resume_command([run_id])}")
            case EvaluationStopped(run_ids=run_ids):
                self._say(f"Stopped. Every answer stored so far is safe. Go on with: {self._resume_command(run_ids)}")
            case AnswerGrowing() | FileBeingChecked():
                pass

    def _say_notes(self, plan: MemoryPlan, *, repeated: bool) -> None:
        """What a person should know about a plan, but not that a repeated one states every choice: nobody made it."""
        notes = (note for note in plan.notes if not repeated or note is not PlanNote.OVERRIDDEN)
        for sentence in note_texts(replace(plan, notes=tuple(notes))):
            self._say(sentence)

    def _advance(self, run_id: RunId, role: Role, done: int, planned: int) -> None:
        if not self._console.is_terminal:
            step = max(1, planned // _LINES_PER_PHASE)
            if done % step == 0 or done == planned:
                self._say(f"Run {run_id} {role}: {done} of {planned}")
            return
        key = (run_id, role)
        if key not in self._tasks:
            label = escape(f"{self._names.get(run_id, str(run_id))} · {role}")
            self._tasks[key] = self._bars.add_task(label, total=planned)
        self._bars.update(self._tasks[key], completed=done)

    def _resume_command(self, run_ids: Sequence[RunId]) -> str:
        chosen = "" if self._database is None else f' --database "{self._database}"'
        return f"workbench evaluate {' '.join(f'--resume {run_id}' for run_id in run_ids)}{chosen}"

    def _say(self, text: str) -> None:
        self._console.print(escape(visible(text)), soft_wrap=True)
