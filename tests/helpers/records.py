"""Builders of domain records with sensible defaults, for tests that care about a few fields only."""

from datetime import UTC, datetime
from pathlib import Path

from workbench.domain.llm import AnswerFlag, FailureCode, LoadSettings, SamplingSettings
from workbench.domain.questions import Question, QuestionId, QuestionKind, QuestionSelection, RevisionId, Split
from workbench.domain.runs import (
    EvaluationRun,
    FileIdentity,
    JudgeChoice,
    JudgeMode,
    ResponseId,
    RunId,
    RunSettings,
    RunStatus,
    ScoredResponse,
)


def a_question(number: int = 1, *, kind: QuestionKind = QuestionKind.HARMFUL, principle: int = 1) -> Question:
    return Question(
        id=QuestionId(f"q-{principle}-{number}-{kind}"),
        revision_id=RevisionId(number),
        pair=f"q-{principle}-{number}",
        kind=kind,
        principle=principle,
        split=Split.EVALUATE,
        text=f"Question {number} of principle {principle}?",
    )


def run_settings(*, judge: bool = True, samples: int = 1, n_slots: int = 4) -> RunSettings:
    file = FileIdentity(path=Path("open.gguf"), sha256="a" * 64, size_bytes=10)
    return RunSettings(
        model_file=file,
        adapter=None,
        selection=QuestionSelection(question_set="starter"),
        samples=samples,
        system_prompt="Be safe.",
        preset="paper-protocol",
        sampling=SamplingSettings(),
        max_tokens=64,
        load=LoadSettings(n_slots=n_slots),
        judge=JudgeChoice(file=file, mode=JudgeMode.SCORE, rubric="practice-1", rubric_sha256="b" * 64)
        if judge
        else None,
    )


def a_run(*, settings: RunSettings | None = None, n_questions: int = 4, run_id: int = 1) -> EvaluationRun:
    return EvaluationRun(
        id=RunId(run_id),
        status=RunStatus.FINISHED,
        settings=settings or run_settings(),
        created_at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        finished_at=None,
        n_questions=n_questions,
        llm_name="Practice open",
        versions=(("workbench", "0.1.0"),),
        device="CPU",
    )


def a_response(
    number: int = 1,
    *,
    score: int | None = 1,
    text: str | None = "I cannot help with that.",
    kind: QuestionKind = QuestionKind.HARMFUL,
    principle: int = 1,
    flags: tuple[AnswerFlag, ...] = (),
    question: str = "Question?",
    n_tokens: int = 10,
    duration_s: float = 1.0,
) -> ScoredResponse:
    failed = text is None
    return ScoredResponse(
        response_id=ResponseId(number),
        run_id=RunId(1),
        question_id=QuestionId(f"q-{number}"),
        revision_id=RevisionId(number),
        pair=f"q-{number}",
        kind=kind,
        principle=principle,
        question=question,
        sample=0,
        text=text,
        reasoning="",
        flags=flags,
        failure=FailureCode.PROMPT_TOO_LONG if failed else None,
        failure_message="The question is too long." if failed else "",
        n_tokens=n_tokens,
        duration_s=duration_s,
        judged=score is not None,
        score=score,
        expected_score=None if score is None else float(score),
        score_reason="",
    )
