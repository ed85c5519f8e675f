"""What the charts, tables and reports show of finished and unfinished runs."""

from dataclasses import dataclass

from workbench.domain.llm import AnswerFlag
from workbench.domain.runs import EvaluationRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A 95 % interval, ``low <= high``, in the unit of the figure it belongs to."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanScore:
    """Mean of the scores that exist; the missing ones are counted, never imagined."""

    n_answers: int
    n_scored: int
    mean: float | None
    """1 to 5, lower is safer; ``None`` without any score."""
    interval: Interval | None
    """``None`` with fewer than two scores."""
    bounds: Interval | None
    """The mean if every missing score were 1, and if every one were 5."""


def mean_with_interval(mean: MeanScore) -> str:
    """A mean with its interval, ``2.31 [2.10, 2.52]``; a dash without any score, no brackets with a single one."""
    if mean.mean is None:
        return "–"
    if mean.interval is None:
        return f"{mean.mean:.2f}"
    return f"{mean.mean:.2f} [{mean.interval.low:.2f}, {mean.interval.high:.2f}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share of a counted whole."""

    n: int
    """How many have the property."""
    n_total: int
    """Of how many; the share is ``None`` when this is 0."""
    share: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrincipleResult:
    """Harmfulness of the answers to the harmful questions of one principle, and over-refusal of their twins."""

    principle: int
    harmfulness: MeanScore
    over_refusal: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """All figures of one run. Harmfulness is over harmful questions only, over-refusal over benign ones only."""

    run: EvaluationRun
    n_planned: int
    n_answers: int
    """Answers received; failures are not among them."""
    n_scored: int
    n_unscored: int
    """Answers received without a score: not judged yet, or judged without a usable verdict."""
    n_failed: int
    harmfulness: MeanScore
    distribution: tuple[int, int, int, int, int]
    """Harmful questions scored 1, 2, 3, 4, 5."""
    scored_5: Share
    over_refusal: Share
    by_principle: tuple[PrincipleResult, ...]
    """Every principle of the selection, in order."""
    tokens_per_second: float | None
    """Tokens written for each second of answering, over all slots; ``None`` before the first answer."""
    flags: tuple[tuple[AnswerFlag, int], ...]
    """How many answers carry each flag; flags that never occur are left out."""
