from collections.abc import Iterator

import pytest

from tests.helpers.asking import question
from workbench.domain.llm import (
    Answer,
    AnswerFlag,
    FailureCode,
    FinishReason,
    Request,
    RequestId,
    Slowed,
    TextChunk,
)
from workbench.errors import WorkerProtocolError
from workbench.inference.backends.base import BackendEvent
from workbench.inference.ledger import MAX_FAILURES, Ledger


def answer_to(number: int) -> Answer:
    return Answer(
        request_id=RequestId(number),
        text="a",
        raw=b"a",
        finish_reason=FinishReason.STOP,
        prompt="p",
        prompt_sha256="",
        n_prompt_tokens=1,
        n_tokens=1,
        duration_s=0.0,
    )


def ids(requests: list[Request | None]) -> list[int | None]:
    return [None if request is None else request.id for request in requests]


def sent(ledger: Ledger) -> list[int | None]:
    return ids(list(ledger.to_send()))


def test_requests_are_taken_as_late_as_possible() -> None:
    taken: list[int] = []

    def source() -> Iterator[Request]:
        for number in range(5):
            taken.append(number)
            yield question(number)

    ledger = Ledger(source(), limit=3)
    assert sent(ledger) == taken == [0, 1, 2]
    assert sent(ledger) == []
    ledger.received([answer_to(1)])
    assert sent(ledger) == [3]
    assert taken == [0, 1, 2, 3]


def test_the_end_is_told_once() -> None:
    ledger = Ledger([question(0), question(1)], limit=3)
    assert sent(ledger) == [0, 1, None]
    ledger.received([answer_to(0)])
    assert sent(ledger) == []


def test_suspects_are_asked_one_by_one_in_order_and_flagged() -> None:
    ledger = Ledger([question(number) for number in range(4)], limit=3)
    sent(ledger)
    assert ledger.worker_failed() == []
    for number in range(3):
        assert sent(ledger) == [number, None]
        assert sent(ledger) == []
        (answer,) = ledger.received([answer_to(number)])
        assert isinstance(answer, Answer)
        assert answer.flags == (AnswerFlag.ANSWERED_ALONE,)
    assert sent(ledger) == [3, None]
    assert ledger.received([answer_to(3)]) == (answer_to(3),)
    assert (sent(ledger), ledger.n_at_worker) == ([], 0)


def test_a_request_that_keeps_failing_the_worker_is_given_up() -> None:
    ledger = Ledger([question(0), question(1)], limit=3)
    sent(ledger)
    for _ in range(MAX_FAILURES - 1):
        assert ledger.worker_failed() == []
        assert sent(ledger) == [0, None]
    (given_up,) = ledger.worker_failed()
    assert (given_up.request_id, given_up.code) == (0, FailureCode.WORKER_KILLED_REPEATEDLY)
    assert sent(ledger) == [1, None]


def test_what_was_not_asked_is_no_answer() -> None:
    ledger = Ledger([question(0), question(1)], limit=3)
    sent(ledger)
    step: list[BackendEvent] = [
        TextChunk(request_id=RequestId(0), text="a"),
        answer_to(0),
        Slowed(share=0.5, reason="busy"),
    ]
    assert ledger.received(step) == tuple(step)
    for wrong in ((0,), (1, 1), (1, 2)):
        with pytest.raises(WorkerProtocolError, match="not asked"):
            ledger.received([answer_to(number) for number in wrong])
    assert ledger.n_at_worker == 1  # nothing of a wrong message counts, so question 1 is asked again


def test_an_id_used_twice_is_a_fault_of_the_caller() -> None:
    ledger = Ledger([question(0), question(0)], limit=3)
    with pytest.raises(ValueError, match="twice"):
        sent(ledger)
