from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.domain.llm import Slowed
from workbench.inference.speed_watch import SpeedWatch

N_THREADS = 4
STEP_S = 0.05


def watch_of(n_threads: int | None) -> SpeedWatch:
    """On a computer whose processor is always busy, with this program or with others."""
    return SpeedWatch(n_threads, busy_cores=lambda: float(N_THREADS))


def said(
    watch: SpeedWatch, seconds: float, *, busy: float = 0.95, pace: float = 1.0, n_tokens: int = 8
) -> Iterator[Slowed]:
    """What is said in so many seconds of equal steps; ``busy`` is the share of the processor that they get."""
    wall_s = STEP_S / pace
    for _ in range(round(seconds / wall_s)):
        if slowed := watch.add(n_tokens, wall_s, busy * N_THREADS * wall_s):
            yield slowed


def test_a_quiet_computer_is_not_slow() -> None:
    watch = watch_of(N_THREADS)
    assert list(said(watch, 60)) == []
    assert watch.rest() is None


def test_other_programs_are_noticed_after_five_seconds_and_said_once() -> None:
    watch = watch_of(N_THREADS)
    assert list(said(watch, 4.5, busy=0.3)) == []
    (begun,) = said(watch, 30, busy=0.3)
    assert begun.share == pytest.approx(0.3)
    assert "Other programs" in begun.reason
    (over,) = said(watch, 10)
    assert (over.share, over.reason) == (1.0, "")


def test_threads_that_wait_for_each_other_on_a_quiet_computer_are_no_slowness() -> None:
    watch = SpeedWatch(N_THREADS, busy_cores=lambda: 0.3 * N_THREADS + 0.2)
    assert list(said(watch, 60, busy=0.3)) == []


def test_values_between_the_thresholds_change_nothing() -> None:
    watch = watch_of(N_THREADS)
    assert list(said(watch, 30, busy=0.7)) == []
    assert len(list(said(watch, 10, busy=0.3))) == 1
    assert list(said(watch, 30, busy=0.7)) == []


def test_short_disturbances_are_not_mentioned() -> None:
    watch = watch_of(N_THREADS)
    for _ in range(10):
        assert list(said(watch, 3, busy=0.2)) == []
        assert list(said(watch, 2)) == []


def test_the_share_of_the_processor_says_nothing_where_an_accelerator_computes() -> None:
    assert list(said(watch_of(None), 60, busy=0.05)) == []


def test_steps_that_take_more_than_twice_as_long_are_noticed() -> None:
    watch = watch_of(None)
    assert list(said(watch, 10)) == []
    assert list(said(watch, 9, pace=0.4)) == []
    (begun,) = said(watch, 20, pace=0.4)
    assert begun.share == pytest.approx(0.4)
    assert "twice as long" in begun.reason
    (over,) = said(watch, 10)
    assert over.reason == ""


def test_larger_steps_may_take_longer() -> None:
    watch = watch_of(None)
    assert list(said(watch, 10)) == []
    assert list(said(watch, 60, pace=0.1, n_tokens=512)) == []


def test_steps_of_many_seconds_are_judged_too() -> None:
    watch = watch_of(None)
    assert [watch.add(8, 3.0, 0.0) for _ in range(10)] == [None] * 10
    assert any(watch.add(8, 9.0, 0.0) for _ in range(10))


def test_a_rest_ends_what_was_seen_before_it() -> None:
    watch = watch_of(N_THREADS)
    assert len(list(said(watch, 10, busy=0.3))) == 1
    over = watch.rest()
    assert over is not None
    assert over.reason == ""
    assert watch.rest() is None
    assert list(said(watch, 4.5, busy=0.3)) == []


steps = st.tuples(st.integers(1, 4096), st.floats(1e-6, 100.0), st.floats(0.0, 1000.0))


@given(st.lists(steps, max_size=300))
def test_beginning_and_end_take_turns(taken: list[tuple[int, float, float]]) -> None:
    watch = watch_of(N_THREADS)
    events = [event for step in taken if (event := watch.add(*step))]
    if over := watch.rest():
        events.append(over)
    assert [bool(event.reason) for event in events] == [index % 2 == 0 for index in range(len(events))]
    assert len(events) % 2 == 0
