"""Make or refresh ``.venv`` with the locked packages. Runs with the standard library alone, on every system.

The order matters: first the build tools, then everything else without build isolation, so that the model engine is
compiled with locked tools and nothing is installed whose hash is not in a lock file.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / ".complete"
SUPPORTED = ((3, 11), (3, 13))

ENGINE_OPTIONS = (
    "-DLLAVA_BUILD=OFF",  # pictures and sound are not used
    "-DLLAMA_OPENSSL=OFF",  # the engine never talks to a network
    "-DLLAMA_ALL_WARNINGS=OFF",
    f"-DCMAKE_PROJECT_TOP_LEVEL_INCLUDES={(ROOT / '.ci' / 'engine.cmake').as_posix()}",
)


def main() -> None:
    """Bring ``.venv`` to what the lock files say."""
    _check_python()
    _check_compiler()
    STAMP.unlink(missing_ok=True)
    pip = environment(VENV)
    say("Installing the locked packages into .venv …")
    run([*pip, "--require-hashes", "-r", "requirements-build.txt"])
    if not _engine_is_installed():
        say("The first time takes some minutes: the model engine is compiled for this computer.")
    run([*pip, "--require-hashes", "--no-build-isolation", "-r", "requirements-dev.txt"], engine_variables())
    run([*pip, "--no-deps", "--no-build-isolation", "-e", "."])
    STAMP.touch()


def python_of(folder: Path) -> Path:
    """The interpreter of a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def environment(folder: Path) -> list[str]:
    """Make a virtual environment where there is none; the command that installs into it, up to its own options."""
    uv = shutil.which("uv")
    python = python_of(folder)
    if not python.exists():
        _make_venv(folder, uv)
    if uv:
        return [uv, "pip", "install", "--quiet", "--python", str(python)]
    return [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def engine_variables(*options: str) -> dict[str, str]:
    """What the engine is compiled with; the person's own options come last, so that they win (``-DGGML_CUDA=ON``)."""
    own = os.environ.get("CMAKE_ARGS", "")
    return {**os.environ, "CMAKE_ARGS": f"{shlex.join((*ENGINE_OPTIONS, *options))} {own}".strip()}


def run(command: list[str], variables: dict[str, str] | None = None, folder: Path = ROOT) -> None:
    """Carry out a command; ends the program if it fails."""
    if subprocess.run(command, cwd=folder, env=variables, check=False).returncode:
        fail("Setting up failed; the lines above say why.", "Nothing else was changed. Run the command again.")


def say(text: str) -> None:
    """Tell the person what goes on."""
    print(text, flush=True)


def fail(happened: str, todo: str) -> NoReturn:
    """End the program with what happened and what to do."""
    sys.exit(f"{happened}\n{todo}")


def _check_python() -> None:
    lowest, highest = SUPPORTED
    if not lowest <= sys.version_info[:2] <= highest:
        found = ".".join(map(str, sys.version_info[:3]))
        fail(
            f"This is Python {found} ({sys.executable}), and Python 3.11, 3.12 or 3.13 is needed.",
            "Install one of them, or name it: make PYTHON=/path/to/python3.13 demo",
        )


def _check_compiler() -> None:
    """The engine needs C++; on Windows CMake looks for Visual Studio itself and says what is missing."""
    if os.name == "nt" or _engine_is_installed():
        return
    named = os.environ.get("CXX", "").split()
    if not any(shutil.which(compiler) for compiler in (*named[:1], "c++", "g++", "clang++")):
        how = "xcode-select --install" if sys.platform == "darwin" else "sudo apt-get install g++"
        fail("No C++ compiler was found; the model engine is compiled for this computer.", f"Install one: {how}")


def _make_venv(folder: Path, uv: str | None) -> None:
    say(f"Making {folder.relative_to(ROOT)} with {'uv' if uv else 'venv'} and {sys.executable} …")
    if uv:
        run([uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(folder)])
        return
    try:
        import ensurepip  # noqa: F401  (Debian and Ubuntu ship it in a package of its own)
    except ImportError:
        fail("This Python cannot make virtual environments.", "Install that part: sudo apt-get install python3-venv")
    run([sys.executable, "-m", "venv", str(folder)])


def _engine_is_installed() -> bool:
    find = "import importlib.util, sys; sys.exit(importlib.util.find_spec('llama_cpp') is None)"
    python = python_of(VENV)
    return python.exists() and subprocess.run([str(python), "-c", find], check=False).returncode == 0


if __name__ == "__main__":
    main()
