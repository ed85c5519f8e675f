"""What holds for every test: no network, nothing left running, no warnings, and a home of its own."""

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.helpers.guards import NetworkGuard, no_processes_left, no_threads_left, no_warnings_logged
from tests.helpers.xserver import running_xvfb

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before the first window

hypothesis.settings.register_profile("workbench", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("workbench")

_network = NetworkGuard()


@pytest.fixture(scope="session")
def _shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for the session: font caches are slow to make and hold nothing of the tests."""
    folder = tmp_path_factory.mktemp("cache")
    folder.chmod(0o700)  # Qt refuses a runtime folder others can read
    return folder


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, _shared_cache: Path) -> Path:
    """An empty home for this test and for the programs it starts; nothing of the person's own is read or written."""
    home = tmp_path_factory.mktemp("home")
    for variable in ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "WIN_PD_OVERRIDE_LOCAL_APPDATA"):
        monkeypatch.setenv(variable, str(home))
    for variable, folder in {"DATA": "data", "CONFIG": "config", "STATE": "state"}.items():
        monkeypatch.setenv(f"XDG_{variable}_HOME", str(home / folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(_shared_cache))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(_shared_cache))
    monkeypatch.setenv("WORKBENCH_DATABASE", str(home / "workbench.sqlite"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return home


@pytest.fixture(autouse=True)
def _no_network() -> Iterator[None]:
    with _network.blocking():
        yield


@pytest.fixture(autouse=True)
def _nothing_left_running() -> Iterator[None]:
    with no_processes_left(), no_threads_left():
        yield


@pytest.fixture(autouse=True)
def _no_warnings_logged(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that takes ``caplog`` looks at the log itself."""
    if "caplog" in request.fixturenames:
        yield
        return
    with no_warnings_logged():
        yield


@pytest.fixture(scope="session")
def xvfb_display() -> Iterator[str]:
    """The name of a real X display for programs started by a test (``DISPLAY``, with ``QT_QPA_PLATFORM=xcb``)."""
    with running_xvfb() as display:
        yield display
