"""Writes a conversation in the form that a model file was trained on."""

import datetime
import hashlib
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import jinja2

from workbench.domain.llm import AnswerFlag, ChatMessage
from workbench.inference.template_sandbox import TemplateEnvironment, TemplateLimitError

_FIRST_MARK: Final = 0xE000
"""Start of the private characters that stand for control tokens quoted in a message."""
_N_MARKS: Final = 0x1900
_DATE_FORMAT: Final = re.compile(r"(?:[^%]|%-?[A-Za-z%])*")
_LONGEST_DATE_FORMAT_CHARACTERS: Final = 100
_PROBE: Final = "Answer with care."


class TemplateError(Exception):
    """The template could not write the conversation; the text says why, for a technician."""


@dataclass(frozen=True, slots=True)
class PromptPart:
    """A stretch of a prompt."""

    text: str
    is_quoted: bool = False
    """Looks like a control token but comes from a message, so it must be read as plain characters."""


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """A conversation, ready to be tokenised."""

    parts: tuple[PromptPart, ...]
    flags: tuple[AnswerFlag, ...]

    @property
    def text(self) -> str:
        """The whole prompt."""
        return "".join(part.text for part in self.parts)

    def followed_by(self, *parts: PromptPart) -> "RenderedPrompt":
        """The prompt with the beginning of the reply behind it."""
        return replace(self, parts=(*self.parts, *parts))


class ChatTemplate:
    """A compiled chat template.

    Args:
        source: The Jinja template.
        date: ISO date given to templates that ask for today's.
        bos_token: Text of the beginning-of-sequence token; empty if there is none.
        eos_token: Text of the end-of-sequence token; empty if there is none.
        control_tokens: Texts that the tokeniser reads as control tokens; in messages they are quoted.

    Raises:
        TemplateError: If it is no valid template or cannot write the simplest conversation.
    """

    def __init__(
        self, source: str, *, date: str, bos_token: str = "", eos_token: str = "", control_tokens: Sequence[str] = ()
    ) -> None:
        self.sha256 = hashlib.sha256(source.encode("utf-8")).hexdigest()
        self._date_used = False
        self._bos_token = bos_token
        self._eos_token = eos_token
        longest_first = sorted((text for text in control_tokens if text), key=len, reverse=True)
        self._control_tokens = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
        self._environment = TemplateEnvironment()
        try:
            self._date = datetime.datetime.fromisoformat(date)
            self._template = self._environment.compile_metered(source)
        except _FAILURES as error:
            raise _template_error(error) from error
        user = ChatMessage(role="user", content="Hello")
        self._render([user])
        self._knows_system = self._writes_system_text(user)

    def render(self, messages: Sequence[ChatMessage]) -> RenderedPrompt:
        """The prompt up to where the assistant's reply begins.

        Raises:
            TemplateError: If the template fails or asks for too much time or memory.
        """
        flags = []
        messages = [message for message in messages if message.role != "system" or message.content.strip()]
        if not self._knows_system and any(message.role == "system" for message in messages):
            messages = _folded(messages)
            flags.append(AnswerFlag.SYSTEM_FOLDED)
        quoted: list[str] = []
        text = self._render([self._with_marks(message, quoted) for message in messages])
        if self._date_used:
            flags.append(AnswerFlag.DATE_IN_PROMPT)
        return RenderedPrompt(_parts(text, quoted), tuple(flags))

    def quote(self, text: str) -> tuple[PromptPart, ...]:
        """Text of no trusted origin, such as the llm's own, as parts of a prompt."""
        quoted: list[str] = []
        return _parts(self._mark(text, quoted), quoted)

    def last_control_token(self, prompt: RenderedPrompt) -> tuple[str, str] | None:
        """The text of the prompt's last control token and what follows it; ``None`` if quoted text comes later."""
        unquoted = itertools.takewhile(lambda part: not part.is_quoted, reversed(prompt.parts))
        text = "".join(part.text for part in reversed(list(unquoted)))
        found = list(self._control_tokens.finditer(text)) if self._control_tokens is not None else []
        return (found[-1].group(), text[found[-1].end() :]) if found else None

    def _writes_system_text(self, user: ChatMessage) -> bool:
        try:
            return _PROBE in self._render([ChatMessage(role="system", content=_PROBE), user])
        except TemplateError:
            return False

    def _render(self, messages: Sequence[ChatMessage]) -> str:
        self._date_used = False
        variables: dict[str, object] = {
            "messages": [{"role": message.role, "content": message.content} for message in messages],
            "add_generation_prompt": True,
            "bos_token": self._bos_token,
            "eos_token": self._eos_token,
            "tools": None,
            "documents": None,
            "raise_exception": _raise,
            "strftime_now": self._strftime_now,
        }
        try:
            return self._environment.render_metered(self._template, variables)
        except _FAILURES as error:
            raise _template_error(error) from error

    def _strftime_now(self, date_format: str) -> str:
        too_long = len(date_format) > _LONGEST_DATE_FORMAT_CHARACTERS
        if too_long or not _DATE_FORMAT.fullmatch(date_format):  # a width in it could ask for gigabytes
            raise jinja2.TemplateRuntimeError(f"strftime_now cannot write this format: {date_format[:40]!r}")
        self._date_used = True
        return self._date.strftime(date_format)

    def _with_marks(self, message: ChatMessage, quoted: list[str]) -> ChatMessage:
        return replace(message, content=self._mark(message.content, quoted))

    def _mark(self, text: str, quoted: list[str]) -> str:
        """Put a private character in the place of each control token, and of each private character itself."""
        if self._control_tokens is None:
            return text

        def mark(found: re.Match[str]) -> str:
            quoted.append(found.group())
            if len(quoted) > _N_MARKS:
                raise TemplateError("the messages quote too many control tokens")
            return chr(_FIRST_MARK + len(quoted) - 1)

        if _ANY_MARK.search(text):
            return re.sub(f"{self._control_tokens.pattern}|[{_MARKS}]", mark, text)
        return self._control_tokens.sub(mark, text)


_MARKS: Final = f"{chr(_FIRST_MARK)}-{chr(_FIRST_MARK + _N_MARKS - 1)}"
_ANY_MARK: Final = re.compile(f"[{_MARKS}]")
_FAILURES: Final = (
    jinja2.TemplateError,
    TemplateLimitError,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
)
"""What running somebody else's template can end in."""


def _raise(message: str) -> None:
    """``raise_exception`` of chat templates."""
    raise jinja2.TemplateRuntimeError(str(message))


def _template_error(error: Exception) -> TemplateError:
    return TemplateError(f"{type(error).__name__}: {str(error)[:500]}")


def _folded(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """The conversation with the system text at the start of the first turn of the user."""
    system = "\n\n".join(message.content for message in messages if message.role == "system")
    others = [message for message in messages if message.role != "system"]
    first = next((index for index, message in enumerate(others) if message.role == "user"), None)
    if first is None:
        return [ChatMessage(role="user", content=system), *others]
    others[first] = replace(others[first], content=f"{system}\n\n{others[first].content}")
    return others


def _parts(text: str, quoted: Sequence[str]) -> tuple[PromptPart, ...]:
    """Put the quoted control tokens back in the place of their marks."""
    if not quoted:
        return (PromptPart(text),)
    parts = []
    for piece in re.split(f"([{_MARKS}])", text):
        if len(piece) == 1 and _FIRST_MARK <= ord(piece) < _FIRST_MARK + len(quoted):
            parts.append(PromptPart(quoted[ord(piece) - _FIRST_MARK], is_quoted=True))
        elif piece:
            parts.append(PromptPart(piece))
    return tuple(parts)
