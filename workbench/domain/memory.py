"""How a model file is laid into the memory of a computer: what it needs, what was planned, what was really taken."""

from dataclasses import dataclass, replace
from enum import StrEnum

from workbench.domain.llm import Device, KvType, LoadSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmLayout:
    """What the header of a model file says that decides how it is loaded; the weights are not needed for it."""

    architecture: str
    quantisation: str
    """The main type of the weights, for example ``Q4_K_M``; ``unknown`` if the file does not say."""
    n_parameters: int
    rubric: str | None
    """``name-version`` of the rubric a judge file was trained on, from its metadata."""
    trained_context_tokens: int
    n_vocabulary: int
    width: int
    """Length of the hidden state (``embedding_length``)."""
    feed_forward_width: int
    """Of the widest layer; for experts and recurrent layers, the width that takes as much scratch memory."""
    n_heads: int
    """Query heads of the layer with most."""
    input_bytes: int
    """Token embeddings: always with the processor."""
    output_bytes: int
    """Output matrix and its norm; counted like one more layer when offloading."""
    shared_output_bytes: int = 0
    """Part of ``output_bytes`` that is the token embeddings again, and no second copy beside them."""
    kv_quantisable: bool = True
    """Whether keys and values can be kept in 8 bits: their heads must hold a multiple of 32 numbers."""
    layer_bytes: tuple[int, ...]
    """Weights of each transformer block, first to last."""
    layer_kv_values: tuple[int, ...]
    """Numbers that each block keeps for one token (keys and values together); 0 where it keeps none."""
    layer_state_bytes: tuple[int, ...]
    """What each recurrent block keeps for one sequence, whatever its length; 0 for attention."""

    @property
    def n_layers(self) -> int:
        """Transformer blocks, the output layer not counted."""
        return len(self.layer_bytes)

    @property
    def weights_bytes(self) -> int:
        """All weights."""
        return self.input_bytes + self.output_bytes + sum(self.layer_bytes)


class SpeedClass(StrEnum):
    """Expected new tokens per second of all answers under way together; a rough guess, for people to plan their day."""

    FAST = "fast"
    """Above 100."""
    MODERATE = "moderate"
    """20 to 100."""
    SLOW = "slow"
    """5 to 20."""
    VERY_SLOW = "very_slow"
    """Below 5."""


class PlanNote(StrEnum):
    """What a plan had to give up, or what a person should know about it."""

    FEWER_SLOTS = "fewer_slots"
    """Fewer answers at the same time than would be fastest."""
    KV_QUANTISED = "kv_quantised"
    """The memory of the conversations is kept in 8 bits."""
    LAYERS_ON_PROCESSOR = "layers_on_processor"
    """An accelerator is there, but not all layers fit on it."""
    ACCELERATOR_UNUSED = "accelerator_unused"
    """An accelerator is there, but it gets no layer: not one fits, or a person wanted none there."""
    ACCELERATOR_MISSING = "accelerator_missing"
    """A person asked for layers on an accelerator, and there is none."""
    CONTEXT_SHORTENED = "context_shortened"
    """The file was trained for a shorter context than was asked for."""
    OVERRIDDEN = "overridden"
    """A person chose some of it."""
    DOES_NOT_FIT = "does_not_fit"
    """The sum is larger than the memory that is free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceShare:
    """What one device holds; every figure in bytes."""

    device: Device
    """With the memory that was free when the plan was made."""
    n_layers: int
    """Transformer blocks and, where it is here, the output layer."""
    weights_bytes: int
    kv_bytes: int
    """Keys and values of all sequences, and recurrent states."""
    compute_bytes: int
    """Scratch memory of a step, and output buffers."""
    program_bytes: int
    """The worker process itself; only with the processor."""
    margin_bytes: int
    """Left free on purpose, for what cannot be known beforehand."""
    correction: float = 1.0
    """What the estimate of ``compute_bytes`` was multiplied by, because of what earlier loadings taught."""

    @property
    def needed_bytes(self) -> int:
        """The sum without the margin."""
        return self.weights_bytes + self.kv_bytes + self.compute_bytes + self.program_bytes

    @property
    def fits(self) -> bool:
        """Whether it fits with its margin."""
        return self.needed_bytes + self.margin_bytes <= self.device.free_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """Where everything goes and how the file will be run."""

    shares: tuple[DeviceShare, ...]
    """Accelerators in use in ggml's order, then the processor, which is always there."""
    n_layers: int
    """Transformer blocks of the file."""
    n_slots: int
    context_tokens: int
    """For one prompt and its answer, at most."""
    n_cells: int
    """Tokens that all answers under way can hold together; what several share counts once."""
    n_batch: int
    """Tokens in one step at most; also the micro-batch."""
    kv_type: KvType
    flash_attention: bool
    n_threads: int
    speed: SpeedClass
    notes: tuple[PlanNote, ...]

    @property
    def n_layers_offloaded(self) -> int:
        """Layers on accelerators, the output layer included: up to ``n_layers + 1``."""
        return sum(share.n_layers for share in self.shares if share.device.kind != "cpu")

    @property
    def fits(self) -> bool:
        """Whether everything fits as far as can be known."""
        return PlanNote.DOES_NOT_FIT not in self.notes


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """What a device really gave, as llama.cpp reported it; every figure in bytes."""

    device: str
    """ggml's name."""
    weights_bytes: int
    kv_bytes: int
    compute_bytes: int

    @property
    def total_bytes(self) -> int:
        """The sum."""
        return self.weights_bytes + self.kv_bytes + self.compute_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadAttempt:
    """A loading that failed for lack of memory."""

    plan: MemoryPlan
    reason: str
    """What llama.cpp or the system said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """How a model file came into memory: what failed before, what was planned, what was taken."""

    plan: MemoryPlan
    allocations: tuple[Allocation, ...]
    """By device, accelerators first; empty where the backend does not report it."""
    failed_attempts: tuple[LoadAttempt, ...] = ()
    """At most two, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCorrection:
    """What earlier loadings taught about a device: how far its scratch memory was from the estimate."""

    device: str
    """Name and description, as in ``device_key``."""
    compute_ratio: float
    """Taken by the estimate without any correction; above 0."""


def device_key(device: Device) -> str:
    """What a device is recognised by from one day to the next."""
    return f"{device.name} ({device.description})"


def corrections_from(report: LoadReport) -> tuple[DeviceCorrection, ...]:
    """What one loading teaches."""
    taken = {allocation.device: allocation.compute_bytes for allocation in report.allocations}
    return tuple(
        DeviceCorrection(
            device=device_key(share.device),
            compute_ratio=taken[share.device.name] / share.compute_bytes * share.correction,
        )
        for share in report.plan.shares
        if share.compute_bytes > 0 and taken.get(share.device.name, 0) > 0
    )


def pinned(settings: LoadSettings, plan: MemoryPlan) -> LoadSettings:
    """Settings that load the same way again: every choice the plan made is stated."""
    return replace(
        settings,
        n_slots=plan.n_slots,
        context_tokens=plan.context_tokens,
        n_batch=plan.n_batch,
        kv_type=plan.kv_type,
        flash_attention=plan.flash_attention,
        n_threads=plan.n_threads,
        device_layers=tuple((share.device.name, share.n_layers) for share in plan.shares if share.device.kind != "cpu"),
    )
