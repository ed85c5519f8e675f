"""NVIDIA's interface, by a stand-in with the same functions."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from workbench.inference.backends import nvidia
from workbench.inference.backends.nvidia import NvidiaCard


class NVMLError(Exception):
    """As the package calls its errors."""


def stand_in(*, driver: bool = True, counts_use: bool = True, as_bytes: bool = False) -> ModuleType:
    """A module with two cards, the second one busy."""
    module = ModuleType("pynvml")
    n_users = 0

    def text(value: str) -> str | bytes:
        return value.encode() if as_bytes else value

    def begin() -> None:
        nonlocal n_users
        if not driver:
            raise NVMLError("Driver Not Loaded")
        n_users += 1

    def end() -> None:
        nonlocal n_users
        n_users -= 1

    def use(handle: int) -> SimpleNamespace:
        if not counts_use:
            raise NVMLError("Not Supported")
        return SimpleNamespace(gpu=90 * handle, memory=1)

    module.__dict__.update(
        NVMLError=NVMLError,
        nvmlInit=begin,
        nvmlShutdown=end,
        nvmlSystemGetDriverVersion=lambda: text("570.86"),
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetPciInfo=lambda handle: SimpleNamespace(busId=text(f"00000000:C{handle}:00.0")),
        nvmlDeviceGetMemoryInfo=lambda handle: SimpleNamespace(free=(handle + 1) * 10**9, total=10**10, used=0),
        nvmlDeviceGetUtilizationRates=use,
        n_users=lambda: n_users,
    )
    return module


@pytest.mark.parametrize("as_bytes", [False, True])
def test_cards_are_found_by_the_address_that_ggml_writes(monkeypatch: pytest.MonkeyPatch, as_bytes: bool) -> None:
    module = stand_in(as_bytes=as_bytes)
    monkeypatch.setitem(sys.modules, "pynvml", module)
    assert nvidia.cards() == {
        "0000:c0:00.0": NvidiaCard(free_bytes=10**9, detail="driver 570.86, 0 % busy"),
        "0000:c1:00.0": NvidiaCard(free_bytes=2 * 10**9, detail="driver 570.86, 90 % busy"),
    }
    assert module.n_users() == 0


def test_a_card_that_does_not_count_its_use_is_still_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", stand_in(counts_use=False))
    assert [card.detail for card in nvidia.cards().values()] == ["driver 570.86"] * 2


@pytest.mark.parametrize("module", [None, stand_in(driver=False)], ids=["no package", "no driver"])
def test_without_package_or_driver_there_is_nothing_to_add(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType | None
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", module)  # ``None`` makes the import fail
    assert nvidia.cards() == {}
