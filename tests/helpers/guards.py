"""What every test must leave alone or put back; ``tests/conftest.py`` applies these to all of them."""

import ipaddress
import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

_GRACE_S = 2.0  # for what was already told to end


class NetworkBlockedError(RuntimeError):
    """A test reached for something outside this computer."""


class NetworkGuard:
    """Refuses every internet address but this computer's own, also to code that goes around ``socket.socket``.

    An audit hook cannot be taken away again, so one guard serves the whole test session.
    """

    _HOST_IS_FIRST = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})
    _ADDRESS_IS_SECOND = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind"})

    def __init__(self) -> None:
        self._active = False
        self._refused: list[str] = []
        sys.addaudithook(self._audit)

    @contextmanager
    def blocking(self) -> Iterator[None]:
        """Block inside the context; at its end fail if anything was refused, even if the code swallowed that."""
        self._refused.clear()
        self._active = True
        try:
            yield
        finally:
            self._active = False
        if self._refused:
            raise NetworkBlockedError(f"The test reached for the network: {', '.join(self._refused)}")

    def _audit(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self._active:
            return
        if event in self._HOST_IS_FIRST:
            host = arguments[0]
        elif event in self._ADDRESS_IS_SECOND and isinstance(arguments[1], tuple):
            host = arguments[1][0]
        else:  # no network event, or a Unix socket, whose address is a path
            return
        if not _is_this_computer(host):
            self._refused.append(f"{event} {host!r}")
            raise NetworkBlockedError(f"Tests may not reach {host!r} ({event}); only this computer itself.")


def _is_this_computer(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name is None or name == "localhost":
        return True
    try:
        return ipaddress.ip_address(str(name)).is_loopback
    except ValueError:
        return False


@contextmanager
def no_threads_left(*, grace_s: float = _GRACE_S) -> Iterator[None]:
    """Fail if a thread that began inside the context is still running ``grace_s`` seconds after it.

    Threads that Qt made and that once ran Python are left out: Python never learns of their end.
    """
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + grace_s
    left = [thread for thread in threading.enumerate() if thread not in before and not _is_foreign(thread)]
    for thread in left:
        thread.join(max(0.0, deadline - time.monotonic()))
    names = sorted(thread.name for thread in left if thread.is_alive())
    assert not names, f"The test left threads running: {', '.join(names)}"


def _is_foreign(thread: threading.Thread) -> bool:
    return isinstance(thread, threading._DummyThread)


@contextmanager
def no_processes_left(*, grace_s: float = _GRACE_S) -> Iterator[None]:
    """Fail, and end them, if child processes that began inside the context are there ``grace_s`` seconds after it."""
    myself = psutil.Process()
    before = set(myself.children(recursive=True))
    yield
    started = [process for process in myself.children(recursive=True) if process not in before]
    _ended, left = psutil.wait_procs(started, timeout=grace_s)
    commands = [_command(process) for process in left]
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=_GRACE_S)
    assert not commands, f"The test left processes running: {'; '.join(commands)}"


def _command(process: psutil.Process) -> str:
    try:
        return f"{process.pid} {' '.join(process.cmdline())}"
    except psutil.NoSuchProcess:
        return f"{process.pid} (gone meanwhile)"


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname} {record.name}: {record.getMessage()}")


@contextmanager
def no_warnings_logged() -> Iterator[None]:
    """Fail if something of level WARNING or above is logged inside the context."""
    collector = _Collector()
    root = logging.getLogger()
    root.addHandler(collector)
    try:
        yield
    finally:
        root.removeHandler(collector)
    assert not collector.lines, "The test logged warnings:\n" + "\n".join(collector.lines)
