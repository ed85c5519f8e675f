"""What the header of a model file says about the memory it needs."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.helpers.tiny_gguf import MetadataValue, gguf_head, vocabulary, write_tiny_gguf
from workbench.errors import ModelFileError
from workbench.inference.gguf_header import TENSOR_TYPES, GgufHeader, read_header
from workbench.inference.layout import layout_of, read_layout, with_adapter

_TYPES = {kind.name: (number, kind) for number, kind in TENSOR_TYPES.items()}
_LLAMA: Mapping[str, MetadataValue] = {
    "general.architecture": "llama",
    "llama.context_length": 4096,
    "llama.embedding_length": 256,
    "llama.block_count": 2,
    "llama.feed_forward_length": 512,
    "llama.attention.head_count": 8,
}

Tensor = tuple[str, tuple[int, ...], str]
"""Name, shape with the slowest dimension first, and packing."""


def header(metadata: Mapping[str, MetadataValue], tensors: Sequence[Tensor] = ()) -> GgufHeader:
    listed = []
    for name, shape, packing in tensors:
        number, kind = _TYPES[packing]
        n_values = 1
        for size in shape:
            n_values *= size
        listed.append((name, shape, number, n_values // kind.n_values * kind.n_bytes))
    content = gguf_head(metadata, listed) + bytes(sum(n_bytes + 32 for *_, n_bytes in listed))
    return read_header(io.BytesIO(content), len(content))


def llama(**changes: MetadataValue) -> dict[str, MetadataValue]:
    """The usual metadata with other entries; ``attention__key_length`` stands for ``llama.attention.key_length``."""
    return {**_LLAMA, **{f"llama.{key.replace('__', '.')}": value for key, value in changes.items()}}


def attention(layer: int, n_keys: int, n_values: int) -> list[Tensor]:
    return [
        (f"blk.{layer}.attn_k.weight", (n_keys, 256), "F16"),
        (f"blk.{layer}.attn_v.weight", (n_values, 256), "F16"),
    ]


def test_a_complete_file_is_laid_out(tmp_path: Path) -> None:
    path = write_tiny_gguf(
        tmp_path / "tiny.gguf",
        n_layers=3,
        width=64,
        trained_context=512,
        extra_metadata={"workbench.rubric": "harm-1", "general.file_type": 15},
    )

    layout = read_layout(path)

    n_vocabulary, float_bytes = len(vocabulary()), 4
    assert (layout.architecture, layout.quantisation, layout.rubric) == ("llama", "Q4_K_M", "harm-1")
    assert (layout.width, layout.feed_forward_width, layout.n_heads) == (64, 128, 4)
    assert (layout.n_vocabulary, layout.trained_context_tokens) == (n_vocabulary, 512)
    assert layout.input_bytes == n_vocabulary * 64 * float_bytes
    assert layout.output_bytes == (n_vocabulary * 64 + 64) * float_bytes
    assert layout.shared_output_bytes == 0
    assert layout.layer_bytes == ((2 * 64 + 4 * 64 * 64 + 3 * 64 * 128) * float_bytes,) * 3
    assert layout.layer_kv_values == (2 * 64,) * 3
    assert layout.layer_state_bytes == (0, 0, 0)
    assert not layout.kv_quantisable  # 16 numbers in a head
    assert layout.n_parameters * float_bytes == layout.weights_bytes


@pytest.mark.parametrize(
    ("file_type", "quantisation"),
    [(0, "F32"), (7, "Q8_0"), (15, "Q4_K_M"), (15 + 1024, "Q4_K_M"), (99, "unknown"), (None, "unknown")],
)
def test_the_quantisation_is_named(file_type: int | None, quantisation: str) -> None:
    metadata = llama() if file_type is None else {**llama(), "general.file_type": file_type}
    assert layout_of([header(metadata)]).quantisation == quantisation


@pytest.mark.parametrize(
    ("packing", "n_bytes", "n_shared_bytes"),
    [("Q6_K", 100 * 210, 100 * 210), ("Q4_K", 100 * 144, 0)],
    ids=["one copy", "repacked copy"],
)
def test_an_output_that_shares_the_embeddings_is_counted_for_accelerators(
    packing: str, n_bytes: int, n_shared_bytes: int
) -> None:
    tensors: list[Tensor] = [("token_embd.weight", (100, 256), packing), ("output_norm.weight", (256,), "F32")]

    layout = layout_of([header(llama(), tensors)])

    assert (layout.n_vocabulary, layout.input_bytes) == (100, n_bytes)
    assert layout.output_bytes == n_bytes + 256 * 4
    assert layout.shared_output_bytes == n_shared_bytes


@pytest.mark.parametrize(
    ("metadata", "tensors", "kv_values"),
    [
        pytest.param(llama(), [], (512, 512), id="as many key heads as query heads"),
        pytest.param(llama(attention__head_count_kv=2), [], (128, 128), id="grouped"),
        pytest.param(llama(attention__head_count_kv=[2, 0]), [], (128, 0), id="grouped by layer"),
        pytest.param(
            llama(attention__head_count_kv=2, attention__key_length=64, attention__value_length=16),
            [],
            (160, 160),
            id="lengths stated",
        ),
        pytest.param(llama(), attention(0, 64, 32), (96, 512), id="from the matrices"),
        pytest.param(
            llama(
                attention__head_count_kv=1,
                attention__key_length=576,
                attention__value_length=512,
                attention__key_length_mla=192,
                attention__value_length_mla=128,
            ),
            [],
            (576, 576),
            id="latent attention",
        ),
        pytest.param(llama(attention__shared_kv_layers=1), [], (512, 0), id="last layer uses those before"),
    ],
)
def test_keys_and_values_of_each_layer(
    metadata: Mapping[str, MetadataValue], tensors: list[Tensor], kv_values: tuple[int, ...]
) -> None:
    assert layout_of([header(metadata, tensors)]).layer_kv_values == kv_values


@pytest.mark.parametrize(
    ("numbers", "tensor", "n_state_values"),
    [
        pytest.param(
            {"ssm__conv_kernel": 4, "ssm__inner_size": 512, "ssm__state_size": 16, "ssm__group_count": 1},
            "ssm_conv1d.weight",
            3 * (512 + 2 * 16) + 16 * 512,
            id="mamba",
        ),
        pytest.param({"shortconv__l_cache": 3}, "shortconv.conv.weight", 2 * 256, id="short convolution"),
        pytest.param({"wkv__head_size": 64}, "time_mix_key.weight", 256 * (2 + 64), id="rwkv"),
        pytest.param(
            {"kda__head_dim": 32, "ssm__conv_kernel": 4}, "ssm_conv1d_q.weight", 8 * 32 * (3 * 3 + 32), id="delta"
        ),
    ],
)
def test_recurrent_layers_keep_a_state_instead(
    numbers: Mapping[str, MetadataValue], tensor: str, n_state_values: int
) -> None:
    tensors = [*attention(0, 64, 64), (f"blk.1.{tensor}", (1, 32), "F32")]

    layout = layout_of([header(llama(**numbers), tensors)])

    assert layout.layer_kv_values == (128, 0)
    assert layout.layer_state_bytes == (0, n_state_values * 4)


def test_of_experts_the_used_ones_count() -> None:
    wide = llama(expert_count=16, expert_used_count=4, expert_feed_forward_length=1024)
    narrow = llama(expert_count=16, expert_used_count=8, expert_feed_forward_length=64)
    assert layout_of([header(wide)]).feed_forward_width == 4 * 1024
    assert layout_of([header(narrow)]).feed_forward_width == 15 * 256 // 3


def test_the_inner_width_of_recurrent_layers_counts() -> None:
    assert layout_of([header(llama(feed_forward_length=0, ssm__inner_size=512))]).feed_forward_width == 768


def test_encoder_and_decoder_layers_of_one_number_are_one() -> None:
    tensors: list[Tensor] = [("enc.blk.0.attn_k.weight", (8, 256), "F32"), ("dec.blk.0.attn_k.weight", (8, 256), "F32")]
    assert layout_of([header(llama(), tensors)]).layer_bytes == (2 * 8 * 256 * 4, 0)


def test_the_parts_of_a_split_file_are_found(tmp_path: Path) -> None:
    first = gguf_head({**llama(), "split.count": 2}, [("blk.0.ffn_up.weight", (1, 32), 0, 128)]) + bytes(128)
    second = gguf_head({"split.count": 2}, [("blk.1.ffn_up.weight", (1, 64), 0, 256)]) + bytes(256)
    (tmp_path / "big-00001-of-00002.gguf").write_bytes(first)

    with pytest.raises(ModelFileError, match="00002-of-00002"):
        read_layout(tmp_path / "big-00001-of-00002.gguf")

    (tmp_path / "big-00002-of-00002.gguf").write_bytes(second)
    assert read_layout(tmp_path / "big-00001-of-00002.gguf").layer_bytes == (128, 256)


def test_a_renamed_part_of_a_split_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "renamed.gguf"
    path.write_bytes(gguf_head({**llama(), "split.count": 2}, []))
    with pytest.raises(ModelFileError, match="Parts of this model file are missing"):
        read_layout(path)


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({}, id="no architecture"),
        pytest.param({"general.architecture": "llama"}, id="no numbers"),
        pytest.param({**_LLAMA, "general.type": "adapter"}, id="adapter"),
        pytest.param(llama(block_count=0), id="no layers"),
        pytest.param(llama(block_count=100_000), id="too many layers"),
        pytest.param(llama(context_length=0), id="no context"),
        pytest.param(llama(embedding_length="wide"), id="text for a number"),
        pytest.param(llama(embedding_length=2**31), id="number beyond bounds"),
        pytest.param(llama(attention__head_count_kv=[1, 2, -3]), id="negative number"),
        pytest.param(llama(block_count=4, attention__head_count_kv=[1, 2, 3]), id="list too short"),
    ],
)
def test_senseless_descriptions_are_refused(metadata: Mapping[str, MetadataValue]) -> None:
    with pytest.raises(ModelFileError):
        layout_of([header(metadata)])


def test_a_tensor_of_a_layer_that_is_not_there_is_refused() -> None:
    with pytest.raises(ModelFileError):
        layout_of([header(llama(), [("blk.7.ffn_up.weight", (1, 32), "F32")])])


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="does not exist"):
        read_layout(tmp_path / "missing.gguf")
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_layout(tmp_path)


def test_an_adapter_lies_beside_the_layers(tmp_path: Path) -> None:
    layout = read_layout(write_tiny_gguf(tmp_path / "tiny.gguf", n_layers=3))
    grown = with_adapter(layout, 1000)
    assert [new - old for new, old in zip(grown.layer_bytes, layout.layer_bytes, strict=True)] == [334] * 3
    assert grown.output_bytes == layout.output_bytes
