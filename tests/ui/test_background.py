"""Work on threads: order, batches, failures, faults."""

import threading
from collections.abc import Generator
from itertools import pairwise

import pytest
from PySide6.QtCore import QThread, QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from workbench.errors import UsageError
from workbench.ui.background import Background, BackgroundTask

_ERROR = UsageError("It did not work.", safe="All is safe.", todo="Try again.")


class _Listener:
    """Writes down everything a task says, in order."""

    def __init__(self, task: BackgroundTask) -> None:
        self.heard: list[object] = []
        self.batches: list[list[object]] = []
        task.progressed.connect(self._on_progressed)
        task.succeeded.connect(lambda result: self.heard.append(("succeeded", result)))
        task.failed.connect(lambda error: self.heard.append(("failed", error)))
        task.faulted.connect(lambda: self.heard.append("faulted"))
        task.ended.connect(lambda: self.heard.append("ended"))

    def _on_progressed(self, records: list[object]) -> None:
        self.batches.append(records)
        self.heard.extend(records)


def _run(qtbot: QtBot, task: BackgroundTask) -> _Listener:
    listener = _Listener(task)
    with qtbot.waitSignal(task.ended):
        task.start()
    return listener


def _counting(n: int) -> Generator[int, None, str]:
    yield from range(n)
    return "done"


def test_records_come_in_order_and_before_the_result(qtbot: QtBot, background: Background) -> None:
    listener = _run(qtbot, background.run_generator(lambda: _counting(2000)))

    assert listener.heard == [*range(2000), ("succeeded", "done"), "ended"]


def test_many_records_come_in_few_batches(qtbot: QtBot, background: Background) -> None:
    listener = _run(qtbot, background.run_generator(lambda: _counting(2000)))

    assert all(listener.batches)
    assert len(listener.batches) < 2000


def test_a_slow_listener_leaves_the_event_loop_time_between_batches(qtbot: QtBot, background: Background) -> None:
    happened: list[str] = []
    task = background.run_generator(lambda: _counting(500))
    timer = QTimer(task, interval=0)
    timer.timeout.connect(lambda: happened.append("turn"))
    timer.start()

    def on_progressed(_records: list[int]) -> None:
        happened.append("batch")
        QThread.msleep(10)  # longer than a task may hold the loop

    task.progressed.connect(on_progressed)
    with qtbot.waitSignal(task.ended, timeout=20_000):
        task.start()

    pairs = [*pairwise(happened)]
    assert happened.count("batch") > 10
    assert ("batch", "batch") not in pairs


def test_signals_arrive_on_the_thread_of_the_window(qtbot: QtBot, background: Background) -> None:
    threads: list[threading.Thread] = []
    worked_on: list[threading.Thread] = []
    task = background.run_function(lambda: worked_on.append(threading.current_thread()))
    task.succeeded.connect(lambda _result: threads.append(threading.current_thread()))
    with qtbot.waitSignal(task.ended):
        task.start()

    assert threads == [threading.main_thread()]
    assert worked_on != threads


def test_an_expected_failure_comes_after_the_records(qtbot: QtBot, background: Background) -> None:
    def failing() -> Generator[int, None, None]:
        yield 1
        raise _ERROR

    listener = _run(qtbot, background.run_generator(failing))

    assert listener.heard == [1, ("failed", _ERROR), "ended"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_reaches_the_hook_and_ends_the_task(
    qtbot: QtBot, background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults: list[BaseException | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda arguments: faults.append(arguments.exc_value))

    def faulty() -> None:
        raise ZeroDivisionError("a mistake")

    listener = _run(qtbot, background.run_function(faulty))

    assert listener.heard == ["faulted", "ended"]
    qtbot.waitUntil(lambda: [type(fault) for fault in faults] == [ZeroDivisionError])


def test_a_background_knows_what_is_under_way_and_can_wait_for_it(qtbot: QtBot, background: Background) -> None:
    go_on = threading.Event()
    task = background.run_function(go_on.wait)
    task.start()
    assert background.busy
    assert not background.wait(0.01)

    with qtbot.waitSignal(background.all_ended):
        go_on.set()
        assert background.wait(5)
    assert not background.busy


def test_an_abandoned_task_says_nothing_any_more(qapp: QApplication) -> None:
    background = Background()
    go_on = threading.Event()
    task = background.run_function(go_on.wait)
    listener = _Listener(task)
    task.start()

    background.abandon()
    go_on.set()
    assert task.join(5)
    qapp.processEvents()

    assert listener.heard == []
