"""What NVIDIA's own interface adds about its cards: free memory by its count, the driver's version, how busy they are.

It is asked through the package nvidia-ml-py (module ``pynvml``) where that is installed and a driver is there. Where
not, nothing is added, and that is no error: ggml finds the cards by itself, and most computers have none.
"""

import contextlib
import importlib
from dataclasses import dataclass
from types import ModuleType


@dataclass(frozen=True, slots=True, kw_only=True)
class NvidiaCard:
    """A reading of this moment."""

    free_bytes: int
    """As the driver counts it, what all programs use left out."""
    detail: str
    """For a person."""


def cards() -> dict[str, NvidiaCard]:
    """The cards that the driver knows, by PCI address as ggml writes it (``0000:c1:00.0``)."""
    try:
        pynvml = importlib.import_module("pynvml")
    except ImportError:
        return {}
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return {}
    try:
        driver = _text(pynvml.nvmlSystemGetDriverVersion())
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        return dict(_card(pynvml, handle, driver) for handle in handles)
    except pynvml.NVMLError:
        return {}  # a card that fell off the bus, or a driver too old to be asked
    finally:
        pynvml.nvmlShutdown()


def _card(pynvml: ModuleType, handle: object, driver: str) -> tuple[str, NvidiaCard]:
    address = _text(pynvml.nvmlDeviceGetPciInfo(handle).busId).lower()
    domain, _, rest = address.partition(":")
    details = [f"driver {driver}"]
    with contextlib.suppress(pynvml.NVMLError):  # not every card counts it
        details.append(f"{pynvml.nvmlDeviceGetUtilizationRates(handle).gpu} % busy")
    free_bytes = int(pynvml.nvmlDeviceGetMemoryInfo(handle).free)
    return f"{int(domain, 16):04x}:{rest}", NvidiaCard(free_bytes=free_bytes, detail=", ".join(details))


def _text(value: str | bytes) -> str:
    """Older versions of the package give bytes."""
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value
