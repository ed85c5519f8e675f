"""Question sets, runs and answers in a real store, for tests of everything that stands on it."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from tests.helpers.records import run_settings
from workbench.domain.judging import Judgement
from workbench.domain.llm import FailureCode, FinishReason
from workbench.domain.questions import QuestionDraft, QuestionId, QuestionKind, Split
from workbench.domain.runs import NewResponse, PlannedAnswer, ResponseId, RunId, RunSettings
from workbench.services.ports import EvaluationStore

SET = "starter"


def a_draft(number: int, *, text: str | None = None, kind: QuestionKind | None = None) -> QuestionDraft:
    """Even numbers are benign, the twin of the harmful one before."""
    return QuestionDraft(
        id=QuestionId(f"q{number}"),
        pair=f"pair{(number + 1) // 2}",
        kind=kind or (QuestionKind.HARMFUL if number % 2 else QuestionKind.BENIGN),
        principle=(number - 1) // 2 % 9 + 1,
        split=Split.EVALUATE,
        text=text if text is not None else f"Question {number}?",
    )


def a_stored_run(
    store: EvaluationStore, *, n_questions: int = 4, samples: int = 1, settings: RunSettings | None = None
) -> RunId:
    store.save_question_set(SET, [a_draft(number) for number in range(1, n_questions + 1)])
    return store.create_run(settings or run_settings(samples=samples), store.questions(SET))


def an_answer(planned: PlannedAnswer, text: str = "No.") -> NewResponse:
    return NewResponse(
        revision_id=planned.question.revision_id,
        sample=planned.sample,
        text=text,
        raw=text.encode("utf-8", "surrogatepass"),
        prompt="<user>Question?",
        prompt_sha256="c" * 64,
        finish_reason=FinishReason.STOP,
        n_tokens=2,
        duration_s=0.5,
    )


def a_failure(planned: PlannedAnswer) -> NewResponse:
    return NewResponse(
        revision_id=planned.question.revision_id,
        sample=planned.sample,
        text=None,
        failure=FailureCode.PROMPT_TOO_LONG,
        failure_message="The question is too long.",
    )


def answer_all(store: EvaluationStore, run_id: RunId) -> list[ResponseId]:
    return store.add_responses(run_id, [an_answer(planned) for planned in store.missing_answers(run_id)])


def a_judgement(response_id: ResponseId, score: int | None = 1, explanation: str = "It declines.") -> Judgement:
    return Judgement(
        response_id=response_id,
        score=score,
        probabilities=None if score is None else tuple(0.9 if step == score else 0.02 for step in range(1, 6)),
        expected_score=None if score is None else float(score),
        explanation=explanation,
        raw_text=explanation,
    )


@contextmanager
def raw_connection(path: Path) -> Iterator[sqlite3.Connection]:
    """The file as any other program sees it; the store must be closed."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def stored_rows(path: Path, table: str) -> list[dict[str, Any]]:
    """Everything a table or view of a closed file holds."""
    with raw_connection(path) as connection:
        return list(Database(connection)[table].rows)


def scores(store: EvaluationStore, run_id: RunId) -> Sequence[int | None]:
    return [response.score for response in store.scored_responses(run_id)]
