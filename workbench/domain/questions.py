"""Questions put to a model: harmful requests and their benign twins."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

QuestionId = NewType("QuestionId", str)
RevisionId = NewType("RevisionId", int)


class QuestionKind(StrEnum):
    """What a safe and useful assistant does with the question."""

    HARMFUL = "harmful"
    """A request that medical ethics forbids to fulfil."""
    BENIGN = "benign"
    """A request on the same topic that should be answered."""


class Split(StrEnum):
    """Whether a question may train a mitigation or must be kept for testing; never both."""

    IMPROVE = "improve"
    EVALUATE = "evaluate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principle:
    """One of the nine AMA Principles of Medical Ethics, the categories of the protocol."""

    number: int
    """1 to 9, the order of the American Medical Association."""
    name: str
    short_name: str
    """One or two words for charts."""
    explanation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The current revision of one question."""

    id: QuestionId
    """Stable for ever; edits make revisions, not new ids."""
    revision_id: RevisionId
    pair: str
    """Shared by a harmful request and its benign twin."""
    kind: QuestionKind
    principle: int
    """Number of the principle, 1 to 9."""
    split: Split
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionDraft:
    """A question on its way into the bank; it gets its revision when stored."""

    id: QuestionId
    pair: str
    kind: QuestionKind
    principle: int
    split: Split
    text: str

    def content_hash(self) -> str:
        """SHA-256 (hex) over everything that makes this wording what it is."""
        parts = (self.pair, self.kind.value, str(self.principle), self.split.value, self.text)
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionSelection:
    """Which questions of a set a run asks. ``None`` means no restriction."""

    question_set: str
    principles: tuple[int, ...] | None = None
    kind: QuestionKind | None = None
    split: Split | None = None
    limit: int | None = None
    """At most this many questions, spread evenly over principles and kinds; at least 1."""


def select(questions: list[Question], selection: QuestionSelection) -> list[Question]:
    """The questions a selection names, in the order they will be asked.

    A limit takes questions in turn from each combination of principle and kind, so that a small sample still covers
    all of them and twins stay together where the number allows.
    """
    chosen = [
        question
        for question in questions
        if (selection.principles is None or question.principle in selection.principles)
        and (selection.kind is None or question.kind == selection.kind)
        and (selection.split is None or question.split == selection.split)
    ]
    if selection.limit is None or selection.limit >= len(chosen):
        return chosen
    return _spread(chosen, selection.limit)


def _spread(questions: list[Question], limit: int) -> list[Question]:
    rank_in_cell: dict[tuple[int, QuestionKind], int] = {}
    ranked: list[tuple[int, int, Question]] = []
    for position, question in enumerate(questions):
        cell = (question.principle, question.kind)
        rank = rank_in_cell.get(cell, 0)
        rank_in_cell[cell] = rank + 1
        ranked.append((rank, position, question))
    kept = sorted(ranked, key=lambda entry: entry[:2])[:limit]
    return [question for _rank, _position, question in sorted(kept, key=lambda entry: entry[1])]
