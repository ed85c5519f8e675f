"""Which requests are where, so that each gets exactly one final event however often the worker fails."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from workbench.domain.llm import (
    Answer,
    AnswerFlag,
    FailureCode,
    Request,
    RequestFailure,
    RequestId,
    ScoreReply,
    Slowed,
    TextChunk,
)
from workbench.errors import WorkerProtocolError
from workbench.inference.backends.base import BackendEvent

MAX_FAILURES = 3
"""A request under way at so many failures of the worker is given up."""


class Ledger:
    """The requests of one run of a session.

    At first the worker has up to ``limit`` requests. After a failure, those it had become suspects and are asked one
    by one, so that a request that brings the worker down does so alone; then things go on as before.

    Args:
        requests: Taken one at a time, as late as possible.
        limit: Requests at the worker at the same time; more than its slots, so that it never waits.
    """

    def __init__(self, requests: Iterable[Request], limit: int) -> None:
        self._source = iter(requests)
        self._limit = limit
        self._exhausted = False
        self._at_worker: dict[RequestId, Request] = {}
        self._suspects: deque[Request] = deque()
        self._alone = False
        self._failures: Counter[RequestId] = Counter()

    @property
    def n_at_worker(self) -> int:
        """How many requests the worker has."""
        return len(self._at_worker)

    def to_send(self) -> Iterator[Request | None]:
        """Requests the worker should get now, in order; ``None`` where it need not wait for another one."""
        if self._alone and self._at_worker:
            return
        self._alone = bool(self._suspects)
        if self._suspects:
            yield self._handed(self._suspects.popleft())
            yield None
            return
        while not self._exhausted and len(self._at_worker) < self._limit:
            request = next(self._source, None)
            if request is None:
                self._exhausted = True
                yield None
            else:
                yield self._handed(request)

    def refuse(self, request: Request, message: str) -> RequestFailure:
        """Take back a request that could not be sent; its final event."""
        del self._at_worker[request.id]
        return RequestFailure(request_id=request.id, code=FailureCode.TEMPLATE_FAILED, message=message)

    def received(self, events: Sequence[BackendEvent]) -> tuple[BackendEvent, ...]:
        """Note what the worker said happened in one step; what to tell the caller.

        Raises:
            WorkerProtocolError: If the worker was not asked one of these; then none of them is noted.
        """
        finals = [event.request_id for event in events if not isinstance(event, TextChunk | Slowed)]
        asked = self._at_worker.keys()
        known = all(isinstance(event, Slowed) or event.request_id in asked for event in events)
        if not known or len(set(finals)) < len(finals):
            raise WorkerProtocolError(
                "The worker answered a question that it was not asked.",
                safe="Everything stored so far is kept.",
                todo="If this happens again, install the program again.",
                detail=f"finished requests: {finals}; asked: {list(asked)}",
            )
        for request_id in finals:
            del self._at_worker[request_id]
        return tuple(map(self._marked, events)) if self._alone else tuple(events)

    def worker_failed(self) -> list[RequestFailure]:
        """Turn what the worker had into suspects; final events of the requests that are given up."""
        given_up: list[RequestFailure] = []
        suspects: list[Request] = []
        for request in self._at_worker.values():
            self._failures[request.id] += 1
            if self._failures[request.id] < MAX_FAILURES:
                suspects.append(request)
            else:
                given_up.append(_given_up(request))
        self._at_worker.clear()
        self._suspects.extendleft(reversed(suspects))
        return given_up

    def _marked(self, event: BackendEvent) -> BackendEvent:
        if isinstance(event, Answer | ScoreReply):
            return replace(event, flags=(*event.flags, AnswerFlag.ANSWERED_ALONE))
        return event

    def _handed(self, request: Request) -> Request:
        if request.id in self._at_worker:
            raise ValueError(f"request id {request.id} is used twice")
        self._at_worker[request.id] = request
        return request


def _given_up(request: Request) -> RequestFailure:
    return RequestFailure(
        request_id=request.id,
        code=FailureCode.WORKER_KILLED_REPEATEDLY,
        message=f"The worker failed {MAX_FAILURES} times while this was being answered, so it was left out. "
        "Everything else was asked. Try another model file or a shorter text.",
    )
