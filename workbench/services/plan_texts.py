"""What a memory plan reads like; the window and the command line say the same."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from workbench.domain.llm import Device, KvType
from workbench.domain.memory import LoadAttempt, MemoryPlan, PlanNote, SpeedClass
from workbench.domain.text import visible
from workbench.errors import WorkbenchError

LAYERS_EXPLAINED = (
    "A model is made of layers that are computed one after the other. "
    "A graphics card computes a layer many times faster than the processor does."
)
_GIB = 1024**3
_LONGEST_NAME = 60
_NOTES = {
    PlanNote.FEWER_SLOTS: "Fewer answers are written at the same time than would be fastest, to save memory.",
    PlanNote.KV_QUANTISED: "Conversations are kept in 8 bits instead of 16 to save memory; the wording of answers may "
    "differ slightly.",
    PlanNote.LAYERS_ON_PROCESSOR: "Layers that are not on a graphics card are computed by the processor, which takes "
    "much longer.",
    PlanNote.ACCELERATOR_UNUSED: "There is a graphics card, but no layer is put on it; the processor computes "
    "everything.",
    PlanNote.ACCELERATOR_MISSING: "Layers were asked for on a graphics card, but none can be used here; the processor "
    "computes everything.",
    PlanNote.CONTEXT_SHORTENED: "The model was trained on shorter texts, so it gets a shorter context.",
    PlanNote.OVERRIDDEN: "A part of this was chosen by hand.",
    PlanNote.DOES_NOT_FIT: "The sum is larger than the memory that is free: running it may fail or slow the whole "
    "computer down. Close other programs, or choose a smaller file.",
}
_SPEEDS = {
    SpeedClass.FAST: ("fast", "more than 100 new tokens a second"),
    SpeedClass.MODERATE: ("moderate speed", "20 to 100 new tokens a second"),
    SpeedClass.SLOW: ("slow", "5 to 20 new tokens a second"),
    SpeedClass.VERY_SLOW: ("very slow", "less than 5 new tokens a second"),
}
_KV_TYPES = {KvType.F16: "16 bits", KvType.Q8_0: "8 bits"}


class Fit(StrEnum):
    """How well a plan fits this computer."""

    ACCELERATOR = "accelerator"
    """All layers on accelerators."""
    PARTLY = "partly"
    """Some layers on accelerators."""
    PROCESSOR = "processor"
    """Everything with the processor."""
    TOO_LARGE = "too_large"
    """More than is free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """One line of the sum."""

    title: str
    explanation: str
    values_bytes: tuple[int, ...]
    """For each share of the plan, in its order."""


def fit_of(plan: MemoryPlan) -> Fit:
    """How well a plan fits."""
    if not plan.fits:
        return Fit.TOO_LARGE
    if plan.n_layers_offloaded == 0:
        return Fit.PROCESSOR
    return Fit.ACCELERATOR if plan.n_layers_offloaded > plan.n_layers else Fit.PARTLY


def fit_text(fit: Fit) -> str:
    """How well a plan fits, in a few words."""
    return {
        Fit.ACCELERATOR: "fits",
        Fit.PARTLY: "fits with the processor's help",
        Fit.PROCESSOR: "fits",
        Fit.TOO_LARGE: "does not fit",
    }[fit]


def plan_text(plan: MemoryPlan) -> str:
    """``All 33 layers on NVIDIA RTX 4090, 16 answers at a time, fast``."""
    speed = f", {speed_text(plan.speed)}" if plan.fits else ""  # nobody knows how fast memory that is not there is
    return f"{layers_text(plan)}, {answers_text(plan.n_slots)}{speed}"


def layers_text(plan: MemoryPlan) -> str:
    """Where the layers are computed."""
    n_layers, n_offloaded = plan.n_layers + 1, plan.n_layers_offloaded  # the output layer is one of them
    if n_offloaded == 0:
        return f"All {n_layers} layers on the processor"
    devices = accelerators_text(plan)
    if n_offloaded == n_layers:
        return f"All {n_layers} layers on {devices}"
    return f"{n_offloaded} of {n_layers} layers on {devices}, the rest on the processor"


def accelerators_text(plan: MemoryPlan) -> str:
    """The accelerators in use by what they call themselves: ``2 × NVIDIA RTX 4090``."""
    names = Counter(device_text(share.device) for share in plan.shares if share.device.kind != "cpu" and share.n_layers)
    return " and ".join(name if n == 1 else f"{n} × {name}" for name, n in names.items())


def device_text(device: Device) -> str:
    """What a device calls itself, on one line; the processor is called just that."""
    if device.kind == "cpu":
        return "Processor"
    return " ".join(visible(device.description or device.name).split())[:_LONGEST_NAME]


def heading_text(device: Device) -> str:
    """What tells a device from its twin: ``CUDA0: NVIDIA RTX 4090``."""
    name = device_text(device)
    return name if device.kind == "cpu" else f"{visible(device.name)}: {name}"


def answers_text(n_slots: int) -> str:
    """``16 answers at a time``."""
    return "1 answer at a time" if n_slots == 1 else f"{n_slots} answers at a time"


def loaded_text(plan: MemoryPlan) -> str:
    """``on CUDA0, 33 of 33 layers, 16 answers at a time``."""
    return f"{place_text(plan)}, {answers_text(plan.n_slots)}"


def place_text(plan: MemoryPlan) -> str:
    """``on CUDA0, 33 of 33 layers``, with the devices' short names."""
    if plan.n_layers_offloaded == 0:
        return "on the processor"
    names = " and ".join(
        visible(share.device.name) for share in plan.shares if share.device.kind != "cpu" and share.n_layers
    )
    return f"on {names}, {plan.n_layers_offloaded} of {plan.n_layers + 1} layers"


def computing_text(plan: MemoryPlan) -> str:
    """``33 of 33 layers on NVIDIA RTX 4090``, with what the devices call themselves."""
    if plan.n_layers_offloaded == 0:
        return "on the processor"
    return f"{plan.n_layers_offloaded} of {plan.n_layers + 1} layers on {accelerators_text(plan)}"


def retried_text(name: str, attempts: Sequence[LoadAttempt], loaded: MemoryPlan | None = None) -> str:
    """That a model file did not fit at first, and how it was ``loaded``, if it is; ``attempts`` is not empty."""
    if loaded is None:
        return f"{name} did not fit {loaded_text(attempts[-1].plan)}: trying with less memory."
    return f"{name} did not fit {loaded_text(attempts[0].plan)}. It was loaded {loaded_text(loaded)}."


def judge_waits_text(file_name: str, error: WorkbenchError) -> str:
    """Why a judge is not loaded beside the answering model file, and what happens instead."""
    return (
        f"{file_name} could not be loaded beside the model that answers. {error.happened} "
        "It judges when all answers are written."
    )


def slowed_text(reason: str) -> str:
    """That answers come slowly and why; ``reason`` is what the engine says, in whole sentences."""
    return f"Slower than usual. {visible(reason)}".strip()


def speed_text(speed: SpeedClass) -> str:
    """The speed in one or two words."""
    return _SPEEDS[speed][0]


def speed_explained(speed: SpeedClass) -> str:
    """What the word stands for."""
    return _SPEEDS[speed][1]


def kv_type_text(kv_type: KvType) -> str:
    """How precisely conversations are kept."""
    return _KV_TYPES[kv_type]


def note_texts(plan: MemoryPlan) -> list[str]:
    """What a person should know about a plan, a sentence each; what does not fit comes first."""
    notes = sorted(plan.notes, key=lambda note: note is not PlanNote.DOES_NOT_FIT)
    return [_NOTES[note] for note in notes]


def plan_rows(plan: MemoryPlan) -> tuple[PlanRow, ...]:
    """The sum for each device, what is free now at the end."""
    shares = plan.shares
    return (
        PlanRow(
            title="Weights",
            explanation="The model itself.",
            values_bytes=tuple(share.weights_bytes for share in shares),
        ),
        PlanRow(
            title="Conversations (KV)",
            explanation="What the model remembers of every prompt and answer under way.",
            values_bytes=tuple(share.kv_bytes for share in shares),
        ),
        PlanRow(
            title="Working memory",
            explanation="What one step of computing needs.",
            values_bytes=tuple(share.compute_bytes for share in shares),
        ),
        PlanRow(
            title="Program",
            explanation="The process that runs the model.",
            values_bytes=tuple(share.program_bytes for share in shares),
        ),
        PlanRow(
            title="Kept free",
            explanation="Left on purpose, for what cannot be known beforehand.",
            values_bytes=tuple(share.margin_bytes for share in shares),
        ),
        PlanRow(
            title="Sum",
            explanation="All of the above.",
            values_bytes=tuple(share.needed_bytes + share.margin_bytes for share in shares),
        ),
        PlanRow(
            title="Free now",
            explanation="What the device can give at this moment.",
            values_bytes=tuple(share.device.free_bytes for share in shares),
        ),
    )


def gib(n_bytes: int) -> str:
    """A memory size in GiB with one decimal, without the unit; what is there but rounds to nothing reads ``< 0.1``."""
    return "< 0.1" if 0 < n_bytes < 0.05 * _GIB else f"{n_bytes / _GIB:,.1f}"
