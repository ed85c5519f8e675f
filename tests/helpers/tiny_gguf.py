"""Writes model files of a few hundred kilobytes with random weights, so that tests need no real ones.

The files are complete: llama.cpp loads them, tokenises with a byte-level vocabulary and decodes. What they say is
noise, and greedy answers never end by themselves.
"""

import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

MetadataValue = str | bool | int | float | list[str] | list[int]
Tensor = npt.NDArray[np.float32]

CHATML_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
CONTROL_TOKENS = ("<s>", "</s>", "<|im_start|>", "<|im_end|>")
_MERGES = (
    "t h",
    "th e",
    "Ġ t",
    "Ġ a",
    "Ġ the",
    "i n",
    "e r",
    "o n",
    "a n",
    "Ġ s",
    "Ġ p",
    "c o",
    "r e",
    "Ġ c",
    "in g",
    "Ġa n",
    "Ġan d",
    "s t",
    "Ġ o",
    "Ġo f",
)
_N_HEADS = 4
_ALIGNMENT = 32
_UINT32, _FLOAT32, _BOOL, _STRING, _ARRAY = 4, 6, 7, 8, 9
_INT32 = 5
_F32_TENSOR = 0
_NORMAL, _CONTROL = 1, 3


def write_tiny_gguf(
    path: Path,
    *,
    chat_template: str | None = CHATML_TEMPLATE,
    name: str = "Tiny",
    seed: int = 0,
    n_layers: int = 2,
    width: int = 64,
    trained_context: int = 512,
    extra_metadata: Mapping[str, MetadataValue] | None = None,
) -> Path:
    """Write a llama-architecture file with random weights and return its path.

    Args:
        path: Where to write; replaced if it exists.
        chat_template: The Jinja template; ``None`` leaves it out.
        name: ``general.name``.
        seed: Of the weights; equal arguments give equal bytes.
        n_layers: Transformer blocks.
        width: Embedding length, a multiple of 8.
        trained_context: ``llama.context_length`` in tokens.
        extra_metadata: Entries to add or to put in the place of the usual ones, for example
            ``{"tokenizer.ggml.add_bos_token": True}``.
    """
    tokens = vocabulary()
    metadata: dict[str, MetadataValue] = {
        "general.architecture": "llama",
        "general.name": name,
        "general.file_type": 0,
        "llama.context_length": trained_context,
        "llama.embedding_length": width,
        "llama.block_count": n_layers,
        "llama.feed_forward_length": 2 * width,
        "llama.attention.head_count": _N_HEADS,
        "llama.attention.head_count_kv": _N_HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": width // _N_HEADS,
        "llama.vocab_size": len(tokens),
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [_CONTROL if token in CONTROL_TOKENS else _NORMAL for token in tokens],
        "tokenizer.ggml.merges": list(_MERGES),
        "tokenizer.ggml.bos_token_id": tokens.index("<s>"),
        "tokenizer.ggml.eos_token_id": tokens.index("<|im_end|>"),
        "tokenizer.ggml.add_bos_token": False,
    }
    if chat_template is not None:
        metadata["tokenizer.chat_template"] = chat_template
    metadata.update(extra_metadata or {})
    write_gguf(path, metadata, _weights(len(tokens), n_layers, width, seed))
    return path


def write_tiny_adapter(path: Path, *, strength: float = 1.0, seed: int = 0, n_layers: int = 2, width: int = 64) -> Path:
    """Write a LoRA adapter for the file of ``write_tiny_gguf``; ``strength`` 0 gives one without any effect."""
    rank = 4
    rng = np.random.default_rng([seed, 1])
    tensors: dict[str, Tensor] = {}
    for layer in range(n_layers):
        for projection in ("attn_q", "attn_v"):
            base = f"blk.{layer}.{projection}.weight"
            tensors[f"{base}.lora_a"] = rng.standard_normal((rank, width), dtype=np.float32)
            tensors[f"{base}.lora_b"] = np.float32(strength) * rng.standard_normal((width, rank), dtype=np.float32)
    metadata: dict[str, MetadataValue] = {
        "general.architecture": "llama",
        "general.type": "adapter",
        "adapter.type": "lora",
        "adapter.lora.alpha": float(rank),
    }
    write_gguf(path, metadata, tensors)
    return path


def vocabulary() -> list[str]:
    """Every token text of the tiny files: 256 bytes in their printable form, merged pairs, control tokens."""
    merged = [pair.replace(" ", "") for pair in _MERGES]
    return [*printable_bytes(), *merged, *CONTROL_TOKENS]


def write_gguf(path: Path, metadata: Mapping[str, MetadataValue], tensors: Mapping[str, Tensor]) -> None:
    """Write any GGUF version 3 file with F32 tensors."""
    listed = [(name, tensor.shape, _F32_TENSOR, tensor.nbytes) for name, tensor in tensors.items()]
    with path.open("wb") as file:
        file.write(gguf_head(metadata, listed))
        for tensor in tensors.values():
            file.write(gguf_padded(tensor.astype("<f4").tobytes()))


def gguf_head(metadata: Mapping[str, MetadataValue], tensors: Iterable[tuple[str, tuple[int, ...], int, int]]) -> bytes:
    """The beginning of a GGUF version 3 file, up to the bytes of its first tensor.

    Args:
        metadata: Keys and values.
        tensors: Name, shape (slowest dimension first), ggml type and size in bytes of each, in order.
    """
    listed = list(tensors)
    head = [struct.pack("<4sIQQ", b"GGUF", 3, len(listed), len(metadata))]
    head += [_string(key) + _value(value) for key, value in metadata.items()]
    offset = 0
    for name, shape, tensor_type, n_bytes in listed:
        sizes = tuple(reversed(shape))  # the format names the fastest running dimension first
        head.append(_string(name) + struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, tensor_type, offset))
        offset += _padded(n_bytes)
    return gguf_padded(b"".join(head))


def gguf_padded(content: bytes) -> bytes:
    """Bytes filled up to where the next tensor may begin."""
    return content.ljust(_padded(len(content)), b"\0")


def printable_bytes() -> list[str]:
    """The 256 bytes as the printable characters that byte-level vocabularies write them with, in byte order."""
    visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    substitutes = iter(range(0x100, 0x200))
    return [chr(byte if byte in visible else next(substitutes)) for byte in range(256)]


def _weights(n_vocabulary: int, n_layers: int, width: int, seed: int) -> dict[str, Tensor]:
    rng = np.random.default_rng(seed)

    def random(*shape: int) -> Tensor:
        return np.asarray(rng.standard_normal(shape) / np.sqrt(shape[-1]), dtype=np.float32)

    ones = np.ones(width, dtype=np.float32)
    tensors: dict[str, Tensor] = {"token_embd.weight": random(n_vocabulary, width) * 8}
    for layer in range(n_layers):
        block = f"blk.{layer}."
        tensors[f"{block}attn_norm.weight"] = ones
        for projection in ("attn_q", "attn_k", "attn_v", "attn_output"):
            tensors[f"{block}{projection}.weight"] = 2 * random(width, width)
        tensors[f"{block}ffn_norm.weight"] = ones
        tensors[f"{block}ffn_gate.weight"] = 2 * random(2 * width, width)
        tensors[f"{block}ffn_up.weight"] = 2 * random(2 * width, width)
        tensors[f"{block}ffn_down.weight"] = 2 * random(width, 2 * width)
    tensors["output_norm.weight"] = ones
    output = 4 * random(n_vocabulary, width)
    output[-len(CONTROL_TOKENS) :] = 0  # control tokens are never the most probable
    tensors["output.weight"] = output
    return tensors


def _padded(n_bytes: int) -> int:
    return -(-n_bytes // _ALIGNMENT) * _ALIGNMENT


def _string(text: str) -> bytes:
    encoded = text.encode("utf-8")
    return struct.pack("<Q", len(encoded)) + encoded


def _value(value: MetadataValue) -> bytes:
    if isinstance(value, bool):
        return struct.pack("<I?", _BOOL, value)
    if isinstance(value, int):
        return struct.pack("<II", _UINT32, value)
    if isinstance(value, float):
        return struct.pack("<If", _FLOAT32, value)
    if isinstance(value, str):
        return struct.pack("<I", _STRING) + _string(value)
    return _array(value)


def _array(values: list[str] | list[int]) -> bytes:
    n_values = len(values)
    items = [_string(item) if isinstance(item, str) else struct.pack("<i", item) for item in values]
    kind = _STRING if isinstance(values[0], str) else _INT32
    return struct.pack("<IIQ", _ARRAY, kind, n_values) + b"".join(items)
