"""Devices of an engine whose backends are files of their own."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.program import ROOT, workbench
from workbench.domain.llm import Device

pytestmark = pytest.mark.vulkan

LIBRARIES = Path(str(importlib.metadata.distribution("llama-cpp-python").locate_file("llama_cpp/lib")))
GIB = 1024**3


def test_the_accelerator_is_shown_with_its_memory_beside_the_processor(graphics: Device) -> None:
    findings = workbench("doctor", "--json").json
    shown = {device["kind"]: device for device in findings["devices"]}
    assert len(findings["devices"]) == len(shown) == 2
    accelerator, processor = shown["gpu"], shown["cpu"]
    assert (accelerator["name"], accelerator["description"]) == (graphics.name, graphics.description)
    assert "llvmpipe" in accelerator["description"]
    assert GIB < accelerator["free_bytes"] <= accelerator["total_bytes"]
    assert 0 < processor["free_bytes"] < processor["total_bytes"]


def test_software_devices_are_left_alone_unless_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GGML_VK_VISIBLE_DEVICES")
    assert [device["kind"] for device in workbench("doctor", "--json").json["devices"]] == ["cpu"]


@pytest.mark.usefixtures("graphics")
def test_backends_come_from_the_engines_own_folder_only(tmp_path: Path) -> None:
    decoys = [shutil.copy(backend, tmp_path) for backend in LIBRARIES.glob("libggml-*.so")]
    assert len(decoys) >= 3  # the base, the processor's backend and Vulkan's
    show_loaded = (
        "from workbench.inference.backends import llama\n"
        "assert len(llama.devices()) == 2\n"
        "print(open('/proc/self/maps').read())"
    )
    done = subprocess.run(
        [sys.executable, "-c", show_loaded],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    loaded = {Path(line.split()[-1]) for line in done.stdout.splitlines() if "libggml" in line}
    assert {path.parent for path in loaded} == {LIBRARIES}
    assert {path.name.partition(".")[0] for path in loaded} >= {
        "libggml",
        "libggml-base",
        "libggml-cpu",
        "libggml-vulkan",
    }
