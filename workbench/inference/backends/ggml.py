"""Asks ggml, the library below llama.cpp, where it can compute."""

import ctypes
from pathlib import Path
from typing import Final, Literal

from workbench.computer import this_computer
from workbench.domain.llm import Device

_KINDS: Final[dict[int, Literal["cpu", "gpu", "accelerator"]]] = {0: "cpu", 1: "gpu", 2: "gpu", 3: "accelerator"}
"""By ``ggml_backend_dev_type``: processor, graphics card, graphics unit in the processor, other accelerator."""


class Ggml:
    """The loaded ggml libraries.

    Args:
        folder: Where the libraries lie; llama.cpp must have loaded them already.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._registry = _library(folder, "ggml")
        self._base = _library(folder, "ggml-base")

    def load_backends(self) -> None:
        """In builds that carry their backends as separate files, load those this computer can run.

        Only from the libraries' own folder: ggml's default also looks into the current one, where anything may lie.
        """
        if self._count() == 0:
            self._registry.ggml_backend_load_all_from_path(str(self._folder).encode("utf-8"))

    def devices(self) -> tuple[Device, ...]:
        """Every device, in ggml's order."""
        get = self._registry.ggml_backend_dev_get
        get.argtypes, get.restype = [ctypes.c_size_t], ctypes.c_void_p
        return tuple(self._device(ctypes.c_void_p(get(index))) for index in range(self._count()))

    def _count(self) -> int:
        count = self._registry.ggml_backend_dev_count
        count.restype = ctypes.c_size_t
        return int(count())

    def _device(self, handle: ctypes.c_void_p) -> Device:
        kind = _KINDS.get(int(self._base.ggml_backend_dev_type(handle)), "accelerator")
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        self._base.ggml_backend_dev_memory(handle, ctypes.byref(free), ctypes.byref(total))
        free_bytes, total_bytes = free.value, total.value
        if kind == "cpu":  # ggml does not know what other programs use
            computer = this_computer()
            free_bytes, total_bytes = computer.memory_free_bytes, computer.memory_total_bytes
        return Device(
            name=self._text("ggml_backend_dev_name", handle),
            description=self._text("ggml_backend_dev_description", handle),
            kind=kind,
            free_bytes=free_bytes,
            total_bytes=total_bytes,
        )

    def _text(self, function: str, handle: ctypes.c_void_p) -> str:
        ask = getattr(self._base, function)
        ask.restype = ctypes.c_char_p
        answer: bytes | None = ask(handle)
        return (answer or b"").decode("utf-8", errors="replace")


def _library(folder: Path, name: str) -> ctypes.CDLL:
    names = (f"lib{name}.so", f"lib{name}.dylib", f"{name}.dll", f"lib{name}.dll")
    path = next(folder / candidate for candidate in names if (folder / candidate).exists())
    return ctypes.CDLL(str(path))
