"""The worker's main loop in this process, fed from a list instead of a pipe."""

import itertools
import queue
import time
from collections import deque
from pathlib import Path

import pytest

from tests.helpers.asking import question, write_script
from workbench.domain.llm import Answer, LoadSettings, RequestId, Slowed, TextChunk
from workbench.inference import worker
from workbench.inference.backends.base import BackendEvent
from workbench.inference.backends.scripted import ScriptedBackend
from workbench.inference.protocol import (
    CancelAll,
    CancelledAll,
    Command,
    EndOfRequests,
    Event,
    Happened,
    Load,
    Loaded,
    LoadFailed,
    Pause,
    Plan,
    Planned,
    Probe,
    Probed,
    Resume,
    Submit,
    decode_event,
    encode,
)
from workbench.inference.worker import TextBundles, Worker


class Commands:
    """Gives commands only to a worker that waits for one, and notes what it did in between."""

    def __init__(self, *commands: Command) -> None:
        self._left = deque(commands)
        self.log: list[str] = []

    def get(self) -> bytes | None:
        command = self._left.popleft() if self._left else None
        self.log.append(command.kind if command else "end")
        return encode(command)[:-1] if command else None

    def get_nowait(self) -> bytes | None:
        self.log.append("step")
        raise queue.Empty


def served(commands: Commands) -> list[Event]:
    lines: list[bytes] = []
    Worker(commands, lines.append).serve()
    return [decode_event(line[:-1]) for line in lines]


def load(folder: Path, n_slots: int = 2) -> Load:
    path = write_script(folder, default={"answer": "one two"})
    return Load(path=path, settings=LoadSettings(n_slots=n_slots), backend="scripted")


def happened(events: list[Event]) -> list[BackendEvent]:
    return [one for event in events if isinstance(event, Happened) for one in event.events]


def finished(events: list[Event]) -> list[int]:
    return [event.request_id for event in happened(events) if isinstance(event, Answer)]


def submit(*numbers: int) -> Submit:
    return Submit(requests=tuple(map(question, numbers)))


def test_no_step_is_taken_while_a_request_on_its_way_could_change_it(tmp_path: Path) -> None:
    commands = Commands(load(tmp_path), submit(1), submit(2), EndOfRequests())
    assert finished(served(commands)) == [1, 2]
    assert commands.log == ["load", "submit", "submit", "step", "step", "end_of_requests", "end"]


def test_the_last_requests_do_not_wait_for_others(tmp_path: Path) -> None:
    commands = Commands(load(tmp_path), submit(1), EndOfRequests(), submit(2))
    assert finished(served(commands)) == [1]  # the end of requests was taken back by the next one
    assert commands.log == ["load", "submit", "end_of_requests", "step", "step", "submit", "end"]


def test_a_pause_holds_until_it_is_taken_back(tmp_path: Path) -> None:
    commands = Commands(load(tmp_path, n_slots=1), Pause(), submit(1), Resume())
    assert finished(served(commands)) == [1]
    assert commands.log == ["load", "pause", "submit", "resume", "step", "step", "end"]


def test_cancelling_forgets_requests_and_pause(tmp_path: Path) -> None:
    commands = Commands(load(tmp_path, n_slots=1), Pause(), submit(1), CancelAll(), submit(2))
    events = served(commands)
    assert CancelledAll() in events
    assert finished(events) == [2]


def test_what_happens_in_a_step_is_one_message_in_order(tmp_path: Path) -> None:
    events = served(Commands(load(tmp_path), submit(1, 2), EndOfRequests()))
    steps = [[type(one) for one in event.events] for event in events if isinstance(event, Happened)]
    assert steps == [[TextChunk, TextChunk], [TextChunk, Answer, TextChunk, Answer]]


def test_loading_says_what_is_tried_and_what_was_loaded_or_why_not(tmp_path: Path) -> None:
    missing = Load(path=tmp_path / "missing", settings=LoadSettings(), backend="scripted")
    failed, planned, loaded = served(Commands(missing, load(tmp_path)))
    assert isinstance(failed, LoadFailed)
    assert failed.error == "ModelFileError"
    assert isinstance(planned, Planned)
    assert isinstance(loaded, Loaded)
    assert loaded.description.n_slots == planned.plan.n_slots == 2


def test_a_plan_loads_nothing(tmp_path: Path) -> None:
    path = write_script(tmp_path, load_failures=9, layout={"n_layers": 7})
    planned, failed = served(
        Commands(
            Plan(path=path, settings=LoadSettings(n_slots=3), backend="scripted"),
            Plan(path=tmp_path / "missing", settings=LoadSettings(), backend="scripted"),
        )
    )
    assert isinstance(planned, Planned)
    assert (planned.layout.n_layers, planned.plan.n_slots) == (7, 3)
    assert isinstance(failed, LoadFailed)


def test_memory_that_does_not_suffice_is_said_after_what_was_tried(tmp_path: Path) -> None:
    path = write_script(tmp_path, load_failures=1)
    planned, failed, *_ = served(Commands(Load(path=path, settings=LoadSettings(), backend="scripted")))
    assert isinstance(planned, Planned)
    assert isinstance(failed, LoadFailed)
    assert failed.error == "OutOfMemoryError"


def test_slowness_is_passed_on(tmp_path: Path) -> None:
    path = write_script(tmp_path, slow=[1, 2], default={"answer": "one"})
    settings = LoadSettings(n_slots=1)
    commands = Commands(Load(path=path, settings=settings, backend="scripted"), submit(1, 2, 3), EndOfRequests())
    kinds = [type(event) for event in happened(served(commands)) if not isinstance(event, TextChunk)]
    assert kinds == [Answer, Slowed, Answer, Slowed, Answer]


class StealingClock:
    """Every look at it finds a second gone by, and only a fifth of that spent by this process."""

    def __init__(self) -> None:
        self._n_looks = itertools.count()

    def perf_counter(self) -> float:
        return float(next(self._n_looks))

    def process_time(self) -> float:
        return next(self._n_looks) / 5

    monotonic = staticmethod(time.monotonic)


def test_a_processor_taken_by_others_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "time", StealingClock())
    monkeypatch.setattr(worker, "busy_cores", lambda: 1.0)
    monkeypatch.setattr(ScriptedBackend, "n_step_tokens", 8)
    path = write_script(tmp_path, default={"answer": "word " * 20})
    settings = LoadSettings(n_slots=1, n_threads=1)
    commands = Commands(Load(path=path, settings=settings, backend="scripted"), submit(1), EndOfRequests())
    begun, over = [event for event in happened(served(commands)) if isinstance(event, Slowed)]
    assert begun.share < 0.6
    assert "Other programs" in begun.reason
    assert over == Slowed(share=1.0, reason="")  # nothing is left to do, so nothing is slow


@pytest.mark.parametrize(("n_cores", "n_threads"), [(1, 1), (2, 2), (3, 2), (8, 7)])
def test_the_window_keeps_a_core_where_there_are_more_than_two(
    monkeypatch: pytest.MonkeyPatch, n_cores: int, n_threads: int
) -> None:
    monkeypatch.setattr(worker, "usable_cores", lambda: n_cores)
    assert worker.default_threads(200_000_000) == n_threads
    assert worker.default_threads(2_000_000) == 1


def test_a_probe_loads_nothing() -> None:
    assert served(Commands(Probe(backend="scripted"))) == [Probed(devices=(), versions=())]


def test_a_request_before_loading_is_a_fault() -> None:
    with pytest.raises(RuntimeError, match="nothing is loaded"):
        served(Commands(submit(1)))


def chunk(text: str, number: int = 1) -> TextChunk:
    return TextChunk(request_id=RequestId(number), text=text)


def test_text_is_bundled_for_each_answer() -> None:
    bundles = TextBundles()
    sent: list[BackendEvent] = []
    for tick in range(100):  # one second
        sent += bundles.add(chunk("x"), tick / 100)
        sent += bundles.add(chunk("y", 2), tick / 100)
    for number, letter in ((1, "x"), (2, "y")):
        texts = [event.text for event in sent if isinstance(event, TextChunk) and event.request_id == number]
        assert len(texts) <= 20
        assert letter * 90 <= "".join(texts) <= letter * 100


def test_what_was_held_back_comes_before_the_end() -> None:
    bundles = TextBundles()
    assert list(bundles.add(chunk("a"), 0.0)) == [chunk("a")]
    assert list(bundles.add(chunk("b"), 0.01)) == []
    (held,) = bundles.take_all()
    assert held == chunk("b")
    assert bundles.take_all() == []
