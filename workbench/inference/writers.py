"""How an answer and a score come about, token by token. Knows neither the decoder nor the other requests."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from workbench.domain.llm import (
    Answer,
    AnswerFlag,
    FailureCode,
    FinishReason,
    GenerateRequest,
    Request,
    RequestFailure,
    ScoreReply,
    ScoreRequest,
    TextChunk,
)
from workbench.inference.answer_text import AnswerText, reasoning_opened_by
from workbench.inference.backends.base import BackendEvent
from workbench.inference.chat_template import ChatTemplate, PromptPart, RenderedPrompt, TemplateError
from workbench.inference.prompts import (
    EncodedPrompt,
    RequestRefusedError,
    Vocabulary,
    check_length,
    encode,
    encode_endings,
)
from workbench.inference.sampling import greedy, make_sampler, probabilities
from workbench.inference.scheduler import Continuation, Logits, n_common

_N_SPARE_TOKENS: Final = 8
"""Room for a reason to become longer when it is tokenised again together with what follows it."""
_NOT_FINITE: Final = (
    "The model file gave values that are not numbers, so no answer can be read from them. Other answers are not "
    "affected. If this happens again, the file is probably damaged: download it once more."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What every request of a session is written with."""

    template: ChatTemplate
    vocabulary: Vocabulary
    context_tokens: int
    session_flags: tuple[AnswerFlag, ...]
    emit: Callable[[BackendEvent], None]

    def render(self, request: Request) -> RenderedPrompt:
        """The prompt of a request.

        Raises:
            RequestRefusedError: If the template cannot write it.
        """
        try:
            return self.template.render(request.messages)
        except TemplateError as error:
            raise RequestRefusedError(
                FailureCode.TEMPLATE_FAILED,
                f"The chat template of the model file could not write this conversation ({error}). Other questions "
                f"are not affected. Choose another template or change the text.",
            ) from error

    def encode(self, prompt: RenderedPrompt) -> EncodedPrompt:
        """The tokens of a prompt."""
        return encode(prompt, self.vocabulary)

    def encode_endings(self, prompt: RenderedPrompt, endings: Sequence[str]) -> list[EncodedPrompt]:
        """A prompt with each of several endings, tokenised."""
        return encode_endings(prompt, endings, self.template.last_control_token(prompt), self.vocabulary)


class AnswerWriter:
    """Writes one answer.

    Raises:
        RequestRefusedError: If the prompt cannot be written or is too long.
    """

    def __init__(self, request: GenerateRequest, desk: Desk) -> None:
        self.request = request
        self._desk = desk
        prompt = desk.render(request)
        self._prompt_text = prompt.text
        self._prompt = desk.encode(prompt)
        check_length(len(self._prompt.tokens), 1, desk.context_tokens)
        self._text = AnswerText(request.stop, reasoning_opened_by(self._prompt_text))
        self._choose = make_sampler(request.sampling)
        self._n_tokens = 0
        self._started_s = 0.0

    @property
    def prompt_tokens(self) -> Sequence[int]:
        """See ``scheduler.Writer``."""
        return self._prompt.tokens

    @property
    def max_length_tokens(self) -> int:
        """See ``scheduler.Writer``."""
        return min(len(self._prompt.tokens) + self.request.max_tokens, self._desk.context_tokens)

    def begin(self) -> None:
        """See ``scheduler.Writer``."""
        self._started_s = time.perf_counter()

    def advance(self, logits: Logits) -> Continuation | None:
        """See ``scheduler.Writer``."""
        try:
            token = self._choose(logits)
        except ValueError:
            self._desk.emit(_failure(self.request, _NOT_FINITE))
            return None
        finish_reason = self._take(token)
        if finish_reason is not None:
            self._finish(finish_reason)
            return None
        return Continuation(len(self._prompt.tokens) + self._n_tokens - 1, (token,))

    def _take(self, token: int) -> FinishReason | None:
        """Write a token; the reason to end, if there is one."""
        if self._desk.vocabulary.ends_answer(token):
            return FinishReason.STOP
        self._n_tokens += 1
        self._show(self._text.feed(self._desk.vocabulary.piece(token)))
        if self._text.stopped:
            return FinishReason.STOP
        if self._n_tokens >= self.request.max_tokens:
            return FinishReason.LENGTH
        if len(self._prompt.tokens) + self._n_tokens >= self._desk.context_tokens:
            return FinishReason.CONTEXT
        return None

    def _show(self, text: str) -> None:
        if text:
            self._desk.emit(TextChunk(request_id=self.request.id, text=text))

    def _finish(self, reason: FinishReason) -> None:
        text = self._text
        self._show(text.finish())
        found = {
            AnswerFlag.TRUNCATED: reason is not FinishReason.STOP,
            AnswerFlag.EMPTY: not text.text.strip(),
            AnswerFlag.NOT_UTF8: not text.is_utf8,
            AnswerFlag.REASONING_SPLIT: text.reasoning_found,
            AnswerFlag.REASONING_UNFINISHED: text.reasoning_unfinished,
        }
        answer = Answer(
            request_id=self.request.id,
            text=text.text,
            raw=text.raw,
            reasoning=text.reasoning,
            finish_reason=reason,
            flags=(*self._desk.session_flags, *self._prompt.flags, *(flag for flag, holds in found.items() if holds)),
            prompt=self._prompt_text,
            prompt_sha256=self._prompt.sha256,
            n_prompt_tokens=len(self._prompt.tokens),
            n_tokens=self._n_tokens,
            duration_s=time.perf_counter() - self._started_s,
        )
        self._desk.emit(answer)


class ScoreWriter:
    """Asks for the probabilities of a few continuations, after a written reason if one is wanted.

    Raises:
        RequestRefusedError: If the prompt cannot be written or is too long, or if the choices are not one token each.
    """

    def __init__(self, request: ScoreRequest, desk: Desk) -> None:
        self.request = request
        self._desk = desk
        self._rendered = desk.render(request)
        self._prompt, self._choice_tokens = self._scoring(self._rendered.followed_by(PromptPart(request.cue)))
        n_needed = 1
        if request.reason_max_tokens > 0:
            self._choice_tokens = []
            self._rendered = self._rendered.followed_by(PromptPart(request.reason_cue))
            self._prompt = desk.encode(self._rendered)
            n_needed = 1 + self._n_cue_tokens
        self._sequence = list(self._prompt.tokens)
        check_length(len(self._prompt.tokens), n_needed, desk.context_tokens)
        self._reason = bytearray()
        self._n_reason_tokens = 0
        self._reason_truncated = False
        self._started_s = 0.0

    @property
    def prompt_tokens(self) -> Sequence[int]:
        """See ``scheduler.Writer``."""
        return self._prompt.tokens

    @property
    def max_length_tokens(self) -> int:
        """See ``scheduler.Writer``."""
        return self._desk.context_tokens if self.request.reason_max_tokens > 0 else len(self._prompt.tokens)

    def begin(self) -> None:
        """See ``scheduler.Writer``."""
        self._started_s = time.perf_counter()

    def advance(self, logits: Logits) -> Continuation | None:
        """See ``scheduler.Writer``."""
        try:
            if self._choice_tokens:
                self._reply(logits)
                return None
            return self._go_on_reasoning(greedy(logits))
        except ValueError:
            self._desk.emit(_failure(self.request, _NOT_FINITE))
        except RequestRefusedError as refusal:
            self._desk.emit(RequestFailure(request_id=self.request.id, code=refusal.code, message=refusal.message))
        return None

    @property
    def _n_cue_tokens(self) -> int:
        return len(self._desk.vocabulary.tokenize(f"\n{self.request.cue}", parse_control=True)) + _N_SPARE_TOKENS

    def _go_on_reasoning(self, token: int) -> Continuation:
        piece = b"" if self._desk.vocabulary.ends_answer(token) else self._desk.vocabulary.piece(token)
        if not piece or b"\n" in piece:
            self._reason += piece.partition(b"\n")[0]
            return self._begin_scoring()
        self._reason += piece
        self._n_reason_tokens += 1
        room = self._desk.context_tokens - len(self._prompt.tokens) - self._n_cue_tokens
        if self._n_reason_tokens >= min(self.request.reason_max_tokens, room):
            self._reason_truncated = True
            return self._begin_scoring()
        self._sequence.append(token)
        return Continuation(len(self._sequence) - 1, (token,))

    def _begin_scoring(self) -> Continuation:
        """Place the cue on a new line; what was decoded is kept as far as the tokens agree."""
        # Bytes that are no text, such as a character cut by the limit, cannot be tokenised again and are left out.
        reason = self._desk.template.quote(self._reason.decode("utf-8", errors="ignore"))
        prompt = self._rendered.followed_by(*reason, PromptPart(f"\n{self.request.cue}"))
        scored, self._choice_tokens = self._scoring(prompt)
        tokens = scored.tokens
        check_length(len(tokens), 0, self._desk.context_tokens)
        n_kept = min(n_common(self._sequence, tokens), len(tokens) - 1)
        self._sequence = tokens
        return Continuation(n_kept, tuple(tokens[n_kept:]))

    @property
    def _reason_text(self) -> str:
        return self._reason.decode("utf-8", errors="replace")

    def _scoring(self, prompt: RenderedPrompt) -> tuple[EncodedPrompt, list[int]]:
        """The tokens that all choices have in common, and the one that each adds to them."""
        encoded = self._desk.encode_endings(prompt, self.request.choices)
        variants = [one.tokens for one in encoded]
        shared = variants[0][:-1]
        choices = [variant[-1] for variant in variants if variant[:-1] == shared]
        if not shared or len(set(choices)) != len(self.request.choices):
            raise RequestRefusedError(
                FailureCode.SCORE_TOKENS_UNUSABLE,
                "This model file does not write each of the scores as one token of its own, so their probabilities "
                "cannot be compared. Nothing was scored. Judge with another model file or another rubric.",
            )
        return EncodedPrompt(shared, encoded[0].flags), choices

    def _reply(self, logits: Logits) -> None:
        likely = probabilities(logits)
        not_utf8 = () if self._reason_text.encode("utf-8") == self._reason else (AnswerFlag.NOT_UTF8,)
        reply = ScoreReply(
            request_id=self.request.id,
            probabilities=tuple(float(likely[token]) for token in self._choice_tokens),
            reason=self._reason_text.strip(),
            reason_truncated=self._reason_truncated,
            flags=(*self._desk.session_flags, *self._prompt.flags, *not_utf8),
            prompt_sha256=self._prompt.sha256,
            n_prompt_tokens=len(self._prompt.tokens),
            n_tokens=self._n_reason_tokens,
            duration_s=time.perf_counter() - self._started_s,
        )
        self._desk.emit(reply)


Writer = AnswerWriter | ScoreWriter


def make_writer(request: Request, desk: Desk) -> Writer:
    """The writer for a request.

    Raises:
        RequestRefusedError: If the request cannot be answered.
    """
    return AnswerWriter(request, desk) if isinstance(request, GenerateRequest) else ScoreWriter(request, desk)


def _failure(request: Request, message: str) -> RequestFailure:
    return RequestFailure(request_id=request.id, code=FailureCode.DECODE_FAILED, message=message)
