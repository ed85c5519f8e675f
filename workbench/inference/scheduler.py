"""Continuous batching: which tokens of which requests are decoded together.

Each request under way has a sequence of its own in the decoder (its slot). A step decodes one more token of every
request that is writing and fills the rest of the batch with prompts still to be read, long ones over several steps.
A beginning that requests have in common is decoded once into a further sequence and copied from there.

Nothing here knows the clock, the decoder's library or what the tokens mean: the plan depends only on the order and the
tokens of the requests, so that equal runs put equal batches together and get equal text.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

Logits = npt.NDArray[np.float32]
"""One value for each token of the vocabulary; valid until the next decode."""

N_PREFIXES = 4
"""Sequences kept for shared beginnings."""

_SHORTEST_PREFIX = 16
"""Copying fewer tokens than this is not worth its bookkeeping."""


class BatchToken(NamedTuple):
    """One token to decode."""

    token: int
    position: int
    sequence: int
    wants_logits: bool


class Decoder(Protocol):
    """Holds what was decoded of each sequence and computes what comes next."""

    def decode(self, batch: Sequence[BatchToken]) -> Sequence[Logits]:
        """Append the tokens to their sequences; one row for each token that wants logits, in order.

        Raises:
            DecodeError: If the computation failed; what the sequences hold is then unknown.
        """
        ...

    def copy(self, source: int, target: int, n_tokens: int) -> None:
        """Let an empty sequence begin with the first tokens of another."""
        ...

    def truncate(self, sequence: int, n_tokens: int) -> None:
        """Keep only the first tokens of a sequence."""
        ...

    def clear(self) -> None:
        """Empty every sequence."""
        ...


class DecodeError(Exception):
    """A step could not be computed."""


@dataclass(frozen=True, slots=True)
class Continuation:
    """How a sequence goes on."""

    n_kept: int
    """How many of its tokens stay as they are."""
    tokens: tuple[int, ...]
    """What follows them; at least one."""


class Writer(Protocol):
    """One request: knows its prompt and decides, from the logits after its last token, how it goes on."""

    @property
    def prompt_tokens(self) -> Sequence[int]:
        """At least one."""
        ...

    @property
    def max_length_tokens(self) -> int:
        """The most tokens its sequence will ever hold; not above the context of a request."""
        ...

    def begin(self) -> None:
        """Called once, on admission to a slot."""
        ...

    def advance(self, logits: Logits) -> Continuation | None:
        """Called with the logits after the last token; ``None`` ends the request."""
        ...


WriterT = TypeVar("WriterT", bound=Writer)


@dataclass(slots=True, eq=False, kw_only=True)
class _Lane:
    """A sequence of the decoder and what it shall hold."""

    sequence: int
    tokens: list[int]
    n_cached: int = 0
    source: "_Prefix | None" = None
    """Where the first ``n_shared`` tokens will be copied from as soon as they are there."""
    n_shared: int = 0

    @property
    def n_pending(self) -> int:
        """Tokens that can be decoded now."""
        return 0 if self.source is not None else len(self.tokens) - self.n_cached

    def share(self, source: "_Prefix", n_tokens: int) -> None:
        self.source, self.n_shared = source, n_tokens


@dataclass(slots=True, eq=False, kw_only=True)
class _Prefix(_Lane):
    """A beginning that several requests have in common."""

    last_used: int = 0


@dataclass(slots=True, eq=False, kw_only=True)
class _Slot(_Lane, Generic[WriterT]):
    """A request under way."""

    writer: WriterT


class Scheduler(Generic[WriterT]):
    """Runs requests through a decoder, ``n_slots`` at a time, in order.

    Args:
        decoder: Has ``n_slots + N_PREFIXES`` sequences and room for ``(n_slots + 1) * context_tokens`` tokens.
        n_slots: Requests under way at the same time.
        context_tokens: Upper bound of every request's ``max_length_tokens``.
        n_batch: Tokens in one step at most; raised to one for every sequence.
        partial_sequences: Whether the decoder can copy and keep a part of a sequence; recurrent llms cannot.
    """

    def __init__(
        self, decoder: Decoder, *, n_slots: int, context_tokens: int, n_batch: int, partial_sequences: bool = True
    ) -> None:
        self._decoder = decoder
        self._n_slots = n_slots
        self._n_cells = (n_slots + 1) * context_tokens
        self._n_batch = max(n_batch, n_slots + N_PREFIXES)
        self._partial_sequences = partial_sequences
        self._waiting: deque[WriterT] = deque()
        self._slots: list[_Slot[WriterT]] = []  # in order of admission, like the prefixes
        self._prefixes: list[_Prefix] = []
        self._n_uses = 0

    @property
    def wants_request(self) -> bool:
        """Whether the next step could be different if one more request were known.

        Every free slot takes a request and looks at the one behind it for a common beginning.
        """
        n_free = self._n_slots - len(self._slots)
        return n_free > 0 and len(self._waiting) < n_free + 1

    @property
    def has_work(self) -> bool:
        """Whether any request is waiting or under way."""
        return bool(self._waiting or self._slots)

    def submit(self, writer: WriterT) -> None:
        """Queue a request."""
        self._waiting.append(writer)

    def abandon_running(self) -> list[WriterT]:
        """Forget the requests under way and everything decoded; those waiting stay. Returns the forgotten."""
        writers = [slot.writer for slot in self._slots]
        self._clear()
        return writers

    def cancel_all(self) -> None:
        """Forget every request and everything decoded."""
        self._waiting.clear()
        self._clear()

    def step(self) -> None:
        """Decode one batch and let every request whose tokens are all decoded go on.

        Raises:
            DecodeError: From the decoder; only ``abandon_running`` and ``cancel_all`` may follow.
        """
        self._admit()
        self._copy_prefixes()
        batch, ready = self._next_batch()
        if batch:
            for slot, logits in zip(ready, self._decoder.decode(batch), strict=True):
                self._advance(slot, logits)
        if not self.has_work:
            self._clear()  # the next run starts as this one did, so that it can repeat it exactly

    def _clear(self) -> None:
        self._slots.clear()
        self._prefixes.clear()
        self._n_uses = 0
        self._decoder.clear()

    def _admit(self) -> None:
        free = sorted(set(range(self._n_slots)) - {slot.sequence for slot in self._slots})
        for sequence in free:
            if not self._waiting or not self._make_room(self._waiting[0].max_length_tokens):
                return
            writer = self._waiting.popleft()
            slot = _Slot(sequence=sequence, tokens=list(writer.prompt_tokens), writer=writer)
            self._slots.append(slot)
            if self._partial_sequences:
                self._find_prefix(slot, self._waiting[0].prompt_tokens if self._waiting else ())
            writer.begin()

    def _find_prefix(self, slot: _Slot[WriterT], following: Sequence[int]) -> None:
        """Let the slot begin with the longest known prefix, or with a new one if that is clearly longer."""
        limit = len(slot.tokens) - 1  # the last token is decoded in the slot itself, for its logits
        source, n_shared = self._longest_prefix(slot.tokens[:limit])
        n_ahead = n_common(slot.tokens[:limit], following[:-1])
        if n_ahead >= _SHORTEST_PREFIX and n_ahead > 1.5 * n_shared + _SHORTEST_PREFIX:
            prefix = self._new_prefix(slot.tokens[:n_ahead], source, n_shared)
            if prefix is not None:
                source, n_shared = prefix, n_ahead
        if source is not None:
            slot.share(source, n_shared)
            self._touch(source)

    def _longest_prefix(self, tokens: Sequence[int]) -> tuple[_Prefix | None, int]:
        lengths = [(n_common(prefix.tokens, tokens), prefix) for prefix in self._prefixes]
        n_shared, best = max(lengths, key=lambda entry: entry[0], default=(0, None))
        return (best, n_shared) if n_shared >= _SHORTEST_PREFIX else (None, 0)

    def _new_prefix(self, tokens: list[int], source: _Prefix | None, n_shared: int) -> _Prefix | None:
        """A prefix to be decoded, itself begun from a shorter one; ``None`` if there is no room for it."""
        if len(self._prefixes) == N_PREFIXES and not self._evict(spared=source):
            return None
        if not self._make_room(len(tokens), spared=source):
            return None
        taken = {prefix.sequence for prefix in self._prefixes}
        sequence = min(set(range(self._n_slots, self._n_slots + N_PREFIXES)) - taken)
        prefix = _Prefix(sequence=sequence, tokens=tokens)
        if source is not None:
            prefix.share(source, n_shared)
            self._touch(source)
        self._prefixes.append(prefix)
        return prefix

    def _make_room(self, n_tokens: int, spared: _Prefix | None = None) -> bool:
        """Evict prefixes until so many more tokens fit; false if that must wait for prefixes in use."""
        while True:
            n_reserved = sum(slot.writer.max_length_tokens for slot in self._slots)
            n_reserved += sum(len(prefix.tokens) for prefix in self._prefixes)
            if n_reserved + n_tokens <= self._n_cells:
                return True
            if not self._evict(spared):
                return False

    def _evict(self, spared: _Prefix | None = None) -> bool:
        """Forget the prefix that was used longest ago and is not needed any more; false if there is none."""
        needed = {lane.source for lane in self._lanes()} | {spared}
        idle = [prefix for prefix in self._prefixes if prefix not in needed]
        if not idle:
            return False
        oldest = min(idle, key=lambda prefix: prefix.last_used)
        self._prefixes.remove(oldest)
        self._decoder.truncate(oldest.sequence, 0)
        return True

    def _touch(self, prefix: _Prefix) -> None:
        self._n_uses += 1
        prefix.last_used = self._n_uses

    def _lanes(self) -> list[_Prefix | _Slot[WriterT]]:
        return [*self._prefixes, *self._slots]

    def _copy_prefixes(self) -> None:
        for lane in self._lanes():
            if lane.source is not None and lane.source.n_cached >= lane.n_shared:
                self._decoder.copy(lane.source.sequence, lane.sequence, lane.n_shared)
                lane.n_cached, lane.source = lane.n_shared, None

    def _next_batch(self) -> tuple[list[BatchToken], list[_Slot[WriterT]]]:
        """The tokens of this step, and the slots whose logits will come back, in the same order."""
        batch: list[BatchToken] = []
        ready: list[_Slot[WriterT]] = []
        # Those that write go first: a long prompt must not keep them waiting.
        for lane in sorted(self._lanes(), key=lambda lane: lane.n_pending > 1):
            end = lane.n_cached + min(lane.n_pending, self._n_batch - len(batch))
            if end == lane.n_cached:
                continue
            for position in range(lane.n_cached, end):
                batch.append(BatchToken(lane.tokens[position], position, lane.sequence, wants_logits=False))
            lane.n_cached = end
            if isinstance(lane, _Slot) and end == len(lane.tokens):
                batch[-1] = batch[-1]._replace(wants_logits=True)
                ready.append(lane)
        return batch, ready

    def _advance(self, slot: _Slot[WriterT], logits: Logits) -> None:
        continuation = slot.writer.advance(logits)
        if continuation is None:
            self._slots.remove(slot)
            self._decoder.truncate(slot.sequence, 0)
            return
        if continuation.n_kept < slot.n_cached:
            slot.n_cached = continuation.n_kept if self._partial_sequences else 0
            self._decoder.truncate(slot.sequence, slot.n_cached)
        slot.tokens[continuation.n_kept :] = continuation.tokens


def n_common(left: Sequence[int], right: Sequence[int]) -> int:
    """How many tokens two sequences have in common at their start."""
    for index, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return index
    return min(len(left), len(right))
