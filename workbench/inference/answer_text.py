"""Turns the bytes an llm writes into the text of an answer: UTF-8, reasoning part and stop texts, piece by piece."""

import codecs
from collections.abc import Iterable
from enum import Enum, auto
from typing import NamedTuple


class ReasoningMarks(NamedTuple):
    """The texts between which a family of llms writes what it considers before it answers."""

    opening: str
    closing: str


REASONING_MARKS = (
    ReasoningMarks("<think>", "</think>"),
    ReasoningMarks("<thinking>", "</thinking>"),
    ReasoningMarks("[THINK]", "[/THINK]"),
    ReasoningMarks("<seed:think>", "</seed:think>"),
    ReasoningMarks("<mm:think>", "</mm:think>"),
    ReasoningMarks("<think:opensource>", "</think:opensource>"),
    ReasoningMarks("<|START_THINKING|>", "<|END_THINKING|>"),
    ReasoningMarks("<|channel>thought", "<channel|>"),
    ReasoningMarks("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
)


def is_part_of_mark(token_text: str) -> bool:
    """Whether a control token belongs to a mark and so must be seen, although control tokens are no text."""
    return token_text != "" and any(token_text in mark for marks in REASONING_MARKS for mark in marks)


def reasoning_opened_by(prompt: str) -> ReasoningMarks | None:
    """The marks of a reasoning part that the prompt itself begins, so that the llm writes only its end."""
    end = prompt.rstrip()
    return next((marks for marks in REASONING_MARKS if end.endswith(marks.opening)), None)


class _Part(Enum):
    START = auto()
    """It is not yet clear whether a reasoning part comes."""
    REASONING = auto()
    ANSWER_START = auto()
    """White space between the reasoning part and the answer belongs to neither."""
    ANSWER = auto()
    STOPPED = auto()


class AnswerText:
    """The text of one answer while it is being written.

    Args:
        stop: Texts that end the answer and are not part of it; looked for only after the reasoning part.
        opened: The marks of a reasoning part that the prompt has already begun.
    """

    def __init__(self, stop: Iterable[str] = (), opened: ReasoningMarks | None = None) -> None:
        self._stop = tuple(text for text in stop if text)
        self._closing = opened.closing if opened is not None else ""
        self._part = _Part.START if opened is None else _Part.REASONING
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._raw = bytearray()
        self._pending = ""
        self._text: list[str] = []
        self._reasoning = ""

    @property
    def raw(self) -> bytes:
        """Every byte fed."""
        return bytes(self._raw)

    @property
    def text(self) -> str:
        """The answer so far."""
        return "".join(self._text)

    @property
    def reasoning(self) -> str:
        """The reasoning part, once it has ended or everything has."""
        return self._reasoning

    @property
    def stopped(self) -> bool:
        """Whether a stop text was written."""
        return self._part is _Part.STOPPED

    @property
    def reasoning_found(self) -> bool:
        """Whether there is a reasoning part."""
        return self._closing != ""

    @property
    def reasoning_unfinished(self) -> bool:
        """Whether the reasoning part has not ended."""
        return self._part is _Part.REASONING

    @property
    def is_utf8(self) -> bool:
        """Whether all bytes fed are valid UTF-8."""
        try:
            self._raw.decode("utf-8")
        except UnicodeDecodeError:
            return False
        return True

    def feed(self, data: bytes) -> str:
        """Take what one token adds and return the text that has become certain by it."""
        self._raw += data
        self._pending += self._decoder.decode(data)
        return self._settle(final=False)

    def finish(self) -> str:
        """No more comes: return the rest of the text."""
        self._pending += self._decoder.decode(b"", final=True)
        return self._settle(final=True)

    def _settle(self, *, final: bool) -> str:
        if self._part is _Part.START:
            self._look_for_opening(final=final)
        if self._part is _Part.REASONING:
            self._look_for_closing(final=final)
        if self._part is _Part.ANSWER_START:
            self._pending = self._pending.lstrip()
            if self._pending:
                self._part = _Part.ANSWER
        if self._part is not _Part.ANSWER:
            return ""
        certain = self._before_stop(final=final)
        self._text.append(certain)
        return certain

    def _look_for_opening(self, *, final: bool) -> None:
        begun = self._pending.lstrip()
        for marks in REASONING_MARKS:
            if begun.startswith(marks.opening):
                self._closing, self._part = marks.closing, _Part.REASONING
                self._pending = begun.removeprefix(marks.opening)
                return
        if final or not any(marks.opening.startswith(begun) for marks in REASONING_MARKS):
            self._part = _Part.ANSWER

    def _look_for_closing(self, *, final: bool) -> None:
        reasoning, closing, rest = self._pending.partition(self._closing)
        if closing:
            self._reasoning, self._pending = reasoning.strip(), rest
            self._part = _Part.ANSWER_START
        elif final:
            self._reasoning = self._pending.strip()

    def _before_stop(self, *, final: bool) -> str:
        """The part of the pending text that no stop text can touch any more; ends the answer at a stop text."""
        found = [index for index in (self._pending.find(stop) for stop in self._stop) if index >= 0]
        if found:
            self._part = _Part.STOPPED
            return self._pending[: min(found)]
        n_held = 0 if final else max((_n_begun(self._pending, stop) for stop in self._stop), default=0)
        certain = self._pending[: len(self._pending) - n_held]
        self._pending = self._pending[len(certain) :]
        return certain


def _n_begun(text: str, stop: str) -> int:
    """How many characters at the end of a text could be the start of a stop text."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
