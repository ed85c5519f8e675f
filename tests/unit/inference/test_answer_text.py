"""From bytes to text: characters cut apart, stop texts, reasoning parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.inference.answer_text import REASONING_MARKS, AnswerText, is_part_of_mark, reasoning_opened_by


def write(pieces: list[bytes], text: AnswerText) -> str:
    """Feed the pieces until a stop text appears; what was shown, piece by piece, as one text."""
    shown = ""
    for piece in pieces:
        shown += text.feed(piece)
        if text.stopped:
            break
    return shown + text.finish()


def in_pieces(text: str, size: int = 1) -> list[bytes]:
    data = text.encode("utf-8")
    return [data[start : start + size] for start in range(0, len(data), size)]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), st.integers(1, 5))
def test_what_is_shown_is_what_was_written(written: str, size: int) -> None:
    text = AnswerText()
    shown = write(in_pieces(written, size), text)
    assert text.raw == written.encode("utf-8")
    assert shown == text.text
    assert text.is_utf8
    if not any(marks.opening in written for marks in REASONING_MARKS):
        assert shown == written


def test_invalid_bytes_are_replaced_and_kept() -> None:
    text = AnswerText()
    assert write([b"a\xff", b"b\xc3"], text) == "a\ufffdb\ufffd"
    assert text.raw == b"a\xffb\xc3"
    assert not text.is_utf8


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_a_stop_text_ends_the_answer_and_is_not_part_of_it(size: int) -> None:
    text = AnswerText(stop=("\nUser:", "###"))
    assert write(in_pieces("Rest. #1 \nUs\nUser: more ###", size), text) == "Rest. #1 \nUs"
    assert text.stopped


def test_the_beginning_of_a_stop_text_is_shown_when_nothing_follows() -> None:
    assert write(in_pieces("Take ##"), AnswerText(stop=("###",))) == "Take ##"


@pytest.mark.parametrize("marks", REASONING_MARKS)
@pytest.mark.parametrize("size", [1, 4, 1000])
def test_reasoning_is_kept_apart(marks: tuple[str, str], size: int) -> None:
    text = AnswerText(stop=("END",))
    written = f"\n{marks[0]}\nLet me see. END?\n{marks[1]}\n\nNo.END"
    assert write(in_pieces(written, size), text) == "No."
    assert text.reasoning == "Let me see. END?"
    assert text.reasoning_found
    assert not text.reasoning_unfinished


def test_reasoning_that_the_prompt_has_opened() -> None:
    marks = reasoning_opened_by("<|assistant|><think>\n")
    text = AnswerText(opened=marks)
    assert write(in_pieces("Hm.</think>Yes."), text) == "Yes."
    assert text.reasoning == "Hm."


def test_a_prompt_that_closes_its_reasoning_opens_none() -> None:
    assert reasoning_opened_by("<|assistant|><think>\n\n</think>\n\n") is None


def test_unfinished_reasoning_is_no_answer() -> None:
    text = AnswerText()
    assert write(in_pieces("<think>Hm, </thin"), text) == ""
    assert text.text == ""
    assert text.reasoning == "Hm, </thin"
    assert text.reasoning_unfinished


def test_a_mark_inside_an_answer_is_text() -> None:
    text = AnswerText()
    assert write(in_pieces("The tag <think> is text."), text) == "The tag <think> is text."
    assert not text.reasoning_found


def test_control_tokens_of_marks_are_known() -> None:
    assert is_part_of_mark("[THINK]")
    assert is_part_of_mark("<|channel|>")
    assert not is_part_of_mark("<|im_end|>")
