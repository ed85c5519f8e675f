"""Short ways to write requests and scripts."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from workbench.domain.llm import ChatMessage, GenerateRequest, RequestId, SessionEvent, TextChunk


def question(number: int, text: str | None = None, **settings: Any) -> GenerateRequest:
    """A request with one user turn; its id is ``number``."""
    content = f"question {number}" if text is None else text
    return GenerateRequest(id=RequestId(number), messages=(ChatMessage(role="user", content=content),), **settings)


def write_script(folder: Path, **script: Any) -> Path:
    """A script file with this content."""
    path = folder / "test.script.json"
    path.write_text(json.dumps(script), "utf-8")
    return path


def final(events: Iterable[SessionEvent]) -> list[SessionEvent]:
    """The events without the pieces of text."""
    return [event for event in events if not isinstance(event, TextChunk)]
