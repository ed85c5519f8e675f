"""What the program and a worker say to each other: one message is one line of UTF-8 JSON.

Commands go to the worker's standard input, events come from its protocol stream. Either side treats a line it cannot
read completely as rubbish: nothing is guessed, nothing is skipped.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from workbench.domain.llm import (
    Answer,
    Device,
    LlmDescription,
    LoadSettings,
    Request,
    RequestFailure,
    ScoreReply,
    Slowed,
    TextChunk,
)
from workbench.domain.memory import Allocation, DeviceCorrection, LlmLayout, MemoryPlan
from workbench.errors import (
    AdapterError,
    EngineError,
    LoadSettingsError,
    ModelFileError,
    NoChatTemplateError,
    OutOfMemoryError,
    ResourceError,
    UsageError,
    WorkbenchError,
    WorkerProtocolError,
)

PROTOCOL_VERSION = 2
"""Raised with every change of a message, so that parts of different installations refuse each other."""

MAX_LINE_BYTES = 64 * 1024 * 1024
"""Longest line accepted; an answer with its prompt is far below."""

BackendName = Literal["llama", "scripted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Command: load a model file; answered by ``Planned`` and then ``Loaded``, or by ``LoadFailed`` at any point.

    Once in a worker's life. The plan is sent ahead, so that it is known what was tried if the worker does not survive.
    """

    kind: Literal["load"] = "load"
    path: Path
    settings: LoadSettings
    backend: BackendName
    corrections: tuple[DeviceCorrection, ...] = ()
    n_smaller: int = 0
    """Steps below the best plan; 1 and 2 after loadings that failed for lack of memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Command: say how a model file would be loaded; answered by ``Planned`` or ``LoadFailed``."""

    kind: Literal["plan"] = "plan"
    path: Path
    settings: LoadSettings
    backend: BackendName
    corrections: tuple[DeviceCorrection, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """Command: answer requests, in order; each has exactly one final event in a ``Happened``."""

    kind: Literal["submit"] = "submit"
    requests: tuple[Request, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOfRequests:
    """Command: do not wait for more requests before going on; the next ``Submit`` takes it back."""

    kind: Literal["end_of_requests"] = "end_of_requests"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Command: take no further step."""

    kind: Literal["pause"] = "pause"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """Command: go on after ``Pause``."""

    kind: Literal["resume"] = "resume"


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAll:
    """Command: forget every request, and a pause; answered by ``CancelledAll``."""

    kind: Literal["cancel_all"] = "cancel_all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Command: say what a backend can compute with; answered by ``Probed``."""

    kind: Literal["probe"] = "probe"
    backend: BackendName


@dataclass(frozen=True, slots=True, kw_only=True)
class Shutdown:
    """Command: leave."""

    kind: Literal["shutdown"] = "shutdown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """Event: the worker is ready for commands. Always the first line."""

    kind: Literal["hello"] = "hello"
    protocol: int
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Event: the model file is in memory; ends the handshake with versions (in the description) and devices."""

    kind: Literal["loaded"] = "loaded"
    description: LlmDescription
    devices: tuple[Device, ...]
    """Where this worker can compute, with the memory that is free now."""
    allocations: tuple[Allocation, ...]
    """What the devices really gave; empty where the backend does not report it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """Event: what a model file needs and how it would be loaded now."""

    kind: Literal["planned"] = "planned"
    layout: LlmLayout
    plan: MemoryPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFailed:
    """Event: the model file cannot be used; the parts of the error that says why."""

    kind: Literal["load_failed"] = "load_failed"
    error: str
    """Name of the error's class."""
    happened: str
    safe: str
    todo: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """Event: what happened in one step, at least one thing, in order."""

    kind: Literal["happened"] = "happened"
    events: tuple[TextChunk | Answer | ScoreReply | RequestFailure | Slowed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive:
    """Event: a sign of life while working, at most one a second."""

    kind: Literal["alive"] = "alive"


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelledAll:
    """Event: no event of an earlier request will follow."""

    kind: Literal["cancelled_all"] = "cancelled_all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """Event: what a backend can compute with, and its versions."""

    kind: Literal["probed"] = "probed"
    devices: tuple[Device, ...]
    versions: tuple[tuple[str, str], ...]


Command = Load | Plan | Submit | EndOfRequests | Pause | Resume | CancelAll | Probe | Shutdown
Event = Hello | Loaded | Planned | LoadFailed | Happened | Alive | CancelledAll | Probed
Message = Command | Event
_MessageT = TypeVar("_MessageT")

_CONFIG = ConfigDict(
    strict=True,
    extra="forbid",
    allow_inf_nan=False,
    ser_json_bytes="base64",
    val_json_bytes="base64",
    ser_json_inf_nan="constants",
)
_COMMANDS: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="kind")], config=_CONFIG)
_EVENTS: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="kind")], config=_CONFIG)
_MESSAGES: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="kind")], config=_CONFIG)

_LOAD_ERRORS: dict[str, type[WorkbenchError]] = {
    error.__name__: error
    for error in (
        AdapterError,
        LoadSettingsError,
        ModelFileError,
        NoChatTemplateError,
        OutOfMemoryError,
        ResourceError,
        UsageError,
    )
}


def encode(message: Message) -> bytes:
    r"""One message as one line that ends in ``\n``.

    Raises:
        WorkerProtocolError: If it holds text that is not valid Unicode (lone surrogates), a number that is not
            finite, or more than ``MAX_LINE_BYTES``.
    """
    try:
        plain = _MESSAGES.dump_python(message, mode="json")
        line = json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except ValueError as error:  # of which UnicodeEncodeError is one
        raise _unreadable("A message between the program and its worker cannot be written", str(error)) from error
    if len(line) >= MAX_LINE_BYTES:
        raise _too_long(len(line))
    return line + b"\n"


def decode_command(line: bytes) -> Command:
    """Read a line that the program wrote; raises WorkerProtocolError."""
    return _decode(_COMMANDS, line)


def decode_event(line: bytes) -> Event:
    """Read a line that a worker wrote; raises WorkerProtocolError, also for a worker of another version."""
    event = _decode(_EVENTS, line)
    if isinstance(event, Hello) and event.protocol != PROTOCOL_VERSION:
        raise WorkerProtocolError(
            f"The worker speaks version {event.protocol} of the protocol, this program version {PROTOCOL_VERSION}.",
            safe="Nothing was started.",
            todo="Install the program again, so that all its parts are of one version.",
        )
    return event


def split_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Put a stream of bytes back together into lines, without their ends; an unfinished last line is dropped.

    Raises:
        WorkerProtocolError: If a line is longer than ``MAX_LINE_BYTES``.
    """
    parts: list[bytes] = []
    n_bytes = 0
    for chunk in chunks:
        first, *more = chunk.split(b"\n")
        parts.append(first)
        n_bytes += len(first)
        for part in more:
            yield b"".join(parts)
            parts, n_bytes = [part], len(part)
        if n_bytes > MAX_LINE_BYTES:
            raise _too_long(n_bytes)


def load_failed(error: WorkbenchError) -> LoadFailed:
    """The message for an error met while loading."""
    return LoadFailed(
        error=type(error).__name__, happened=error.happened, safe=error.safe, todo=error.todo, detail=error.detail
    )


def load_error(message: LoadFailed) -> WorkbenchError:
    """The error that a ``LoadFailed`` stands for; an unknown one is an ``EngineError``."""
    kind = _LOAD_ERRORS.get(message.error, EngineError)
    return kind(message.happened, safe=message.safe, todo=message.todo, detail=message.detail)


def _decode(adapter: TypeAdapter[_MessageT], line: bytes) -> _MessageT:
    if len(line) > MAX_LINE_BYTES:
        raise _too_long(len(line))
    try:
        return adapter.validate_json(line)
    except ValidationError as error:
        detail = f"{error}\n{line[:500]!r}"
        raise _unreadable("A message between the program and its worker cannot be read", detail) from error


def _too_long(n_bytes: int) -> WorkerProtocolError:
    return _unreadable(
        "A message between the program and its worker is too long", f"{n_bytes} bytes of {MAX_LINE_BYTES} at most"
    )


def _unreadable(what: str, detail: str) -> WorkerProtocolError:
    return WorkerProtocolError(
        f"{what}.",
        safe="Everything stored so far is kept.",
        todo="If this happens again, install the program again, or use another model file.",
        detail=detail,
    )
