"""The contract between the worker's main loop and whatever writes the answers."""

from typing import Protocol

from workbench.domain.llm import (
    Answer,
    LlmDescription,
    Request,
    RequestFailure,
    ScoreReply,
    Slowed,
    TextChunk,
)
from workbench.domain.memory import Allocation

BackendEvent = TextChunk | Answer | ScoreReply | RequestFailure | Slowed


class Backend(Protocol):
    """One loaded model file, driven step by step by a single thread.

    The text of every answer depends only on the order and lengths of the requests, never on the clock. So the loop
    must not step while ``wants_request`` holds and more requests may still come: whether a request arrived a
    millisecond earlier or later must not change who shares a step with whom.
    """

    @property
    def description(self) -> LlmDescription:
        """What was loaded and how."""
        ...

    @property
    def allocations(self) -> tuple[Allocation, ...]:
        """What the devices really gave, accelerators first; empty where that is not known."""
        ...

    @property
    def n_step_tokens(self) -> int:
        """Tokens decoded in the last step; 0 where a step says nothing about the computer's speed."""
        ...

    @property
    def wants_request(self) -> bool:
        """Whether the next step could be different if one more request were known."""
        ...

    @property
    def has_work(self) -> bool:
        """Whether any request is waiting or being answered."""
        ...

    def submit(self, request: Request) -> None:
        """Queue a request; its events come from ``step``."""
        ...

    def cancel_all(self) -> None:
        """Forget every request, without events."""
        ...

    def step(self) -> list[BackendEvent]:
        """Advance every request under way by one step and return what happened; one chunk of text for each token."""
        ...

    def close(self) -> None:
        """Free the memory."""
        ...
