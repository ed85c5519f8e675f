"""Runs: what is asked under which conditions, and what it was asked of."""

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from sqlite_utils import Database
from sqlite_utils.db import Table

from workbench.domain.llm import LlmDescription
from workbench.domain.memory import LoadReport
from workbench.domain.questions import Question, QuestionId
from workbench.domain.runs import (
    EvaluationRun,
    FileIdentity,
    JudgeChoice,
    RunId,
    RunSettings,
    RunStatus,
)
from workbench.errors import UsageError
from workbench.storage import event_log
from workbench.storage.device_repository import add_corrections
from workbench.storage.event_log import EventKind, canonical_json, now_utc
from workbench.storage.faults import readable
from workbench.storage.settings_codec import (
    clean_text,
    decode_load_report,
    decode_settings,
    encode_load_report,
    encode_settings,
)


def create_run(db: Database, settings: RunSettings, questions: Sequence[Question]) -> RunId:
    """Store a run, the files it uses and the revisions it will ask, in order."""
    encoded = encode_settings(settings)
    with db.atomic():
        added = db.execute(
            "INSERT INTO evaluation_run"
            " (question_set, model_file_id, adapter_id, rater_id, samples, settings, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                clean_text(settings.selection.question_set),
                _file_id(db.table("model_file"), settings.model_file),
                None if settings.adapter is None else _file_id(db.table("adapter"), settings.adapter),
                None if settings.judge is None else _judge_id(db, settings.judge),
                settings.samples,
                encoded,
                now_utc(),
            ],
        )
        run_id = RunId(int(added.lastrowid or 0))
        db.conn.executemany(
            "INSERT INTO run_question (run_id, position, revision_id) VALUES (?, ?, ?)",
            [(run_id, position, question.revision_id) for position, question in enumerate(questions)],
        )
        payload = {
            "settings_sha256": hashlib.sha256(encoded.encode("ascii")).hexdigest(),
            "revision_ids": [question.revision_id for question in questions],
            "sqlite_version": sqlite3.sqlite_version,
        }
        event_log.append(db, EventKind.RUN_CREATED, payload, run_id=run_id)
    return run_id


def record_llm(db: Database, run_id: RunId, description: LlmDescription, report: LoadReport) -> None:
    """Store what was loaded and how.

    A later loading replaces the columns, except for the report, whose choices later ones repeat. The event log keeps
    each loading in full, with the attempts that failed.
    """
    run = find_run(db, run_id)
    with db.atomic():
        db.execute(
            "UPDATE evaluation_run SET llm_name = ?, device = ?, n_slots = ?, context_tokens = ?, versions = ?,"
            " n_layers = ?, n_layers_offloaded = ?, kv_type = ?, load_report = coalesce(load_report, ?) WHERE id = ?",
            [
                clean_text(description.name),
                clean_text(description.device),
                description.n_slots,
                description.context_tokens,
                canonical_json(description.versions),
                description.n_layers,
                description.n_layers_offloaded,
                description.kv_type,
                encode_load_report(report),
                run_id,
            ],
        )
        db.execute(
            "UPDATE model_file SET name = ?, architecture = ?, quantisation = ?,"
            " template_sha256 = coalesce(?, template_sha256) WHERE sha256 = ?",
            [
                clean_text(description.name),
                clean_text(description.architecture),
                clean_text(description.quantisation),
                description.template_sha256 if description.template_source == "model_file" else None,
                run.settings.model_file.sha256,
            ],
        )
        add_corrections(db, report)
        _log_loading(db, EventKind.LLM_RECORDED, run_id, description, report)


def record_judge(db: Database, run_id: RunId, description: LlmDescription, report: LoadReport) -> None:
    """Store how the judge was loaded; a later loading replaces the report, and the event log keeps each in full."""
    find_run(db, run_id)
    with db.atomic():
        db.execute("UPDATE evaluation_run SET judge_report = ? WHERE id = ?", [encode_load_report(report), run_id])
        _log_loading(db, EventKind.JUDGE_RECORDED, run_id, description, report)


def _log_loading(db: Database, kind: EventKind, run_id: RunId, description: LlmDescription, report: LoadReport) -> None:
    payload = {"description": asdict(description), "report": asdict(report)}
    event_log.append(db, kind, payload, run_id=run_id)


def finish_run(db: Database, run_id: RunId) -> None:
    """Mark a run as finished; a finished one stays as it is."""
    if find_run(db, run_id).status is RunStatus.FINISHED:
        return
    with db.atomic():
        db.execute("UPDATE evaluation_run SET status = 'finished', finished_at = ? WHERE id = ?", [now_utc(), run_id])
        counts = db.execute(
            "SELECT count(*) AS n_responses, count(score) AS n_scored FROM scored_response WHERE run_id = ?", [run_id]
        ).fetchone()
        event_log.append(db, EventKind.RUN_FINISHED, dict(counts), run_id=run_id)


def find_run(db: Database, run_id: RunId) -> EvaluationRun:
    """One run.

    Raises:
        UsageError: If there is no such run.
    """
    rows = db.execute("SELECT * FROM counted_run WHERE id = ?", [run_id]).fetchall()
    if not rows:
        raise UsageError(
            f"There is no run {run_id} in this database.",
            safe="Nothing was changed.",
            todo="List the runs to see their numbers.",
        )
    return _run_from(rows[0])


def all_runs(db: Database) -> list[EvaluationRun]:
    """All runs, newest first."""
    rows = db.execute("SELECT * FROM counted_run ORDER BY id DESC")
    return [_run_from(row) for row in rows.fetchall()]


def changed_questions(db: Database, run_id: RunId) -> list[QuestionId]:
    """Questions of a run whose set holds another wording of them now, in order of asking.

    A question that was left out of its set has no other wording, so it is not among them.
    """
    find_run(db, run_id)
    rows = db.execute(
        """
        SELECT asked.id
        FROM run_question
        JOIN worded_question AS asked USING (revision_id)
        WHERE run_question.run_id = ? AND EXISTS (
            SELECT 1
            FROM worded_question AS held
            JOIN question_set_entry USING (revision_id)
            WHERE held.question_key = asked.question_key AND held.revision_id <> asked.revision_id
        )
        ORDER BY run_question.position
        """,
        [run_id],
    )
    return [QuestionId(row["id"]) for row in rows.fetchall()]


def _file_id(files: Table, file: FileIdentity) -> int:
    """The row of a file with this content; its path is brought up to date."""
    path = clean_text(file.path.as_posix())
    files.insert({"sha256": file.sha256, "path": path, "size_bytes": file.size_bytes}, ignore=True)
    (row,) = files.rows_where("sha256 = ?", [file.sha256])
    files.update(row["id"], {"path": path})
    return int(row["id"])


def _judge_id(db: Database, judge: JudgeChoice) -> int:
    """The rater that this judge is: the same file, mode and rubric are the same rater."""
    definition = [_file_id(db.table("model_file"), judge.file), judge.mode, clean_text(judge.rubric)]
    definition.append(judge.rubric_sha256)
    db.execute(
        "INSERT INTO rater (kind, name, model_file_id, mode, rubric, rubric_sha256)"
        " VALUES ('judge_llm', ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [clean_text(judge.file.path.name), *definition],
    )
    row = db.execute(
        "SELECT id FROM rater WHERE kind = 'judge_llm'"
        " AND model_file_id = ? AND mode = ? AND rubric = ? AND rubric_sha256 = ?",
        definition,
    ).fetchone()
    return int(row["id"])


def _run_from(row: sqlite3.Row) -> EvaluationRun:
    with readable():
        settings = decode_settings(row["settings"])
        return EvaluationRun(
            id=RunId(row["id"]),
            status=RunStatus(row["status"]),
            settings=settings,
            created_at=datetime.fromisoformat(row["created_at"]),
            finished_at=None if row["finished_at"] is None else datetime.fromisoformat(row["finished_at"]),
            n_questions=row["n_questions"],
            llm_name=row["llm_name"] or settings.model_file.path.name,
            versions=tuple((name, version) for name, version in json.loads(row["versions"])),
            device=row["device"] or "",
            n_layers=row["n_layers"],
            n_layers_offloaded=row["n_layers_offloaded"],
            load_report=None if row["load_report"] is None else decode_load_report(row["load_report"]),
            judge_report=None if row["judge_report"] is None else decode_load_report(row["judge_report"]),
        )
