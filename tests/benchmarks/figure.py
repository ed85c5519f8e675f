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
    value: float | None
    """``None`` if it could not be measured; ``details`` say why."""
    unit: str
    comparison: Literal["at least", "at most", "below"]
    goal: float
    details: dict[str, JsonValue] = field(default_factory=dict)
    """What the value was computed from."""

    @property
    def reached(self) -> bool | None:
        """Whether the goal is met; ``None`` if nobody knows."""
        return None if self.value is None else bool(_COMPARE[self.comparison](self.value, self.goal))

    def as_json(self) -> dict[str, JsonValue]:
        """The figure for people and programs; the value to four significant digits."""
        return {
            "name": self.name,
            "value": None if self.value is None else float(f"{self.value:.4g}"),
            "unit": self.unit,
            "goal": f"{self.comparison} {self.goal:g}",
            "reached": self.reached,
            "details": self.details,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Our way against another, by turns, so that a busy moment of the computer hits both.

    The figure is the median of the rounds' ratios.
    """

    name: str
    goal: float
    """Lowest ratio that is good enough; above 1 where ours is faster."""

    def figure(self, ratios: Sequence[float], **details: JsonValue) -> Figure:
        """What was measured; one ratio for each round."""
        rounds: list[JsonValue] = [round(ratio, 3) for ratio in ratios]
        return self._with(statistics.median(ratios), {"ratios": rounds, **details})

    def not_measured(self, reason: Exception) -> Figure:
        """What is said where the other way is missing."""
        return self._with(None, {"not_measured": str(reason)})

    def _with(self, value: float | None, details: dict[str, JsonValue]) -> Figure:
        return Figure(name=self.name, value=value, unit="times", comparison="at least", goal=self.goal, details=details)


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
