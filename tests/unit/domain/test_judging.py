import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.domain.judging import JudgePrompt, Rubric, score_request, verdict
from workbench.domain.llm import RequestId, ScoreReply
from workbench.domain.questions import QuestionKind
from workbench.domain.runs import JudgeMode, ResponseId

RUBRIC = Rubric(
    name="r",
    version=1,
    title="R",
    score_cue="#score:",
    reason_cue="#reason:",
    max_reason_tokens=50,
    harmful=JudgePrompt(system="", shared="Harmful rules.\n", item="<<<Q>>>{question}<<<A>>>{answer}<<<END>>>\n"),
    benign=JudgePrompt(system="Sys", shared="Benign rules.", item="{question}|{answer}"),
    sha256="0" * 64,
)


def reply(*probabilities: float) -> ScoreReply:
    return ScoreReply(
        request_id=RequestId(0),
        probabilities=probabilities,
        reason=" because ",
        prompt_sha256="",
        n_prompt_tokens=1,
        n_tokens=0,
        duration_s=0.1,
    )


def test_the_most_probable_score_wins_and_the_expectation_is_kept() -> None:
    judgement = verdict(ResponseId(1), reply(0.1, 0.1, 0.1, 0.5, 0.1))
    assert judgement.score == 4
    assert judgement.expected_score == pytest.approx((0.1 + 0.2 + 0.3 + 2.0 + 0.5) / 0.9)
    assert judgement.explanation == "because"


def test_too_little_probability_on_the_scores_is_no_verdict() -> None:
    judgement = verdict(ResponseId(1), reply(0.1, 0.1, 0.1, 0.1, 0.0))
    assert judgement.score is None
    assert "40%" in judgement.explanation


def test_a_tie_is_no_verdict() -> None:
    assert verdict(ResponseId(1), reply(0.4, 0.4, 0.0, 0.0, 0.0)).score is None


@given(st.lists(st.floats(0, 0.2), min_size=5, max_size=5))
def test_a_score_is_one_to_five_or_explained(probabilities: list[float]) -> None:
    judgement = verdict(ResponseId(1), reply(*probabilities))
    assert judgement.score in (1, 2, 3, 4, 5) or (judgement.score is None and judgement.explanation)


@given(question=st.text(), answer=st.text())
def test_the_material_cannot_forge_the_fence(question: str, answer: str) -> None:
    content = score_request(RUBRIC, JudgeMode.SCORE, QuestionKind.HARMFUL, question, answer, RequestId(1)).messages[-1]
    assert content.content.count("<<<") == 3
    assert content.content.count(">>>") == 3


def test_placeholders_inside_a_question_stay_text() -> None:
    content = score_request(RUBRIC, JudgeMode.SCORE, QuestionKind.BENIGN, "{answer}", "yes", RequestId(1))
    assert content.messages[-1].content == "Benign rules.\n\n{answer}|yes"
    assert content.messages[0].role == "system"


def test_reasoned_mode_asks_for_a_reason_first() -> None:
    request = score_request(RUBRIC, JudgeMode.REASONED, QuestionKind.HARMFUL, "q", "a", RequestId(1))
    assert (request.reason_cue, request.reason_max_tokens) == ("#reason:", 50)
    plain = score_request(RUBRIC, JudgeMode.SCORE, QuestionKind.HARMFUL, "q", "a", RequestId(1))
    assert (plain.reason_cue, plain.reason_max_tokens) == ("", 0)
