"""Judgements: verdicts that are only ever added, and the responses they belong to."""

import json
import sqlite3
from collections.abc import Sequence

from sqlite_utils import Database

from workbench.domain.judging import Judgement
from workbench.domain.llm import AnswerFlag, FailureCode
from workbench.domain.questions import QuestionId, QuestionKind, RevisionId
from workbench.domain.runs import ResponseId, RunId, ScoredResponse
from workbench.errors import UsageError
from workbench.storage.event_log import canonical_json, now_utc
from workbench.storage.faults import readable
from workbench.storage.run_repository import find_run
from workbench.storage.settings_codec import clean_text


def add_judgements(db: Database, run_id: RunId, judgements: Sequence[Judgement]) -> None:
    """Store judgements by the run's judge in one commit; each supersedes that judge's earlier one.

    Raises:
        UsageError: If the run has no judge or no such response.
    """
    created_at = now_utc()
    with db.atomic():
        added = db.conn.executemany(_ADD_JUDGEMENT, [_values(run_id, one, created_at) for one in judgements])
        if added.rowcount < len(judgements):
            raise UsageError(
                f"Run {run_id} has no judge, or a response to be judged is not one of its own.",
                safe="Nothing was changed.",
                todo="Choose a judge for the run.",
                detail=f"responses {', '.join(str(one.response_id) for one in judgements)}",
            )


_ADD_JUDGEMENT = """
    INSERT INTO judgement (
        response_id, rater_id, score, probabilities, expected_score, explanation, raw_text, flags, created_at,
        supersedes
    )
    SELECT
        response.id, run.rater_id, :score, :probabilities, :expected_score, :explanation, :raw_text, :flags,
        :created_at,
        (SELECT id FROM current_judgement AS held WHERE held.response_id = response.id AND held.rater_id = run.rater_id)
    FROM response
    JOIN evaluation_run AS run ON run.id = response.run_id
    WHERE response.id = :response_id AND run.id = :run_id AND run.rater_id IS NOT NULL
    """


def _values(run_id: RunId, judgement: Judgement, created_at: str) -> dict[str, object]:
    return {
        "run_id": run_id,
        "response_id": judgement.response_id,
        "score": judgement.score,
        "probabilities": None if judgement.probabilities is None else canonical_json(judgement.probabilities),
        "expected_score": judgement.expected_score,
        "explanation": clean_text(judgement.explanation),
        "raw_text": clean_text(judgement.raw_text),
        "flags": canonical_json(judgement.flags),
        "created_at": created_at,
    }


def unjudged(db: Database, run_id: RunId) -> list[ScoredResponse]:
    """Responses with an answer and without a judgement by the run's judge, in the order they were stored."""
    find_run(db, run_id)
    rows = db.execute(
        "SELECT * FROM scored_response WHERE run_id = ? AND text IS NOT NULL AND NOT judged ORDER BY response_id",
        [run_id],
    )
    return [_scored_response_from(row) for row in rows.fetchall()]


def scored_responses(db: Database, run_id: RunId) -> list[ScoredResponse]:
    """All responses of a run with their current judgement, in order of asking."""
    find_run(db, run_id)
    rows = db.execute("SELECT * FROM scored_response WHERE run_id = ? ORDER BY position, sample", [run_id])
    return [_scored_response_from(row) for row in rows.fetchall()]


def _scored_response_from(row: sqlite3.Row) -> ScoredResponse:
    with readable():
        return ScoredResponse(
            response_id=ResponseId(row["response_id"]),
            run_id=RunId(row["run_id"]),
            question_id=QuestionId(row["question_id"]),
            revision_id=RevisionId(row["revision_id"]),
            pair=row["pair"],
            kind=QuestionKind(row["kind"]),
            principle=row["principle"],
            question=row["question"],
            sample=row["sample"],
            text=row["text"],
            reasoning=row["reasoning"],
            flags=tuple(AnswerFlag(flag) for flag in json.loads(row["flags"])),
            failure=None if row["failure"] is None else FailureCode(row["failure"]),
            failure_message=row["failure_message"],
            n_tokens=row["n_tokens"],
            duration_s=row["duration_s"],
            judged=bool(row["judged"]),
            score=row["score"],
            expected_score=row["expected_score"],
            score_reason=row["score_reason"],
        )
