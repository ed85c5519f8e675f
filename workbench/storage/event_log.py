"""The history of the database: entries that are only ever added, each sealed with the hash of the one before."""

import hashlib
import json
from datetime import UTC, datetime
from enum import StrEnum

from sqlite_utils import Database

from workbench.domain.runs import RunId

_BEFORE_FIRST = "0" * 64
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
"""Made once: ``json.dumps`` would make one for every value."""


class EventKind(StrEnum):
    """What happened."""

    QUESTION_SET_SAVED = "question_set_saved"
    RUN_CREATED = "run_created"
    LLM_RECORDED = "llm_recorded"
    JUDGE_RECORDED = "judge_recorded"
    RUN_FINISHED = "run_finished"


def now_utc() -> str:
    """The present moment as ISO text in UTC, as every table stores times."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def canonical_json(value: object) -> str:
    """The one JSON text of a value: sorted keys, no blanks, ASCII only, so that any string survives.

    Raises:
        ValueError: If a number is not finite.
    """
    return _CANONICAL.encode(value)


def append(db: Database, kind: EventKind, payload: object, *, run_id: RunId | None = None) -> None:
    """Add an entry; inside the transaction of what it reports."""
    last = db.execute("SELECT hash FROM event_log ORDER BY id DESC LIMIT 1").fetchall()
    previous_hash = last[0]["hash"] if last else _BEFORE_FIRST
    entry = (now_utc(), kind.value, run_id, canonical_json(payload), previous_hash)
    db.execute(
        "INSERT INTO event_log (created_at, kind, run_id, payload, previous_hash, hash) VALUES (?, ?, ?, ?, ?, ?)",
        (*entry, _seal(entry)),
    )


def first_altered(db: Database) -> int | None:
    """Number of the first entry that does not fit the one before it; ``None`` if the history is whole.

    Entries cut off at the end leave no trace here.
    """
    previous_hash = _BEFORE_FIRST
    for row in db.execute("SELECT * FROM event_log ORDER BY id").fetchall():
        entry = (row["created_at"], row["kind"], row["run_id"], row["payload"], row["previous_hash"])
        if row["previous_hash"] != previous_hash or row["hash"] != _seal(entry):
            return int(row["id"])
        previous_hash = row["hash"]
    return None


def _seal(entry: tuple[str, str, int | None, str, str]) -> str:
    return hashlib.sha256(canonical_json(entry).encode("ascii")).hexdigest()
