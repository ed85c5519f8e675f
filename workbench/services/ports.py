"""What the use cases need from the outside, as Protocols; ``workbench.app`` decides who fulfils them."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from workbench.domain.judging import Judgement
from workbench.domain.llm import Device, LlmDescription, LoadSettings, Request, SessionEvent
from workbench.domain.memory import DeviceCorrection, LlmLayout, LoadReport, MemoryPlan
from workbench.domain.questions import Question, QuestionDraft, QuestionId
from workbench.domain.results import RunResult
from workbench.domain.runs import (
    EvaluationRun,
    NewResponse,
    PlannedAnswer,
    ResponseId,
    RunId,
    RunSettings,
    ScoredResponse,
)


class LlmSession(Protocol):
    """One model file loaded in a worker process of its own."""

    @property
    def description(self) -> LlmDescription:
        """What was loaded and how."""
        ...

    @property
    def load_report(self) -> LoadReport:
        """How it came into memory."""
        ...

    def run(self, requests: Iterable[Request]) -> Iterator[tuple[SessionEvent, ...]]:
        """Send every request and yield events until each has exactly one final event, in order of completion.

        What happened in one step of the worker comes together, at least one event at a time. Final events are
        ``Answer``, ``ScoreReply`` and ``RequestFailure``. ``requests`` is consumed lazily and in order. A worker that
        dies, hangs or talks rubbish is replaced (``WorkerRestarted``). One call at a time.

        Raises:
            EngineError: If the worker cannot be brought back.
        """
        ...

    def pause(self) -> None:
        """Hold the worker after its current step; nothing is lost. From any thread."""
        ...

    def resume(self) -> None:
        """Go on after ``pause``. From any thread."""
        ...

    def stop(self) -> None:
        """Give up unfinished requests within one step; ``run`` then ends without events for them. From any thread."""
        ...

    def close(self) -> None:
        """End the worker and free its memory; returns when the process is gone. Safe to call twice."""
        ...


class InferenceEngine(Protocol):
    """Runs model files."""

    def check(self, path: Path) -> None:
        """Look at a file without loading it.

        Raises:
            ModelFileError: If it is missing, a folder, empty, or plainly no model file.
        """
        ...

    def plan(
        self, path: Path, settings: LoadSettings, corrections: Sequence[DeviceCorrection] = ()
    ) -> tuple[LlmLayout, MemoryPlan]:
        """How a model file would be loaded now, without loading it; a short-lived worker reads its header.

        Raises:
            ModelFileError: If the header cannot be used.
            EngineError: If the worker failed.
        """
        ...

    def open(self, path: Path, settings: LoadSettings, corrections: Sequence[DeviceCorrection] = ()) -> LlmSession:
        """Load a model file; where memory does not suffice, again with a smaller plan, at most twice.

        Raises:
            ModelFileError: If the file cannot be used; ``NoChatTemplateError`` if it does not say how to talk to it,
                ``OutOfMemoryError`` if no plan fits.
            AdapterError: If the adapter cannot be used.
            EngineError: If the worker failed.
        """
        ...

    def devices(self) -> tuple[Device, ...]:
        """Where llama.cpp can compute, asked of a short-lived worker."""
        ...

    def versions(self) -> tuple[tuple[str, str], ...]:
        """Name and version of the parts of the engine, asked of a short-lived worker."""
        ...


class EvaluationStore(Protocol):
    """The database as the use cases see it. Every method may be called from any thread and may raise StorageError."""

    @property
    def path(self) -> Path:
        """The database file."""
        ...

    @property
    def sqlite_version(self) -> str:
        """Version of the SQLite library in use."""
        ...

    def save_question_set(self, name: str, drafts: Sequence[QuestionDraft]) -> None:
        """Create or update a set: a draft whose wording is new becomes a new revision; nothing is deleted."""
        ...

    def question_sets(self) -> list[str]:
        """Names of all sets, in alphabetical order."""
        ...

    def questions(self, question_set: str) -> list[Question]:
        """The current revision of every question of a set, in the set's order; empty for an unknown set."""
        ...

    def create_run(self, settings: RunSettings, questions: Sequence[Question]) -> RunId:
        """Store a new run with the exact revisions it will ask, in order."""
        ...

    def record_llm(self, run_id: RunId, description: LlmDescription, report: LoadReport) -> None:
        """Store what was loaded for a run and how: name, device, layers, versions, plan, allocations, failed attempts.

        What the loading teaches about the devices (``memory.corrections_from``) is kept as well.
        """
        ...

    def device_corrections(self) -> tuple[DeviceCorrection, ...]:
        """What earlier loadings taught; for each device the highest of its last few ratios."""
        ...

    def record_loading(self, report: LoadReport) -> None:
        """Keep what a judge's loading teaches about the devices; once, however many runs it judges."""
        ...

    def record_judge(self, run_id: RunId, description: LlmDescription, report: LoadReport) -> None:
        """Store how the judge of a run was loaded, in full; the run's ``judge_report`` is the newest."""
        ...

    def finish_run(self, run_id: RunId) -> None:
        """Mark a run as finished."""
        ...

    def run(self, run_id: RunId) -> EvaluationRun:
        """One run.

        Raises:
            UsageError: If there is no such run.
        """
        ...

    def runs(self) -> list[EvaluationRun]:
        """All runs, newest first."""
        ...

    def changed_questions(self, run_id: RunId) -> list[QuestionId]:
        """Questions of a run whose wording has changed since the run was created."""
        ...

    def missing_answers(self, run_id: RunId) -> list[PlannedAnswer]:
        """What a run has still to ask, in order: sample by sample of each question, with the revision's wording."""
        ...

    def add_responses(self, run_id: RunId, responses: Sequence[NewResponse]) -> list[ResponseId]:
        """Store responses that came together durably, in one commit: all of them or none.

        A second response to the same planned answer is an error.
        """
        ...

    def unjudged(self, run_id: RunId) -> list[ScoredResponse]:
        """Responses with an answer that have no judgement yet, in the order they were stored."""
        ...

    def add_judgements(self, run_id: RunId, judgements: Sequence[Judgement]) -> None:
        """Store judgements by the run's judge that came together durably, in one commit: all of them or none."""
        ...

    def scored_responses(self, run_id: RunId) -> list[ScoredResponse]:
        """All responses of a run with their current judgement, in order of asking."""
        ...

    def close(self) -> None:
        """Finish pending writes and let go of the file."""
        ...


class SummaryWriter(Protocol):
    """Writes results as a document for people."""

    def write(self, results: Sequence[RunResult], path: Path) -> None:
        """Write a self-contained file; an existing one is replaced only by a complete one.

        Raises:
            StorageError: If the file cannot be written.
        """
        ...
