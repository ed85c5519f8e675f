"""Reading untrusted headers of model files."""

import io
import struct
import tracemalloc
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.tiny_gguf import MetadataValue, gguf_head, vocabulary, write_tiny_gguf
from workbench.errors import ModelFileError
from workbench.inference import gguf_header
from workbench.inference.gguf_header import TENSOR_TYPES, GgufArray, GgufHeader, read_header

_F32, _Q4_K = 0, 12
_METADATA: Mapping[str, MetadataValue] = {
    "general.architecture": "llama",
    "llama.block_count": 2,
    "llama.scale": 0.5,
    "llama.tied": True,
    "llama.attention.head_count_kv": [4, 0],
    "tokenizer.ggml.tokens": ["a", "bc", "ä"],
}
_TENSORS = (("first", (3, 8), _F32, 96), ("second", (2, 256), _Q4_K, 288))


def small_file(metadata: Mapping[str, MetadataValue] = _METADATA) -> bytes:
    return gguf_head(metadata, _TENSORS) + bytes(96 + 288)


def read(content: bytes) -> GgufHeader:
    return read_header(io.BytesIO(content), len(content))


def refusal(content: bytes) -> ModelFileError:
    with pytest.raises(ModelFileError) as caught:
        read(content)
    return caught.value


def test_metadata_and_tensors_are_read() -> None:
    header = read(small_file())

    assert header.metadata["general.architecture"] == "llama"
    assert header.metadata["llama.scale"] == 0.5
    assert header.metadata["llama.tied"] is True
    assert header.metadata["llama.attention.head_count_kv"] == GgufArray(2, (4, 0))
    assert header.metadata["tokenizer.ggml.tokens"] == GgufArray(3, ("a", "bc", "ä"))
    first, second = header.tensors
    assert (first.name, first.shape, first.type.name, first.n_bytes, first.offset) == ("first", (8, 3), "F32", 96, 0)
    assert (second.shape, second.type.name, second.n_values, second.n_bytes) == ((256, 2), "Q4_K", 512, 288)


def test_a_complete_file_is_read_without_its_weights(tmp_path: Path) -> None:
    path = write_tiny_gguf(tmp_path / "tiny.gguf", width=256, n_layers=8)
    source = _CountingSource(path.read_bytes())

    header = read_header(source, path.stat().st_size)

    assert len(header.tensors) == 8 * 9 + 3
    assert source.n_read < path.stat().st_size / 10


def test_long_lists_keep_their_length_only() -> None:
    tokens = [f"token {index}" for index in range(50_000)]
    numbers = list(range(5_000))

    header = read(small_file({"tokens": tokens, "numbers": numbers, "last": 7}))

    assert header.metadata == {"tokens": GgufArray(50_000, ()), "numbers": GgufArray(5_000, ()), "last": 7}


def test_a_string_longer_than_a_block_is_passed_over_within_a_list() -> None:
    texts = ["x"] * 1_500 + ["y" * 700_000] + ["z"] * 10

    assert read(small_file({"texts": texts, "last": 7})).metadata["last"] == 7


def test_a_source_may_give_a_few_bytes_at_a_time() -> None:
    content = small_file()
    assert read_header(_StingySource(content), len(content)) == read(content)


def test_a_file_cut_anywhere_is_told_as_incomplete() -> None:
    content = small_file()
    for n_bytes in range(4, len(content)):
        assert "is not complete" in refusal(content[:n_bytes]).happened


def test_a_source_that_ends_before_the_stated_size_is_told_as_incomplete() -> None:
    content = small_file()
    with pytest.raises(ModelFileError, match="is not complete"):
        read_header(io.BytesIO(content[:60]), len(content))


def test_what_can_only_be_a_mistake_is_named() -> None:
    content = small_file()
    assert "not a GGUF file" in refusal(b"PK\x03\x04" + content[4:]).happened
    assert "version 1" in refusal(content[:4] + struct.pack("<I", 1) + content[8:]).happened
    assert "big-endian" in refusal(content[:4] + struct.pack(">I", 3) + content[8:]).happened


def test_an_unknown_packing_is_refused_with_its_number() -> None:
    content = gguf_head({}, [("weights", (1, 32), 99, 0)]) + bytes(64)
    assert "99" in refusal(content).happened


@pytest.mark.parametrize("n_things", [2**63, 2**40, 100_000])
@pytest.mark.parametrize("at", [8, 16], ids=["tensors", "entries"])
def test_huge_counts_are_refused_at_once(at: int, n_things: int) -> None:
    content = small_file()
    refusal(content[:at] + struct.pack("<Q", n_things) + content[at + 8 :])


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(struct.pack("<IIQ", 9, 4, 2**60), id="list of 2**60 numbers"),
        pytest.param(struct.pack("<IIQ", 9, 8, 2**60), id="list of 2**60 texts"),
        pytest.param(struct.pack("<IIQIQ", 9, 9, 1, 4, 0), id="list of lists"),
        pytest.param(struct.pack("<IQ", 8, 2**62), id="text of 2**62 bytes"),
        pytest.param(struct.pack("<I", 77), id="unknown kind"),
    ],
)
def test_hostile_metadata_are_refused(entry: bytes) -> None:
    refusal(struct.pack("<4sIQQQ1s", b"GGUF", 3, 0, 1, 1, b"k") + entry + bytes(100))


@pytest.mark.parametrize(
    "tensors",
    [
        pytest.param([("same", (1, 8), _F32, 32)] * 2, id="same name"),
        pytest.param([("overlapping", (1, 8), _F32, 0), ("other", (1, 8), _F32, 0)], id="overlap"),
        pytest.param([("gap", (1, 8), _F32, 64), ("other", (1, 8), _F32, 32)], id="gap"),
        pytest.param([("half a block", (1, 100), _Q4_K, 0)], id="half a block"),
        pytest.param([("empty", (1, 0), _F32, 0)], id="empty"),
        pytest.param([("flat", (), _F32, 0)], id="no dimension"),
        pytest.param([("deep", (1, 1, 1, 1, 8), _F32, 0)], id="five dimensions"),
        pytest.param([("vast", (2**60, 2**60), _F32, 0)], id="more values than there can be"),
        pytest.param([("n" * 64, (1, 8), _F32, 0)], id="long name"),
    ],
)
def test_senseless_tensors_are_refused(tensors: list[tuple[str, tuple[int, ...], int, int]]) -> None:
    assert "is damaged" in refusal(gguf_head({}, tensors) + bytes(4096)).happened


@pytest.mark.parametrize("alignment", [0, 3, 2**20, "wide"])
def test_a_senseless_alignment_is_refused(alignment: MetadataValue) -> None:
    assert "is damaged" in refusal(small_file({"general.alignment": alignment})).happened


def test_an_entry_that_is_there_twice_is_refused() -> None:
    entry = struct.pack("<Q1sIB", 1, b"k", 7, 1)
    assert "is damaged" in refusal(struct.pack("<4sIQQ", b"GGUF", 3, 0, 2) + 2 * entry).happened


def test_reading_stops_at_the_ceiling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gguf_header, "_MAX_HEADER_BYTES", 1_000_000)
    source = _CountingSource(small_file({"texts": ["t" * 1000] * 5_000}))

    with pytest.raises(ModelFileError, match="is damaged"):
        read_header(source, len(source.getvalue()))

    assert source.n_read <= 1_300_000


@given(st.binary(max_size=400))
def test_random_bytes_are_read_or_refused(content: bytes) -> None:
    with suppress(ModelFileError):
        read(b"GGUF\x03\0\0\0" + content)


@settings(max_examples=300)
@given(st.data())
def test_altered_headers_are_read_or_refused_within_little_memory(data: st.DataObject) -> None:
    content = bytearray(small_file())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(8, len(content) - 8))
        change = data.draw(st.binary(min_size=1, max_size=8))
        content[at : at + len(change)] = change
    tracemalloc.start()
    with suppress(ModelFileError):
        read(bytes(content))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1_000_000


def test_every_packing_has_whole_bytes() -> None:
    assert all(kind.n_values in (1, 32, 64, 128, 256) and kind.n_bytes > 0 for kind in TENSOR_TYPES.values())
    assert len({kind.name for kind in TENSOR_TYPES.values()}) == len(TENSOR_TYPES)


def test_a_vocabulary_is_counted(tmp_path: Path) -> None:
    path = write_tiny_gguf(tmp_path / "tiny.gguf")
    tokens = read(path.read_bytes()).metadata["tokenizer.ggml.tokens"]
    assert isinstance(tokens, GgufArray)
    assert tokens.n_items == len(vocabulary())


class _CountingSource(io.BytesIO):
    """Remembers how much was read."""

    n_read = 0

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(size)
        self.n_read += len(content)
        return content


class _StingySource(io.BytesIO):
    """Gives less than was asked for, as a network does."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(7, size or 0))
