"""The database behind the use cases: every question goes to the one thread that owns the file."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from workbench.domain.judging import Judgement
from workbench.domain.llm import LlmDescription
from workbench.domain.memory import DeviceCorrection, LoadReport
from workbench.domain.questions import Question, QuestionDraft, QuestionId
from workbench.domain.runs import (
    EvaluationRun,
    NewResponse,
    PlannedAnswer,
    ResponseId,
    RunId,
    RunSettings,
    ScoredResponse,
)
from workbench.storage import (
    device_repository,
    judgement_repository,
    question_repository,
    response_repository,
    run_repository,
)
from workbench.storage.database import DatabaseThread


class SqliteEvaluationStore:
    """Questions, runs, responses and judgements in one SQLite file; see ``EvaluationStore`` for what each call does.

    Every call may come from any thread. Where text holds lone surrogates, which cannot be stored, they become U+FFFD;
    the bytes of an answer are stored unchanged.
    """

    def __init__(self, database: DatabaseThread) -> None:
        self._database = database

    @classmethod
    def open(cls, path: Path, *, create: bool = True) -> Self:
        """Open the file, made with its folder where there is none, and bring it to the current form.

        Before the form of an existing file changes, a copy is put beside it. The file is held until ``close``.

        Raises:
            StorageError: If the file cannot be used, or if there is none and ``create`` is false.
        """
        return cls(DatabaseThread.open(path, create=create))

    @property
    def path(self) -> Path:
        """The database file."""
        return self._database.path

    @property
    def sqlite_version(self) -> str:
        """Version of the SQLite library in use."""
        return sqlite3.sqlite_version

    def save_question_set(self, name: str, drafts: Sequence[QuestionDraft]) -> None:
        """Create or update a set; nothing is written when it holds just this already."""
        self._database.call(question_repository.save_question_set, name, drafts)

    def question_sets(self) -> list[str]:
        """Names of all sets."""
        return self._database.call(question_repository.question_sets)

    def questions(self, question_set: str) -> list[Question]:
        """What a set holds now."""
        return self._database.call(question_repository.questions, question_set)

    def create_run(self, settings: RunSettings, questions: Sequence[Question]) -> RunId:
        """Store a new run."""
        return self._database.call(run_repository.create_run, settings, questions)

    def record_llm(self, run_id: RunId, description: LlmDescription, report: LoadReport) -> None:
        """Store what was loaded for a run and how."""
        self._database.call(run_repository.record_llm, run_id, description, report)

    def device_corrections(self) -> tuple[DeviceCorrection, ...]:
        """What earlier loadings taught."""
        return self._database.call(device_repository.device_corrections)

    def record_loading(self, report: LoadReport) -> None:
        """Keep what a loading teaches about the devices."""
        self._database.call(device_repository.record_loading, report)

    def record_judge(self, run_id: RunId, description: LlmDescription, report: LoadReport) -> None:
        """Store how the judge of a run was loaded."""
        self._database.call(run_repository.record_judge, run_id, description, report)

    def finish_run(self, run_id: RunId) -> None:
        """Mark a run as finished."""
        self._database.call(run_repository.finish_run, run_id)

    def run(self, run_id: RunId) -> EvaluationRun:
        """One run."""
        return self._database.call(run_repository.find_run, run_id)

    def runs(self) -> list[EvaluationRun]:
        """All runs, newest first."""
        return self._database.call(run_repository.all_runs)

    def changed_questions(self, run_id: RunId) -> list[QuestionId]:
        """Questions of a run that are worded differently now."""
        return self._database.call(run_repository.changed_questions, run_id)

    def missing_answers(self, run_id: RunId) -> list[PlannedAnswer]:
        """What a run has still to ask."""
        return self._database.call(response_repository.missing_answers, run_id)

    def add_responses(self, run_id: RunId, responses: Sequence[NewResponse]) -> list[ResponseId]:
        """Store responses together; when this returns they survive a power cut."""
        return self._database.call(response_repository.add_responses, run_id, responses)

    def unjudged(self, run_id: RunId) -> list[ScoredResponse]:
        """Answers that wait for the run's judge."""
        return self._database.call(judgement_repository.unjudged, run_id)

    def add_judgements(self, run_id: RunId, judgements: Sequence[Judgement]) -> None:
        """Store judgements together; when this returns they survive a power cut."""
        self._database.call(judgement_repository.add_judgements, run_id, judgements)

    def scored_responses(self, run_id: RunId) -> list[ScoredResponse]:
        """Responses of a run with their current judgement."""
        return self._database.call(judgement_repository.scored_responses, run_id)

    def close(self) -> None:
        """Let go of the file. Safe to call twice."""
        self._database.close()
