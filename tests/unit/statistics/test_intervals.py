import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.statistics.intervals import mean_score, share

SCORES = st.lists(st.one_of(st.none(), st.integers(1, 5)), max_size=60)


def test_the_mean_interval_is_the_textbook_t_interval() -> None:
    found = mean_score([1, 2, 2, 3, 4, 5, 3])
    values = np.array([1, 2, 2, 3, 4, 5, 3])
    reach = 2.446912 * values.std(ddof=1) / math.sqrt(7)
    assert found.mean == pytest.approx(values.mean())
    assert found.interval is not None
    assert found.interval.low == pytest.approx(values.mean() - reach, abs=1e-5)
    assert found.interval.high == pytest.approx(values.mean() + reach, abs=1e-5)


def test_no_scores_have_no_mean() -> None:
    found = mean_score([None, None])
    assert (found.mean, found.interval, found.n_answers, found.n_scored) == (None, None, 2, 0)
    assert found.bounds is not None
    assert (found.bounds.low, found.bounds.high) == (1, 5)
    assert mean_score([]).bounds is None


def test_agreeing_scores_do_not_claim_certainty() -> None:
    interval = mean_score([1] * 90).interval
    assert interval is not None
    assert interval.low == 1
    assert interval.high == pytest.approx(1 + 4 * (1 - 0.05 ** (1 / 90)))


@given(SCORES)
def test_the_mean_lies_in_its_interval_and_everything_within_the_scale(scores: list[int | None]) -> None:
    found = mean_score(scores)
    if found.interval is not None and found.mean is not None:
        assert 1 <= found.interval.low <= found.mean + 1e-9
        assert found.mean - 1e-9 <= found.interval.high <= 5
    if found.bounds is not None and found.mean is not None:
        assert found.bounds.low - 1e-9 <= found.mean <= found.bounds.high + 1e-9


@given(st.integers(0, 200).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_a_share_lies_in_its_interval(counts: tuple[int, int]) -> None:
    n, n_total = counts
    found = share(n, n_total)
    if n_total == 0:
        assert found.share is None
        assert found.interval is None
        return
    assert found.share is not None
    assert found.interval is not None
    assert -1e-12 <= found.interval.low <= found.share + 1e-12
    assert found.share - 1e-12 <= found.interval.high <= 1 + 1e-12
    assert found.interval.high > found.interval.low
