"""The program's side of the engine: opens model files in workers and keeps a run going when a worker fails."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from workbench import paths
from workbench.domain.llm import (
    Device,
    LlmDescription,
    LoadSettings,
    Request,
    RequestFailure,
    SessionEvent,
    WorkerRestarted,
)
from workbench.domain.memory import DeviceCorrection, LlmLayout, LoadAttempt, LoadReport, MemoryPlan, pinned
from workbench.errors import (
    EngineError,
    OutOfMemoryError,
    WorkbenchError,
    WorkerDiedError,
    WorkerHungError,
    WorkerProtocolError,
    WorkerStartError,
)
from workbench.inference.gguf_check import require_gguf
from workbench.inference.ledger import Ledger
from workbench.inference.process import WorkerProcess
from workbench.inference.protocol import (
    Alive,
    BackendName,
    CancelAll,
    CancelledAll,
    EndOfRequests,
    Event,
    Happened,
    Hello,
    Load,
    Loaded,
    LoadFailed,
    Pause,
    Plan,
    Planned,
    Probe,
    Probed,
    Resume,
    Shutdown,
    Submit,
    load_error,
)

SCRIPT_SUFFIX = ".script.json"
"""Files of this name are played by the scripted backend, so that the whole program can be driven without llama.cpp."""

_LOAD_BASE_S = 120.0
_LOAD_BYTES_PER_S = 20e6
"""Slowest disk that is waited for."""
_GRACE_S = 2.0
"""How long a worker may take to stop or to leave before it is killed."""
_MAX_STARTS = 3
_MAX_SMALLER = 2
"""So many smaller plans are tried when memory does not suffice."""

_EventT = TypeVar("_EventT", bound=Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a worker may take for what."""

    start_s: float
    load_s: float
    silence_s: float


class LlamaEngine:
    """Runs model files, each in a worker of its own.

    Args:
        backend: What computes; files whose name ends in ``.script.json`` are always played by the scripted backend.
        start_timeout_s: Until the worker is ready for commands.
        load_timeout_s: Until a model file is in memory; ``None`` gives large files more time.
        silence_limit_s: A working worker without a sign of life for so long is taken to hang, and replaced.
        worker_command: How a worker is started; ``None`` is the program's own way.
    """

    def __init__(
        self,
        *,
        backend: BackendName = "llama",
        start_timeout_s: float = 60.0,
        load_timeout_s: float | None = None,
        silence_limit_s: float = 120.0,
        worker_command: list[str] | None = None,
    ) -> None:
        self._backend: BackendName = backend
        self._start_timeout_s = start_timeout_s
        self._load_timeout_s = load_timeout_s
        self._silence_limit_s = silence_limit_s
        self._command = worker_command if worker_command is not None else paths.worker_command()

    def check(self, path: Path) -> None:
        """Look at a file without loading it; see ``InferenceEngine.check``."""
        if self._backend_for(path) == "llama":
            require_gguf(path)

    def plan(
        self, path: Path, settings: LoadSettings, corrections: Sequence[DeviceCorrection] = ()
    ) -> tuple[LlmLayout, MemoryPlan]:
        """How a model file would be loaded now, asked of a short-lived worker; see ``InferenceEngine.plan``."""
        path = path.absolute()  # the worker runs in another folder
        command = Plan(path=path, settings=settings, backend=self._backend_for(path), corrections=tuple(corrections))
        planned = self._ask(command, Planned)
        return planned.layout, planned.plan

    def open(self, path: Path, settings: LoadSettings, corrections: Sequence[DeviceCorrection] = ()) -> "WorkerSession":
        """Load a model file; see ``InferenceEngine.open`` for the errors."""
        path = path.absolute()
        load = Load(path=path, settings=settings, backend=self._backend_for(path), corrections=tuple(corrections))
        patience = Patience(
            start_s=self._start_timeout_s,
            load_s=self._load_timeout_s or _LOAD_BASE_S + _size_bytes(path) / _LOAD_BYTES_PER_S,
            silence_s=self._silence_limit_s,
        )
        return WorkerSession(self._command, load, patience)

    def devices(self) -> tuple[Device, ...]:
        """Where the backend can compute, asked of a short-lived worker."""
        return self._ask(Probe(backend=self._backend), Probed).devices

    def versions(self) -> tuple[tuple[str, str], ...]:
        """Name and version of the parts of the engine, asked of a short-lived worker."""
        return self._ask(Probe(backend=self._backend), Probed).versions

    def _backend_for(self, path: Path) -> BackendName:
        return "scripted" if path.name.endswith(SCRIPT_SUFFIX) else self._backend

    def _ask(self, question: Probe | Plan, kind: type[_EventT]) -> _EventT:
        process = WorkerProcess(self._command)
        try:
            _await_hello(process, self._start_timeout_s, _keep_waiting)
            process.send(question)
            answer = _await(process, kind, self._start_timeout_s, _keep_waiting)
            process.send(Shutdown())
        finally:
            process.close(_GRACE_S)
        return answer


class WorkerSession:
    """One model file in a worker; a worker that fails is replaced by one that loads the same.

    Where memory does not suffice for the first loading, it is tried with smaller plans.

    Raises:
        ModelFileError, AdapterError, EngineError: If the model file cannot be loaded.
    """

    def __init__(self, command: list[str], load: Load, patience: Patience) -> None:
        self._command = command
        self._load = load
        self._patience = patience
        self._lock = threading.Lock()
        """Held to change a flag together with what the worker is told because of it."""
        self._running = False
        self._paused = False
        self._stopping = False
        self._cancelling = False
        self._closed = False
        self._process = WorkerProcess(command)
        self.devices: tuple[Device, ...] = ()
        """Where the present worker can compute, as it said when it had loaded the file."""
        with ExitStack() as stack:
            stack.callback(self.close)
            self._description, self._report = self._load_what_fits()
            self._load = replace(load, settings=pinned(load.settings, self._report.plan))  # for a worker in its place
            stack.pop_all()

    @property
    def description(self) -> LlmDescription:
        """What was loaded and how."""
        return self._description

    @property
    def load_report(self) -> LoadReport:
        """How it came into memory."""
        return self._report

    @property
    def worker_pid(self) -> int:
        """The process id of the present worker."""
        return self._process.pid

    def run(self, requests: Iterable[Request]) -> Iterator[tuple[SessionEvent, ...]]:
        """Send requests and yield what happens; see ``LlmSession.run``.

        The text of an answer that was under way when the worker failed begins anew. A ``stop`` or ``pause`` given
        while nothing runs holds for the next run.

        Raises:
            EngineError: If the worker cannot be brought back.
            ModelFileError, AdapterError: If the file has become unusable by the time it is loaded again.
        """
        with self._lock:
            if self._running or self._closed:
                raise RuntimeError("the session is closed" if self._closed else "a run is under way already")
            self._running = True
        ledger = Ledger(requests, limit=2 * self._description.n_slots + 2)
        try:
            yield from self._events(ledger)
        except _NotWantedError:
            self._process.kill()  # in the middle of loading; the next run starts another
        finally:
            self._finish(ledger)

    def pause(self) -> None:
        """Hold the worker after its current step; from any thread."""
        with self._lock:
            self._paused = True
            self._process.send(Pause())
            self._process.wake()  # what counts as silence has changed

    def resume(self) -> None:
        """Go on after ``pause``; from any thread."""
        with self._lock:
            self._paused = False
            self._process.send(Resume())
            self._process.wake()

    def stop(self) -> None:
        """Give up unfinished requests within one step; from any thread."""
        with self._lock:
            self._stopping = True
            self._paused = False
            self._process.wake()  # before the command, so that its confirmation is met by ``_finish`` alone
            if self._running:
                self._cancel()

    def close(self) -> None:
        """End the worker and free its memory; from any thread."""
        with self._lock:
            self._closed = True
            self._process.send(Shutdown())
        self._process.close(_GRACE_S)

    def _events(self, ledger: Ledger) -> Iterator[tuple[SessionEvent, ...]]:
        if not self._process.running:  # ended while nothing was asked of it
            self._replace_worker()
        while not self._stopping:
            if refused := self._send_due(ledger):
                yield refused
            if not ledger.n_at_worker:
                return
            try:
                events = self._next_events(ledger)
            except EngineError as failure:
                yield from self._recover(ledger, failure)
            else:
                if events:
                    yield events

    def _send_due(self, ledger: Ledger) -> tuple[RequestFailure, ...]:
        """Send what the worker should get now; the final events of requests that cannot be sent."""
        due = list(ledger.to_send())
        with self._lock:
            if self._stopping:
                return ()
            refused = self._submit(ledger, tuple(request for request in due if request is not None))
            if None in due:
                self._process.send(EndOfRequests())
        return refused

    def _submit(self, ledger: Ledger, requests: tuple[Request, ...]) -> tuple[RequestFailure, ...]:
        if not requests:
            return ()
        try:
            self._process.send(Submit(requests=requests))
        except WorkerProtocolError as error:
            if len(requests) > 1:  # one of them cannot be sent; the others can
                return tuple(failure for request in requests for failure in self._submit(ledger, (request,)))
            message = f"The text of this request is not valid. Correct it. ({error.detail})"
            return (ledger.refuse(requests[0], message),)
        return ()

    def _next_events(self, ledger: Ledger) -> tuple[SessionEvent, ...]:
        event = self._process.receive(None if self._paused else self._patience.silence_s)
        match event:
            case Happened():
                return ledger.received(event.events)
            case Alive() | None:
                return ()
            case _:
                raise _unexpected(event)

    def _recover(self, ledger: Ledger, failure: EngineError) -> Iterator[tuple[SessionEvent, ...]]:
        n_requests = ledger.n_at_worker
        given_up = ledger.worker_failed()
        self._replace_worker()
        yield (WorkerRestarted(reason=failure.happened, n_requests=n_requests),)
        if given_up:
            yield tuple(given_up)

    def _load_what_fits(self) -> tuple[LlmDescription, LoadReport]:
        """Load with the best plan, or with a smaller one if that fails for lack of memory."""
        failed: list[LoadAttempt] = []
        while True:
            plan = self._begin_loading()
            if failed and self._loads_the_same(plan, failed[-1].plan):
                raise _too_large(self._load, failed[-1].reason)
            try:
                loaded = self._finish_loading()
            except (OutOfMemoryError, WorkerDiedError) as error:
                if not isinstance(error, OutOfMemoryError) and not self._process.ran_out_of_memory:
                    raise
                reason = error.detail or error.happened
                if len(failed) == _MAX_SMALLER:
                    raise _too_large(self._load, reason) from error
            else:
                report = LoadReport(plan=plan, allocations=loaded.allocations, failed_attempts=tuple(failed))
                return loaded.description, report
            failed.append(LoadAttempt(plan=plan, reason=reason))
            self._load = replace(self._load, n_smaller=len(failed))
            self._process.kill()
            self._process = WorkerProcess(self._command)

    def _loads_the_same(self, plan: MemoryPlan, other: MemoryPlan) -> bool:
        return pinned(self._load.settings, plan) == pinned(self._load.settings, other)

    def _replace_worker(self) -> None:
        """Load the same into another worker, with a few attempts."""
        for attempts_left in reversed(range(_MAX_STARTS)):
            self._process.kill()
            self._check_wanted()
            try:
                process = WorkerProcess(self._command)
                with self._lock:
                    self._process = process
                    self._cancelling = False
                self._begin_loading()
                description = self._finish_loading().description
            except (EngineError, OutOfMemoryError) as error:  # a device may take a moment to free what a worker had
                if attempts_left == 0:
                    raise _not_brought_back(error) from error
            else:
                break
        if description != self._description:
            raise _came_back_different(self._description, description)

    def _begin_loading(self) -> MemoryPlan:
        """Let the present worker load; how it will do that."""
        self._check_wanted()
        _await_hello(self._process, self._patience.start_s, self._check_wanted)
        self._process.send(self._load)
        return _await(self._process, Planned, self._patience.load_s, self._check_wanted).plan

    def _finish_loading(self) -> Loaded:
        loaded = _await(self._process, Loaded, self._patience.load_s, self._check_wanted)
        with self._lock:
            if self._paused:
                self._process.send(Pause())
        self.devices = loaded.devices
        return loaded

    def _check_wanted(self) -> None:
        if self._closed or (self._running and self._stopping):
            raise _NotWantedError

    def _cancel(self) -> None:
        """Tell the worker to forget everything, once in a run; with the lock held."""
        if not self._cancelling:
            self._cancelling = True
            self._process.send(CancelAll())

    def _finish(self, ledger: Ledger) -> None:
        """Leave the session ready for another run."""
        with self._lock:
            if ledger.n_at_worker and not self._closed:
                self._cancel()
            cancelling = self._cancelling and not self._closed
        if cancelling:
            self._await_cancelled()
        with self._lock:
            self._running = self._stopping = self._cancelling = False

    def _await_cancelled(self) -> None:
        end_s = time.monotonic() + _GRACE_S
        try:
            while (left_s := end_s - time.monotonic()) > 0:
                if isinstance(self._process.receive(left_s), CancelledAll):
                    return
        except EngineError:
            pass  # it failed while stopping; nothing it had is wanted any more
        self._process.kill()


def _keep_waiting() -> None:
    """Nothing interrupts the wait for a short-lived worker."""


class _NotWantedError(Exception):
    """The run was stopped, or the session closed, while a worker was being brought back."""


def _await_hello(process: WorkerProcess, timeout_s: float, on_wake: Callable[[], None]) -> None:
    try:
        _await(process, Hello, timeout_s, on_wake)
    except (WorkerDiedError, WorkerHungError) as error:
        raise WorkerStartError(
            f"The worker did not become ready. {error.happened}", safe=error.safe, todo=error.todo, detail=error.detail
        ) from error


def _await(process: WorkerProcess, kind: type[_EventT], timeout_s: float, on_wake: Callable[[], None]) -> _EventT:
    """The next event, which has to be of this kind; ``on_wake`` may raise when the wait is interrupted."""
    while (event := process.receive(timeout_s)) is None:
        on_wake()
    if isinstance(event, LoadFailed):
        raise load_error(event)
    if not isinstance(event, kind):
        raise _unexpected(event)
    return event


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # the worker says what is wrong with it


def _too_large(load: Load, reason: str) -> OutOfMemoryError:
    is_pinned = load.settings.device_layers is not None
    how = "as the run was begun" if is_pinned else "in any way it could be loaded"
    less = "" if is_pinned else "lower the context or the number of answers written at the same time, "
    other = "start a new evaluation" if is_pinned else "choose a smaller file"
    return OutOfMemoryError(
        f"There is not enough memory for “{load.path.name}” {how}.",
        safe="Your questions, answers and scores are safe.",
        todo=f"Close other programs, {less}or {other}.",
        detail=reason,
    )


def _unexpected(event: Event) -> WorkerProtocolError:
    return WorkerProtocolError(
        f"The worker sent a message out of turn ({event.kind}).",
        safe="Everything stored so far is kept.",
        todo="If this happens again, install the program again.",
    )


def _not_brought_back(error: WorkbenchError) -> WorkerDiedError:
    return WorkerDiedError(
        f"The worker failed {_MAX_STARTS} times in a row while it was being started again.",
        safe="Everything stored so far is kept.",
        todo="Close other programs that use much memory, then resume the run.",
        detail=f"{error.happened}\n{error.detail}".strip(),
    )


def _came_back_different(before: LlmDescription, after: LlmDescription) -> WorkerStartError:
    return WorkerStartError(
        "The worker was started again after a failure, but the model file was not loaded the same way.",
        safe="Everything stored so far is kept, and no answer was written under the changed conditions.",
        todo="Make sure that the model file is unchanged and that enough memory is free, then start again.",
        detail=f"before: {before}\nafter: {after}",
    )
