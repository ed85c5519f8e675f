"""The worker's main loop in this process, fed from a list instead of a pipe."""

import queue
from collections import deque
from pathlib import Path

import pytest

from tests.helpers.asking import question, write_script
from workbench.domain.llm import Answer, LoadSettings, RequestId, TextChunk
from workbench.inference.backends.base import BackendEvent
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


def finished(events: list[Event]) -> list[int]:
    return [
        event.event.request_id for event in events if isinstance(event, Happened) and isinstance(event.event, Answer)
    ]


def test_no_step_is_taken_while_a_request_on_its_way_could_change_it(tmp_path: Path) -> None:
    commands = Commands(load(tmp_path), Submit(request=question(1)), Submit(request=question(2)), EndOfRequests())
    assert finished(served(commands)) == [1, 2]
    assert commands.log == ["load", "submit", "submit", "step", "step", "end_of_requests", "end"]


def test_the_last_requests_do_not_wait_for_others(tmp_path: Path) -> None:
    commands = Commands(load(tmp_path), Submit(request=question(1)), EndOfRequests(), Submit(request=question(2)))
    assert finished(served(commands)) == [1]  # the end of requests was taken back by the next one
    assert commands.log == ["load", "submit", "end_of_requests", "step", "step", "submit", "end"]


def test_a_pause_holds_until_it_is_taken_back(tmp_path: Path) -> None:
    commands = Commands(load(tmp_path, n_slots=1), Pause(), Submit(request=question(1)), Resume())
    assert finished(served(commands)) == [1]
    assert commands.log == ["load", "pause", "submit", "resume", "step", "step", "end"]


def test_cancelling_forgets_requests_and_pause(tmp_path: Path) -> None:
    commands = Commands(
        load(tmp_path, n_slots=1), Pause(), Submit(request=question(1)), CancelAll(), Submit(request=question(2))
    )
    events = served(commands)
    assert CancelledAll() in events
    assert finished(events) == [2]


def test_loading_says_what_was_loaded_or_why_not(tmp_path: Path) -> None:
    missing = Load(path=tmp_path / "missing", settings=LoadSettings(), backend="scripted")
    failed, loaded = served(Commands(missing, load(tmp_path)))
    assert isinstance(failed, LoadFailed)
    assert failed.error == "ModelFileError"
    assert isinstance(loaded, Loaded)


def test_a_probe_loads_nothing() -> None:
    assert served(Commands(Probe(backend="scripted"))) == [Probed(devices=(), versions=())]


def test_a_request_before_loading_is_a_fault() -> None:
    with pytest.raises(RuntimeError, match="nothing is loaded"):
        served(Commands(Submit(request=question(1))))


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
