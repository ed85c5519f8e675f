"""Reads from the header of a model file what decides how much memory it needs, before anything is loaded."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Final

from workbench.domain.memory import LlmLayout
from workbench.errors import ModelFileError
from workbench.inference.gguf_check import unusable
from workbench.inference.gguf_header import GgufArray, GgufHeader, TensorInfo, read_header

_MAX_LAYERS: Final = 512
"""As in llama.cpp."""
_MAX_PARTS: Final = 1000
_MAX_NUMBER: Final = 1 << 31
_F32_BYTES: Final = 4
_QUANTISED_BLOCK_VALUES: Final = 32
"""Numbers that share a scale in 8-bit keys and values."""
_NO_FILE_TYPE: Final = 1023
_GUESSED: Final = 1024
"""Added to the file type by programs that are not sure of it."""
_BLOCK: Final = re.compile(r"(enc\.|dec\.)?blk\.(\d{1,9})\.(.+)")
_PART: Final = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")
_INPUT_TENSORS: Final = ("token_embd", "token_types", "position_embd", "per_layer_token_embd")
_RECURRENT_TENSORS: Final = ("ssm_", "time_mix_", "shortconv")
_REPACKED_TYPES: Final = frozenset({"Q4_0", "Q4_K", "Q2_K", "IQ4_NL", "MXFP4"})
"""Types that llama.cpp keeps in another order on common processors, so that one matrix cannot serve two purposes."""

_FILE_TYPES: Final = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K_M", 11: "Q3_K_S",
    12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS",
    20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M",
    28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4",
    39: "NVFP4", 40: "Q1_0", 41: "Q2_0",
}  # fmt: skip
"""``general.file_type`` (``enum llama_ftype``) as people write it."""


def read_layout(path: Path) -> LlmLayout:
    """Read the header of a model file, and of its other parts if it is split into several.

    Raises:
        ModelFileError: If a part is missing, unreadable, damaged, or no model that writes text.
    """
    return layout_of([_read(part) for part in _parts(path)])


def layout_of(headers: Sequence[GgufHeader]) -> LlmLayout:
    """What the headers of one model file say, in the order of its parts.

    Raises:
        ModelFileError: If they do not describe a language model, or parts are missing.
    """
    facts = _Facts(headers[0])
    if facts.number("split.count", 1) not in (0, len(headers)):
        raise unusable("Parts of this model file are missing; all of them must lie in one folder.")
    tensors = {tensor.name: tensor for header in headers for tensor in header.tensors}
    n_layers = facts.number("block_count")
    trained_context_tokens = facts.number("context_length")
    if not 1 <= n_layers <= _MAX_LAYERS or trained_context_tokens == 0:
        raise _senseless(f"The model has {n_layers} layers and a context of {trained_context_tokens} tokens.")
    blocks = _blocks(tensors.values(), n_layers)
    embeddings = tensors.get("token_embd.weight")
    input_bytes = sum(tensor.n_bytes for tensor in tensors.values() if tensor.name.startswith(_INPUT_TENSORS))
    layer_bytes = tuple(sum(tensor.n_bytes for tensor in block.values()) for block in blocks)
    tied_bytes = embeddings.n_bytes if embeddings is not None and "output.weight" not in tensors else 0
    is_repacked = embeddings is not None and embeddings.type.name in _REPACKED_TYPES
    return LlmLayout(
        architecture=facts.architecture,
        quantisation=_FILE_TYPES.get(facts.number("general.file_type", _NO_FILE_TYPE) & ~_GUESSED, "unknown"),
        n_parameters=sum(tensor.n_values for tensor in tensors.values()),
        rubric=facts.text("workbench.rubric"),
        trained_context_tokens=trained_context_tokens,
        n_vocabulary=_n_vocabulary(facts, embeddings),
        width=facts.number("embedding_length"),
        feed_forward_width=_feed_forward_width(facts),
        n_heads=facts.number("attention.head_count", 0),
        input_bytes=input_bytes,
        output_bytes=sum(tensor.n_bytes for tensor in tensors.values()) - input_bytes - sum(layer_bytes) + tied_bytes,
        shared_output_bytes=0 if is_repacked else tied_bytes,
        kv_quantisable=not any(length % _QUANTISED_BLOCK_VALUES for length in _head_lengths(facts)),
        layer_bytes=layer_bytes,
        layer_kv_values=_layer_kv_values(facts, blocks),
        layer_state_bytes=_layer_state_bytes(facts, blocks),
    )


def with_adapter(layout: LlmLayout, adapter_bytes: int) -> LlmLayout:
    """The layout with an adapter's weights, which lie beside those of the layers they belong to."""
    each_bytes = -(-adapter_bytes // layout.n_layers)
    return replace(layout, layer_bytes=tuple(n_bytes + each_bytes for n_bytes in layout.layer_bytes))


def _parts(path: Path) -> list[Path]:
    match = _PART.search(path.name)
    if match is None:
        return [path]
    n_parts = int(match.group(2))
    if not 1 <= n_parts <= _MAX_PARTS:
        raise unusable(f"“{path.name}” says that it has {n_parts} parts.")
    stem = path.name[: match.start()]
    return [path.with_name(f"{stem}-{index:05}-of-{n_parts:05}.gguf") for index in range(1, n_parts + 1)]


def _read(path: Path) -> GgufHeader:
    try:
        with path.open("rb") as file:
            return read_header(file, path.stat().st_size)
    except FileNotFoundError as error:
        raise unusable(f"The model file “{path}” does not exist.") from error
    except OSError as error:
        raise unusable(f"The model file “{path}” cannot be read: {error.strerror}.") from error


class _Facts:
    """The metadata of a header, with every number within bounds.

    Keys that begin with neither ``general`` nor ``split`` belong to the architecture and are named without it.
    """

    def __init__(self, header: GgufHeader) -> None:
        self._metadata = header.metadata
        kind = self.text("general.type") or "model"
        if kind != "model":
            raise unusable(f"This file is no model file but a part for one ({kind[:40]}).")
        architecture = self.text("general.architecture")
        if not architecture:
            raise unusable("This model file does not say how its model is built.")
        self.architecture = architecture[:80]

    def text(self, key: str) -> str | None:
        """A text under exactly this key."""
        value = self._metadata.get(key)
        return value if isinstance(value, str) else None

    def n_items(self, key: str) -> int:
        """Length of the list under exactly this key; 0 if there is none."""
        value = self._metadata.get(key)
        return value.n_items if isinstance(value, GgufArray) else 0

    def number(self, key: str, default: int | None = None) -> int:
        """A number; of a list by layer the largest.

        Raises:
            ModelFileError: If it is out of bounds, or missing where there is no default.
        """
        numbers = self._numbers(key)
        if numbers:
            return max(numbers)
        if default is None:
            raise _senseless(f"“{key}” is missing.")
        return default

    def by_layer(self, key: str, n_layers: int, default: int | list[int]) -> list[int]:
        """A number for each layer; the file gives one for all or a list."""
        numbers = self._numbers(key)
        if not numbers:
            return default if isinstance(default, list) else [default] * n_layers
        if len(numbers) == 1:
            return numbers * n_layers
        if len(numbers) < n_layers:
            raise _senseless(f"“{key}” has {len(numbers)} entries for {n_layers} layers.")
        return numbers[:n_layers]

    def _numbers(self, key: str) -> list[int]:
        is_general = key.startswith(("general.", "split."))
        value = self._metadata.get(key if is_general else f"{self.architecture}.{key}")
        if value is None:
            return []
        return [_bounded(item, key) for item in (value.items if isinstance(value, GgufArray) else (value,))]


def _bounded(value: bool | int | float | str, key: str) -> int:
    if not isinstance(value, int) or not 0 <= value < _MAX_NUMBER:
        raise _senseless(f"“{key}” is {str(value)[:80]}.")
    return int(value)


_Block = dict[str, TensorInfo]
"""The tensors of one layer by their name within it, ``attn_k.weight`` for example."""


def _blocks(tensors: Iterable[TensorInfo], n_layers: int) -> list[_Block]:
    blocks: list[_Block] = [{} for _ in range(n_layers)]
    for tensor in tensors:
        match = _BLOCK.match(tensor.name)
        if match is None:
            continue
        half, layer, name = match.group(1) or "", int(match.group(2)), match.group(3)
        if layer >= n_layers:
            raise _senseless(f"The tensor {tensor.name!r} belongs to none of the {n_layers} layers.")
        blocks[layer][half + name] = tensor
    return blocks


def _n_vocabulary(facts: _Facts, embeddings: TensorInfo | None) -> int:
    if embeddings is not None and len(embeddings.shape) == 2:
        return embeddings.shape[1]
    return facts.n_items("tokenizer.ggml.tokens")


def _feed_forward_width(facts: _Facts) -> int:
    """Of one token; with experts, of all that it is sent to.

    What narrow experts write at the end of the layer, one hidden state each, can be wider than what goes on inside
    them, and recurrent layers have an inner width instead; both are stated as the width that takes as much scratch
    memory in llama.cpp (``memory_estimate.compute_bytes``).
    """
    n_used = facts.number("expert_used_count", 0)
    inside = n_used * facts.number("expert_feed_forward_length", facts.number("feed_forward_length", 0))
    outside = (2 * n_used - 1) * facts.number("embedding_length") // 3
    recurrent = facts.number("ssm.inner_size", 0) * 3 // 2
    return max(facts.number("feed_forward_length", 0), inside, outside, recurrent)


def _is_latent(facts: _Facts) -> bool:
    """Latent attention keeps one vector for keys and values together (``llama_hparams::is_mla``)."""
    return facts.number("attention.key_length_mla", 0) > 0 and facts.number("attention.value_length_mla", 0) > 0


def _head_lengths(facts: _Facts) -> tuple[int, int]:
    """Numbers that one head keeps of a token as key and as value."""
    n_heads = facts.number("attention.head_count", 0)
    usual_length = facts.number("embedding_length") // n_heads if n_heads else 0
    key_length = facts.number("attention.key_length", usual_length)
    return key_length, 0 if _is_latent(facts) else facts.number("attention.value_length", usual_length)


def _layer_kv_values(facts: _Facts, blocks: Sequence[_Block]) -> tuple[int, ...]:
    """As llama.cpp sizes its cache (``llama_hparams::n_embd_k_gqa``), from the matrices themselves where they are."""
    n_layers = len(blocks)
    key_length, value_length = _head_lengths(facts)
    is_latent = _is_latent(facts)
    all_heads = facts.by_layer("attention.head_count", n_layers, 0)
    kv_heads = facts.by_layer("attention.head_count_kv", n_layers, all_heads)
    n_with_kv = n_layers - facts.number("attention.shared_kv_layers", 0)

    def kept(block: _Block, heads: int) -> int:
        keys, values = block.get("attn_k.weight"), block.get("attn_v.weight")
        if keys is None and _is_recurrent(block):
            return 0
        n_keys = heads * key_length if keys is None or is_latent else prod(keys.shape[1:])
        n_values = heads * value_length if values is None or is_latent else prod(values.shape[1:])
        return n_keys + n_values

    return tuple(
        kept(block, heads) if layer < n_with_kv else 0
        for layer, (block, heads) in enumerate(zip(blocks, kv_heads, strict=True))
    )


def _layer_state_bytes(facts: _Facts, blocks: Sequence[_Block]) -> tuple[int, ...]:
    state_bytes = _n_state_values(facts) * _F32_BYTES
    return tuple(state_bytes if _is_recurrent(block) else 0 for block in blocks)


def _is_recurrent(block: _Block) -> bool:
    return any(name.startswith(_RECURRENT_TENSORS) for name in block)


def _n_state_values(facts: _Facts) -> int:
    """Numbers a recurrent layer keeps for a sequence (``llama_hparams::n_embd_r`` and ``n_embd_s``)."""
    width = facts.number("embedding_length")
    if (head_size := facts.number("wkv.head_size", 0)) > 0:
        return width * (facts.number("token_shift_count", 2) + head_size)
    if (n_columns := facts.number("shortconv.l_cache", 0)) > 0:
        return width * (n_columns - 1)
    n_earlier = max(0, facts.number("ssm.conv_kernel", 0) - 1)
    if (head_length := facts.number("kda.head_dim", 0)) > 0:
        n_values = facts.number("attention.head_count", 0) * head_length
        return n_values * (3 * (n_earlier or 3) + head_length)
    n_inner, n_states = facts.number("ssm.inner_size", 0), facts.number("ssm.state_size", 0)
    return n_earlier * (n_inner + 2 * facts.number("ssm.group_count", 0) * n_states) + n_states * n_inner


def _senseless(detail: str) -> ModelFileError:
    return unusable("This model file is damaged or of a kind that is not known here.", detail)
