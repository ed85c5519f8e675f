"""Question sets: what they hold now, and every wording they ever held."""

import hashlib
import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from sqlite_utils import Database

from workbench.domain.questions import Question, QuestionDraft, QuestionId, QuestionKind, RevisionId, Split
from workbench.errors import UsageError
from workbench.storage import event_log
from workbench.storage.event_log import EventKind, now_utc
from workbench.storage.faults import readable
from workbench.storage.settings_codec import clean_text


def save_question_set(db: Database, name: str, drafts: Sequence[QuestionDraft]) -> None:
    """Make the set hold exactly these wordings in this order. Earlier wordings and left-out questions stay stored.

    Raises:
        UsageError: If two drafts share an id.
    """
    name = clean_text(name)
    cleaned = [_clean(draft) for draft in drafts]
    _refuse_repeated_ids(name, cleaned)
    content_hashes = [draft.content_hash() for draft in cleaned]
    set_hash = _set_hash(cleaned, content_hashes)
    with db.atomic():
        stored = db.execute("SELECT content_hash FROM question_set WHERE name = ?", [name]).fetchall()
        if stored and stored[0]["content_hash"] == set_hash:
            return
        db.execute(
            "INSERT INTO question_set (name, content_hash) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET content_hash = excluded.content_hash",
            [name, set_hash],
        )
        set_id = int(db.execute("SELECT id FROM question_set WHERE name = ?", [name]).fetchone()["id"])
        revision_ids = [
            _revision_id(db, set_id, draft, content_hash)
            for draft, content_hash in zip(cleaned, content_hashes, strict=True)
        ]
        db.execute("DELETE FROM question_set_entry WHERE question_set_id = ?", [set_id])
        db.conn.executemany(
            "INSERT INTO question_set_entry (question_set_id, position, revision_id) VALUES (?, ?, ?)",
            [(set_id, position, revision_id) for position, revision_id in enumerate(revision_ids)],
        )
        event_log.append(
            db,
            EventKind.QUESTION_SET_SAVED,
            {"question_set": name, "n_questions": len(cleaned), "content_hash": set_hash},
        )


def question_sets(db: Database) -> list[str]:
    """Names of all sets, in alphabetical order."""
    return [row["name"] for row in db.execute("SELECT name FROM question_set ORDER BY name").fetchall()]


def questions(db: Database, question_set: str) -> list[Question]:
    """The current revision of every question of a set, in order."""
    rows = db.execute(
        """
        SELECT worded_question.*
        FROM question_set
        JOIN question_set_entry AS entry ON entry.question_set_id = question_set.id
        JOIN worded_question USING (revision_id)
        WHERE question_set.name = ?
        ORDER BY entry.position
        """,
        [clean_text(question_set)],
    )
    return [question_from(row) for row in rows.fetchall()]


def question_from(row: sqlite3.Row) -> Question:
    """A question from a row of ``worded_question``."""
    with readable():
        return Question(
            id=QuestionId(row["id"]),
            revision_id=RevisionId(row["revision_id"]),
            pair=row["pair"],
            kind=QuestionKind(row["kind"]),
            principle=row["principle"],
            split=Split(row["split"]),
            text=row["text"],
        )


def _clean(draft: QuestionDraft) -> QuestionDraft:
    return replace(draft, id=QuestionId(clean_text(draft.id)), pair=clean_text(draft.pair), text=clean_text(draft.text))


def _refuse_repeated_ids(name: str, drafts: Sequence[QuestionDraft]) -> None:
    seen: set[QuestionId] = set()
    for draft in drafts:
        if draft.id in seen:
            raise UsageError(
                f"The question set {name} has two questions with the id {draft.id}.",
                safe="The set was left as it was.",
                todo="Give every question of the set its own id.",
            )
        seen.add(draft.id)


def _set_hash(drafts: Sequence[QuestionDraft], content_hashes: Sequence[str]) -> str:
    lines = (f"{draft.id}\x1f{content_hash}\x1e" for draft, content_hash in zip(drafts, content_hashes, strict=True))
    return hashlib.sha256("".join(lines).encode("utf-8")).hexdigest()


def _revision_id(db: Database, set_id: int, draft: QuestionDraft, content_hash: str) -> int:
    """The revision with this wording; made where the question never had it, so that going back finds the old one."""
    which = [set_id, draft.id]
    db.execute("INSERT INTO question (question_set_id, id) VALUES (?, ?) ON CONFLICT DO NOTHING", which)
    key = db.execute("SELECT key FROM question WHERE question_set_id = ? AND id = ?", which).fetchone()["key"]
    db.execute(
        "INSERT INTO question_revision (question_key, content_hash, pair, kind, principle, split, text, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (question_key, content_hash) DO NOTHING",
        [key, content_hash, draft.pair, draft.kind, draft.principle, draft.split, draft.text, now_utc()],
    )
    stored = db.execute(
        "SELECT id FROM question_revision WHERE question_key = ? AND content_hash = ?", [key, content_hash]
    )
    return int(stored.fetchone()["id"])
