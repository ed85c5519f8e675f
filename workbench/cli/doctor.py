"""``workbench doctor``: what this installation and this computer have."""

import importlib.metadata
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from workbench import __version__, app, paths
from workbench.cli.json_output import Json, document
from workbench.computer import free_disk_bytes, this_computer
from workbench.domain.llm import Device
from workbench.domain.text import visible
from workbench.errors import WorkbenchError
from workbench.services.workbench import Workbench
from workbench.ui.display import missing_library

_PACKAGES = ("PySide6_Essentials", "llama_cpp_python", "pyqtgraph", "sqlite_utils", "huggingface_hub", "numpy", "scipy")
_GIB = 1024**3


@dataclass(frozen=True, slots=True)
class _Check:
    """One thing that must work."""

    name: str
    ok: bool
    message: str


def show_doctor(database: Path | None, as_json: bool) -> int:
    """Print the findings; returns 0 if everything needed works, else 1."""
    with app.build(database) as workbench:
        devices, versions, engine_check = _engine(workbench)
        checks = [
            _window_check(),
            _tried("database", lambda: str(workbench.store.path)),
            _tried("practice models", lambda: f"{len(workbench.resources.practice_files().answering) + 1} files"),
            engine_check,
        ]
        if workbench.is_open:
            versions = (("sqlite", workbench.store.sqlite_version), *versions)
    findings = _findings(checks, devices, versions, paths.database_path(database))
    if as_json:
        print(document(findings))
    else:
        _print(findings, checks, devices)
    return 0 if all(check.ok for check in checks) else 1


def _window_check() -> _Check:
    problem = missing_library()
    if problem is not None:
        return _Check("window", False, f"A library of the system is missing: {problem}")
    return _Check("window", True, "Qt can be loaded")


def _engine(workbench: Workbench) -> tuple[tuple[Device, ...], tuple[tuple[str, str], ...], _Check]:
    try:
        devices, versions = workbench.engine.devices(), workbench.engine.versions()
    except WorkbenchError as error:
        return (), (), _Check("engine", False, f"{error} {error.detail}".strip())
    return devices, versions, _Check("engine", True, f"{len(devices)} device(s)")


def _tried(name: str, look: Callable[[], str]) -> _Check:
    try:
        return _Check(name, True, look())
    except WorkbenchError as error:
        return _Check(name, False, str(error))


def _findings(
    checks: list[_Check], devices: tuple[Device, ...], versions: tuple[tuple[str, str], ...], database: Path
) -> Json:
    computer = this_computer()
    installed: Json = {
        "workbench": __version__,
        "python": platform.python_version(),
        **{name: _version(name) for name in _PACKAGES},
    }
    known = {"medical_safety_workbench", *installed}
    installed |= {name: version for name, version in versions if _key(name) not in known}
    return {
        "ok": all(check.ok for check in checks),
        "versions": installed,
        "system": computer.system,
        "executable": sys.executable,
        "n_cores": computer.n_cores,
        "memory_total_bytes": computer.memory_total_bytes,
        "memory_free_bytes": computer.memory_free_bytes,
        "disk_free_bytes": free_disk_bytes(database.parent),
        "database": str(database),
        "devices": [
            {
                "name": device.name,
                "description": device.description,
                "kind": device.kind,
                "detail": device.detail,
                "shares_memory": device.shares_memory,
                "free_bytes": device.free_bytes,
                "total_bytes": device.total_bytes,
            }
            for device in devices
        ],
        "checks": [{"name": check.name, "ok": check.ok, "message": check.message} for check in checks],
    }


def _device_line(device: Device) -> str:
    parts = [
        f"{device.name}: {device.description} ({device.kind})",
        f"{device.free_bytes / _GIB:.1f} of {device.total_bytes / _GIB:.1f} GiB free",
        *(["shares the computer's memory"] if device.shares_memory else []),
        *([device.detail] if device.detail else []),
    ]
    return visible(", ".join(parts))


def _key(name: str) -> str:
    return name.lower().replace("-", "_").replace(" ", "_")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _print(findings: Json, checks: list[_Check], devices: tuple[Device, ...]) -> None:
    for check in checks:
        print(f"{'ok    ' if check.ok else 'FAILED'}  {check.name}: {check.message}")
    computer = this_computer()
    print(f"system   {computer.system}, {computer.n_cores} cores")
    print(f"memory   {computer.memory_free_bytes / _GIB:.1f} of {computer.memory_total_bytes / _GIB:.1f} GiB free")
    for device in devices:
        print(f"device   {_device_line(device)}")
    versions = findings["versions"]
    if isinstance(versions, dict):
        for name, version in versions.items():
            print(f"version  {name} {version or 'not installed'}")
