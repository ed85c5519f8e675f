"""Tables of Home and Evaluate."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from pytestqt.modeltest import ModelTester

from tests.helpers.records import a_question, a_response, a_run
from workbench.domain.judging import without_verdict
from workbench.domain.llm import AnswerFlag, FailureCode
from workbench.domain.questions import Principle, QuestionKind
from workbench.domain.runs import NewResponse, PlannedAnswer, ResponseId, RunId
from workbench.services.progress import AnswerStored, JudgementStored
from workbench.statistics.run_result import run_result
from workbench.ui.flag_texts import failure_text, flag_text
from workbench.ui.item_models.newest_answers_table_model import KEPT, Column, NewestAnswersTableModel
from workbench.ui.item_models.run_table_model import RunTableModel
from workbench.ui.widgets.score_chip import SCORE_ROLE
from workbench.ui.widgets.shielded_text import SHIELDED_ROLE, Shield

_PRINCIPLES = (Principle(number=1, name="Competence", short_name="Competence", explanation="…"),)


@pytest.fixture
def shield() -> Shield:
    return Shield()


@pytest.fixture
def newest(shield: Shield, qtmodeltester: ModelTester) -> NewestAnswersTableModel:
    model = NewestAnswersTableModel(_PRINCIPLES, shield)
    qtmodeltester.check(model)
    return model


def _answered(
    number: int,
    text: str | None = "No.",
    *,
    kind: QuestionKind = QuestionKind.HARMFUL,
    flags: tuple[AnswerFlag, ...] = (),
    failure: FailureCode | None = None,
) -> AnswerStored:
    question = a_question(number, kind=kind)
    response = NewResponse(
        revision_id=question.revision_id, sample=0, text=text, flags=flags, failure=failure, failure_message="Too long."
    )
    return AnswerStored(
        run_id=RunId(1),
        planned=PlannedAnswer(question=question, sample=0),
        response_id=ResponseId(number),
        response=response,
        n_done=number,
        n_planned=100,
    )


def _judged(number: int, score: int | None) -> JudgementStored:
    judgement = replace(without_verdict(ResponseId(number), "none"), score=score)
    return JudgementStored(
        run_id=RunId(1), response=a_response(number, score=None), judgement=judgement, n_done=1, n_planned=100
    )


def _texts(model: NewestAnswersTableModel, column: Column) -> Sequence[str]:
    return [model.index(row, column).data() for row in range(model.rowCount())]


def test_the_newest_answer_is_on_top(newest: NewestAnswersTableModel) -> None:
    newest.apply([_answered(1, "first"), _answered(2, "second")])
    newest.apply([_answered(3, "third")])

    assert _texts(newest, Column.ANSWER) == ["third", "second", "first"]
    assert _texts(newest, Column.PRINCIPLE) == ["1 Competence"] * 3


def test_only_the_latest_are_kept(newest: NewestAnswersTableModel) -> None:
    newest.apply([_answered(number, str(number)) for number in range(1, KEPT + 11)])
    newest.apply([_answered(1000, "last")])

    assert newest.rowCount() == KEPT
    assert _texts(newest, Column.ANSWER)[:2] == ["last", str(KEPT + 10)]


def test_a_judgement_reaches_its_answer(newest: NewestAnswersTableModel) -> None:
    newest.apply([_answered(1), _answered(2)])
    newest.apply([_judged(1, 4), _judged(2, None)])

    assert [newest.index(row, Column.SCORE).data(SCORE_ROLE) for row in (0, 1)] == [None, 4]
    assert _texts(newest, Column.FLAGS) == ["no score", ""]


def test_a_judged_answer_that_has_left_the_list_comes_back_on_top(newest: NewestAnswersTableModel) -> None:
    newest.apply([_judged(7, 5)])

    assert newest.rowCount() == 1
    assert newest.index(0, Column.SCORE).data(SCORE_ROLE) == 5


def test_only_answers_to_harmful_questions_are_shielded(newest: NewestAnswersTableModel, shield: Shield) -> None:
    newest.apply([_answered(1, "harm"), _answered(2, "help", kind=QuestionKind.BENIGN)])
    benign, harmful = (newest.index(row, Column.ANSWER) for row in (0, 1))
    spoken = Qt.ItemDataRole.AccessibleTextRole

    assert (benign.data(SHIELDED_ROLE), harmful.data(SHIELDED_ROLE)) == (False, True)
    assert benign.data(spoken) == "help"
    assert "harm" not in harmful.data(spoken)
    shield.toggle()
    assert harmful.data(spoken) == "harm"


def test_flags_failures_and_hidden_characters_are_shown(newest: NewestAnswersTableModel) -> None:
    newest.apply(
        [
            _answered(1, "a\u202eb", flags=(AnswerFlag.TRUNCATED,)),
            _answered(2, None, failure=FailureCode.PROMPT_TOO_LONG),
        ]
    )

    assert _texts(newest, Column.FLAGS) == ["failed: prompt too long", "truncated"]
    assert _texts(newest, Column.ANSWER) == ["Too long.", "a⟦U+202E⟧b"]


def test_every_flag_and_failure_has_words() -> None:
    words = [*map(flag_text, AnswerFlag), *map(failure_text, FailureCode)]

    assert all(words)
    assert len(set(words)) == len(words)


def test_the_table_of_runs(qtmodeltester: ModelTester) -> None:
    model = RunTableModel()
    results = [
        run_result(a_run(run_id=2), [a_response(1, score=2), a_response(2, score=4)]),
        run_result(a_run(run_id=1), []),
    ]
    model.set_results(results)
    qtmodeltester.check(model)

    assert model.run_id(1) == 1
    assert [model.index(row, 5).data() for row in (0, 1)] == ["3.00 [1.00, 5.00]", "–"]
    assert model.index(0, 4).data() == "2 of 4"
