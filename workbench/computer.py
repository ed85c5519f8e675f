"""What this computer has: cores, memory, disk."""

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True, kw_only=True)
class Computer:
    """A reading of this moment."""

    system: str
    """Name and release of the operating system."""
    n_cores: int
    """Logical processors this program may use."""
    memory_total_bytes: int
    memory_free_bytes: int
    """Memory that can be given to a program without swapping."""


def this_computer() -> Computer:
    """Read the computer now."""
    memory = psutil.virtual_memory()
    return Computer(
        system=f"{platform.system()} {platform.release()}",
        n_cores=os.cpu_count() or 1,
        memory_total_bytes=memory.total,
        memory_free_bytes=memory.available,
    )


def busy_cores() -> float:
    """Logical processors that all programs together kept busy, on average since the last call; 0 at the first."""
    return psutil.cpu_percent() / 100 * (psutil.cpu_count() or 1)


def usable_cores() -> int:
    """Physical processor cores this process may use; two threads of one core share its arithmetic."""
    n_cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    allowed = getattr(os, "sched_getaffinity", None)  # Linux only; elsewhere every core may be used
    return n_cores if allowed is None else min(n_cores, len(allowed(0)))


def free_disk_bytes(folder: Path) -> int:
    """Room left on the volume of a folder; the nearest existing parent is asked where it does not exist yet."""
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    return shutil.disk_usage(existing).free
