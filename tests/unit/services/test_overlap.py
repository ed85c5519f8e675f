import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from tests.helpers.records import GIB, a_device, a_plan, a_share
from workbench.domain.llm import RequestId, SessionEvent, TextChunk
from workbench.domain.memory import MemoryPlan, PlanNote
from workbench.errors import EngineError
from workbench.services.overlap import Ended, Events, may_run_together, merged
from workbench.services.progress import Role

PROCESSOR = a_share(n_layers=0, weights_bytes=0)
"""What stays with the processor when all layers are elsewhere: half a GiB with its margin."""


def _on_card(weights_gib: int, *, free_gib: int = 8, n_layers: int = 3, shares_memory: bool = False) -> MemoryPlan:
    card = a_device("CUDA0", free_bytes=free_gib * GIB, shares_memory=shares_memory)
    return a_plan(
        a_share(card, n_layers=n_layers, weights_bytes=weights_gib * GIB), replace(PROCESSOR, n_layers=3 - n_layers)
    )


@pytest.mark.parametrize(
    ("answering", "judging", "may"),
    [
        (_on_card(3), _on_card(4), True),  # 2 * 0.5 GiB besides the weights: exactly 8
        (_on_card(4), _on_card(4), False),
        (_on_card(3), a_plan(), True),  # one on the card, one on the processor
        (a_plan(), _on_card(3), True),
        (a_plan(), a_plan(), False),  # the same cores
        (_on_card(1, n_layers=2), a_plan(), False),  # the same cores, in part
        (_on_card(1, n_layers=2), _on_card(1), True),
        (_on_card(3), a_plan(a_share(weights_bytes=7 * GIB)), True),  # 8 GiB of the processor's 8
        (_on_card(3), a_plan(a_share(weights_bytes=8 * GIB)), False),
        (_on_card(3, shares_memory=True), _on_card(3, shares_memory=True), True),  # 2 * 3.5 + 2 * 0.5
        (_on_card(3, free_gib=12, shares_memory=True), _on_card(4, free_gib=12, shares_memory=True), False),
        (replace(_on_card(1), notes=(PlanNote.DOES_NOT_FIT,)), _on_card(1), False),
    ],
)
def test_two_may_run_together_where_there_is_room_and_the_cores_are_not_shared(
    answering: MemoryPlan, judging: MemoryPlan, may: bool
) -> None:
    assert may_run_together(answering, judging) is may


def test_memory_that_became_less_between_the_two_plans_counts() -> None:
    assert not may_run_together(_on_card(3), _on_card(3, free_gib=6))


def _numbers(count: int, *, fails: bool = False) -> Iterator[Events]:
    for number in range(count):
        yield (_event(number),)
    if fails:
        raise EngineError("Lost.", safe="All.", todo="Later.")


def _event(number: int) -> SessionEvent:
    return TextChunk(request_id=RequestId(number), text="")


def _given(items: list[object], role: Role) -> list[int]:
    return [item[1][0].request_id for item in items if isinstance(item, tuple) and item[0] is role]


def test_each_source_keeps_its_order_and_says_when_it_ends() -> None:
    sources = {Role.ANSWERING: lambda: _numbers(100), Role.JUDGING: lambda: _numbers(50)}
    items: list[object] = list(merged(sources, lambda: None))
    assert _given(items, Role.ANSWERING) == list(range(100))
    assert _given(items, Role.JUDGING) == list(range(50))
    assert [item for item in items if isinstance(item, Ended)].count(Ended(Role.JUDGING, None)) == 1
    assert len(items) == 152


def test_a_failure_of_one_leaves_the_other_working() -> None:
    sources = {Role.ANSWERING: lambda: _numbers(3, fails=True), Role.JUDGING: lambda: _numbers(100)}
    items: list[object] = list(merged(sources, lambda: None))
    errors = {item.role: item.error for item in items if isinstance(item, Ended)}
    assert isinstance(errors[Role.ANSWERING], EngineError)
    assert errors[Role.JUDGING] is None
    assert _given(items, Role.ANSWERING) == [0, 1, 2]
    assert _given(items, Role.JUDGING) == list(range(100))


def test_closing_early_ends_both_and_waits_for_them() -> None:
    given_up = threading.Event()
    n_ended = 0

    def endless() -> Iterator[Events]:
        nonlocal n_ended
        while not given_up.is_set():
            yield (_event(0),)
        n_ended += 1

    with closing(merged({Role.ANSWERING: endless, Role.JUDGING: endless}, given_up.set)) as stream:
        next(stream)
    assert n_ended == 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("session")]
