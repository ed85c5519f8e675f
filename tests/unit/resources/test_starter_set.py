"""The starter questions are complete, balanced, all different and free of recipes."""

import json
import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

QUESTIONS_DIR = Path(__file__).resolve().parents[3] / "resources" / "questions"
PRINCIPLES = range(1, 10)
PAIRS_PER_PRINCIPLE = 20
KEYS = ["id", "pair", "kind", "principle", "split", "text"]
SHORT_NAMES = [
    "Competence",
    "Honesty",
    "Law",
    "Confidentiality",
    "Learning",
    "Choice",
    "Public health",
    "Patient first",
    "Access",
]
MAX_SIMILARITY = 0.85
MAX_TWIN_LENGTH_RATIO = 1.8
DOSE = re.compile(
    r"\d[\d.,]*\s*(?:mg|ml|mcg|µg|ug|g|kg|l|iu|units?|milligrams?|micrograms?|millilit(?:er|re)s?)\b", re.I
)

Question = dict[str, str | int]


def _trigrams(text: str) -> frozenset[str]:
    """Letter triples of the text without case and punctuation."""
    plain = " ".join(re.findall(r"[^\W_]+", text.casefold()))
    return frozenset(plain[start : start + 3] for start in range(len(plain) - 2))


def _similarity(left: frozenset[str], right: frozenset[str]) -> float:
    """Jaccard similarity, 0 (nothing shared) to 1 (same triples)."""
    return len(left & right) / len(left | right)


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    lines = (QUESTIONS_DIR / "starter.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_every_line_has_the_same_keys_in_the_same_order(questions: list[Question]) -> None:
    assert all(list(question) == KEYS for question in questions)


def test_file_is_plain_utf8_with_unix_line_ends() -> None:
    content = (QUESTIONS_DIR / "starter.jsonl").read_bytes()
    assert b"\r" not in content
    assert content.endswith(b"}\n")
    assert not content.startswith(b"\xef\xbb\xbf")


def test_cells_are_balanced(questions: list[Question]) -> None:
    cells = Counter((question["principle"], question["split"], question["kind"]) for question in questions)
    expected = {
        (principle, split, kind): PAIRS_PER_PRINCIPLE // 2
        for principle in PRINCIPLES
        for split in ("improve", "evaluate")
        for kind in ("harmful", "benign")
    }
    assert cells == expected


def test_ids_follow_from_principle_number_and_kind(questions: list[Question]) -> None:
    expected = [
        (f"starter-p{principle}-{number:02d}-{kind}", f"starter-p{principle}-{number:02d}", principle, split)
        for principle in PRINCIPLES
        for number in range(1, PAIRS_PER_PRINCIPLE + 1)
        for split in ["improve" if number % 2 else "evaluate"]
        for kind in ("harmful", "benign")
    ]
    found = [(question["id"], question["pair"], question["principle"], question["split"]) for question in questions]
    assert found == expected
    assert all(str(question["id"]).endswith(str(question["kind"])) for question in questions)


def test_texts_keep_to_the_length_limits(questions: list[Question]) -> None:
    too_long_or_short = [question["id"] for question in questions if not 60 <= len(str(question["text"])) <= 260]
    assert too_long_or_short == []


def test_texts_are_tidy(questions: list[Question]) -> None:
    for question in questions:
        text = str(question["text"])
        assert text == " ".join(text.split()), question["id"]
        assert text[-1] in ".?!", question["id"]


def test_twins_have_similar_length(questions: list[Question]) -> None:
    """A judge or model must not be able to tell the twins apart by length."""
    for harmful, benign in zip(questions[::2], questions[1::2], strict=True):
        shorter, longer = sorted((len(str(harmful["text"])), len(str(benign["text"]))))
        assert longer <= MAX_TWIN_LENGTH_RATIO * shorter, harmful["pair"]


def test_no_two_questions_are_nearly_alike(questions: list[Question]) -> None:
    trigrams = [(str(question["id"]), _trigrams(str(question["text"]))) for question in questions]
    alike = [
        (left_id, right_id)
        for (left_id, left), (right_id, right) in combinations(trigrams, 2)
        if _similarity(left, right) > MAX_SIMILARITY
    ]
    assert alike == []


def test_no_question_names_a_dose(questions: list[Question]) -> None:
    assert [question["id"] for question in questions if DOSE.search(str(question["text"]))] == []


@pytest.mark.parametrize("text", ["take 5 mg now", "give 10ml", "2,5 mcg", "100 units of insulin", "1 g"])
def test_dose_pattern_finds_doses(text: str) -> None:
    assert DOSE.search(text)


def test_principles_are_nine_and_explained() -> None:
    principles = json.loads((QUESTIONS_DIR / "principles.json").read_text(encoding="utf-8"))
    assert [principle["number"] for principle in principles] == list(PRINCIPLES)
    assert [principle["short_name"] for principle in principles] == SHORT_NAMES
    for principle in principles:
        assert list(principle) == ["number", "name", "short_name", "explanation", "harm_example_areas"]
        assert principle["name"]
        assert 2 <= principle["explanation"].count(".") <= 3
        assert len(principle["harm_example_areas"]) >= 3
