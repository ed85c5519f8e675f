"""A real X server without a screen, for stories that must meet the window as a person's desktop shows it."""

import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

_START_LIMIT_S = 30.0


@contextmanager
def running_xvfb(*, width: int = 1440, height: int = 900) -> Iterator[str]:
    """Start Xvfb on a free display, yield the display's name (such as ``:99``), and end it.

    Args:
        width: Of the screen, in pixels.
        height: Of the screen, in pixels.
    """
    program = shutil.which("Xvfb")
    if program is None:
        raise RuntimeError("Xvfb is missing. Install it with: sudo apt-get install xvfb")
    read_end, write_end = os.pipe()
    screen = f"{width}x{height}x24"
    command = [program, "-displayfd", str(write_end), "-screen", "0", screen, "-nolisten", "tcp", "-noreset"]
    try:
        server = subprocess.Popen(command, pass_fds=(write_end,), stderr=subprocess.DEVNULL)
    finally:
        os.close(write_end)
    try:
        yield f":{_display_number(read_end)}"
    finally:
        os.close(read_end)
        server.terminate()
        server.wait()


def _display_number(read_end: int) -> int:
    """Xvfb writes the number and a line break as soon as it can be used."""
    written = b""
    while not written.endswith(b"\n"):
        ready, _, _ = select.select([read_end], [], [], _START_LIMIT_S)
        part = os.read(read_end, 16) if ready else b""
        if not part:
            raise RuntimeError("Xvfb did not start.")
        written += part
    return int(written)
