"""An engine whose answers wait until a test lets them through."""

import threading
from dataclasses import dataclass, field

from tests.helpers.fake_engine import Reply, polite
from workbench.domain.llm import GenerateRequest, Request, SessionEvent

_LIMIT_S = 20.0


@dataclass
class Gate:
    """Lets a counted number of answers through; judgements are not held."""

    reply: Reply = polite
    _free: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def let_through(self, n_answers: int) -> None:
        """Allow so many more answers."""
        self._free.release(n_answers)

    def __call__(self, request: Request) -> SessionEvent:
        if isinstance(request, GenerateRequest) and not self._free.acquire(timeout=_LIMIT_S):
            raise TimeoutError("The test never let this answer through.")
        return self.reply(request)
