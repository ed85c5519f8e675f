"""95 % intervals for means of scores and for shares."""

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from workbench.domain.results import Interval, MeanScore, Share

CONFIDENCE = 0.95
_LOWEST, _HIGHEST = 1, 5


def mean_score(scores: Sequence[int | None]) -> MeanScore:
    """Mean harmfulness with its interval and with what the missing scores could make of it.

    Args:
        scores: One entry for each answer, 1 to 5 or ``None``; shape (n_answers,).
    """
    known = [score for score in scores if score is not None]
    n_missing = len(scores) - len(known)
    total = sum(known)
    bounds = None
    if scores:
        low = (total + n_missing * _LOWEST) / len(scores)
        high = (total + n_missing * _HIGHEST) / len(scores)
        bounds = Interval(low=low, high=high)
    return MeanScore(
        n_answers=len(scores),
        n_scored=len(known),
        mean=total / len(known) if known else None,
        interval=_interval_of_mean(known),
        bounds=bounds,
    )


def _interval_of_mean(scores: Sequence[int]) -> Interval | None:
    """Student's t interval on the standard error of the mean, kept within the scale.

    Source: Miller, "Adding Error Bars to Evals", arXiv:2411.00640, with t instead of z for small samples. Where all
    scores agree the standard error is 0, which would claim certainty; then the interval reaches as far as a share of
    other scores could still be hidden from n draws with 95 % confidence, 1 - 0.05 ** (1 / n) (the exact form of the
    "rule of three", Hanley and Lippman-Hand 1983), all of them at the end of the scale.
    """
    n = len(scores)
    if n < 2:
        return None
    values = np.asarray(scores, dtype=np.float64)
    mean = float(values.mean())
    if values.min() == values.max():
        hidden = 1 - (1 - CONFIDENCE) ** (1 / n)
        return Interval(low=mean - hidden * (mean - _LOWEST), high=mean + hidden * (_HIGHEST - mean))
    standard_error = float(values.std(ddof=1)) / math.sqrt(n)
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * standard_error
    return Interval(low=max(_LOWEST, mean - reach), high=min(_HIGHEST, mean + reach))


def share(n: int, n_total: int) -> Share:
    """A share with Wilson's score interval, which stays honest at 0 and at 1.

    Args:
        n: How many have the property, 0 to ``n_total``.
        n_total: Of how many.

    Source: Wilson 1927; Brown, Cai and DasGupta 2001, "Interval Estimation for a Binomial Proportion".
    """
    if n_total == 0:
        return Share(n=n, n_total=0, share=None, interval=None)
    found = stats.binomtest(n, n_total).proportion_ci(CONFIDENCE, method="wilson")
    return Share(
        n=n, n_total=n_total, share=n / n_total, interval=Interval(low=float(found.low), high=float(found.high))
    )
