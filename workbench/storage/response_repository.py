"""Responses: what came back, and what is still to be asked."""

import sqlite3
from collections.abc import Sequence

from sqlite_utils import Database

from workbench.domain.runs import NewResponse, PlannedAnswer, ResponseId, RunId
from workbench.errors import StorageError
from workbench.storage.event_log import canonical_json, now_utc
from workbench.storage.question_repository import question_from
from workbench.storage.run_repository import find_run
from workbench.storage.settings_codec import clean_text


def missing_answers(db: Database, run_id: RunId) -> list[PlannedAnswer]:
    """Planned answers without a response, in order of asking; a failure is a response."""
    find_run(db, run_id)
    rows = db.execute(
        """
        WITH RECURSIVE planned (sample, samples) AS (
            SELECT 0, samples FROM evaluation_run WHERE id = :run_id
            UNION ALL SELECT sample + 1, samples FROM planned WHERE sample + 1 < samples
        )
        SELECT worded_question.*, planned.sample
        FROM run_question
        CROSS JOIN planned
        JOIN worded_question USING (revision_id)
        LEFT JOIN response USING (run_id, revision_id, sample)
        WHERE run_id = :run_id AND response.id IS NULL
        ORDER BY run_question.position, planned.sample
        """,
        {"run_id": run_id},
    )
    return [PlannedAnswer(question=question_from(row), sample=row["sample"]) for row in rows.fetchall()]


def add_responses(db: Database, run_id: RunId, responses: Sequence[NewResponse]) -> list[ResponseId]:
    """Store responses in one commit.

    Raises:
        StorageError: If a planned answer has one already, or was never planned.
    """
    created_at = now_utc()
    try:
        with db.atomic():
            db.conn.executemany(_ADD_RESPONSE, [_values(run_id, response, created_at) for response in responses])
            last = int(db.execute("SELECT last_insert_rowid()").fetchone()[0])
    except sqlite3.IntegrityError as error:
        _explain_second_response(db, run_id, responses, error)
        raise
    # One connection writes, and nothing is ever deleted: new rows are numbered one after the other.
    return [ResponseId(number) for number in range(last - len(responses) + 1, last + 1)]


_ADD_RESPONSE = """
    INSERT INTO response (
        run_id, revision_id, sample, text, raw, reasoning, prompt, prompt_sha256, finish_reason, flags,
        n_prompt_tokens, n_tokens, duration_s, failure, failure_message, created_at
    )
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    """


def _values(run_id: RunId, response: NewResponse, created_at: str) -> tuple[object, ...]:
    return (
        run_id,
        response.revision_id,
        response.sample,
        None if response.text is None else clean_text(response.text),
        response.raw,
        clean_text(response.reasoning),
        clean_text(response.prompt),
        response.prompt_sha256,
        response.finish_reason,
        canonical_json(response.flags) if response.flags else "[]",
        response.n_prompt_tokens,
        response.n_tokens,
        response.duration_s,
        response.failure,
        clean_text(response.failure_message),
        created_at,
    )


def _explain_second_response(
    db: Database, run_id: RunId, responses: Sequence[NewResponse], error: sqlite3.IntegrityError
) -> None:
    """Say which answer was there before, if that is why the database refused."""
    if error.sqlite_errorcode != sqlite3.SQLITE_CONSTRAINT_UNIQUE:
        return
    for response in responses:
        stored = db.execute(
            "SELECT id FROM response WHERE run_id = ? AND revision_id = ? AND sample = ?",
            [run_id, response.revision_id, response.sample],
        ).fetchall()
        if stored:
            raise StorageError(
                f"Run {run_id} has this answer already, as response {stored[0]['id']}.",
                safe="The stored answer was kept.",
                todo="Resume the run: it asks only what is missing.",
                detail=f"revision {response.revision_id}, sample {response.sample}",
            ) from error
