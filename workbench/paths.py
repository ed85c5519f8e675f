"""Where things lie: from the source tree, installed, or frozen into a one-folder program."""

import os
import sys
from pathlib import Path

import platformdirs

DATABASE_VARIABLE = "WORKBENCH_DATABASE"
_APPLICATION = "Medical Safety Workbench"


def _root() -> Path:
    """The folder that holds ``resources`` and ``models``."""
    bundle = getattr(sys, "_MEIPASS", None)  # set by the frozen program only
    return Path(bundle) if bundle else Path(__file__).resolve().parent.parent


def resources_dir() -> Path:
    """Questions, rubrics, presets, styles and help shipped with the program."""
    return _root() / "resources"


def practice_models_dir() -> Path:
    """The practice model files shipped with the program."""
    return _root() / "models" / "practice"


def data_dir() -> Path:
    """The person's own data on this computer; made on first use."""
    return Path(platformdirs.user_data_dir(_APPLICATION, appauthor=False, ensure_exists=True))


def database_path(chosen: Path | None = None) -> Path:
    """The database file: the chosen one, else the one the environment names, else the person's own."""
    if chosen is not None:
        return chosen
    named = os.environ.get(DATABASE_VARIABLE)
    return Path(named) if named else data_dir() / "workbench.sqlite"


def worker_command() -> list[str]:
    """The command that starts a worker process, without its arguments."""
    if getattr(sys, "frozen", False):
        # The windowed program has no standard streams on Windows, so the command line program beside it is the worker.
        return [str(Path(sys.executable).with_name("workbench.exe" if os.name == "nt" else "workbench")), "--worker"]
    return [sys.executable, "-m", "workbench", "--worker"]
