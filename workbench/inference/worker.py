"""The worker's side: reads commands, drives one backend step by step, writes events.

The process leaves when its input ends, so it cannot outlive the program that started it, and it may be killed at any
time. An error that is not a ``WorkbenchError`` met while loading is a fault: its traceback goes to standard error and
the process ends with an exit code other than 0.
"""

import functools
import math
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, assert_never

from workbench.computer import busy_cores, usable_cores
from workbench.domain.llm import Device, RequestId, Slowed, TextChunk
from workbench.domain.memory import LlmLayout
from workbench.errors import WorkbenchError
from workbench.inference import process
from workbench.inference.backends.base import Backend, BackendEvent
from workbench.inference.layout import with_adapter
from workbench.inference.memory_plan import make_plan
from workbench.inference.protocol import (
    PROTOCOL_VERSION,
    Alive,
    BackendName,
    CancelAll,
    CancelledAll,
    Command,
    EndOfRequests,
    Event,
    Happened,
    Hello,
    Load,
    Loaded,
    Pause,
    Plan,
    Planned,
    Probe,
    Probed,
    Resume,
    Shutdown,
    Submit,
    decode_command,
    encode,
    load_failed,
    split_lines,
)
from workbench.inference.speed_watch import SpeedWatch

_TINY_PARAMETERS = 20_000_000
_CHUNK_INTERVAL_S = 0.05
"""At most 20 pieces of text a second for each answer."""
_ALIVE_INTERVAL_S = 1.0
_LEAVE_WITHIN_S = 0.5
"""After the end of input, a computation under way is given up after this time."""
_READ_BYTES = 64 * 1024


def main() -> int:
    """Run a worker on the standard streams of this process until it is told to leave; returns the exit code."""
    commands, events = process.take_over_standard_streams()
    incoming: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(commands, incoming), name="commands", daemon=True).start()
    write = functools.partial(process.write_all, events)
    write(encode(Hello(protocol=PROTOCOL_VERSION, pid=os.getpid())))
    Worker(incoming, write).serve()
    return 0


def _read(descriptor: int, incoming: "queue.SimpleQueue[bytes | None]") -> None:
    try:
        for line in split_lines(iter(functools.partial(os.read, descriptor, _READ_BYTES), b"")):
            incoming.put(line)
    finally:
        incoming.put(None)
    time.sleep(_LEAVE_WITHIN_S)
    os._exit(0)  # the main thread is in native code that nobody waits for any more


class Incoming(Protocol):
    """Lines with commands in order; ``None`` at the end of input."""

    def get(self) -> bytes | None:
        """Wait for the next line."""
        ...

    def get_nowait(self) -> bytes | None:
        """The next line; raises ``queue.Empty`` if there is none yet."""
        ...


class Worker:
    """The main loop.

    Args:
        incoming: What the program asks for.
        write: Writes bytes to the protocol stream.
    """

    def __init__(self, incoming: Incoming, write: Callable[[bytes], None]) -> None:
        self._incoming = incoming
        self._write = write
        self._backend: Backend | None = None
        self._paused = False
        self._more_may_come = True
        self._bundles = TextBundles()
        self._watch = SpeedWatch(None, busy_cores)
        self._last_sent_s = time.monotonic()

    def serve(self) -> None:
        """Obey commands and take steps until told to leave."""
        while True:
            backend = self._backend
            if backend is None or self._must_wait(backend):
                line = self._incoming.get()
            else:
                try:
                    line = self._incoming.get_nowait()
                except queue.Empty:
                    self._step(backend)
                    continue
            command = Shutdown() if line is None else decode_command(line)
            if isinstance(command, Shutdown):
                break
            self._obey(command)
        if self._backend is not None:
            self._backend.close()

    def _must_wait(self, backend: Backend) -> bool:
        """Whether a step is impossible, unwanted, or could come out differently with a request still on its way."""
        return self._paused or not backend.has_work or (backend.wants_request and self._more_may_come)

    def _step(self, backend: Backend) -> None:
        began_s, processor_s = time.perf_counter(), time.process_time()
        happened = backend.step()
        if backend.n_step_tokens:
            slowed = self._watch.add(
                backend.n_step_tokens, time.perf_counter() - began_s, time.process_time() - processor_s
            )
            happened += [slowed] if slowed else []
        if not backend.has_work and (over := self._watch.rest()):
            happened.append(over)
        now_s = time.monotonic()
        self._send_happened([ready for event in happened for ready in self._bundles.add(event, now_s)])
        if now_s - self._last_sent_s >= _ALIVE_INTERVAL_S:
            self._send(Alive())

    def _obey(self, command: Command) -> None:
        match command:
            case Load():
                self._load(command)
            case Plan():
                self._plan(command)
            case Probe():
                self._send(_probe(command))
            case Submit():
                self._more_may_come = True
                for request in command.requests:
                    self._loaded.submit(request)
            case EndOfRequests():
                self._more_may_come = False
            case Pause():
                self._paused = True
                self._send_happened(self._bundles.take_all())
            case Resume():
                self._paused = False
            case CancelAll():
                self._paused = False
                self._bundles.clear()
                self._watch.rest()
                self._loaded.cancel_all()
                self._send(CancelledAll())
            case Shutdown():
                raise AssertionError("handled by serve")
            case _:
                assert_never(command)

    @property
    def _loaded(self) -> Backend:
        if self._backend is None:
            raise RuntimeError("nothing is loaded yet")
        return self._backend

    def _plan(self, command: Plan) -> None:
        try:
            self._send(_planned(command, n_smaller=0))
        except WorkbenchError as error:
            self._send(load_failed(error))

    def _load(self, command: Load) -> None:
        try:
            planned = _planned(command, command.n_smaller)
            self._send(planned)
            backend = self._backend = _load_backend(command, planned, self._write)
        except WorkbenchError as error:
            self._send(load_failed(error))
            return
        description = backend.description
        self._watch = SpeedWatch(None if description.n_layers_offloaded else description.n_threads, busy_cores)
        devices = _devices(command.backend, command.path)
        self._send(Loaded(description=description, devices=devices, allocations=backend.allocations))

    def _send_happened(self, events: Sequence[BackendEvent]) -> None:
        if events:
            self._send(Happened(events=tuple(events)))

    def _send(self, event: Event) -> None:
        self._write(encode(event))
        self._last_sent_s = time.monotonic()


class TextBundles:
    """Holds back pieces of text so that each answer sends few. The clock decides when text is sent, never what."""

    def __init__(self) -> None:
        self._pending: dict[RequestId, str] = {}
        self._sent_s: dict[RequestId, float] = {}

    def add(self, event: BackendEvent, now_s: float) -> Iterator[BackendEvent]:
        """What to send now that ``event`` has happened at ``now_s`` (seconds, any origin)."""
        if isinstance(event, Slowed):
            yield event
            return
        request_id = event.request_id
        text = self._pending.pop(request_id, "")
        if isinstance(event, TextChunk):
            text += event.text
            if now_s - self._sent_s.get(request_id, -math.inf) < _CHUNK_INTERVAL_S:
                self._pending[request_id] = text
                return
            self._sent_s[request_id] = now_s
            yield TextChunk(request_id=request_id, text=text)
            return
        self._sent_s.pop(request_id, None)
        if text:
            yield TextChunk(request_id=request_id, text=text)
        yield event

    def take_all(self) -> list[TextChunk]:
        """Every piece held back, which is held back no longer."""
        chunks = [TextChunk(request_id=request_id, text=text) for request_id, text in self._pending.items()]
        self._pending.clear()
        return chunks

    def clear(self) -> None:
        """Forget everything."""
        self._pending.clear()
        self._sent_s.clear()


def default_threads(n_parameters: int) -> int:
    """Compute threads for an llm of this size.

    One for each processor core, less one for the window where there are more than two. A tiny llm gets one thread:
    its steps are so short that threads would spend them waiting for each other.
    """
    if n_parameters < _TINY_PARAMETERS:
        return 1
    n_cores = usable_cores()
    return n_cores - 1 if n_cores > 2 else n_cores


def _planned(command: Plan | Load, n_smaller: int) -> Planned:
    layout = _layout(command.backend, command.path)
    adapter = command.settings.adapter
    if adapter is not None and adapter.path.is_file():  # loading says what is wrong with one that is missing
        layout = with_adapter(layout, adapter.path.stat().st_size)
    plan = make_plan(
        layout,
        _devices(command.backend, command.path),
        command.settings,
        n_threads=default_threads(layout.n_parameters),
        corrections=command.corrections,
        n_smaller=n_smaller,
    )
    return Planned(layout=layout, plan=plan)


# Only the backend that was asked for is imported, because llama.cpp takes its time.


def _layout(backend: BackendName, path: Path) -> LlmLayout:
    if backend == "scripted":
        from workbench.inference.backends import scripted

        return scripted.layout(path)
    from workbench.inference.backends import llama

    return llama.layout(path)


def _devices(backend: BackendName, path: Path) -> tuple[Device, ...]:
    if backend == "scripted":
        from workbench.inference.backends import scripted

        return scripted.devices(path)
    from workbench.inference.backends import llama

    return llama.devices()


def _load_backend(command: Load, planned: Planned, write: Callable[[bytes], None]) -> Backend:
    if command.backend == "scripted":
        from workbench.inference.backends import scripted

        return scripted.load(command.path, planned.plan, write)
    from workbench.inference.backends import llama

    return llama.load(command.path, command.settings, planned.layout, planned.plan)


def _probe(command: Probe) -> Probed:
    if command.backend == "scripted":
        return Probed(devices=(), versions=())  # a script is part of the program and computes nothing
    from workbench.inference.backends import llama

    return Probed(devices=llama.devices(), versions=llama.versions())
