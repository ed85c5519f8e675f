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

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / ".complete"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
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
    uv = shutil.which("uv")
    if not PYTHON.exists():
        _make_venv(uv)
    pip = _installer(uv)
    _say("Installing the locked packages into .venv …")
    _run([*pip, "--require-hashes", "-r", "requirements-build.txt"])
    if not _engine_is_installed():
        _say("The first time takes some minutes: the model engine is compiled for this computer.")
    _run([*pip, "--require-hashes", "--no-build-isolation", "-r", "requirements-dev.txt"], _engine_environment())
    _run([*pip, "--no-deps", "--no-build-isolation", "-e", "."])
    STAMP.touch()


def _check_python() -> None:
    lowest, highest = SUPPORTED
    if not lowest <= sys.version_info[:2] <= highest:
        found = ".".join(map(str, sys.version_info[:3]))
        _fail(
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
        _fail("No C++ compiler was found; the model engine is compiled for this computer.", f"Install one: {how}")


def _make_venv(uv: str | None) -> None:
    _say(f"Making .venv with {'uv' if uv else 'venv'} and {sys.executable} …")
    if uv:
        _run([uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(VENV)])
        return
    try:
        import ensurepip  # noqa: F401  (Debian and Ubuntu ship it in a package of its own)
    except ImportError:
        _fail("This Python cannot make virtual environments.", "Install that part: sudo apt-get install python3-venv")
    _run([sys.executable, "-m", "venv", str(VENV)])


def _installer(uv: str | None) -> list[str]:
    """The command that installs packages, up to its own options."""
    if uv:
        return [uv, "pip", "install", "--quiet", "--python", str(PYTHON)]
    return [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def _engine_is_installed() -> bool:
    find = "import importlib.util, sys; sys.exit(importlib.util.find_spec('llama_cpp') is None)"
    return PYTHON.exists() and subprocess.run([str(PYTHON), "-c", find], check=False).returncode == 0


def _engine_environment() -> dict[str, str]:
    """The person's own options come last, so that they win (for example ``-DGGML_CUDA=ON``)."""
    options = f"{shlex.join(ENGINE_OPTIONS)} {os.environ.get('CMAKE_ARGS', '')}"
    return {**os.environ, "CMAKE_ARGS": options.strip()}


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    finished = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    if finished.returncode:
        _fail("Setting up .venv failed; the lines above say why.", "Nothing else was changed. Run the command again.")


def _say(text: str) -> None:
    print(text, flush=True)


def _fail(happened: str, todo: str) -> None:
    sys.exit(f"{happened}\n{todo}")


if __name__ == "__main__":
    main()
