"""Reads the header of a GGUF file: its metadata and the table of its tensors, never the weights.

Every byte is untrusted. The source is read forward only, in blocks, up to a ceiling; every count is checked against
what the file can hold before anything is made of it, so that neither time nor memory depend on what a file claims.
The format is described in ``docs/gguf.md`` of ggml.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import BinaryIO, Final

from workbench.errors import ModelFileError
from workbench.inference.gguf_check import unusable

_MAGIC: Final = b"GGUF"
_VERSIONS: Final = (2, 3)
_BLOCK_BYTES: Final = 256 * 1024
_MAX_HEADER_BYTES: Final = 64 * 1024 * 1024
"""Headers with vocabularies of 260,000 tokens take about 10 MiB."""
_MAX_ENTRIES: Final = 16_384
_MAX_TENSORS: Final = 65_536
_MAX_KEY_BYTES: Final = 65_535
_MAX_NAME_BYTES: Final = 63
"""Of a tensor; ggml refuses longer ones."""
_MAX_DIMENSIONS: Final = 4
_MAX_KEPT_ITEMS: Final = 1024
"""Longer arrays are vocabularies; shorter ones hold a number for each layer."""
_MAX_ALIGNMENT: Final = 1 << 16
_DEFAULT_ALIGNMENT: Final = 32
_MAX_VALUES: Final = 1 << 48
"""In one tensor; the largest real ones have 2**33."""

_STRING: Final = 8
_ARRAY: Final = 9
_SCALARS: Final[dict[int, struct.Struct]] = {
    number: struct.Struct("<" + code)
    for number, code in {
        0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"
    }.items()
}  # fmt: skip
"""By type number of a metadata value."""
_U32: Final = struct.Struct("<I")
_U64: Final = struct.Struct("<Q")
_LEAST_ENTRY_BYTES: Final = 8 + 4 + 1
_LEAST_TENSOR_BYTES: Final = 8 + 4 + 8 + 4 + 8


@dataclass(frozen=True, slots=True)
class TensorType:
    """How ggml packs numbers: ``n_values`` of them in ``n_bytes``."""

    name: str
    n_values: int
    n_bytes: int


TENSOR_TYPES: Final[dict[int, TensorType]] = {
    0: TensorType("F32", 1, 4),
    1: TensorType("F16", 1, 2),
    2: TensorType("Q4_0", 32, 18),
    3: TensorType("Q4_1", 32, 20),
    6: TensorType("Q5_0", 32, 22),
    7: TensorType("Q5_1", 32, 24),
    8: TensorType("Q8_0", 32, 34),
    9: TensorType("Q8_1", 32, 36),
    10: TensorType("Q2_K", 256, 84),
    11: TensorType("Q3_K", 256, 110),
    12: TensorType("Q4_K", 256, 144),
    13: TensorType("Q5_K", 256, 176),
    14: TensorType("Q6_K", 256, 210),
    15: TensorType("Q8_K", 256, 292),
    16: TensorType("IQ2_XXS", 256, 66),
    17: TensorType("IQ2_XS", 256, 74),
    18: TensorType("IQ3_XXS", 256, 98),
    19: TensorType("IQ1_S", 256, 50),
    20: TensorType("IQ4_NL", 32, 18),
    21: TensorType("IQ3_S", 256, 110),
    22: TensorType("IQ2_S", 256, 82),
    23: TensorType("IQ4_XS", 256, 136),
    24: TensorType("I8", 1, 1),
    25: TensorType("I16", 1, 2),
    26: TensorType("I32", 1, 4),
    27: TensorType("I64", 1, 8),
    28: TensorType("F64", 1, 8),
    29: TensorType("IQ1_M", 256, 56),
    30: TensorType("BF16", 1, 2),
    34: TensorType("TQ1_0", 256, 54),
    35: TensorType("TQ2_0", 256, 66),
    39: TensorType("MXFP4", 32, 17),
    40: TensorType("NVFP4", 64, 36),
    41: TensorType("Q1_0", 128, 18),
    42: TensorType("Q2_0", 64, 18),
}
"""By the number in the file (``enum ggml_type``); the missing ones were withdrawn."""


Scalar = bool | int | float | str


@dataclass(frozen=True, slots=True)
class GgufArray:
    """A list in the metadata."""

    n_items: int
    items: tuple[Scalar, ...]
    """Empty for long lists, of which only the length is kept."""


GgufValue = Scalar | GgufArray


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorInfo:
    """One entry of the tensor table."""

    name: str
    shape: tuple[int, ...]
    """Fastest dimension first, as ggml counts."""
    type: TensorType
    offset: int
    """From the start of the weights, in bytes."""

    @property
    def n_values(self) -> int:
        """Numbers."""
        return prod(self.shape)

    @property
    def n_bytes(self) -> int:
        """Bytes in the file, without padding."""
        return self.n_values // self.type.n_values * self.type.n_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufHeader:
    """What stands before the weights."""

    metadata: Mapping[str, GgufValue]
    tensors: tuple[TensorInfo, ...]


def read_header(source: BinaryIO, size_bytes: int) -> GgufHeader:
    """Read a header.

    Args:
        source: At the first byte of the file; only ``read`` is used, and nothing beyond the header is needed.
        size_bytes: Of the whole file.

    Raises:
        ModelFileError: If it is no GGUF file, is cut off, is damaged, or has more than this program reads.
    """
    reader = _Reader(source, size_bytes)
    _require_version(reader)
    n_tensors = reader.count(_MAX_TENSORS, _LEAST_TENSOR_BYTES, "tensors")
    n_entries = reader.count(_MAX_ENTRIES, _LEAST_ENTRY_BYTES, "metadata entries")
    metadata: dict[str, GgufValue] = {}
    for _ in range(n_entries):
        key = reader.text(_MAX_KEY_BYTES)
        if key in metadata:
            raise _damaged(f"The metadata entry {key[:80]!r} is there twice.")
        metadata[key] = _value(reader)
    tensors = tuple(_tensor(reader) for _ in range(n_tensors))
    _require_complete(tensors, _alignment(metadata), reader.position, size_bytes)
    return GgufHeader(metadata=metadata, tensors=tensors)


class _Reader:
    """Takes bytes from a source that is read in blocks, never beyond the file or the ceiling."""

    def __init__(self, source: BinaryIO, size_bytes: int) -> None:
        self._source = source
        self._size_bytes = size_bytes
        self._n_read = 0
        self._block = b""
        self._at = 0

    @property
    def position(self) -> int:
        """Bytes taken so far."""
        return self._n_read - len(self._block) + self._at

    @property
    def n_left(self) -> int:
        """Bytes of the file that were not taken yet."""
        return self._size_bytes - self.position

    def take(self, n_bytes: int) -> bytes:
        """The next bytes."""
        if n_bytes > len(self._block) - self._at:
            self._fill(n_bytes)
        taken = self._block[self._at : self._at + n_bytes]
        self._at += n_bytes
        return taken

    def skip(self, n_bytes: int) -> None:
        """Pass over bytes without holding more than a block of them."""
        if n_bytes > self.n_left:
            raise _cut(f"{n_bytes} bytes are needed at {self.position}, {self.n_left} are left.")
        while n_bytes > 0:
            n_now = min(n_bytes, _BLOCK_BYTES)
            self.take(n_now)
            n_bytes -= n_now

    def skip_texts(self, n_texts: int) -> None:
        """Pass over strings; written for vocabularies of 300,000 of them."""
        length_at, length_bytes = _U64.unpack_from, _U64.size
        while n_texts > 0:
            block, at, end = self._block, self._at, len(self._block) - length_bytes
            while n_texts > 0 and at <= end:
                at += length_bytes + length_at(block, at)[0]
                n_texts -= 1
            if at > len(block):  # the last string goes on beyond this block, perhaps beyond the file
                self._at = len(block)
                self.skip(at - len(block))
            else:
                self._at = at
                if n_texts > 0:
                    self._fill(length_bytes)

    def number(self, kind: struct.Struct) -> bool | int | float:
        """The next number."""
        (number,) = kind.unpack(self.take(kind.size))
        return number  # type: ignore[no-any-return]  # struct does not know its codes

    def unsigned(self, kind: struct.Struct) -> int:
        """The next number without a sign."""
        return int(self.number(kind))

    def count(self, ceiling: int, least_bytes: int, what: str) -> int:
        """The next number, as how many things follow that take at least ``least_bytes`` each."""
        n_things = self.unsigned(_U64)
        if n_things > ceiling:
            raise _damaged(f"{n_things} {what} are announced; more than {ceiling} are not read.")
        if n_things * least_bytes > self.n_left:
            raise _cut(f"{n_things} {what} are announced, {self.n_left} bytes are left.")
        return n_things

    def text(self, max_bytes: int) -> str:
        """The next string; bytes that are no UTF-8 become U+FFFD."""
        n_bytes = self.count(max_bytes, 1, "bytes of text")
        return self.take(n_bytes).decode("utf-8", errors="replace")

    def _fill(self, n_bytes: int) -> None:
        rest = self._block[self._at :]
        n_missing = n_bytes - len(rest)
        if n_bytes > self.n_left:
            raise _cut(f"{n_bytes} bytes are needed at {self.position}, {self.n_left} are left.")
        if self._n_read + n_missing > _MAX_HEADER_BYTES:
            raise _damaged(f"The header is longer than {_MAX_HEADER_BYTES} bytes.")
        blocks = [rest]
        while n_missing > 0:
            block = self._read(min(max(n_missing, _BLOCK_BYTES), self._size_bytes - self._n_read))
            blocks.append(block)
            self._n_read += len(block)
            n_missing -= len(block)
        self._block = b"".join(blocks)
        self._at = 0

    def _read(self, n_bytes: int) -> bytes:
        try:
            block = self._source.read(n_bytes)
        except OSError as error:
            raise unusable("The model file cannot be read.", detail=str(error)) from error
        if not block:
            raise _cut(f"The data end at {self._n_read} of {self._size_bytes} bytes.")
        return block


def _require_version(reader: _Reader) -> None:
    if reader.n_left < len(_MAGIC) or reader.take(len(_MAGIC)) != _MAGIC:
        raise unusable("This is not a GGUF file, whatever its name says.")
    version = reader.unsigned(_U32)
    if version in _VERSIONS:
        return
    if version & 0xFFFF == 0:  # the small number stands at the other end
        raise unusable("This model file was written for another kind of processor (big-endian) and cannot be run here.")
    raise unusable(f"This model file uses version {version} of the GGUF format; versions 2 and 3 can be read.")


def _value(reader: _Reader) -> GgufValue:
    kind = reader.unsigned(_U32)
    if kind == _ARRAY:
        return _array(reader)
    return _scalar(reader, kind)


def _scalar(reader: _Reader, kind: int) -> Scalar:
    if kind == _STRING:
        return reader.text(_MAX_HEADER_BYTES)
    return reader.number(_scalar_struct(kind))


def _scalar_struct(kind: int) -> struct.Struct:
    if kind not in _SCALARS:
        raise _damaged(f"There is no kind {kind} of metadata value here.")
    return _SCALARS[kind]


def _array(reader: _Reader) -> GgufArray:
    """Lists of lists are refused, as llama.cpp does."""
    kind = reader.unsigned(_U32)
    item_bytes = _U64.size if kind == _STRING else _scalar_struct(kind).size
    n_items = reader.count(_MAX_HEADER_BYTES, item_bytes, "list items")
    if n_items <= _MAX_KEPT_ITEMS:
        return GgufArray(n_items, tuple(_scalar(reader, kind) for _ in range(n_items)))
    if kind == _STRING:
        reader.skip_texts(n_items)
    else:
        reader.skip(n_items * item_bytes)
    return GgufArray(n_items, ())


def _tensor(reader: _Reader) -> TensorInfo:
    name = reader.text(_MAX_NAME_BYTES)
    n_dimensions = reader.unsigned(_U32)
    if not 1 <= n_dimensions <= _MAX_DIMENSIONS:
        raise _damaged(f"The tensor {name!r} has {n_dimensions} dimensions.")
    shape = tuple(reader.unsigned(_U64) for _ in range(n_dimensions))
    if not 1 <= prod(shape) <= _MAX_VALUES:
        raise _damaged(f"The tensor {name!r} has the shape {shape}.")
    type_number = reader.unsigned(_U32)
    tensor_type = TENSOR_TYPES.get(type_number)
    if tensor_type is None:
        raise unusable(
            f"The weights of this model file are packed in a way not known here (type number {type_number}).",
            detail=f"Tensor {name!r}.",
        )
    if shape[0] % tensor_type.n_values:
        raise _damaged(f"A row of the tensor {name!r} has {shape[0]} values, no multiple of {tensor_type.n_values}.")
    return TensorInfo(name=name, shape=shape, type=tensor_type, offset=reader.unsigned(_U64))


def _alignment(metadata: Mapping[str, GgufValue]) -> int:
    alignment = metadata.get("general.alignment", _DEFAULT_ALIGNMENT)
    if isinstance(alignment, int) and 1 <= alignment <= _MAX_ALIGNMENT and alignment & (alignment - 1) == 0:
        return int(alignment)
    raise _damaged(f"The weights are said to be aligned to {str(alignment)[:80]} bytes.")


def _require_complete(tensors: tuple[TensorInfo, ...], alignment: int, header_bytes: int, size_bytes: int) -> None:
    """Refuse tables in which a name is there twice, or weights overlap, leave gaps, or lie beyond the file's end."""
    if len({tensor.name for tensor in tensors}) < len(tensors):
        raise _damaged("Two tensors have the same name.")
    start = _padded(header_bytes, alignment)
    offset = 0
    for tensor in tensors:
        if tensor.offset != offset:
            raise _damaged(f"The tensor {tensor.name!r} is said to begin at {tensor.offset} instead of {offset}.")
        if start + offset + tensor.n_bytes > size_bytes:
            raise _cut(f"The tensor {tensor.name!r} ends at {start + offset + tensor.n_bytes} of {size_bytes} bytes.")
        offset = _padded(offset + tensor.n_bytes, alignment)


def _padded(n_bytes: int, alignment: int) -> int:
    return -(-n_bytes // alignment) * alignment


def _cut(detail: str) -> ModelFileError:
    return unusable("This model file is not complete: its end is missing.", detail)


def _damaged(detail: str) -> ModelFileError:
    return unusable("This model file is damaged: its description of itself makes no sense.", detail)
