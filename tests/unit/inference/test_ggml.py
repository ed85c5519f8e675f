"""What is made of ggml's words about devices; the library itself is met in the integration tests."""

import pytest

from workbench.computer import this_computer
from workbench.inference.backends import nvidia
from workbench.inference.backends.ggml import DeviceProperties, described
from workbench.inference.backends.nvidia import NvidiaCard

CPU, CARD, INTEGRATED, ACCELERATOR, UNHEARD_OF = range(5)
GIB = 1024**3


@pytest.fixture(autouse=True)
def no_nvidia(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvidia, "cards", dict)


def device(
    name: str = "Vulkan0",
    description: str = "A card",
    kind: int = CARD,
    device_id: str | None = None,
    free_bytes: int = GIB,
) -> DeviceProperties:
    return DeviceProperties(
        name=name.encode(),
        description=description.encode(),
        memory_free=free_bytes,
        memory_total=2 * GIB,
        type=kind,
        device_id=device_id.encode() if device_id else None,
    )


@pytest.mark.parametrize(
    ("properties", "kind", "shares_memory"),
    [
        (device("CPU", "AMD EPYC", CPU), "cpu", False),
        (device("CUDA0", "NVIDIA A2"), "gpu", False),
        (device("Vulkan0", "Intel UHD", INTEGRATED), "gpu", True),
        (device("MTL0", "Apple M3"), "gpu", True),
        (device("MTL0", "AMD Radeon Pro 560X"), "gpu", False),
        (device("Vulkan0", "llvmpipe (LLVM 19.1.7, 256 bits)"), "gpu", True),
        (device("BLAS", "OpenBLAS", ACCELERATOR), "accelerator", False),
        (device("NPU0", "Tomorrow", UNHEARD_OF), "accelerator", False),
    ],
    ids=lambda value: value.name.decode() if isinstance(value, DeviceProperties) else None,
)
def test_kinds_and_whose_memory_it_is(properties: DeviceProperties, kind: str, shares_memory: bool) -> None:
    (found,) = described([properties])
    assert (found.kind, found.shares_memory) == (kind, shares_memory)


def test_memory_of_the_processor_is_what_other_programs_leave() -> None:
    processor, card = described([device("CPU", kind=CPU), device()])
    assert processor.total_bytes == this_computer().memory_total_bytes
    assert (card.free_bytes, card.total_bytes) == (GIB, 2 * GIB)


def test_a_card_that_two_backends_drive_is_named_once() -> None:
    one, other = "0000:c1:00.0", "0000:c2:00.0"
    table = [device("CUDA0", device_id=one), device("CUDA1", device_id=other), device("Vulkan0", device_id=one)]
    assert [found.name for found in described([*table, device("Vulkan1"), device("Vulkan2")])] == [
        "CUDA0",
        "CUDA1",
        "Vulkan1",
        "Vulkan2",
    ]


def test_what_nvidia_adds_goes_to_the_card_of_the_same_address(monkeypatch: pytest.MonkeyPatch) -> None:
    card = NvidiaCard(free_bytes=GIB // 2, detail="driver 570.86")
    monkeypatch.setattr(nvidia, "cards", lambda: {"0000:c1:00.0": card})
    first, second = described([device("CUDA0", device_id="0000:c1:00.0"), device("CUDA1", device_id="0000:c2:00.0")])
    assert (first.detail, first.free_bytes) == ("driver 570.86", GIB // 2)
    assert (second.detail, second.free_bytes) == ("", GIB)
