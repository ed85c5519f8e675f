"""Judging beside answering: when that pays, and two sessions as one stream of events."""

import queue
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from workbench.domain.llm import SessionEvent
from workbench.domain.memory import DeviceShare, MemoryPlan, PlanNote
from workbench.services.progress import Role

_MOST_WAITING = 16
"""Bundles of events that wait to be stored; a session that is further ahead waits itself."""

Events = tuple[SessionEvent, ...]


def may_run_together(answering: MemoryPlan, judging: MemoryPlan) -> bool:
    """Whether two llms, each planned as if it were alone, can be in memory together and do not disturb each other.

    On each device both must find room with their margins; what lies in memory that a device shares with the processor
    counts there too. And one of the two must compute on accelerators completely: two workers on the same cores
    only take time from each other, and waking each other's threads costs more than it gains.
    """
    if not (_computes_on_accelerators(answering) or _computes_on_accelerators(judging)):
        return False
    shares = (*answering.shares, *judging.shares)
    devices = {share.device.name for share in shares}
    return answering.fits and judging.fits and all(_room_on(name, shares) for name in devices)


def has_accelerator(plan: MemoryPlan) -> bool:
    """Whether the computer that the plan was made for has an accelerator, in use or not."""
    return plan.n_layers_offloaded > 0 or PlanNote.ACCELERATOR_UNUSED in plan.notes


def _computes_on_accelerators(plan: MemoryPlan) -> bool:
    return plan.n_layers_offloaded > plan.n_layers  # the output layer included


def _room_on(device: str, shares: tuple[DeviceShare, ...]) -> bool:
    own = [share for share in shares if share.device.name == device]
    counted = own
    if any(share.device.kind == "cpu" for share in own):
        counted = own + [share for share in shares if share.device.shares_memory and share.device.name != device]
    needed_bytes = sum(share.needed_bytes + share.margin_bytes for share in counted)
    return needed_bytes <= min(share.device.free_bytes for share in own)


@dataclass(frozen=True, slots=True)
class Ended:
    """One of the sources has nothing more to say."""

    role: Role
    error: BaseException | None
    """What ended it before its time."""


def merged(
    sources: Mapping[Role, Callable[[], Iterable[Events]]], give_up: Callable[[], None]
) -> Generator[tuple[Role, Events] | Ended, None, None]:
    """Run each source on a thread of its own and yield what they give, each in its own order.

    Every source ends with ``Ended``, whatever happened in it; the other goes on. When the generator is closed early,
    it returns after both have ended.

    Args:
        sources: Start something and give its events; called on the threads.
        give_up: Makes every source end soon; called when the generator is closed early.
    """
    items: queue.Queue[tuple[Role, Events | None]] = queue.Queue(maxsize=_MOST_WAITING)
    with ThreadPoolExecutor(max_workers=len(sources), thread_name_prefix="session") as threads:
        running = {role: threads.submit(_pump, role, source, items) for role, source in sources.items()}
        try:
            while running:
                role, events = items.get()
                if events is None:
                    yield Ended(role, running.pop(role).exception())
                else:
                    yield role, events
        finally:
            if running:
                give_up()
            while running:  # a source that waits for room in the queue gets it
                role, events = items.get()
                if events is None:
                    del running[role]


def _pump(role: Role, source: Callable[[], Iterable[Events]], items: "queue.Queue[tuple[Role, Events | None]]") -> None:
    try:
        for events in source():
            items.put((role, events))
    finally:
        items.put((role, None))
