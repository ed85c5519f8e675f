"""Decides how a model file is run on this computer, from its header and the memory that is free.

All ways of running it form a ladder, from the best to the most modest. With everything on accelerators come first
many answers at the same time, then fewer, then their memory in 8 bits, then small steps; only below that are layers
left to the processor, as few as possible and with a few answers at the same time; last, everything is on the
processor. The first way that fits is taken.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from workbench.domain.llm import Device, KvType, LoadSettings
from workbench.domain.memory import DeviceCorrection, DeviceShare, LlmLayout, MemoryPlan, PlanNote
from workbench.errors import LoadSettingsError
from workbench.inference import memory_estimate as estimate
from workbench.inference.memory_estimate import Running
from workbench.inference.memory_placement import Placement
from workbench.inference.scheduler import N_PREFIXES

_PROCESSOR_SLOTS: Final = 16
_ACCELERATOR_SLOTS: Final = 32
"""More gain little: with two cores, 16 slots were near the ceiling of the processor."""
_TINY_SLOTS: Final = 8
_TINY_PARAMETERS: Final = 20_000_000
"""Smaller files spend their time outside the arithmetic that slots share."""
_FEWEST_SLOTS: Final = 2
"""Before the memory of the conversations is kept in 8 bits."""
_SPLIT_SLOTS: Final = 4
"""Where layers are left to the processor: each slot less is room for more layers, but one alone would waste both."""
_BATCH_TOKENS: Final = 512
_SMALL_BATCHES_TOKENS: Final = (256, 128)
"""The last things to try: less scratch memory, but questions are read more slowly."""
_LEAST_RELIEF: Final = 0.95
"""A plan made after one that failed needs at most this share of it."""


def make_plan(
    layout: LlmLayout,
    devices: Sequence[Device],
    settings: LoadSettings,
    *,
    n_threads: int,
    corrections: Sequence[DeviceCorrection] = (),
    n_smaller: int = 0,
) -> MemoryPlan:
    """The best way to run a model file that fits, with everything a person asked for in ``settings``.

    Args:
        layout: The model file.
        devices: All devices with what is free on them now; the processor is one of them.
        settings: What is not ``None`` is kept, even where nothing fits then.
        n_threads: Compute threads, where ``settings`` leaves them open.
        corrections: What earlier loadings taught about the devices.
        n_smaller: How many steps below the best plan to go, because loading it failed. Where nothing smaller is left,
            the plan is that of the step before.

    Raises:
        LoadSettingsError: If ``settings`` asks for what cannot be together, or for an accelerator that is not there.
    """
    placement = Placement(layout, devices, corrections)
    ladder = _ladder(layout, placement, settings)
    way = _best(ladder)
    for _ in range(n_smaller):
        way = _smaller(way, ladder)
    running, threads = way.running, settings.n_threads or n_threads
    return MemoryPlan(
        shares=way.shares,
        n_layers=layout.n_layers,
        n_slots=running.n_slots,
        context_tokens=running.context_tokens,
        n_cells=running.n_cells,
        n_batch=running.n_batch,
        kv_type=running.kv_type,
        flash_attention=running.flash_attention,
        n_threads=threads,
        speed=estimate.speed_class(layout, way.shares, running.n_slots, threads),
        notes=tuple(_notes(way, layout, placement, settings)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """One rung of the ladder."""

    running: Running
    shares: tuple[DeviceShare, ...]
    missing_bytes: int
    """What the devices lack for it."""

    def needed_bytes(self, *, on_accelerators: bool) -> int:
        """On all accelerators, or on the processor."""
        part = self.shares[:-1] if on_accelerators else self.shares[-1:]
        return sum(share.needed_bytes for share in part)


def _best(ladder: Iterator[_Way]) -> _Way:
    """The first way that fits, or else the one that lacks least."""
    least = next(ladder)
    for way in chain((least,), ladder):
        if way.missing_bytes == 0:
            return way
        least = min(least, way, key=lambda way: way.missing_bytes)
    return least


def _smaller(failed: _Way, below: Iterator[_Way]) -> _Way:
    """The next way that fits and clearly relieves the accelerators or, if none is in use, the processor."""
    on_accelerators = len(failed.shares) > 1
    most_bytes = failed.needed_bytes(on_accelerators=on_accelerators) * _LEAST_RELIEF
    fitting = (way for way in below if way.missing_bytes == 0)
    return next((way for way in fitting if way.needed_bytes(on_accelerators=on_accelerators) <= most_bytes), failed)


def _ladder(layout: LlmLayout, placement: Placement, settings: LoadSettings) -> Iterator[_Way]:
    """All ways to run a file with what is fixed in the settings, from the best to the most modest."""
    stated = _stated_layers(layout, placement.accelerators, settings)
    offloads = _offloads(layout, placement, settings) if stated is None else (sum(stated),)
    for n_offloaded in offloads:
        preferred_slots = _preferred_slots(layout, settings, offloads=n_offloaded > 0)
        is_split = n_offloaded not in (offloads[0], offloads[-1])
        choices = (_split_choices if is_split else _choices)(layout, settings, preferred_slots)
        for n_slots, kv_type, n_batch in choices:
            running = _running(layout, settings, n_slots, kv_type, n_batch)
            counts = placement.spread(n_offloaded, running) if stated is None else stated
            shares = placement.shares(counts, running)
            yield _Way(running=running, shares=shares, missing_bytes=placement.missing_bytes(shares))


def _stated_layers(layout: LlmLayout, accelerators: Sequence[Device], settings: LoadSettings) -> tuple[int, ...] | None:
    """Layers on each accelerator, where the settings state them for each."""
    if settings.device_layers is None:
        return None
    stated = dict(settings.device_layers)
    missing = [name for name in stated if name not in {device.name for device in accelerators}]
    if missing:
        raise LoadSettingsError(
            f"Layers are to be computed on “{missing[0]}”, which this computer does not have now.",
            safe="Nothing was loaded or changed.",
            todo="Go on with this run on the computer it was begun on, or start a new evaluation here.",
        )
    counts = tuple(stated.get(device.name, 0) for device in accelerators)
    if min(counts, default=0) < 0 or sum(counts) > layout.n_layers + 1:
        raise _impossible(f"{sum(counts)} layers were asked for, and the model file has {layout.n_layers + 1}.")
    return counts


def _offloads(layout: LlmLayout, placement: Placement, settings: LoadSettings) -> Sequence[int]:
    """How many layers to offload, best first."""
    n_all = layout.n_layers + 1 if placement.accelerators else 0
    wish = settings.n_gpu_layers
    if wish is None:
        return range(n_all, -1, -1)
    return [n_all if wish < 0 else min(wish, n_all)]


def _preferred_slots(layout: LlmLayout, settings: LoadSettings, *, offloads: bool) -> int:
    if settings.n_slots is not None:
        return settings.n_slots
    if layout.n_parameters < _TINY_PARAMETERS:
        return _TINY_SLOTS
    return _ACCELERATOR_SLOTS if offloads else _PROCESSOR_SLOTS


def _running(layout: LlmLayout, settings: LoadSettings, n_slots: int, kv_type: KvType, n_batch: int) -> Running:
    context_tokens = _context_tokens(layout, settings)
    return Running(
        n_slots=n_slots,
        context_tokens=context_tokens,
        n_cells=estimate.cells(n_slots, context_tokens, settings.request_tokens),
        n_batch=max(n_batch, n_slots + N_PREFIXES),  # a step may hold a token of every sequence
        kv_type=kv_type,
        flash_attention=settings.flash_attention is not False,
    )


_Choice = tuple[int, KvType, int]
"""Slots, type of keys and values, and tokens in a step."""


def _choices(layout: LlmLayout, settings: LoadSettings, preferred_slots: int) -> Iterator[_Choice]:
    """With all layers in one place, from the best to the most modest."""
    kv_types = _kv_types(layout, settings)
    n_batch = settings.n_batch or _BATCH_TOKENS
    slots = [preferred_slots]
    while settings.n_slots is None and slots[-1] > _FEWEST_SLOTS:
        slots.append(slots[-1] // 2)
    yield from ((n_slots, kv_types[0], n_batch) for n_slots in slots)
    yield from ((slots[-1], kv_type, n_batch) for kv_type in kv_types[1:])
    least_slots, least_type = slots[-1], kv_types[-1]
    if settings.n_slots is None and least_slots > 1:
        least_slots = 1
        yield least_slots, least_type, n_batch
    if settings.n_batch is None:
        yield from ((least_slots, least_type, n_tokens) for n_tokens in _SMALL_BATCHES_TOKENS)


def _split_choices(layout: LlmLayout, settings: LoadSettings, preferred_slots: int) -> Iterator[_Choice]:
    """With some layers left to the processor."""
    n_slots = preferred_slots if settings.n_slots is not None else min(preferred_slots, _SPLIT_SLOTS)
    yield from ((n_slots, kv_type, settings.n_batch or _BATCH_TOKENS) for kv_type in _kv_types(layout, settings))


def _kv_types(layout: LlmLayout, settings: LoadSettings) -> tuple[KvType, ...]:
    """Best first."""
    if settings.kv_type is KvType.Q8_0 and settings.flash_attention is False:
        raise _impossible("A memory of 8 bits for conversations needs flash attention, which was switched off.")
    if settings.kv_type is KvType.Q8_0 and not layout.kv_quantisable:
        raise _impossible("The conversations of this model file cannot be kept in 8 bits.")
    if settings.kv_type is not None:
        return (settings.kv_type,)
    can_be_quantised = layout.kv_quantisable and settings.flash_attention is not False
    return (KvType.F16, KvType.Q8_0) if can_be_quantised else (KvType.F16,)


def _context_tokens(layout: LlmLayout, settings: LoadSettings) -> int:
    return min(settings.context_tokens, layout.trained_context_tokens)


def _notes(way: _Way, layout: LlmLayout, placement: Placement, settings: LoadSettings) -> Iterator[PlanNote]:
    """What a person should know, in the order of ``PlanNote``."""
    n_offloaded = sum(share.n_layers for share in way.shares[:-1])
    if way.running.n_slots < _preferred_slots(layout, settings, offloads=n_offloaded > 0):
        yield PlanNote.FEWER_SLOTS
    if way.running.kv_type is KvType.Q8_0:
        yield PlanNote.KV_QUANTISED
    if placement.accelerators and n_offloaded == 0:
        yield PlanNote.ACCELERATOR_UNUSED
    elif 0 < n_offloaded <= layout.n_layers:
        yield PlanNote.LAYERS_ON_PROCESSOR
    elif settings.n_gpu_layers and not placement.accelerators:
        yield PlanNote.ACCELERATOR_MISSING
    if _context_tokens(layout, settings) < settings.context_tokens:
        yield PlanNote.CONTEXT_SHORTENED
    wishes = (
        settings.n_slots,
        settings.n_batch,
        settings.kv_type,
        settings.flash_attention,
        settings.n_gpu_layers,
        settings.device_layers,
    )
    if any(wish is not None for wish in wishes):
        yield PlanNote.OVERRIDDEN
    if way.missing_bytes > 0:
        yield PlanNote.DOES_NOT_FIT


def _impossible(happened: str) -> LoadSettingsError:
    return LoadSettingsError(
        happened,
        safe="Nothing was loaded or changed.",
        todo="Leave the choice to the program, or choose differently.",
    )
