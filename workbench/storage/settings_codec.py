"""How values that are not columns are written: the settings of a run, how it was loaded, and text of any kind."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

from pydantic import TypeAdapter

from workbench.domain.memory import LoadReport
from workbench.domain.runs import RunSettings
from workbench.storage.event_log import canonical_json

SCHEMA_VERSION = 2
"""Of the JSON form of settings; a new field with a default needs no new version.

In version 1, ``n_gpu_layers`` of -1 meant what ``None`` means now: as many as there is room for.
"""
LOAD_REPORT_VERSION = 1

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_SETTINGS = TypeAdapter(RunSettings)
_LOAD_REPORT = TypeAdapter(LoadReport)


def clean_text(text: str) -> str:
    """The text with each surrogate, which no encoding can store, replaced by U+FFFD."""
    return text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text)


def encode_settings(settings: RunSettings) -> str:
    """Canonical JSON: equal settings have equal text. Paths are written with forward slashes.

    Raises:
        ValueError: If a number is not finite.
    """
    fields = _plain(asdict(settings))
    return canonical_json({"schema_version": SCHEMA_VERSION, "settings": fields})


def decode_settings(text: str) -> RunSettings:
    """The settings that ``encode_settings`` wrote.

    Raises:
        ValueError: If the text holds something else.
    """
    document = json.loads(text)
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version not in (1, SCHEMA_VERSION):
        raise ValueError("The settings have no schema_version that is known here.")
    settings = _SETTINGS.validate_python(document.get("settings"))
    if version == 1 and settings.load.n_gpu_layers == -1:
        return replace(settings, load=replace(settings.load, n_gpu_layers=None))
    return settings


def encode_load_report(report: LoadReport) -> str:
    """Canonical JSON."""
    return canonical_json({"schema_version": LOAD_REPORT_VERSION, "report": asdict(report)})


def decode_load_report(text: str) -> LoadReport:
    """The report that ``encode_load_report`` wrote.

    Raises:
        ValueError: If the text holds something else.
    """
    document = json.loads(text)
    if not isinstance(document, dict) or document.get("schema_version") != LOAD_REPORT_VERSION:
        raise ValueError("The report of a loading has no schema_version that is known here.")
    return _LOAD_REPORT.validate_python(document.get("report"))


def _plain(value: object) -> object:
    """``value`` with paths as text."""
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
