"""A desktop of its own for measured windows: a real X server where there is one, and an empty home."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.helpers.xserver import running_xvfb


@contextmanager
def own_desktop() -> Iterator[dict[str, str]]:
    """Yield the environment for programs that open a window, and tidy up afterwards."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        environment = {
            **os.environ,
            "WORKBENCH_DATABASE": str(home / "workbench.sqlite"),
            "XDG_DATA_HOME": str(home / "data"),
            "XDG_CONFIG_HOME": str(home / "config"),
            "WIN_PD_OVERRIDE_LOCAL_APPDATA": str(home),
        }
        if sys.platform == "linux":
            environment |= {"DISPLAY": stack.enter_context(running_xvfb()), "QT_QPA_PLATFORM": "xcb"}
        yield environment
