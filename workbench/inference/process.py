"""A worker process and its three pipes, and everything about processes that differs between operating systems."""

import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from functools import partial
from typing import BinaryIO, cast

from workbench import paths
from workbench.errors import EngineError, WorkerDiedError, WorkerHungError, WorkerProtocolError, WorkerStartError
from workbench.inference.protocol import Command, Event, decode_event, encode, split_lines

_READ_BYTES = 64 * 1024
_STDERR_TAIL_BYTES = 16 * 1024
_EXIT_GRACE_S = 2.0
"""How long a worker whose output has ended may take to be gone."""

if sys.platform == "win32":
    _CREATION_FLAGS = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    _PROCESS_GROUP = None
else:
    _CREATION_FLAGS = 0
    _PROCESS_GROUP = 0  # a group of its own: Ctrl-C in a terminal is for the program alone, which stops in order

_WORKER_ENVIRONMENT = {"GOMP_SPINCOUNT": "1000"}
"""Compute threads that wait for each other spin for some microseconds, then sleep (GNU OpenMP, the one of Linux
builds). Spinning on, as is the default, they starve each other as soon as another program is busy; sleeping at once
costs a fifth of the speed of a quiet computer. What the person has set in the environment goes first."""

_SIGNALS_IN_WORDS = {
    "SIGABRT": "stopped itself after an internal error",
    "SIGBUS": "crashed while reading memory or its file",
    "SIGFPE": "crashed in a calculation",
    "SIGILL": "met an instruction this processor does not know",
    "SIGKILL": "was ended by the system or a person, possibly because memory ran out",
    "SIGSEGV": "crashed while using memory",
    "SIGTERM": "was asked by the system or a person to end",
}
_WINDOWS_CODES_IN_WORDS = {
    0xC0000005: "crashed while using memory",
    0xC000001D: "met an instruction this processor does not know",
    0xC0000017: "ran out of memory",
    0xC000012D: "ran out of memory",
    0xC00000FD: "crashed while using memory",
    0xC0000409: "stopped itself after an internal error",
}


_OUT_OF_MEMORY_TEXT = re.compile(
    r"failed to allocate|unable to allocate|out of (host |device )?memory|bad_alloc|cannot allocate memory|MemoryError"
    r"|OutOf(Host|Device)Memory",
    re.IGNORECASE,
)
_OUT_OF_MEMORY_CODES = {0xC0000017, 0xC000012D}
"""Of Windows: no memory, and no room in the page file."""


class WorkerProcess:
    """A worker process that was started and not yet loaded with anything.

    Each pipe is served by a thread of its own, so that ``send`` never waits for the worker, whatever it does.

    Raises:
        WorkerStartError: If the command cannot be started.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._process = _spawn(command)
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._incoming: queue.SimpleQueue[Event | EngineError | None] = queue.SimpleQueue()
        self._stderr_tail = bytearray()
        self._output_ended = threading.Event()
        self._closing = threading.Lock()
        self._threads = [
            threading.Thread(target=work, name=f"worker-{self.pid}-{name}", daemon=True)
            for name, work in (("stdin", self._write), ("stdout", self._read), ("stderr", self._drain))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process has not ended yet."""
        # While the thread that saw its output end collects it, ``poll`` cannot tell.
        return not self._output_ended.is_set() and self._process.poll() is None

    @property
    def ran_out_of_memory(self) -> bool:
        """Whether an ended process most probably met its end for lack of memory.

        Linux ends a process by SIGKILL when memory runs out; nothing else does so by itself, and a person who does
        meets no harm if that is taken for a lack of memory. Otherwise the code or what it wrote last has to say so.
        """
        code = self._process.poll()
        if not code:
            return False
        killed = sys.platform != "win32" and code == -signal.SIGKILL
        return killed or code in _OUT_OF_MEMORY_CODES or says_out_of_memory(self._stderr_text())

    def send(self, command: Command) -> None:
        """Queue a command and return at once; what a dead worker is sent is lost.

        Raises:
            WorkerProtocolError: If the command cannot be written down.
        """
        self._outgoing.put(encode(command))

    def wake(self) -> None:
        """Let ``receive`` return ``None``. From any thread."""
        self._incoming.put(None)

    def receive(self, timeout_s: float | None) -> Event | None:
        """The next event; ``None`` after ``wake``. After an error nothing more can be received.

        Raises:
            WorkerDiedError: If the process has ended.
            WorkerProtocolError: If it wrote a line that is not a message.
            WorkerHungError: If nothing arrived within ``timeout_s``.
        """
        try:
            event = self._incoming.get(timeout=timeout_s)
        except queue.Empty:
            raise WorkerHungError(
                f"The worker gave no sign of life for {timeout_s:.0f} seconds.",
                safe="Everything stored so far is kept.",
                todo="Try fewer answers at the same time, or a smaller model file.",
                detail=self._stderr_text(),
            ) from None
        if isinstance(event, EngineError):
            raise event
        return event

    def kill(self) -> None:
        """End the process at once and return when it is gone."""
        self._process.kill()
        self.close(0)

    def close(self, grace_s: float) -> None:
        """Write what is queued, close the worker's input, wait ``grace_s`` seconds, then kill. Safe to call twice."""
        self._outgoing.put(None)
        try:
            self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with self._closing:
            for thread in self._threads:
                thread.join()
            for pipe in (self._stdin, self._stdout, self._stderr):
                pipe.close()

    @property
    def _stdin(self) -> BinaryIO:
        return cast(BinaryIO, self._process.stdin)

    @property
    def _stdout(self) -> BinaryIO:
        return cast(BinaryIO, self._process.stdout)

    @property
    def _stderr(self) -> BinaryIO:
        return cast(BinaryIO, self._process.stderr)

    def _write(self) -> None:
        try:
            for data in iter(self._outgoing.get, None):
                write_all(self._stdin.fileno(), data)
            self._stdin.close()
        except OSError:
            return  # the worker is gone, which the thread that reads its output reports

    def _read(self) -> None:
        try:
            for line in split_lines(_chunks(self._stdout)):
                self._incoming.put(decode_event(line))
        except WorkerProtocolError as error:
            self._incoming.put(error)
            return
        self._output_ended.set()
        self._incoming.put(self._death())

    def _drain(self) -> None:
        for chunk in _chunks(self._stderr):
            self._stderr_tail += chunk
            del self._stderr_tail[:-_STDERR_TAIL_BYTES]

    def _death(self) -> WorkerDiedError:
        try:
            code = self._process.wait(_EXIT_GRACE_S)
        except subprocess.TimeoutExpired:
            ending = "closed its output"
        else:
            ending = _ending_in_words(code)
        return WorkerDiedError(
            f"The worker that runs the model file {ending}.",
            safe="Everything stored so far is kept.",
            todo="Try fewer answers at the same time, or a smaller model file, and see the technical detail.",
            detail=self._stderr_text(),
        )

    def _stderr_text(self) -> str:
        self._threads[-1].join(0.2)  # what a dead worker wrote last may still be on its way
        return self._stderr_tail.decode("utf-8", errors="replace").strip()


def says_out_of_memory(text: str) -> bool:
    """Whether what a library wrote before it failed says that it got no memory."""
    return _OUT_OF_MEMORY_TEXT.search(text) is not None


def write_all(descriptor: int, data: bytes) -> None:
    """Write all bytes, also where the system takes only some of them at a time."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def take_over_standard_streams() -> tuple[int, int]:
    """In a worker: the descriptors for commands and for events.

    From here on whatever native code prints goes to standard error, where it cannot disturb the protocol.
    """
    commands, events = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(commands, os.O_BINARY)
        msvcrt.setmode(events, os.O_BINARY)
    # Ctrl-C reaches the whole terminal group; the program decides what it means and tells the worker.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return commands, events


def _spawn(command: Sequence[str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            creationflags=_CREATION_FLAGS,
            process_group=_PROCESS_GROUP,
            env={**_WORKER_ENVIRONMENT, **os.environ},
            cwd=paths.resources_dir().parent,  # the same program code, and nothing from the folder one happens to be in
        )
    except OSError as error:
        raise WorkerStartError(
            "The worker that runs model files could not be started.",
            safe="Nothing was changed.",
            todo="Install the program again; a virus scanner may have removed a part of it.",
            detail=f"{list(command)}: {error}",
        ) from error


def _chunks(pipe: BinaryIO) -> Iterable[bytes]:
    return iter(partial(pipe.read, _READ_BYTES), b"")


def _ending_in_words(code: int) -> str:
    """What an exit code says, as the end of a sentence."""
    if code == 0:
        return "left without being asked"
    if code < 0:
        name = _signal_name(-code)
        return f"{_SIGNALS_IN_WORDS.get(name, 'was ended by a signal')} ({name})"
    words = _WINDOWS_CODES_IN_WORDS.get(code)
    return f"{words} (code {code:#x})" if words else f"ended with an error (exit code {code})"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
