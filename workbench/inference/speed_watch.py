"""Notices that a run has become slow, from the time its steps take; it never influences what is computed."""

import math
import statistics
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Final

from workbench.domain.llm import Slowed

_SLICE_S: Final = 1.0
"""Steps are judged in slices of at least so much computing time."""
_LITTLE_SHARE: Final = 0.6
"""Below it, the compute threads get too little of the processor."""
_ENOUGH_SHARE: Final = 0.75
_OTHERS_PART: Final = 0.5
"""Other programs must have at least so much of what the compute threads lack."""
_N_SLICES_LITTLE: Final = 5
_SLOW_PACE: Final = 0.5
"""Below it, steps take more than twice the time that steps of their size once took."""
_USUAL_PACE: Final = 0.65
_N_SLICES_SLOW: Final = 10
_N_SLICES_OVER: Final = 3
_N_MEDIAN: Final = 5
_BUCKETS_PER_DOUBLING: Final = 4

_TAKEN = "Other programs take the processor. Close them, or let the run go on at this speed; its answers are the same."
_SLOWER = (
    "Steps take more than twice as long as before: the computer may be hot, saving power, or short of memory. The run "
    "goes on at this speed; its answers are the same."
)


class SpeedWatch:
    """Decides from steps whether the computer is slow; says so once when it begins and once when it is over.

    Args:
        n_threads: Compute threads whose share of the processor is watched; ``None`` where an accelerator computes and
            the processor waits for it.
        busy_cores: How many processors all programs together kept busy since it was last called.
    """

    def __init__(self, n_threads: int | None, busy_cores: Callable[[], float]) -> None:
        self._n_threads = n_threads
        self._busy_cores = busy_cores
        self._best_s: dict[int, float] = {}
        """By size of step, the smallest median time of a few such steps in a row."""
        self._recent_s: defaultdict[int, deque[float]] = defaultdict(lambda: deque(maxlen=_N_MEDIAN))
        self._taken = _Condition(_LITTLE_SHARE, _ENOUGH_SHARE, _N_SLICES_LITTLE)
        self._slower = _Condition(_SLOW_PACE, _USUAL_PACE, _N_SLICES_SLOW)
        self._slow = False
        self._begin_slice()

    def add(self, n_tokens: int, wall_s: float, processor_s: float) -> Slowed | None:
        """Take a step into account.

        Args:
            n_tokens: Tokens decoded in it, above 0.
            wall_s: How long it took.
            processor_s: Processor time of all threads of this process in it.
        """
        size = round(_BUCKETS_PER_DOUBLING * math.log2(n_tokens))
        recent = self._recent_s[size]
        recent.append(wall_s)
        if len(recent) == _N_MEDIAN:
            self._best_s[size] = min(self._best_s.get(size, math.inf), statistics.median(recent))
        self._wall_s += wall_s
        self._processor_s += processor_s
        self._expected_s += self._best_s.get(size, wall_s)
        return self._end_slice() if self._wall_s >= _SLICE_S else None

    def rest(self) -> Slowed | None:
        """Nothing is computed for now: what was seen just before says nothing about the next step."""
        self._begin_slice()
        self._taken.clear()
        self._slower.clear()
        return self._said()

    def _begin_slice(self) -> None:
        self._wall_s = self._processor_s = self._expected_s = 0.0

    def _end_slice(self) -> Slowed | None:
        if self._n_threads is not None:
            self._taken.add(self._share_left_by_others(self._n_threads))
        self._slower.add(self._expected_s / self._wall_s)
        self._begin_slice()
        return self._said()

    def _share_left_by_others(self, n_threads: int) -> float:
        """The share of the processor that the compute threads got; 1 if it was not others who had the rest.

        Many threads that share little work wait for each other, also on a quiet computer.
        """
        own_cores = self._processor_s / self._wall_s
        others_cores = self._busy_cores() - own_cores
        return own_cores / n_threads if others_cores >= _OTHERS_PART * (n_threads - own_cores) else 1.0

    def _said(self) -> Slowed | None:
        """What to say if slowness has just begun or ended."""
        slow = self._taken.holds or self._slower.holds
        if slow == self._slow:
            return None
        self._slow = slow
        if self._taken.holds:
            return Slowed(share=self._taken.last, reason=_TAKEN)
        return Slowed(share=self._slower.last, reason=_SLOWER) if slow else Slowed(share=1.0, reason="")


class _Condition:
    """Begins after so many values in a row below a threshold, ends after a few above a higher one."""

    def __init__(self, below: float, above: float, n_to_begin: int) -> None:
        self._below = below
        self._above = above
        self._n_to_begin = n_to_begin
        self.clear()

    def clear(self) -> None:
        self.holds = False
        self.last = 1.0
        self._n_in_a_row = 0

    def add(self, value: float) -> None:
        self.last = value
        contrary = value >= self._above if self.holds else value < self._below
        self._n_in_a_row = self._n_in_a_row + 1 if contrary else 0
        if self._n_in_a_row >= (_N_SLICES_OVER if self.holds else self._n_to_begin):
            self.holds = not self.holds
            self._n_in_a_row = 0
