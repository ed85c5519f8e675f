"""Asks ggml, the library below llama.cpp, where it can compute."""

import ctypes
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar, Final, Literal

from workbench.computer import this_computer
from workbench.domain.llm import Device
from workbench.inference.backends import nvidia

_KINDS: Final[dict[int, Literal["cpu", "gpu", "accelerator"]]] = {0: "cpu", 1: "gpu", 2: "gpu", 3: "accelerator"}
"""By ``ggml_backend_dev_type``: processor, graphics card, graphics unit in the processor, other accelerator."""
_INTEGRATED: Final = 2


class DeviceProperties(ctypes.Structure):
    """What ggml says of a device (``ggml_backend_dev_props``)."""

    _fields_: ClassVar = [
        ("name", ctypes.c_char_p),
        ("description", ctypes.c_char_p),
        ("memory_free", ctypes.c_size_t),
        ("memory_total", ctypes.c_size_t),
        ("type", ctypes.c_int),
        ("device_id", ctypes.c_char_p),
        ("capabilities", ctypes.c_bool * 16),  # five today; room for more
    ]


class Ggml:
    """The loaded ggml libraries.

    Args:
        folder: Where the libraries lie; llama.cpp must have loaded them already.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        registry = _library(folder, "ggml")
        self._load_all = registry.ggml_backend_load_all_from_path
        self._load_all.argtypes, self._load_all.restype = [ctypes.c_char_p], None
        self._count = registry.ggml_backend_dev_count
        self._count.argtypes, self._count.restype = [], ctypes.c_size_t
        self._get = registry.ggml_backend_dev_get
        self._get.argtypes, self._get.restype = [ctypes.c_size_t], ctypes.c_void_p
        self._ask = _library(folder, "ggml-base").ggml_backend_dev_get_props
        self._ask.argtypes, self._ask.restype = [ctypes.c_void_p, ctypes.POINTER(DeviceProperties)], None

    def load_backends(self) -> None:
        """In builds that carry their backends as separate files, load those this computer can run.

        Of several for the processor ggml takes the best. They come only from the libraries' own folder: ggml's default
        also looks into the current one, where anything may lie.
        """
        if self._count() == 0:
            self._load_all(str(self._folder).encode("utf-8"))

    def devices(self) -> tuple[Device, ...]:
        """Every device, in ggml's order, with the memory that is free now."""
        return described(properties for _, properties in self._all())

    def handle(self, name: str) -> int:
        """The address of the device of this name, for llama.cpp.

        Raises:
            KeyError: If there is none.
        """
        for address, properties in self._all():
            if _text(properties.name) == name:
                return address
        raise KeyError(name)

    def _all(self) -> Iterator[tuple[int, DeviceProperties]]:
        for index in range(self._count()):
            address = int(self._get(index))
            properties = DeviceProperties()
            self._ask(address, ctypes.byref(properties))
            yield address, properties


def described(all_properties: Iterable[DeviceProperties]) -> tuple[Device, ...]:
    """The devices in the program's words, with what NVIDIA's driver adds.

    A card that two backends can drive, such as CUDA and Vulkan, is named once, by the first of them.
    """
    cards = nvidia.cards()
    seen: set[bytes] = set()
    found: list[Device] = []
    for properties in all_properties:
        if properties.device_id not in seen:
            found.append(_device(properties, cards.get(_text(properties.device_id))))
        if properties.device_id:
            seen.add(properties.device_id)
    return tuple(found)


def _device(properties: DeviceProperties, card: nvidia.NvidiaCard | None) -> Device:
    kind = _KINDS.get(properties.type, "accelerator")
    description = _text(properties.description)
    free_bytes, total_bytes = int(properties.memory_free), int(properties.memory_total)
    if kind == "cpu":  # ggml does not know what other programs use
        computer = this_computer()
        free_bytes, total_bytes = computer.memory_free_bytes, computer.memory_total_bytes
    return Device(
        name=_text(properties.name),
        description=description,
        kind=kind,
        free_bytes=min(free_bytes, card.free_bytes) if card else free_bytes,
        total_bytes=total_bytes,
        shares_memory=properties.type == _INTEGRATED or _is_computers_own(description),
        detail=card.detail if card else "",
    )


def _is_computers_own(description: str) -> bool:
    """Whether a device of card type computes in the computer's own memory, which ggml does not say of these.

    Metal names every device a card, but Apple's own share their memory with the processor (cards in older Macs are
    AMD's). llvmpipe is Vulkan computed by the processor.
    """
    return description.startswith(("Apple", "llvmpipe"))


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", errors="replace")


def _library(folder: Path, name: str) -> ctypes.CDLL:
    """The copy of a library that llama.cpp itself works with.

    Packages carry a library under several names, each a file of its own: opened by another name than llama.cpp's it
    would be a second one, whose devices llama.cpp knows nothing of. Windows knows one name. Elsewhere a function is
    looked for in llama.cpp's own library, and so found in those it was linked with.
    """
    if sys.platform != "win32":
        name = "llama"
    names = (f"lib{name}.so", f"lib{name}.dylib", f"{name}.dll", f"lib{name}.dll")
    path = next(folder / candidate for candidate in names if (folder / candidate).exists())
    return ctypes.CDLL(str(path))
