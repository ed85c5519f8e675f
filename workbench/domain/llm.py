"""What is asked of a loaded model file and what it gives back."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal, NewType

RequestId = NewType("RequestId", int)


class AnswerFlag(StrEnum):
    """Everything about an answer that a reader must know before trusting it. Stored and shown, never silent."""

    TRUNCATED = "truncated"
    """Cut at the token limit or at the end of the context."""
    EMPTY = "empty"
    """No text besides white space."""
    NOT_UTF8 = "not_utf8"
    """The bytes are not valid UTF-8; the text shows replacement characters, the bytes are stored."""
    REASONING_SPLIT = "reasoning_split"
    """A reasoning part was found and kept apart from the answer."""
    REASONING_UNFINISHED = "reasoning_unfinished"
    """The reasoning part did not end before the limit."""
    SYSTEM_FOLDED = "system_folded"
    """The template knows no system role; the system text stands at the start of the user's turn."""
    TEMPLATE_CHOSEN = "template_chosen"
    """The chat template was chosen by the user, not taken from the model file."""
    BOS_ADDED = "bos_added"
    """The template wrote no beginning-of-sequence token; one was added."""
    BOS_REPEATED = "bos_repeated"
    """The template wrote several beginning-of-sequence tokens; one was kept."""
    DATE_IN_PROMPT = "date_in_prompt"
    """The template inserts a date; the fixed date of the run was used."""
    FEWER_LAYERS_OFFLOADED = "fewer_layers_offloaded"
    """Fewer layers run on the accelerator than were asked for."""
    ADAPTER_WITHOUT_EFFECT = "adapter_without_effect"
    """The adapter does not change the model's output."""
    KV_QUANTISED = "kv_quantised"
    """Keys and values were kept in 8 bits to save memory; the wording may differ slightly."""
    ANSWERED_ALONE = "answered_alone"
    """Asked again by itself after the worker failed; the text may differ from an undisturbed run."""


class FinishReason(StrEnum):
    """Why an answer ended."""

    STOP = "stop"
    """An end-of-turn token or a stop text."""
    LENGTH = "length"
    """``max_tokens`` reached."""
    CONTEXT = "context"
    """The context was full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingSettings:
    """How the next token is chosen."""

    temperature: float = 0.0
    """0 takes the most probable token (greedy)."""
    top_p: float = 1.0
    top_k: int = 0
    """0 means no limit."""
    seed: int = 0
    """Of the random numbers when temperature is above 0; 0 to 2**32 - 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterChoice:
    """A LoRA adapter file and how strongly it is applied."""

    path: Path
    scale: float = 1.0


class KvType(StrEnum):
    """How the keys and values of a conversation are kept."""

    F16 = "f16"
    """16 bits each; the usual way."""
    Q8_0 = "q8_0"
    """About 8.5 bits each: half the memory, and other last digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSettings:
    """How a model file is brought into memory; what is ``None`` is left to the memory plan.

    All of it can change the text, so the choices of the plan are recorded as well (``memory.pinned``).
    """

    n_slots: int | None = None
    """Answers written at the same time."""
    context_tokens: int = 2048
    """Room for one prompt and its answer together; lowered to what the model file was trained for."""
    request_tokens: int | None = None
    """What a usual request and its answer take beyond what it shares with others; ``None``: the whole context.

    Longer requests, up to the context, wait until others leave them room.
    """
    n_batch: int | None = None
    """Tokens decoded in one step at most."""
    kv_type: KvType | None = None
    flash_attention: bool | None = None
    n_threads: int | None = None
    """Compute threads; ``None`` leaves one core to the window where there are more than two."""
    n_gpu_layers: int | None = None
    """Layers for accelerators, the output layer included; ``None`` takes as many as fit, -1 insists on all."""
    device_layers: tuple[tuple[str, int], ...] | None = None
    """Exactly so many layers on each named accelerator; goes before ``n_gpu_layers``. Stated by ``memory.pinned``."""
    adapter: AdapterChoice | None = None
    chat_template: str | None = None
    """Used instead of the model file's own template."""
    template_date: str = "2026-01-01"
    """ISO date given to templates that ask for today's, so that runs repeat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateRequest:
    """Ask for an answer."""

    id: RequestId
    messages: tuple[ChatMessage, ...]
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    max_tokens: int = 512
    stop: tuple[str, ...] = ()
    """Texts that end the answer; not part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRequest:
    """Ask which of a few continuations the llm holds most probable; used for judging.

    The assistant's turn begins with ``cue``; each choice continues it and must differ from the others in exactly one
    token. With ``reason_max_tokens`` above 0 the turn begins with ``reason_cue`` instead, the llm writes a reason
    greedily until a line break or the limit, and then ``cue`` is placed on a new line: every reply ends in a score.
    """

    id: RequestId
    messages: tuple[ChatMessage, ...]
    cue: str
    choices: tuple[str, ...]
    reason_cue: str = ""
    reason_max_tokens: int = 0


Request = GenerateRequest | ScoreRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Event: a finished answer."""

    request_id: RequestId
    text: str
    """Without the reasoning part; invalid bytes as U+FFFD."""
    raw: bytes
    """Every byte the llm wrote, reasoning included."""
    reasoning: str = ""
    finish_reason: FinishReason
    flags: tuple[AnswerFlag, ...] = ()
    prompt: str
    """The exact rendered prompt."""
    prompt_sha256: str
    """Of the prompt's token ids, each as 4 bytes little-endian."""
    n_prompt_tokens: int
    n_tokens: int
    """Tokens written, the ending one not counted."""
    duration_s: float
    """From admission to a slot until the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreReply:
    """Event: the probabilities of the choices of a ``ScoreRequest``."""

    request_id: RequestId
    probabilities: tuple[float, ...]
    """One for each choice, of the whole vocabulary; their sum is at most 1."""
    reason: str = ""
    reason_truncated: bool = False
    flags: tuple[AnswerFlag, ...] = ()
    prompt_sha256: str
    n_prompt_tokens: int
    n_tokens: int
    """Tokens of the reason written."""
    duration_s: float


class FailureCode(StrEnum):
    """Why one request got no answer while the run goes on."""

    PROMPT_TOO_LONG = "prompt_too_long"
    TEMPLATE_FAILED = "template_failed"
    SCORE_TOKENS_UNUSABLE = "score_tokens_unusable"
    WORKER_KILLED_REPEATEDLY = "worker_killed_repeatedly"
    DECODE_FAILED = "decode_failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFailure:
    """Event: one request could not be answered."""

    request_id: RequestId
    code: FailureCode
    message: str
    """For a person: what happened and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextChunk:
    """Event: more text of an answer in progress; at most 20 a second for each answer."""

    request_id: RequestId
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRestarted:
    """Event: the worker failed and was started again; its unfinished requests are asked again one by one."""

    reason: str
    """What ended the worker, for a person."""
    n_requests: int
    """How many requests it was working on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slowed:
    """Event: the computer computes much more slowly than it could, or does so no longer."""

    share: float
    """Speed now by the speed that could be expected; 1 or more ends the slowness."""
    reason: str
    """For a person, for example that other programs take the processor; empty when it is over."""


SessionEvent = TextChunk | Answer | ScoreReply | RequestFailure | WorkerRestarted | Slowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Where llama.cpp can compute."""

    name: str
    """As ggml names it, for example ``CPU`` or ``CUDA0``."""
    description: str
    kind: Literal["cpu", "gpu", "accelerator"]
    free_bytes: int
    """At the moment of asking."""
    total_bytes: int
    shares_memory: bool = False
    """Whether its memory is the computer's own (unified memory, graphics in the processor)."""
    detail: str = ""
    """What the maker's own interface adds, for example the driver's version; empty where it is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmDescription:
    """What a loaded model file says of itself and how it was loaded."""

    name: str
    architecture: str
    quantisation: str
    n_parameters: int
    n_layers: int
    trained_context_tokens: int
    context_tokens: int
    """Room for one prompt and its answer, as loaded."""
    n_slots: int
    n_threads: int
    n_batch: int
    """Tokens in one step at most."""
    kv_type: KvType
    flash_attention: bool
    device: str
    """Name of the device that holds most layers."""
    n_layers_offloaded: int
    """On accelerators, the output layer included: up to ``n_layers + 1``."""
    template_sha256: str
    template_source: Literal["model_file", "chosen"]
    rubric: str | None
    """``name-version`` of the rubric a judge file was trained on, from its metadata."""
    flags: tuple[AnswerFlag, ...] = ()
    """What holds for every answer of this session."""
    versions: tuple[tuple[str, str], ...] = ()
    """Program, Python, llama.cpp binding, …: name and version."""
