"""Name what Qt needs from a Linux system and does not find, with the command that installs it.

PySide6 brings Qt itself but not the system's own libraries. Other systems have all of them.
"""

from __future__ import annotations

import argparse
import ctypes
import shutil
import sys

# Library name: package on Debian and Ubuntu, on Fedora, on Arch.
WINDOW_LIBRARIES = {
    "libEGL.so.1": ("libegl1", "libglvnd-egl", "libglvnd"),
    "libGL.so.1": ("libgl1", "libglvnd-glx", "libglvnd"),
    "libdbus-1.so.3": ("libdbus-1-3", "dbus-libs", "dbus"),
    "libfontconfig.so.1": ("libfontconfig1", "fontconfig", "fontconfig"),
    "libfreetype.so.6": ("libfreetype6", "freetype", "freetype2"),
    "libglib-2.0.so.0": ("libglib2.0-0", "glib2", "glib2"),
    "libxkbcommon.so.0": ("libxkbcommon0", "libxkbcommon", "libxkbcommon"),
    "libzstd.so.1": ("libzstd1", "libzstd", "zstd"),
    "libX11.so.6": ("libx11-6", "libX11", "libx11"),
    "libX11-xcb.so.1": ("libx11-xcb1", "libX11-xcb", "libx11"),
    "libxcb.so.1": ("libxcb1", "libxcb", "libxcb"),
    "libxcb-cursor.so.0": ("libxcb-cursor0", "xcb-util-cursor", "xcb-util-cursor"),
    "libxcb-icccm.so.4": ("libxcb-icccm4", "xcb-util-wm", "xcb-util-wm"),
    "libxcb-image.so.0": ("libxcb-image0", "xcb-util-image", "xcb-util-image"),
    "libxcb-keysyms.so.1": ("libxcb-keysyms1", "xcb-util-keysyms", "xcb-util-keysyms"),
    "libxcb-randr.so.0": ("libxcb-randr0", "libxcb", "libxcb"),
    "libxcb-render.so.0": ("libxcb-render0", "libxcb", "libxcb"),
    "libxcb-render-util.so.0": ("libxcb-render-util0", "xcb-util-renderutil", "xcb-util-renderutil"),
    "libxcb-shape.so.0": ("libxcb-shape0", "libxcb", "libxcb"),
    "libxcb-shm.so.0": ("libxcb-shm0", "libxcb", "libxcb"),
    "libxcb-sync.so.1": ("libxcb-sync1", "libxcb", "libxcb"),
    "libxcb-util.so.1": ("libxcb-util1", "xcb-util", "xcb-util"),
    "libxcb-xfixes.so.0": ("libxcb-xfixes0", "libxcb", "libxcb"),
    "libxcb-xkb.so.1": ("libxcb-xkb1", "libxcb", "libxcb"),
    "libxkbcommon-x11.so.0": ("libxkbcommon-x11-0", "libxkbcommon-x11", "libxkbcommon-x11"),
}
TEST_PROGRAMS = {"Xvfb": ("xvfb", "xorg-x11-server-Xvfb", "xorg-server-xvfb")}
INSTALLERS = (
    ("apt-get", "sudo apt-get install"),
    ("dnf", "sudo dnf install"),
    ("pacman", "sudo pacman -S"),
)


def main() -> int:
    """Exit with 1 where something is missing that the wanted work cannot do without."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wanted", choices=("demo", "window", "test"), help="what is going to run")
    parser.add_argument("--packages", action="store_true", help="print Debian's names of the missing packages only")
    arguments = parser.parse_args()
    missing = _missing(with_tests=arguments.wanted == "test") if sys.platform == "linux" else {}
    if arguments.packages:
        print(" ".join(sorted({packages[0] for packages in missing.values()})))
        return 0
    if not missing:
        return 0
    without_window = arguments.wanted == "demo"
    print(_message(missing, without_window=without_window), file=sys.stderr)
    return 0 if without_window else 1


def _missing(*, with_tests: bool) -> dict[str, tuple[str, str, str]]:
    libraries = {name: packages for name, packages in WINDOW_LIBRARIES.items() if not _loads(name)}
    programs = {name: packages for name, packages in TEST_PROGRAMS.items() if with_tests and not shutil.which(name)}
    return {**libraries, **programs}


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _message(missing: dict[str, tuple[str, str, str]], *, without_window: bool) -> str:
    lines = [f"This system lacks what windows need: {', '.join(missing)}."]
    if without_window:
        lines.append("Evaluations on the command line run without it.")
    for column, (program, command) in enumerate(INSTALLERS):
        if shutil.which(program):
            packages = sorted({names[column] for names in missing.values()})
            lines.append(f"Install it with: {command} {' '.join(packages)}")
            break
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
