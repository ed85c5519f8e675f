"""Model files of the sizes of real ones, with random weights: 210 million and 1.1 billion, as Q4_K_M and Q8_0.

The weights are drawn in their quantised form, so that a file is made in seconds and without a larger one before it.
Which tensor gets which type, and the layout of the blocks, are llama.cpp's (``llama-quant.cpp``, ``ggml-common.h``).
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.benchmarks.random_vocabulary import SIZE, RandomVocabulary, random_vocabulary
from tests.helpers.tiny_gguf import CHATML_TEMPLATE, CONTROL_TOKENS, MetadataValue, gguf_head, gguf_padded

FOLDER = Path(__file__).resolve().parents[2] / "build" / "benchmarks"
_HEAD_WIDTH = 64
_N_KV_HEADS = 4
_NORMAL, _CONTROL = 1, 3

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class BlockType:
    """A type of quantised tensor."""

    number: int
    """ggml's."""
    n_weights: int
    """In one block."""
    n_bytes: int
    """Of one block."""
    draw: Callable[[np.random.Generator, int, float], Bytes]
    """Random blocks: generator, how many, standard deviation of the weights."""

    def size_bytes(self, shape: tuple[int, ...]) -> int:
        """Of a whole tensor."""
        return int(np.prod(shape)) // self.n_weights * self.n_bytes


@dataclass(frozen=True, slots=True)
class Shape:
    """Of a llama-architecture file."""

    width: int
    feed_forward_width: int
    n_layers: int


@dataclass(frozen=True, slots=True)
class _Tensor:
    name: str
    shape: tuple[int, ...]
    deviation: float = 1.0
    """Of its weights, times the square root of the length of a row."""
    block: BlockType | None = None
    """``None`` for a norm: ones, as F32."""
    silent_rows: frozenset[int] = field(default=frozenset())
    """Rows without weight."""

    @property
    def n_bytes(self) -> int:
        return self.block.size_bytes(self.shape) if self.block else 4 * self.shape[0]


SHAPES = {"210m": Shape(1024, 2816, 13), "1b": Shape(2048, 5632, 22)}
"""Heads of 64 and grouped attention, as common small llms have them; ``1b`` is the shape of TinyLlama."""


DEFAULT_NAME = "210m-q4_k_m"
_FILE_TYPES = {"q4_k_m": 15, "q8_0": 7}
NAMES = tuple(f"{size}-{quantisation}" for size in SHAPES for quantisation in _FILE_TYPES)


def random_llm(name: str = DEFAULT_NAME) -> Path:
    """Make a file, or take the one an earlier run made; ``name`` is one of ``NAMES``."""
    made = FOLDER / f"random-{name}-32k.gguf"
    if not made.exists():
        size, _, quantisation = name.partition("-")
        FOLDER.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
            new = Path(folder) / made.name
            _write(new, SHAPES[size], quantisation)
            new.replace(made)
    return made


def _write(path: Path, shape: Shape, quantisation: str) -> None:
    vocabulary = random_vocabulary()
    tensors = list(_tensors(shape, vocabulary, quantisation))
    listed = [(one.name, one.shape, one.block.number if one.block else 0, one.n_bytes) for one in tensors]
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(gguf_head(_metadata(shape, vocabulary, quantisation), listed))
        for tensor in tensors:
            file.write(gguf_padded(_drawn(tensor, rng)))


def _metadata(shape: Shape, vocabulary: RandomVocabulary, quantisation: str) -> dict[str, MetadataValue]:
    tokens = vocabulary.tokens
    return {
        "general.architecture": "llama",
        "general.name": "Random",
        "general.file_type": _FILE_TYPES[quantisation],
        "llama.context_length": 4096,
        "llama.embedding_length": shape.width,
        "llama.block_count": shape.n_layers,
        "llama.feed_forward_length": shape.feed_forward_width,
        "llama.attention.head_count": shape.width // _HEAD_WIDTH,
        "llama.attention.head_count_kv": _N_KV_HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": _HEAD_WIDTH,
        "llama.vocab_size": len(tokens),
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [_CONTROL if token in CONTROL_TOKENS else _NORMAL for token in tokens],
        "tokenizer.ggml.merges": vocabulary.merges,
        "tokenizer.ggml.bos_token_id": tokens.index("<s>"),
        "tokenizer.ggml.eos_token_id": tokens.index("<|im_end|>"),
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": CHATML_TEMPLATE,
    }


def _tensors(shape: Shape, vocabulary: RandomVocabulary, quantisation: str) -> Iterator[_Tensor]:
    """In the usual order, with the types llama.cpp's quantiser chooses."""
    width, wide = shape.width, shape.feed_forward_width
    kv_width = _N_KV_HEADS * _HEAD_WIDTH
    is_mixed = quantisation == "q4_k_m"
    common = Q4_K if is_mixed else Q8_0
    finest = Q6_K if is_mixed else Q8_0
    yield _Tensor("token_embd.weight", (SIZE, width), 8, common)
    for layer in range(shape.n_layers):
        finer = finest if _gets_more_bits(layer, shape.n_layers) else common
        block = f"blk.{layer}."
        yield _Tensor(f"{block}attn_norm.weight", (width,))
        yield _Tensor(f"{block}attn_q.weight", (width, width), 2, common)
        yield _Tensor(f"{block}attn_k.weight", (kv_width, width), 2, common)
        yield _Tensor(f"{block}attn_v.weight", (kv_width, width), 2, finer)
        yield _Tensor(f"{block}attn_output.weight", (width, width), 2, common)
        yield _Tensor(f"{block}ffn_norm.weight", (width,))
        yield _Tensor(f"{block}ffn_gate.weight", (wide, width), 2, common)
        yield _Tensor(f"{block}ffn_up.weight", (wide, width), 2, common)
        yield _Tensor(f"{block}ffn_down.weight", (width, wide), 2, finer)
    yield _Tensor("output_norm.weight", (width,))
    # Only learned tokens are ever written: answers run to their limit and are cut into about as many tokens again.
    silent = frozenset(range(SIZE)).difference(vocabulary.learned)
    yield _Tensor("output.weight", (SIZE, width), 4, finest, silent)


def _gets_more_bits(layer: int, n_layers: int) -> bool:
    """The first and last eighth of the layers, and every third between them."""
    eighth = n_layers // 8
    return layer < eighth or layer >= 7 * n_layers // 8 or (layer - eighth) % 3 == 2


def _drawn(tensor: _Tensor, rng: np.random.Generator) -> bytes:
    if tensor.block is None:
        return np.ones(tensor.shape, dtype="<f4").tobytes()
    n_rows, length = tensor.shape
    n_blocks = length // tensor.block.n_weights
    blocks = tensor.block.draw(rng, n_rows * n_blocks, tensor.deviation / np.sqrt(length))
    rows = blocks.reshape(n_rows, -1)
    rows[sorted(tensor.silent_rows)] = 0
    return rows.tobytes()


def _q8_0(rng: np.random.Generator, n_blocks: int, deviation: float) -> Bytes:
    """A 16-bit factor, then 32 numbers of 8 bits."""
    blocks = _random(rng, n_blocks, 34)
    blocks[:, :2] = _float16(deviation / _uniform_deviation(256))
    return blocks


def _q4_k(rng: np.random.Generator, n_blocks: int, deviation: float) -> Bytes:
    """A factor and an offset, eight scales and eight offsets of 6 bits (all 1 here), then 256 numbers of 4 bits."""
    blocks = _random(rng, n_blocks, 144)
    factor = deviation / _uniform_deviation(16)
    blocks[:, :2] = _float16(factor)
    blocks[:, 2:4] = _float16(7.5 * factor)
    blocks[:, 4:12] = 0x01
    blocks[:, 12:16] = 0x11
    return blocks


def _q6_k(rng: np.random.Generator, n_blocks: int, deviation: float) -> Bytes:
    """256 numbers of 6 bits, sixteen scales of 8 bits (all 1 here), then a factor."""
    blocks = _random(rng, n_blocks, 210)
    blocks[:, 192:208] = 1
    blocks[:, 208:] = _float16(deviation / _uniform_deviation(64))
    return blocks


def _random(rng: np.random.Generator, n_blocks: int, n_bytes: int) -> Bytes:
    return np.frombuffer(bytearray(rng.bytes(n_blocks * n_bytes)), dtype=np.uint8).reshape(n_blocks, n_bytes)


def _float16(value: float) -> Bytes:
    return np.frombuffer(np.array([value], dtype="<f2").tobytes(), dtype=np.uint8)


def _uniform_deviation(n_steps: int) -> float:
    """Standard deviation of a number drawn evenly from so many neighbouring whole numbers."""
    return float(np.sqrt((n_steps**2 - 1) / 12))


Q8_0 = BlockType(8, 32, 34, _q8_0)
Q4_K = BlockType(12, 256, 144, _q4_k)
Q6_K = BlockType(14, 256, 210, _q6_k)
