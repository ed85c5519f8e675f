"""The batching plan against a decoder that remembers which tokens each sequence can see."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.inference.scheduler import (
    N_PREFIXES,
    BatchToken,
    Continuation,
    DecodeError,
    Logits,
    Scheduler,
    n_common,
)

CONTEXT = 96


class RememberingDecoder:
    """Keeps the cells of each sequence; the "logits" of a token are all tokens that it can see."""

    def __init__(self, n_slots: int, n_batch: int, n_cells: int | None = None) -> None:
        self.n_cells = n_cells or (n_slots + 1) * CONTEXT
        self.n_batch = max(n_batch, n_slots + N_PREFIXES)
        self.sequences: list[list[tuple[int, int]]] = [[] for _ in range(n_slots + N_PREFIXES)]
        self.log: list[object] = []
        self.n_decoded = 0
        self.fails = False

    def decode(self, batch: Sequence[BatchToken]) -> list[Logits]:
        if self.fails:
            raise DecodeError
        assert 0 < len(batch) <= self.n_batch
        self.log.append(tuple(batch))
        rows = []
        for entry in batch:
            assert entry.position == len(self.sequences[entry.sequence])
            self.sequences[entry.sequence].append((self.n_decoded, entry.token))
            self.n_decoded += 1
            if entry.wants_logits:
                rows.append(np.array([token for _, token in self.sequences[entry.sequence]], dtype=np.float32))
        assert len({cell for sequence in self.sequences for cell in sequence}) <= self.n_cells
        return rows

    def copy(self, source: int, target: int, n_tokens: int) -> None:
        assert not self.sequences[target]
        assert len(self.sequences[source]) >= n_tokens
        self.log.append(("copy", source, target, n_tokens))
        self.sequences[target] = self.sequences[source][:n_tokens]

    def truncate(self, sequence: int, n_tokens: int) -> None:
        self.log.append(("truncate", sequence, n_tokens))
        del self.sequences[sequence][n_tokens:]

    def clear(self) -> None:
        for sequence in self.sequences:
            sequence.clear()


@dataclass
class ExpectingWriter:
    """Follows a fixed course and checks at every turn that the decoder saw exactly its tokens."""

    prompt: list[int]
    turns: list[tuple[int, list[int]]]
    """What follows each look at the logits: tokens dropped from the end, tokens added."""
    n_common: int = 0
    """Tokens of the prompt that other prompts begin with as well: these are never dropped."""
    n_begun: int = 0
    n_finished: int = 0
    tokens: list[int] = field(default_factory=list)
    n_turns: int = 0

    @property
    def prompt_tokens(self) -> Sequence[int]:
        return self.prompt

    @property
    def max_length_tokens(self) -> int:
        return CONTEXT

    def begin(self) -> None:
        self.n_begun += 1
        self.tokens = list(self.prompt)

    def advance(self, logits: Logits) -> Continuation | None:
        assert logits.tolist() == self.tokens
        if self.n_turns == len(self.turns):
            self.n_finished += 1
            return None
        n_dropped, added = self.turns[self.n_turns]
        self.n_turns += 1
        n_kept = min(max(self.n_common, len(self.tokens) - n_dropped), CONTEXT - 1)
        added = added[: CONTEXT - n_kept]
        self.tokens = self.tokens[:n_kept] + added
        return Continuation(n_kept, tuple(added))


SHARED = st.sampled_from([[], [1] * 20, [1] * 20 + [2] * 30, [3] * 40, [3] * 40 + [4] * 20, [5] * 18])
PROMPTS = st.builds(lambda shared, own: shared + own, SHARED, st.lists(st.integers(0, 3), min_size=1, max_size=36))
TURNS = st.lists(st.tuples(st.sampled_from([0, 0, 0, 1, 5, 70]), st.lists(st.integers(0, 9), min_size=1, max_size=9)))
REQUESTS = st.lists(st.tuples(PROMPTS, TURNS), min_size=1, max_size=12)


def play(
    requests: list[tuple[list[int], list[tuple[int, list[int]]]]],
    n_slots: int,
    n_batch: int,
    *,
    eager: int = 0,
    partial_sequences: bool = True,
    n_cells: int | None = None,
) -> tuple[list[ExpectingWriter], RememberingDecoder]:
    """Run all requests; ``eager`` more of them arrive early than the scheduler asks for."""
    decoder = RememberingDecoder(n_slots, n_batch, n_cells)
    scheduler: Scheduler[ExpectingWriter] = Scheduler(
        decoder, n_slots=n_slots, n_cells=decoder.n_cells, n_batch=n_batch, partial_sequences=partial_sequences
    )
    writers = [
        ExpectingWriter(
            list(prompt),
            list(turns),
            n_common=max((n_common(prompt, other) for other, _ in requests if other is not prompt), default=0),
        )
        for prompt, turns in requests
    ]
    coming = iter(writers)
    for writer in writers[:eager]:
        scheduler.submit(next(coming, writer))
    exhausted = False
    n_steps = 0
    while scheduler.has_work or not exhausted:
        while scheduler.wants_request and not exhausted:
            following = next(coming, None)
            exhausted = following is None
            if following is not None:
                scheduler.submit(following)
        scheduler.step()
        n_steps += 1
        assert n_steps < 5000
    return writers, decoder


@settings(max_examples=80, deadline=None)
@given(REQUESTS, st.integers(1, 5), st.integers(1, 80), st.booleans(), st.integers(CONTEXT, 6 * CONTEXT))
def test_every_request_sees_its_own_tokens_and_finishes_once(
    requests: list[tuple[list[int], list[tuple[int, list[int]]]]],
    n_slots: int,
    n_batch: int,
    partial_sequences: bool,
    n_cells: int,
) -> None:
    writers, decoder = play(requests, n_slots, n_batch, partial_sequences=partial_sequences, n_cells=n_cells)
    assert all(writer.n_begun == writer.n_finished == 1 for writer in writers)
    assert not any(decoder.sequences)


@settings(max_examples=40, deadline=None)
@given(REQUESTS, st.integers(1, 4), st.integers(1, 80), st.integers(1, 12))
def test_the_plan_does_not_depend_on_when_requests_arrive(
    requests: list[tuple[list[int], list[tuple[int, list[int]]]]], n_slots: int, n_batch: int, eager: int
) -> None:
    _, on_demand = play(requests, n_slots, n_batch)
    _, early = play(requests, n_slots, n_batch, eager=eager)
    assert on_demand.log == early.log


def test_a_common_beginning_is_decoded_once() -> None:
    shared = list(range(100, 150))
    requests = [([*shared, n, n, n], [(0, [7]), (0, [8])]) for n in range(10)]
    _, decoder = play(requests, n_slots=3, n_batch=64)
    assert decoder.n_decoded == len(shared) + 10 * (3 + 2)


def test_several_answers_to_one_question_share_its_prompt() -> None:
    shared, question = list(range(100, 150)), list(range(200, 220))
    requests = [([*shared, *question, 7], [(0, [n]), (0, [n])]) for n in range(6)]
    requests += [([*shared, 8, 8, 8], [(0, [9])]) for _ in range(2)]
    _, decoder = play(requests, n_slots=4, n_batch=16)
    assert decoder.n_decoded <= len(shared) + len(question) + 6 * (1 + 2) + 2 + 2 * (1 + 1) + 1


def test_what_is_shared_counts_once() -> None:
    """Eight requests of which each could fill the context run together, because all but a few tokens are shared."""
    shared = list(range(100, 100 + CONTEXT - 10))
    requests = [([*shared, n], [(0, [n])] * 5) for n in range(8)]
    _, decoder = play(requests, n_slots=8, n_batch=32, n_cells=2 * CONTEXT)
    batches = [entry for entry in decoder.log if isinstance(entry, tuple) and isinstance(entry[0], BatchToken)]
    assert max(len({token.sequence for token in batch}) for batch in batches) == 8


def test_unrelated_prompts_build_no_prefix() -> None:
    requests = [([n] * 30, [(0, [1])]) for n in range(6)]
    _, decoder = play(requests, n_slots=2, n_batch=64)
    assert decoder.n_decoded == 6 * 31
    assert not [entry for entry in decoder.log if isinstance(entry, tuple) and entry[0] == "copy"]


def test_alternating_beginnings_are_all_kept() -> None:
    beginnings = [[n] * 24 for n in range(N_PREFIXES - 1)]
    requests: list[tuple[list[int], list[tuple[int, list[int]]]]] = [
        ([*beginning, 50, pair, ask], []) for pair in range(3) for beginning in beginnings for ask in range(2)
    ]
    _, decoder = play(requests, n_slots=2, n_batch=64)
    n_own = sum(len(prompt) - 24 for prompt, _ in requests)
    assert decoder.n_decoded <= len(beginnings) * 24 + n_own


def test_the_beginning_used_longest_ago_makes_way() -> None:
    beginnings = [*range(N_PREFIXES), 0, N_PREFIXES, 0]  # the first is used again before one more than are kept comes
    requests: list[tuple[list[int], list[tuple[int, list[int]]]]] = [
        ([*([50 + beginning] * 24), 90 + at, ask], []) for at, beginning in enumerate(beginnings) for ask in range(2)
    ]
    _, decoder = play(requests, n_slots=1, n_batch=64, n_cells=8 * CONTEXT)
    n_own = sum(len(prompt) - 24 for prompt, _ in requests)
    assert decoder.n_decoded <= (N_PREFIXES + 1) * 24 + n_own


def test_long_prompts_are_read_in_pieces_beside_running_answers() -> None:
    requests: list[tuple[list[int], list[tuple[int, list[int]]]]] = [
        ([1], [(0, [2])] * 20),
        ([3] * 90, []),
    ]
    _, decoder = play(requests, n_slots=2, n_batch=10)
    batches = [entry for entry in decoder.log if isinstance(entry, tuple) and isinstance(entry[0], BatchToken)]
    assert max(len(batch) for batch in batches) <= 10
    assert all(any(token.sequence == 0 for token in batch) for batch in batches[:20])


def test_wants_one_request_more_than_there_are_free_slots() -> None:
    scheduler: Scheduler[ExpectingWriter] = Scheduler(
        RememberingDecoder(2, 8), n_slots=2, n_cells=3 * CONTEXT, n_batch=8
    )
    for _ in range(3):
        assert scheduler.wants_request
        scheduler.submit(ExpectingWriter([1], [(0, [1])] * 3))
    assert not scheduler.wants_request
    scheduler.step()
    assert not scheduler.wants_request  # both slots are taken


def test_cancel_all_forgets_everything() -> None:
    decoder = RememberingDecoder(2, 8)
    scheduler: Scheduler[ExpectingWriter] = Scheduler(decoder, n_slots=2, n_cells=3 * CONTEXT, n_batch=8)
    for _ in range(4):
        scheduler.submit(ExpectingWriter([1] * 30, []))
    scheduler.step()
    scheduler.cancel_all()
    assert not scheduler.has_work
    assert not any(decoder.sequences)


def test_a_failed_step_costs_only_the_requests_under_way() -> None:
    decoder = RememberingDecoder(2, 8)
    scheduler: Scheduler[ExpectingWriter] = Scheduler(decoder, n_slots=2, n_cells=3 * CONTEXT, n_batch=8)
    writers = [ExpectingWriter([n], [(0, [1])] * 3) for n in range(4)]
    for writer in writers:
        scheduler.submit(writer)
    scheduler.step()
    decoder.fails = True
    with pytest.raises(DecodeError):
        scheduler.step()
    assert scheduler.abandon_running() == writers[:2]
    decoder.fails = False
    while scheduler.has_work:
        scheduler.step()
    assert [writer.n_finished for writer in writers] == [0, 0, 1, 1]
