"""From a conversation to the tokens that are decoded."""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from workbench.domain.llm import AnswerFlag, FailureCode
from workbench.inference.chat_template import PromptPart, RenderedPrompt


class Vocabulary(Protocol):
    """What a prompt and an answer need to know of a model file's tokens."""

    @property
    def bos_token(self) -> int | None:
        """The beginning-of-sequence token, if there is one."""
        ...

    @property
    def wants_bos(self) -> bool:
        """Whether every text begins with it."""
        ...

    def tokenize(self, text: str, *, parse_control: bool) -> list[int]:
        """The tokens of a text; control tokens in it are recognised only with ``parse_control``."""
        ...

    def piece(self, token: int) -> bytes:
        """The bytes a token writes."""
        ...

    def ends_answer(self, token: int) -> bool:
        """Whether a token ends the assistant's turn."""
        ...


class RequestRefusedError(Exception):
    """A request that cannot be answered, found before anything was decoded for it."""

    def __init__(self, code: FailureCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class EncodedPrompt:
    """The tokens of a prompt."""

    tokens: list[int]
    flags: tuple[AnswerFlag, ...]

    @property
    def sha256(self) -> str:
        """Of the token ids, each as 4 bytes little-endian."""
        return hashlib.sha256(struct.pack(f"<{len(self.tokens)}I", *self.tokens)).hexdigest()


def encode(prompt: RenderedPrompt, vocabulary: Vocabulary) -> EncodedPrompt:
    """Tokenise a prompt and see to it that it begins with exactly one beginning-of-sequence token where one is wanted.

    What messages quote of control tokens is read as plain characters. A prompt without such quotes is tokenised as
    one text, as in training.
    """
    tokens: list[int] = []
    for is_quoted, parts in groupby(prompt.parts, key=lambda part: part.is_quoted):
        text = "".join(part.text for part in parts)
        tokens += vocabulary.tokenize(text, parse_control=not is_quoted)
    bos = vocabulary.bos_token
    if not vocabulary.wants_bos or bos is None:
        return EncodedPrompt(tokens, prompt.flags)
    n_written = next((index for index, token in enumerate(tokens) if token != bos), len(tokens))
    flags = prompt.flags
    if n_written == 0:
        flags = (*flags, AnswerFlag.BOS_ADDED)
    elif n_written > 1:
        flags = (*flags, AnswerFlag.BOS_REPEATED)
    return EncodedPrompt([bos, *tokens[n_written:]], flags)


def encode_endings(
    prompt: RenderedPrompt, endings: Sequence[str], last_control: tuple[str, str] | None, vocabulary: Vocabulary
) -> list[EncodedPrompt]:
    """A prompt with each of several endings, tokenised.

    A tokeniser never joins what stands before a control token with what follows it. So a prompt of thousands of
    tokens is tokenised once, and for each further ending only what follows its last control token.

    Args:
        prompt: The common part.
        endings: At least one.
        last_control: The prompt's last control token and the text behind it, if there is one.
        vocabulary: The tokens.
    """
    first, *others = (prompt.followed_by(PromptPart(ending)) for ending in endings)
    encoded = encode(first, vocabulary)
    tokens = encoded.tokens
    if last_control is not None:
        control, begun = last_control
        tail = vocabulary.tokenize(begun + endings[0], parse_control=True)
        head = tokens[: len(tokens) - len(tail)]
        if tokens[len(head) :] == tail and head[-1:] == vocabulary.tokenize(control, parse_control=True):
            tails = (vocabulary.tokenize(begun + ending, parse_control=True) for ending in endings[1:])
            return [encoded, *(EncodedPrompt(head + tail, encoded.flags) for tail in tails)]
    return [encoded, *(encode(other, vocabulary) for other in others)]


def check_length(n_prompt_tokens: int, n_needed_tokens: int, context_tokens: int) -> None:
    """Refuse a prompt that leaves no room for its answer.

    Raises:
        RequestRefusedError: If prompt and answer cannot fit into the context.
    """
    if n_prompt_tokens + n_needed_tokens > context_tokens:
        raise RequestRefusedError(
            FailureCode.PROMPT_TOO_LONG,
            f"The prompt is {n_prompt_tokens} tokens long, but prompt and answer together have room for "
            f"{context_tokens} tokens. Nothing was cut. Shorten the text or load the model file with a larger "
            f"context.",
        )
