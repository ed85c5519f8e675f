"""How much memory and time the parts of a loaded model file take, as formulas over its layout.

The formulas for scratch memory follow the tensors that are alive together in llama.cpp's graph
(``llm_graph_context``). On the processor, llama.cpp reported between 6 % less and 3 % more for llama files of usual
shapes (widths 1024 to 4096, vocabularies 512 to 262,144, 2048 to 70,000 cells, micro-batches of 64 to 512, with and
without flash attention), and up to 17 % less where the feed-forward part is no wider than the hidden state. Recurrent
files (mamba) were within 2 %, narrow experts within 15 %.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from workbench.domain.llm import Device, KvType
from workbench.domain.memory import DeviceShare, LlmLayout, SpeedClass
from workbench.inference.scheduler import N_PREFIXES

MIB: Final = 1024 * 1024
_FLOAT_BYTES: Final = 4
_MASK_BYTES: Final = {True: 2, False: 4}
"""One entry of the attention mask, with and without flash attention."""
_KV_VALUE_BYTES: Final = {KvType.F16: 2.0, KvType.Q8_0: 34 / 32}
_CELL_STEP: Final = 256
"""llama.cpp rounds the size of its memory up to a multiple of this."""
_INPUT_COPIES: Final = 4
"""llama.cpp keeps so many copies of a step's inputs when several accelerators work one after another."""
_WORKER_BYTES: Final = 62 * MIB
"""A worker with numpy, llama.cpp and the template engine before it loads a file, measured on Linux."""
_VOCABULARY_ENTRY_BYTES: Final = 400
"""llama.cpp's tables for a token; 236 to 491 were measured for vocabularies of more than 100,000 tokens."""
_DRIVER_BYTES: Final = 160 * MIB
"""What an accelerator's driver takes in the process; rough, it differs by maker."""

_PROCESSOR_THREAD_BYTES_PER_S: Final = 8e9
_PROCESSOR_BYTES_PER_S: Final = 40e9
_PROCESSOR_THREAD_OPERATIONS_PER_S: Final = 70e9
"""Measured with 208 million weights as Q4_K_M and two threads: 130 tokens/s with one slot, 300 with 16."""
_SHARED_BYTES_PER_S: Final = 60e9
_SHARED_OPERATIONS_PER_S: Final = 2e12
_CARD_BYTES_PER_S: Final = 250e9
_CARD_OPERATIONS_PER_S: Final = 10e12
"""About half of what makers state for graphics in the processor and for middling cards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """How a file is run, as far as it decides about memory."""

    n_slots: int
    context_tokens: int
    n_cells: int
    n_batch: int
    kv_type: KvType
    flash_attention: bool

    @property
    def n_sequences(self) -> int:
        """Sequences that llama.cpp keeps apart."""
        return self.n_slots + N_PREFIXES

    @property
    def n_step_tokens(self) -> int:
        """Tokens of the step llama.cpp prepares for: all of a batch, spread evenly over the sequences."""
        per_sequence = -(-min(self.n_batch, self.n_cells) // self.n_sequences)
        return per_sequence * self.n_sequences


def cells(n_slots: int, context_tokens: int, request_tokens: int | None) -> int:
    """Tokens to make room for: one whole context, and what each other answer usually takes."""
    usual_tokens = context_tokens if request_tokens is None else min(request_tokens, context_tokens)
    n_cells = min((n_slots + 1) * context_tokens, context_tokens + n_slots * usual_tokens)
    return -(-n_cells // _CELL_STEP) * _CELL_STEP


def kv_bytes(layout: LlmLayout, layers: range, running: Running) -> int:
    """Keys, values and recurrent states of some layers; the output layer keeps none."""
    blocks = slice(layers.start, layers.stop)
    values = sum(layout.layer_kv_values[blocks])
    states = sum(layout.layer_state_bytes[blocks])
    return int(values * running.n_cells * _KV_VALUE_BYTES[running.kv_type]) + states * running.n_sequences


def weights_bytes(layout: LlmLayout, layers: range, *, with_input: bool) -> int:
    """Weights of some layers; the one after the last block is the output layer."""
    total = sum(layout.layer_bytes[layers.start : layers.stop])
    if layout.n_layers in layers:
        total += layout.output_bytes - (layout.shared_output_bytes if with_input else 0)
    return total + (layout.input_bytes if with_input else 0)


def compute_bytes(layout: LlmLayout, running: Running) -> int:
    """Scratch memory of a device that computes layers.

    What is alive together is largest in the feed-forward part (hidden states, gate, up and their product, or the new
    recurrent states), in attention (queries, keys, values and, without flash attention, a score for every head and
    cell), or at the end (one row of the vocabulary for every sequence).
    """
    n_tokens, width = running.n_step_tokens, layout.width
    keys_and_values = max(layout.layer_kv_values, default=0)
    feed_forward = n_tokens * (4 * width + 3 * layout.feed_forward_width)
    attention = n_tokens * (5 * width + keys_and_values)
    if not running.flash_attention:
        attention += n_tokens * layout.n_heads * running.n_cells
    in_layers = max(feed_forward, attention) * _FLOAT_BYTES + _mask_bytes(layout, running)
    in_layers += max(layout.layer_state_bytes, default=0) * running.n_sequences
    n_outputs = min(running.n_sequences, n_tokens)
    at_the_end = (n_outputs * (layout.n_vocabulary + width) + n_tokens * width) * _FLOAT_BYTES
    return max(in_layers, at_the_end)


def input_bytes(layout: LlmLayout, running: Running) -> int:
    """What is handed from the processor to an accelerator for a step: hidden states and the attention mask."""
    return running.n_step_tokens * layout.width * _FLOAT_BYTES + _mask_bytes(layout, running)


def more_input_bytes(layout: LlmLayout, running: Running) -> int:
    """The further copies of the inputs where several accelerators work one after another."""
    return (_INPUT_COPIES - 1) * input_bytes(layout, running)


def lent_compute_bytes(layout: LlmLayout, running: Running) -> int:
    """Scratch memory of an accelerator that is also lent to layers of the processor, as it is for large batches.

    Their matrices are copied to it one after another, and of each layer in turn the keys and values.
    """
    largest_matrix = max(layout.layer_bytes, default=0) // 3
    n_tokens, keys_and_values = running.n_step_tokens, max(layout.layer_kv_values, default=0)
    copied = int(keys_and_values * running.n_cells * _KV_VALUE_BYTES[running.kv_type])
    attention = n_tokens * (5 * layout.width + keys_and_values) * _FLOAT_BYTES + _mask_bytes(layout, running)
    return max(compute_bytes(layout, running) + largest_matrix, attention + copied)


def reply_bytes(layout: LlmLayout, running: Running) -> int:
    """The rows of logits handed back, always with the processor."""
    return running.n_sequences * layout.n_vocabulary * _FLOAT_BYTES


def program_bytes(layout: LlmLayout, *, offloads: bool) -> int:
    """The worker process without weights and scratch memory."""
    return _WORKER_BYTES + layout.n_vocabulary * _VOCABULARY_ENTRY_BYTES + (_DRIVER_BYTES if offloads else 0)


def speed_class(layout: LlmLayout, shares: Sequence[DeviceShare], n_slots: int, n_threads: int) -> SpeedClass:
    """A guess at the new tokens per second of all slots together.

    In each step every weight is read once, and every slot multiplies its state with all of them; devices work one
    after another.
    """
    step_s = 0.0
    computing_bytes = max(1, layout.weights_bytes - layout.input_bytes)
    for share in shares:
        is_processor = share.device.kind == "cpu"
        read_bytes = max(0, share.weights_bytes - (layout.input_bytes if is_processor else 0))
        bytes_per_s, operations_per_s = _rates(share.device, n_threads)
        operations = 2.0 * layout.n_parameters * read_bytes / computing_bytes
        step_s += read_bytes / bytes_per_s + n_slots * operations / operations_per_s
    tokens_per_s = n_slots / max(step_s, 1e-6)
    if tokens_per_s > 100:
        return SpeedClass.FAST
    if tokens_per_s >= 20:
        return SpeedClass.MODERATE
    return SpeedClass.SLOW if tokens_per_s >= 5 else SpeedClass.VERY_SLOW


def _mask_bytes(layout: LlmLayout, running: Running) -> int:
    if not any(layout.layer_kv_values):
        return 0
    return running.n_step_tokens * running.n_cells * _MASK_BYTES[running.flash_attention]


def _rates(device: Device, n_threads: int) -> tuple[float, float]:
    """Bytes read and operations done per second."""
    if device.kind == "cpu":
        bytes_per_s = min(n_threads * _PROCESSOR_THREAD_BYTES_PER_S, _PROCESSOR_BYTES_PER_S)
        return bytes_per_s, n_threads * _PROCESSOR_THREAD_OPERATIONS_PER_S
    if device.shares_memory:
        return _SHARED_BYTES_PER_S, _SHARED_OPERATIONS_PER_S
    return _CARD_BYTES_PER_S, _CARD_OPERATIONS_PER_S
