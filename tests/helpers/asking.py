"""Short ways to write requests and scripts."""

import json
from collections.abc import Iterable, Iterator
from itertools import chain
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


def one_by_one(batches: Iterable[tuple[SessionEvent, ...]]) -> Iterator[SessionEvent]:
    """The events of a session's run, which come in batches."""
    return chain.from_iterable(batches)


def final(batches: Iterable[tuple[SessionEvent, ...]]) -> list[SessionEvent]:
    """The events of a session's run without the pieces of text."""
    return [event for event in one_by_one(batches) if not isinstance(event, TextChunk)]
