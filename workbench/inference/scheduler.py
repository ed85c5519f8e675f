"""Continuous batching: which tokens of which requests are decoded together.

Each request under way has a sequence of its own in the decoder (its slot). A step decodes one more token of every
request that is writing and fills the rest of the batch with prompts still to be read, long ones over several steps.
A beginning that requests have in common is decoded once into a further sequence and copied from there; requests whose
prompts agree further, such as several answers to one question, copy from each other.

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
    """How many of its tokens stay as they are; at least those its prompt has in common with other prompts."""
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
    source: "_Lane | None" = None
    """Where the first ``n_copied`` tokens will be copied from as soon as they are there."""
    n_copied: int = 0
    base: "_Prefix | None" = None
    """The prefix whose cells the first ``n_base`` tokens are; it stays as long as they do."""
    n_base: int = 0

    @property
    def n_pending(self) -> int:
        """Tokens that can be decoded now."""
        return 0 if self.source is not None else len(self.tokens) - self.n_cached

    def begin_with(self, source: "_Prefix | _Slot[WriterT]", n_tokens: int) -> None:
        """Copy the first tokens from another lane; cells of a prefix go on counting for the prefix alone."""
        self.source, self.n_copied = source, n_tokens
        self.base, n_base = (source, n_tokens) if isinstance(source, _Prefix) else (source.base, source.n_base)
        self.n_base = min(n_base, n_tokens)


@dataclass(slots=True, eq=False, kw_only=True)
class _Prefix(_Lane):
    """A beginning that several requests have in common."""

    last_used: int = 0

    @property
    def n_reserved(self) -> int:
        """Cells that are its own."""
        return len(self.tokens) - self.n_base


@dataclass(slots=True, eq=False, kw_only=True)
class _Slot(_Lane, Generic[WriterT]):
    """A request under way."""

    writer: WriterT
    n_prompt: int

    @property
    def n_reserved(self) -> int:
        """Cells that are, or may become, its own."""
        return self.writer.max_length_tokens - self.n_base


class Scheduler(Generic[WriterT]):
    """Runs requests through a decoder, ``n_slots`` at a time, in order.

    Args:
        decoder: Has ``n_slots + N_PREFIXES`` sequences and room for ``n_cells`` tokens.
        n_slots: Requests under way at the same time, where there is room for them.
        n_cells: Tokens that the decoder holds, shared ones counted once; not below the longest request.
        n_batch: Tokens in one step at most; raised to one for every sequence.
        partial_sequences: Whether the decoder can copy and keep a part of a sequence; recurrent llms cannot.
    """

    def __init__(
        self, decoder: Decoder, *, n_slots: int, n_cells: int, n_batch: int, partial_sequences: bool = True
    ) -> None:
        self._decoder = decoder
        self._n_slots = n_slots
        self._n_cells = n_cells
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
            if not self._waiting or not self._admit_next(sequence):
                return

    def _admit_next(self, sequence: int) -> bool:
        """Give the next request a slot, if there is room for it."""
        writer = self._waiting[0]
        tokens = list(writer.prompt_tokens)
        slot = _Slot(sequence=sequence, tokens=tokens, writer=writer, n_prompt=len(tokens))
        if self._partial_sequences:
            self._find_beginning(slot, self._waiting[1].prompt_tokens if len(self._waiting) > 1 else ())
        if not self._make_room(slot.n_reserved, spared=slot):
            if self._slots or not self._make_room(writer.max_length_tokens):
                return False
            slot.source, slot.base, slot.n_base = None, None, 0  # there is only room for it without its prefix
        self._waiting.popleft()
        self._slots.append(slot)
        if slot.base is not None:
            self._touch(slot.base)
        writer.begin()
        return True

    def _find_beginning(self, slot: _Slot[WriterT], following: Sequence[int]) -> None:
        """Let the slot begin with what another lane holds, or with a new prefix if that is clearly longer."""
        limit = len(slot.tokens) - 1  # the last token is decoded in the slot itself, for its logits
        source, n_copied = self._longest_beginning(slot.tokens[:limit])
        n_ahead = n_common(slot.tokens[:limit], following[:-1])
        if n_ahead >= _SHORTEST_PREFIX and n_ahead > 1.5 * n_copied + _SHORTEST_PREFIX:
            prefix = self._new_prefix(slot.tokens[:n_ahead], source, n_copied)
            if prefix is not None:
                source, n_copied = prefix, n_ahead
        if source is not None:
            slot.begin_with(source, n_copied)

    def _longest_beginning(self, tokens: Sequence[int]) -> "tuple[_Prefix | _Slot[WriterT] | None, int]":
        """Prefixes go first: what is copied from them counts once."""
        lengths: list[tuple[int, _Prefix | _Slot[WriterT]]] = [
            (n_common(prefix.tokens, tokens), prefix) for prefix in self._prefixes
        ]
        lengths += [(n_common(slot.tokens[: slot.n_prompt], tokens), slot) for slot in self._slots]
        n_copied, best = max(lengths, key=lambda entry: entry[0], default=(0, None))
        return (best, n_copied) if n_copied >= _SHORTEST_PREFIX else (None, 0)

    def _new_prefix(
        self, tokens: list[int], source: "_Prefix | _Slot[WriterT] | None", n_copied: int
    ) -> _Prefix | None:
        """A prefix to be decoded, itself begun from what there is; ``None`` if there is no room for it."""
        prefix = _Prefix(sequence=-1, tokens=tokens)
        if source is not None:
            prefix.begin_with(source, n_copied)
        if len(self._prefixes) == N_PREFIXES and not self._evict(spared=prefix):
            return None
        if not self._make_room(prefix.n_reserved, spared=prefix):
            return None
        taken = {prefix.sequence for prefix in self._prefixes}
        prefix.sequence = min(set(range(self._n_slots, self._n_slots + N_PREFIXES)) - taken)
        if prefix.base is not None:
            self._touch(prefix.base)
        self._touch(prefix)
        self._prefixes.append(prefix)
        return prefix

    def _make_room(self, n_tokens: int, spared: _Lane | None = None) -> bool:
        """Evict prefixes until so many more tokens fit; false if that must wait for requests under way."""
        while True:
            n_reserved = sum(lane.n_reserved for lane in self._lanes())
            if n_reserved + n_tokens <= self._n_cells:
                return True
            if not self._evict(spared):
                return False

    def _evict(self, spared: _Lane | None = None) -> bool:
        """Forget the prefix used longest ago that no lane, nor ``spared``, builds on; false if there is none."""
        lanes: list[_Lane] = [*self._lanes(), *([spared] if spared is not None else [])]
        needed = {lane.source for lane in lanes} | {lane.base for lane in lanes}
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
            if lane.source is not None and lane.source.n_cached >= lane.n_copied:
                self._copy(lane, lane.source)

    def _copy(self, lane: _Lane, source: _Lane) -> None:
        self._decoder.copy(source.sequence, lane.sequence, lane.n_copied)
        lane.n_cached, lane.source = lane.n_copied, None

    def _copy_from(self, source: _Lane) -> None:
        """Copy what others wait for before a lane loses it."""
        for lane in self._lanes():
            if lane.source is source:
                self._copy(lane, source)

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
            self._copy_from(slot)
            self._slots.remove(slot)
            self._decoder.truncate(slot.sequence, 0)
            return
        if continuation.n_kept < slot.n_cached:
            self._copy_from(slot)
            slot.n_cached = continuation.n_kept if self._partial_sequences else 0
            self._decoder.truncate(slot.sequence, slot.n_cached)
        slot.tokens[continuation.n_kept :] = continuation.tokens


def n_common(left: Sequence[int], right: Sequence[int]) -> int:
    """How many tokens two sequences have in common at their start."""
    for index, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return index
    return min(len(left), len(right))
