"""One measured figure with its goal."""

import operator
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue

_COMPARE = {"at least": operator.ge, "at most": operator.le, "below": operator.lt}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A result as ``make bench`` prints it."""

    name: str
    value: float
    unit: str
    comparison: Literal["at least", "at most", "below"]
    goal: float
    details: dict[str, JsonValue] = field(default_factory=dict)
    """What the value was computed from."""

    @property
    def reached(self) -> bool:
        """Whether the goal is met."""
        return bool(_COMPARE[self.comparison](self.value, self.goal))

    def as_json(self) -> dict[str, JsonValue]:
        """The figure for people and programs; the value to four significant digits."""
        return {
            "name": self.name,
            "value": float(f"{self.value:.4g}"),
            "unit": self.unit,
            "goal": f"{self.comparison} {self.goal:g}",
            "reached": self.reached,
            "details": self.details,
        }


def ratio_of_medians(
    name: str, goal: float, *, ours: Callable[[], float], theirs: Callable[[], float], repetitions: int
) -> Figure:
    """Measure two things in turns, so that a busy moment of the computer hits both, and compare their medians.

    Args:
        name: Of the figure.
        goal: Highest ratio of ours to theirs that is good enough.
        ours: Measures once, in seconds.
        theirs: Measures once, in seconds.
        repetitions: Measurements of each; one more of each comes first and is thrown away.
    """
    pairs = [(ours(), theirs()) for _ in range(repetitions + 1)][1:]
    our_median, their_median = (statistics.median(times) for times in zip(*pairs, strict=True))
    return Figure(
        name=name,
        value=our_median / their_median,
        unit="times",
        comparison="at most",
        goal=goal,
        details={"ours_s": _rounded([pair[0] for pair in pairs]), "compared_s": _rounded([pair[1] for pair in pairs])},
    )


def _rounded(times_s: Sequence[float]) -> list[JsonValue]:
    return [round(time_s, 4) for time_s in times_s]
