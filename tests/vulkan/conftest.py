"""What the tests of offloading share: an engine whose accelerator is Mesa's lavapipe."""

import os

import pytest

from workbench.domain.llm import Device
from workbench.inference.client import LlamaEngine


@pytest.fixture(scope="session")
def engine() -> LlamaEngine:
    return LlamaEngine()


@pytest.fixture(scope="session")
def graphics(engine: LlamaEngine) -> Device:
    """The accelerator that the tests offload to."""
    found = [device for device in engine.devices() if device.kind == "gpu"]
    assert len(found) == 1, (
        f"These tests need the engine of “make vulkan”, which also runs them, and one software device; "
        f"GGML_VK_VISIBLE_DEVICES is {os.environ.get('GGML_VK_VISIBLE_DEVICES')!r}, found: {found}"
    )
    return found[0]
