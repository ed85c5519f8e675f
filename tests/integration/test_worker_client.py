"""Sessions with real worker processes that play scripts and really fail."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import psutil
import pytest

from tests.helpers.asking import final, one_by_one, question, write_script
from tests.helpers.tiny_gguf import write_tiny_gguf
from workbench.domain.llm import (
    Answer,
    AnswerFlag,
    FailureCode,
    KvType,
    LoadSettings,
    Request,
    RequestFailure,
    SessionEvent,
    Slowed,
    TextChunk,
    WorkerRestarted,
)
from workbench.errors import (
    ModelFileError,
    OutOfMemoryError,
    WorkbenchError,
    WorkerDiedError,
    WorkerHungError,
    WorkerProtocolError,
    WorkerStartError,
)
from workbench.inference.client import LlamaEngine, WorkerSession
from workbench.inference.protocol import PROTOCOL_VERSION

OpenScript = Callable[..., WorkerSession]


@pytest.fixture
def open_script(tmp_path: Path) -> Iterator[OpenScript]:
    """Opens a session that plays a script; closed at the end."""
    sessions: list[WorkerSession] = []

    def opened(*, silence_limit_s: float = 60.0, n_slots: int | None = 2, **script: object) -> WorkerSession:
        path = write_script(tmp_path, **script)
        session = LlamaEngine(silence_limit_s=silence_limit_s).open(path, LoadSettings(n_slots=n_slots))
        sessions.append(session)
        return session

    yield opened
    for session in sessions:
        session.close()


def ids_of(events: list[SessionEvent]) -> list[int]:
    return sorted(event.request_id for event in events if isinstance(event, Answer | RequestFailure))


def written(events: list[SessionEvent]) -> list[tuple[int, str]]:
    """The answers in order of completion."""
    return [(event.request_id, event.text) for event in events if isinstance(event, Answer)]


def undisturbed(session: WorkerSession, n: int = 3) -> None:
    """The session answers as if nothing had happened."""
    events = final(session.run(map(question, range(n))))
    assert ids_of(events) == list(range(n))
    assert all(isinstance(event, Answer) and event.flags == () for event in events)


def test_every_request_is_answered_once_and_the_same_each_time(open_script: OpenScript) -> None:
    session = open_script(n_slots=4)
    first, second = (list(one_by_one(session.run(map(question, range(50))))) for _ in range(2))
    assert ids_of(first) == list(range(50))
    assert written(first) == written(second)


def test_what_happens_in_one_step_comes_together(open_script: OpenScript) -> None:
    session = open_script(n_slots=3, default={"answer": "one two"})
    batches = list(session.run(map(question, range(3))))
    assert [[type(event) for event in batch] for batch in batches] == [[TextChunk] * 3, [TextChunk, Answer] * 3]


def test_slowness_is_told_between_the_answers(open_script: OpenScript) -> None:
    session = open_script(n_slots=1, slow=[1, 2])
    events = final(session.run(map(question, range(3))))
    assert [type(event) for event in events] == [Answer, Slowed, Answer, Slowed, Answer]


def test_the_pieces_of_text_make_up_the_answer(open_script: OpenScript) -> None:
    session = open_script(default={"answer": "word " * 300})
    events = list(one_by_one(session.run([question(0)])))
    pieces = [event.text for event in events if isinstance(event, TextChunk)]
    assert isinstance(events[-1], Answer)
    assert "".join(pieces) == events[-1].text


def test_requests_are_taken_lazily(open_script: OpenScript) -> None:
    taken: list[int] = []

    def requests() -> Iterator[Request]:
        for number in range(100):
            taken.append(number)
            yield question(number)

    session = open_script()
    n_final = 0
    for event in one_by_one(session.run(requests())):
        n_final += isinstance(event, Answer)
        assert len(taken) <= n_final + 2 * session.description.n_slots + 2


def test_a_killed_worker_is_replaced_and_nothing_is_lost(open_script: OpenScript) -> None:
    session = open_script(answers_per_second=50)
    events: list[SessionEvent] = []
    for event in one_by_one(session.run(map(question, range(20)))):
        if not any(isinstance(earlier, Answer) for earlier in events) and isinstance(event, Answer):
            psutil.Process(session.worker_pid).kill()
        events.append(event)
    assert ids_of(events) == list(range(20))
    (restart,) = [event for event in events if isinstance(event, WorkerRestarted)]
    alone = [event for event in events if isinstance(event, Answer) and AnswerFlag.ANSWERED_ALONE in event.flags]
    assert len(alone) == restart.n_requests > 0
    assert "SIGKILL" in restart.reason or sys.platform == "win32"


@pytest.mark.parametrize(
    ("action", "reason"), [("crash", ""), ("raise", "exit code 1"), ("rubbish", "cannot be read"), ("hang", "no sign")]
)
def test_a_request_that_fails_the_worker_three_times_is_left_out(
    open_script: OpenScript, action: str, reason: str
) -> None:
    limit_s = 2.0 if action == "hang" else 60.0
    session = open_script(silence_limit_s=limit_s, rules=[{"contains": "question 3", "action": action}])
    events = final(session.run(map(question, range(8))))
    assert ids_of(events) == list(range(8))
    (failure,) = [event for event in events if isinstance(event, RequestFailure)]
    assert (failure.request_id, failure.code) == (3, FailureCode.WORKER_KILLED_REPEATEDLY)
    restarts = [event for event in events if isinstance(event, WorkerRestarted)]
    assert [restart.n_requests for restart in restarts] == [restarts[0].n_requests, 1, 1]
    assert all(reason in restart.reason for restart in restarts)
    undisturbed(session)


def test_a_worker_that_fails_once_answers_after_all(open_script: OpenScript) -> None:
    session = open_script(rules=[{"contains": "question 3", "action": "crash", "times": 1}])
    events = final(session.run(map(question, range(8))))
    assert ids_of(events) == list(range(8))
    assert all(isinstance(event, Answer | WorkerRestarted) for event in events)


def test_a_worker_that_ended_between_runs_is_replaced(open_script: OpenScript) -> None:
    session = open_script()
    worker = psutil.Process(session.worker_pid)
    worker.kill()
    wait_until_ended(worker)
    undisturbed(session)


def test_a_restart_comes_by_itself(open_script: OpenScript) -> None:
    session = open_script(rules=[{"contains": "question 1", "action": "crash", "times": 1}])
    batches = list(session.run(map(question, range(3))))
    (restart,) = [batch for batch in batches if any(isinstance(event, WorkerRestarted) for event in batch)]
    assert len(restart) == 1


def test_a_request_that_is_not_valid_text_fails_alone(open_script: OpenScript) -> None:
    events = final(open_script().run([question(0), question(1, "\ud800"), question(2)]))
    assert ids_of(events) == [0, 1, 2]
    (failure,) = [event for event in events if isinstance(event, RequestFailure)]
    assert failure.code is FailureCode.TEMPLATE_FAILED


def wait_until(holds: Callable[[], bool], limit_s: float) -> None:
    end_s = time.monotonic() + limit_s
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < end_s, f"not within {limit_s} s"
        pause.wait(0.01)


def wait_until_ended(process: psutil.Process) -> None:
    """Wait until the system has nothing left of a child but its exit code, and leave that to its parent.

    The first thread of a process may be a zombie while others still live; the parent is told nothing until then.
    """
    if hasattr(os, "waitid"):
        with contextlib.suppress(ChildProcessError):  # its parent has already collected it: it is gone
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    else:
        process.wait(5.0)


def computes(process: psutil.Process) -> bool:
    """Whether a process is there and is no zombie that nobody has collected yet."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def in_background(session: WorkerSession, n: int) -> "tuple[threading.Thread, queue.Queue[SessionEvent]]":
    events: queue.Queue[SessionEvent] = queue.Queue()

    def consume() -> None:
        for event in one_by_one(session.run(map(question, range(n)))):
            events.put(event)

    thread = threading.Thread(target=consume)
    thread.start()
    return thread, events


def test_stop_ends_a_run_within_a_second_and_the_session_is_used_again(open_script: OpenScript) -> None:
    session = open_script(rules=[{"contains": "question 1", "action": "silent", "times": 1}])
    pid = session.worker_pid
    thread, events = in_background(session, 2)
    while not isinstance(events.get(timeout=10), Answer):
        pass  # of question 0; question 1 never ends
    began_s = time.monotonic()
    session.stop()
    thread.join(5)
    assert time.monotonic() - began_s < 1.0
    assert not thread.is_alive()
    undisturbed(session)
    assert session.worker_pid == pid


def test_a_worker_that_does_not_stop_is_killed(open_script: OpenScript, tmp_path: Path) -> None:
    session = open_script(rules=[{"action": "hang", "times": 1}])
    worker = psutil.Process(session.worker_pid)
    thread, _events = in_background(session, 2)
    wait_until((tmp_path / "test.script.json.counts").exists, 10.0)  # written just before it hangs
    session.stop()
    session.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert not worker.is_running()
    undisturbed(session)


def test_stop_before_a_run_holds_for_it(open_script: OpenScript) -> None:
    session = open_script()
    session.stop()
    assert list(session.run([question(0)])) == []
    undisturbed(session)


def test_a_run_left_early_leaves_nothing_behind(open_script: OpenScript) -> None:
    session = open_script()
    run = session.run(map(question, range(20)))
    next(run)
    assert isinstance(run, Generator)
    run.close()
    undisturbed(session)


def seen_until_quiet(events: "queue.Queue[SessionEvent]", quiet_s: float) -> list[SessionEvent]:
    seen: list[SessionEvent] = []
    while True:
        try:
            seen.append(events.get(timeout=quiet_s))
        except queue.Empty:
            return seen


def test_pause_holds_without_counting_as_silence_and_resume_goes_on(open_script: OpenScript) -> None:
    session = open_script(silence_limit_s=2.5, answers_per_second=20)
    thread, events = in_background(session, 20)
    assert events.get(timeout=10)
    session.pause()
    until_quiet = seen_until_quiet(events, quiet_s=3.0)
    assert len(ids_of(until_quiet)) < 20
    session.resume()
    thread.join(20)
    answers = [event for event in (*until_quiet, *events.queue) if not isinstance(event, TextChunk)]
    assert ids_of(answers) == list(range(20))
    assert all(isinstance(event, Answer) and event.flags == () for event in answers)


def test_a_pause_outlives_the_worker(open_script: OpenScript) -> None:
    session = open_script()
    session.pause()
    thread, events = in_background(session, 6)
    psutil.Process(session.worker_pid).kill()
    assert isinstance(events.get(timeout=10), WorkerRestarted)
    with pytest.raises(queue.Empty):
        events.get(timeout=0.3)
    session.resume()
    thread.join(10)
    assert ids_of(list(events.queue)) == list(range(6))


def test_a_worker_that_does_not_read_blocks_nobody(open_script: OpenScript) -> None:
    session = open_script(silence_limit_s=2.0)
    psutil.Process(session.worker_pid).suspend()
    began_s = time.monotonic()
    for _ in range(1000):
        session.pause()
        session.resume()
    assert time.monotonic() - began_s < 1.0
    long_text = "x" * 300_000  # more than a pipe holds
    events = final(session.run(question(number, long_text) for number in range(3)))
    assert ids_of(events) == [0, 1, 2]
    assert isinstance(events[0], WorkerRestarted)


def test_closing_ends_even_a_suspended_worker(open_script: OpenScript) -> None:
    session = open_script()
    worker = psutil.Process(session.worker_pid)
    worker.suspend()
    session.close()
    assert not psutil.pid_exists(worker.pid)  # so its memory is free for the next one
    session.close()
    with pytest.raises(RuntimeError, match="closed"):
        next(session.run([question(0)]))


def test_closing_in_the_middle_of_a_run_ends_it(open_script: OpenScript) -> None:
    session = open_script(rules=[{"action": "silent"}], n_slots=1)
    run = session.run(map(question, range(3)))
    thread = threading.Thread(target=lambda: list(run))
    thread.start()
    session.close()
    thread.join(10)
    assert not thread.is_alive()


PARENT = """
    import sys
    from pathlib import Path
    from tests.helpers.asking import question
    from workbench.domain.llm import LoadSettings
    from workbench.inference.client import LlamaEngine

    session = LlamaEngine().open(Path(sys.argv[1]), LoadSettings(n_slots=1))
    for _ in session.run(map(question, range(2))):
        print(session.worker_pid, flush=True)
"""


@pytest.mark.parametrize("action", ["silent", "hang"])
def test_no_worker_outlives_the_program(tmp_path: Path, action: str) -> None:
    path = write_script(tmp_path, rules=[{"contains": "question 1", "action": action}])
    command = [sys.executable, "-c", textwrap.dedent(PARENT), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        worker = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    wait_until(lambda: not computes(worker), 2.0)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code)]


HELLO = json.dumps({"kind": "hello", "protocol": PROTOCOL_VERSION, "pid": 1})


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        ("""print('{"kind":"hello","protocol":99,"pid":1}', flush=True); input()""", WorkerProtocolError, "version 99"),
        ("import sys; sys.exit('no such library')", WorkerStartError, "did not become ready"),
        ("input()", WorkerStartError, "did not become ready"),
        ("print('Welcome!', flush=True); input()", WorkerProtocolError, "cannot be read"),
        (f"print('{HELLO}', flush=True); input(); print('{HELLO}'); input()", WorkerProtocolError, "out of turn"),
        (f"print('{HELLO}', flush=True); input()", WorkerDiedError, "without being asked"),
        (f"print('{HELLO}', flush=True); input(); input()", WorkerHungError, "no sign of life"),
    ],
)
def test_a_worker_that_does_not_start_well_is_a_named_error(
    tmp_path: Path, code: str, error: type[WorkbenchError], words: str
) -> None:
    start_s = 1.0 if code == "input()" else 30.0
    engine = LlamaEngine(worker_command=python(code), start_timeout_s=start_s, load_timeout_s=1.0)
    with pytest.raises(error, match=words) as caught:
        engine.open(write_script(tmp_path), LoadSettings())
    if "library" in code:
        assert "no such library" in caught.value.detail


def test_a_missing_worker_program_is_a_start_error(tmp_path: Path) -> None:
    engine = LlamaEngine(worker_command=[str(tmp_path / "missing")])
    with pytest.raises(WorkerStartError, match="could not be started"):
        engine.open(write_script(tmp_path), LoadSettings())


def test_a_file_that_cannot_be_used_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="missing"):
        LlamaEngine(backend="scripted").open(tmp_path / "missing.gguf", LoadSettings())


def test_a_worker_that_cannot_be_brought_back_ends_the_run(tmp_path: Path) -> None:
    started = tmp_path / "started"
    code = f"""
        import pathlib, sys
        from workbench.inference import worker
        started = pathlib.Path({str(started)!r})
        if started.exists():
            sys.exit("out of memory")
        started.touch()
        worker.main()
    """
    path = write_script(tmp_path, rules=[{"action": "crash"}])
    session = LlamaEngine(worker_command=python(code)).open(path, LoadSettings())
    with pytest.raises(WorkerDiedError, match="3 times in a row") as caught:
        list(session.run([question(0)]))
    assert "out of memory" in caught.value.detail
    session.close()


def test_a_file_changed_behind_a_failed_worker_ends_the_run(open_script: OpenScript, tmp_path: Path) -> None:
    session = open_script(name="before", rules=[{"contains": "question 1", "action": "crash"}])
    run = session.run(map(question, range(2)))
    next(run)
    write_script(tmp_path, name="after")
    with pytest.raises(WorkerStartError, match="not loaded the same way"):
        list(run)


def test_a_probe_asks_a_short_lived_worker() -> None:
    engine = LlamaEngine(backend="scripted")
    assert engine.devices() == ()
    assert engine.versions() == ()


# Memory

NEEDS = {"n_layers": 8, "layer_bytes": 20_000_000, "layer_kv_values": 2048, "n_parameters": 100_000_000}


def device_table(free_bytes: int) -> list[dict[str, object]]:
    card = {"name": "CUDA0", "description": "Card", "kind": "gpu", "free_bytes": free_bytes, "total_bytes": 8 * 1024**3}
    return [card, {**card, "name": "CPU", "description": "Chip", "kind": "cpu", "free_bytes": 8 * 1024**3}]


def test_a_plan_is_made_without_loading(tmp_path: Path) -> None:
    path = write_script(tmp_path, layout=NEEDS, devices=device_table(4 * 1024**3), load_failures=9)
    layout, plan = LlamaEngine().plan(path, LoadSettings(n_slots=3))
    assert (layout.n_layers, plan.n_slots, plan.n_layers_offloaded) == (8, 3, 9)
    with pytest.raises(ModelFileError):
        LlamaEngine(backend="scripted").plan(tmp_path / "missing", LoadSettings())


def test_the_report_says_what_was_planned_and_taken(open_script: OpenScript) -> None:
    session = open_script(n_slots=3, layout=NEEDS, devices=device_table(4 * 1024**3))
    report = session.load_report
    assert report.plan.n_layers_offloaded == session.description.n_layers_offloaded == 9
    assert [allocation.device for allocation in report.allocations] == ["CUDA0", "CPU"]
    assert report.failed_attempts == ()


def test_loading_is_tried_smaller_twice_and_said(open_script: OpenScript) -> None:
    session = open_script(n_slots=None, layout=NEEDS, load_failures=2)
    report = session.load_report
    tried = [attempt.plan for attempt in report.failed_attempts]
    needs = [sum(share.needed_bytes for share in plan.shares) for plan in (*tried, report.plan)]
    assert len(tried) == 2
    assert needs[0] > needs[1] > needs[2]
    assert all("failed to allocate" in attempt.reason for attempt in report.failed_attempts)
    assert session.description.n_slots == report.plan.n_slots
    undisturbed(session)


def loadings_counted(folder: Path) -> int:
    return int(json.loads((folder / "test.script.json.counts").read_text("utf-8"))["loadings"])


def test_loading_is_given_up_after_three_attempts(open_script: OpenScript, tmp_path: Path) -> None:
    with pytest.raises(OutOfMemoryError, match="not enough memory"):
        open_script(n_slots=None, layout=NEEDS, load_failures=99)
    assert loadings_counted(tmp_path) == 3


def test_what_was_chosen_by_hand_is_not_made_smaller(tmp_path: Path) -> None:
    path = write_script(tmp_path, layout=NEEDS, load_failures=99)
    settings = LoadSettings(n_slots=2, n_batch=512, kv_type=KvType.F16, flash_attention=True)
    with pytest.raises(OutOfMemoryError):
        LlamaEngine().open(path, settings)
    assert loadings_counted(tmp_path) < 3


DIES_WHEN_LOADING = """
    import os, pathlib, signal, sys
    from workbench.inference import worker
    from workbench.inference.backends import scripted

    died = pathlib.Path({died!r})
    load = scripted.load

    def load_or_die(*arguments):
        if not died.exists():
            died.touch()
            {death}
        return load(*arguments)

    scripted.load = load_or_die
    worker.main()
"""
ABORT = "os.abort()"
ABORT_FOR_MEMORY = "print('ggml_aligned_malloc: failed to allocate 9 MB', file=sys.stderr, flush=True); os.abort()"
KILL = "os.kill(os.getpid(), getattr(signal, 'SIGKILL', signal.SIGTERM))"
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows ends no process by a signal")


@pytest.mark.parametrize("death", [ABORT_FOR_MEMORY, pytest.param(KILL, marks=on_posix)], ids=["abort", "kill"])
def test_a_worker_that_dies_for_memory_while_loading_is_followed_by_a_smaller_one(tmp_path: Path, death: str) -> None:
    code = DIES_WHEN_LOADING.format(died=str(tmp_path / "died"), death=death)
    session = LlamaEngine(worker_command=python(code)).open(write_script(tmp_path, layout=NEEDS), LoadSettings())
    (attempt,) = session.load_report.failed_attempts
    assert attempt.plan.n_slots > session.load_report.plan.n_slots
    assert attempt.reason
    undisturbed(session)
    session.close()


def test_a_worker_that_dies_for_another_reason_while_loading_is_not_followed(tmp_path: Path) -> None:
    code = DIES_WHEN_LOADING.format(died=str(tmp_path / "died"), death=ABORT)
    with pytest.raises(WorkerDiedError):
        LlamaEngine(worker_command=python(code)).open(write_script(tmp_path, layout=NEEDS), LoadSettings())


def test_a_worker_in_place_of_another_loads_the_same_though_memory_has_changed(
    open_script: OpenScript, tmp_path: Path
) -> None:
    crash = [{"contains": "question 1", "action": "crash", "times": 1}]
    session = open_script(n_slots=None, layout=NEEDS, devices=device_table(4 * 1024**3), rules=crash)
    assert session.description.n_layers_offloaded == 9
    write_script(tmp_path, layout=NEEDS, devices=device_table(512 * 1024**2), rules=crash)
    _, plan = LlamaEngine().plan(tmp_path / "test.script.json", LoadSettings())
    assert (plan.n_slots, plan.n_layers_offloaded) != (session.description.n_slots, 9)  # by itself it would differ
    events = final(session.run(map(question, range(4))))
    assert ids_of(events) == list(range(4))
    assert any(isinstance(event, WorkerRestarted) for event in events)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the address space of a process reliably")
def test_llama_cpp_that_gets_no_memory_is_followed_by_a_smaller_one(tmp_path: Path) -> None:
    code = """
        import pathlib, resource
        from workbench.inference import worker
        from workbench.inference.backends import llama

        n_pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])  # with all libraries, before loading
        n_bytes = n_pages * resource.getpagesize() + MORE_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (n_bytes, n_bytes))
        worker.main()
    """
    path = write_tiny_gguf(tmp_path / "tiny.gguf", width=256, trained_context=16_384)
    settings = LoadSettings(context_tokens=16_384, n_threads=1)
    _, plan = LlamaEngine().plan(path, settings)
    needed_bytes = sum(share.weights_bytes + share.kv_bytes + share.compute_bytes for share in plan.shares)
    command = python(code.replace("MORE_BYTES", str(needed_bytes * 4 // 5 + 50_000_000)))
    session = LlamaEngine(worker_command=command).open(path, settings)
    report = session.load_report
    session.close()
    assert 1 <= len(report.failed_attempts) <= 2
    assert all("failed to allocate" in attempt.reason for attempt in report.failed_attempts)
    assert report.plan.n_slots < plan.n_slots
