"""How values that are not columns are written into the database: the settings of a run, and text of any kind."""

import json
import re
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter

from workbench.domain.runs import RunSettings
from workbench.storage.event_log import canonical_json

SCHEMA_VERSION = 1
"""Of the JSON form; a new field with a default needs no new version."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_SETTINGS = TypeAdapter(RunSettings)


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
    if not isinstance(document, dict) or document.get("schema_version") != SCHEMA_VERSION:
        raise ValueError("The settings have no schema_version that is known here.")
    return _SETTINGS.validate_python(document.get("settings"))


def _plain(value: object) -> object:
    """``value`` with paths as text."""
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
