"""Prove offloading without a graphics card: build the engine for Vulkan, then test it on Mesa's software Vulkan.

``build/vulkan/venv`` gets an engine of the locked version whose backends are separate files, one of them Vulkan; all
other packages, and the project itself, are those of ``.venv``. Mesa's lavapipe computes on the processor what a
graphics card would and passes for one with 2 GB. Arguments go to pytest: ``.ci/vulkan.py -k plan``.

For Linux. It needs ``glslc``, the Vulkan loader and lavapipe, and Vulkan 1.4's headers, which Debian 12 is too old to
have: there, the headers of Debian 13 are taken from the sources this computer's apt already uses. Elsewhere the
system's own are used, or those of the folder that ``VULKAN_HEADERS`` names (with ``include`` and ``share`` in it).
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

from set_up import ROOT, VENV, engine_variables, environment, fail, python_of, run, say

FOLDER = ROOT / "build" / "vulkan"
ENVIRONMENT = FOLDER / "venv"
STAMP = FOLDER / ".complete"
FETCHED = FOLDER / "headers"

LOADER = "libvulkan.so.1"
DRIVER_FOLDERS = ("/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d")
LOWEST_HEADERS = (1, 4)
HEADER_FILES = ("include/vulkan/vulkan_core.h", "include/vulkan/vulkan.hpp", "include/spirv/unified1/spirv.hpp")
HEADER_PACKAGES = ("libvulkan-dev", "spirv-headers")
DEBIAN_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
FETCHED_FOR = {"bookworm": "trixie"}
"""Debian's release whose own headers are too old: the release they are taken from."""


def main() -> int:
    """Build what is not built yet, then test it; the exit code is pytest's."""
    driver = _software_driver()
    _build(_headers())
    variables = {
        **os.environ,
        "VK_ICD_FILENAMES": str(driver),
        "GGML_VK_VISIBLE_DEVICES": "0",
        "GGML_VK_DISABLE_FUSION": "1",  # lavapipe of Mesa 22.3 crashes in operations computed as one
        "MESA_SHADER_CACHE_DIR": str(FOLDER / "shaders"),  # compiling them takes longer than the tests themselves
    }
    tests = [str(python_of(ENVIRONMENT)), "-m", "pytest", "-m", "vulkan", "-rfEP", "tests/vulkan", *sys.argv[1:]]
    return subprocess.run(tests, cwd=ROOT, env=variables, check=False).returncode


def _software_driver() -> Path:
    """The file that describes lavapipe to the Vulkan loader; with it alone, no real card is taken for it."""
    if sys.platform != "linux":
        fail("Software Vulkan is tested on Linux only.", "Use a Linux computer; nothing was changed here.")
    drivers = [file for folder in DRIVER_FOLDERS for file in Path(folder).glob("lvp_icd*.json")]
    missing = [] if drivers else ["mesa-vulkan-drivers"]
    if not _loads(LOADER):
        missing.append("libvulkan1")
    if not shutil.which("glslc"):
        missing.append("glslc")
    if missing:
        fail(
            f"Software Vulkan cannot be built and run here. Missing, as Debian calls it: {', '.join(missing)}.",
            f"Install it: sudo apt-get install {' '.join(missing)}",
        )
    return drivers[0]


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _headers() -> Path:
    """A folder with the headers of Vulkan and SPIR-V."""
    named = os.environ.get("VULKAN_HEADERS")
    if named:
        folder = Path(named).expanduser().resolve()
        if not _suffices(folder):
            fail(
                f"{folder} does not hold the headers of Vulkan {_dotted(LOWEST_HEADERS)} and SPIR-V.",
                f"It must hold {', '.join(HEADER_FILES)}, and SPIRV-HeadersConfig.cmake in share/cmake/SPIRV-Headers.",
            )
        return folder
    for folder in (Path("/usr"), FETCHED / "usr"):
        if _suffices(folder):
            return folder
    _fetch_headers()
    return FETCHED / "usr"


def _suffices(folder: Path) -> bool:
    if not all((folder / name).exists() for name in HEADER_FILES):
        return False
    text = (folder / HEADER_FILES[0]).read_text(encoding="utf-8")
    found = re.search(r"VK_HEADER_VERSION_COMPLETE VK_MAKE_API_VERSION\(0, (\d+), (\d+),", text)
    return found is not None and (int(found[1]), int(found[2])) >= LOWEST_HEADERS


def _fetch_headers() -> None:
    """Unpack newer headers beside the build; nothing is installed, and apt's own state stays as it is."""
    release = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    site = _archive_of(release) if release in FETCHED_FOR else None
    if site is None:
        packages = " ".join(HEADER_PACKAGES)
        fail(
            f"The headers of Vulkan {_dotted(LOWEST_HEADERS)} and SPIR-V are not installed.",
            f"Install them (sudo apt-get install {packages}), or where these are older,\n"
            "name a folder with newer ones: make vulkan VULKAN_HEADERS=/folder",
        )
    newer = FETCHED_FOR[release]
    say(f"Taking Vulkan's headers from {newer}, the release after this one …")
    state = FOLDER / "apt"
    downloads = state / "cache"
    apt = _apt(state, f"{site} {newer} main")
    run([*apt, "update"])
    run([*apt, "download", *HEADER_PACKAGES], folder=downloads)
    for archive in downloads.glob("*.deb"):
        run(["dpkg-deb", "--extract", str(archive), str(FETCHED)])
    shutil.rmtree(state)


def _apt(state: Path, source: str) -> list[str]:
    """An apt-get that knows this source only and keeps everything in ``state``."""
    for part in ("lists/partial", "cache/archives/partial"):
        (state / part).mkdir(parents=True, exist_ok=True)
    listed = state / "newer.list"
    listed.write_text(f"deb [signed-by={DEBIAN_KEYS}] {source}\n", encoding="utf-8")
    options = {
        "Dir::State": state,
        "Dir::State::status": os.devnull,
        "Dir::Cache": state / "cache",
        "Dir::Etc::sourcelist": listed,
        "Dir::Etc::sourceparts": os.devnull,
        "APT::Sandbox::User": "",
    }
    return ["apt-get", "--quiet=2", *(f"-o{name}={value}" for name, value in options.items())]


def _archive_of(release: str) -> str | None:
    """Where this computer's apt gets a release of Debian from."""
    asked = ["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT)", "Created-By: Packages"]
    listed = subprocess.run(asked, capture_output=True, encoding="utf-8", check=True).stdout
    targets = [line.split() for line in listed.splitlines()]
    return next((site for site, *rest in targets if rest == [release, "main"]), None)


def _build(headers: Path) -> None:
    requirement = _locked_engine()
    options = (
        "-DGGML_BACKEND_DL=ON",
        "-DGGML_NATIVE=OFF",  # which backends that are separate files demand
        "-DGGML_VULKAN=ON",
        f"-DVulkan_INCLUDE_DIR={headers / 'include'}",
        f"-DVulkan_LIBRARY={_path_of(LOADER)}",
        f"-DSPIRV-Headers_ROOT={headers}",
    )
    variables = engine_variables(*options)
    wanted = f"{requirement}{variables['CMAKE_ARGS']}\n"
    if STAMP.exists() and STAMP.read_text(encoding="utf-8") == wanted:
        return
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    STAMP.unlink(missing_ok=True)
    pip = environment(ENVIRONMENT)
    run([*pip, "--require-hashes", "-r", "requirements-build.txt"])
    say("Compiling the engine for Vulkan; this takes about ten minutes of one core …")
    locked = FOLDER / "engine.txt"
    locked.write_text(requirement, encoding="utf-8")
    # Without the cache: a package compiled with other options has the same name.
    install = [*pip, "--no-cache-dir", "--no-deps", "--require-hashes", "--no-build-isolation", "-r", str(locked)]
    run(install, variables)
    _share_packages()
    STAMP.write_text(wanted, encoding="utf-8")


def _locked_engine() -> str:
    """The engine's lines of the lock file."""
    locked = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    found = re.search(r"^llama-cpp-python==(?:.*\\\n)+.*\n", locked, re.MULTILINE)
    if found is None:
        fail("requirements.txt does not lock llama-cpp-python.", "Write the lock files anew: make lock")
    return found[0]


def _share_packages() -> None:
    """Let the environment find what it lacks in ``.venv``, the project included; its own packages come first."""
    show = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own, shared = (
        subprocess.run([str(python_of(folder)), "-c", show], capture_output=True, encoding="utf-8", check=True).stdout
        for folder in (ENVIRONMENT, VENV)
    )
    line = f"import site; site.addsitedir({shared.strip()!r})\n"
    (Path(own.strip()) / "shared.pth").write_text(line, encoding="utf-8")


def _path_of(library: str) -> str:
    """Where the linker finds a library; the plain name CMake looks for comes with the headers only."""
    compiler = os.environ.get("CXX", "c++").split()[0]
    asked = [compiler, f"-print-file-name={library}"]
    return subprocess.run(asked, capture_output=True, encoding="utf-8", check=True).stdout.strip()


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


if __name__ == "__main__":
    sys.exit(main())
