from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.records import a_question
from workbench.domain.questions import QuestionKind, QuestionSelection, select

QUESTIONS = [
    a_question(number, kind=kind, principle=principle)
    for principle in range(1, 10)
    for number in range(1, 6)
    for kind in QuestionKind
]


def test_without_restriction_every_question_is_asked_in_order() -> None:
    assert select(QUESTIONS, QuestionSelection(question_set="s")) == QUESTIONS


def test_principle_and_kind_restrict_together() -> None:
    chosen = select(QUESTIONS, QuestionSelection(question_set="s", principles=(2, 9), kind=QuestionKind.BENIGN))
    assert {(question.principle, question.kind) for question in chosen} == {
        (2, QuestionKind.BENIGN),
        (9, QuestionKind.BENIGN),
    }


@given(limit=st.integers(1, 120))
def test_a_limit_spreads_over_principles_and_kinds(limit: int) -> None:
    chosen = select(QUESTIONS, QuestionSelection(question_set="s", limit=limit))
    assert len(chosen) == min(limit, len(QUESTIONS))
    counts = [
        sum(1 for question in chosen if (question.principle, question.kind) == (principle, kind))
        for principle in range(1, 10)
        for kind in QuestionKind
    ]
    assert max(counts) - min(counts) <= 1
    positions = [QUESTIONS.index(question) for question in chosen]
    assert positions == sorted(positions)
