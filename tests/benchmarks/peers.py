"""``python -m tests.benchmarks.peers``: fetch and build what the engine is compared with, below ``build/peers``.

``llama-server`` and ``llama-batched-bench`` come from the very source distribution of the binding that the lock file
names, with the switches the engine is built with; Inspect AI gets a virtual environment of its own. The project itself
uses none of it. ``CMAKE_ARGS`` adds switches, for example ``-DGGML_CUDA=ON``, as for the engine.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "peers"
LOCK = ROOT / "requirements.txt"
INSPECT_AI = ("inspect-ai==0.3.285", "openai==3.54.0")
PROGRAMS = ("llama-server", "llama-batched-bench")

_SWITCHES = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DGGML_NATIVE=ON",
    "-DGGML_OPENMP=ON",
    "-DLLAMA_CURL=OFF",
    "-DLLAMA_OPENSSL=OFF",
    "-DLLAMA_BUILD_UI=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
)
_EXECUTABLE_SUFFIX = ".exe" if os.name == "nt" else ""
_SCRIPTS = "Scripts" if os.name == "nt" else "bin"


class PeerMissingError(Exception):
    """Something to compare with has not been built."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not there; run: make peers")


def program(name: str) -> Path:
    """One of ``PROGRAMS``.

    Raises:
        PeerMissingError: If it was not built.
    """
    return _existing(FOLDER / "build" / "bin" / f"{name}{_EXECUTABLE_SUFFIX}", name)


def inspect_ai() -> Path:
    """Inspect AI's command.

    Raises:
        PeerMissingError: If it was not installed.
    """
    return _existing(_in_inspect_venv("inspect"), "Inspect AI")


def main() -> None:
    """Make whatever is not there yet."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    if not _in_inspect_venv("inspect").exists():
        _say("Installing Inspect AI into a virtual environment of its own …")
        venv.create(FOLDER / "inspect-ai", with_pip=True, clear=True)
        _run(_in_inspect_venv("python"), "-m", "pip", "install", "--quiet", *INSPECT_AI)
    source = _source()
    _say(f"Building {' and '.join(PROGRAMS)}; this takes ten minutes or more on two cores …")
    build = FOLDER / "build"
    switches = [*_SWITCHES, *shlex.split(os.environ.get("CMAKE_ARGS", ""))]
    generator = ["-G", "Ninja"] if _tool("ninja") else []
    cmake = _tool("cmake") or "cmake"
    _run(cmake, "-S", source / "vendor" / "llama.cpp", "-B", build, *generator, *switches)
    _run(cmake, "--build", build, "--config", "Release", "--parallel", os.cpu_count() or 1, "--target", *PROGRAMS)
    _say(f"Ready: {build / 'bin'}")


def _source() -> Path:
    """The unpacked source distribution of the locked binding; its hash is checked."""
    version, requirement = locked_binding()
    source = FOLDER / f"llama_cpp_python-{version}"
    if not source.exists():
        _say(f"Fetching the source of llama-cpp-python {version} …")
        with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
            wanted = Path(folder) / "requirements.txt"
            wanted.write_text(requirement, encoding="utf-8")
            download = ("download", "--quiet", "--no-deps", "--no-binary", "llama-cpp-python", "--require-hashes")
            _run(_in_inspect_venv("python"), "-m", "pip", *download, "-r", wanted, "-d", folder)
            (archive,) = Path(folder).glob("*.tar.gz")
            shutil.unpack_archive(archive, folder, filter="data")
            (Path(folder) / source.name).replace(source)
    return source


def locked_binding() -> tuple[str, str]:
    """Version of the binding, and its line of the lock file with its hash."""
    found = re.search(r"^llama-cpp-python==(\S+) \\\n\s+--hash=\S+", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        sys.exit(f"{LOCK.name} does not name a version of llama-cpp-python.")
    return found[1], found[0]


def _in_inspect_venv(name: str) -> Path:
    return FOLDER / "inspect-ai" / _SCRIPTS / f"{name}{_EXECUTABLE_SUFFIX}"


def _existing(path: Path, name: str) -> Path:
    if not path.exists():
        raise PeerMissingError(name)
    return path


def _tool(name: str) -> str | None:
    """A locked build tool, or else the system's."""
    return shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))


def _run(*command: str | int | Path) -> None:
    if subprocess.run([str(part) for part in command], check=False).returncode:
        sys.exit("Making the peers failed; the lines above say why. The project itself was not touched.")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
