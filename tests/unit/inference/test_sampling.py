"""Choosing tokens from logits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.domain.llm import SamplingSettings
from workbench.inference.sampling import greedy, make_sampler, probabilities

LOGITS = np.array([0.0, 3.0, 1.0, 3.0, 2.0], dtype=np.float32)


def draws(settings: SamplingSettings, n_draws: int = 200) -> list[int]:
    sampler = make_sampler(settings)
    return [sampler(LOGITS) for _ in range(n_draws)]


def test_greedy_takes_the_first_of_the_most_probable() -> None:
    assert greedy(LOGITS) == 1
    assert set(draws(SamplingSettings(temperature=0.0, seed=5))) == {1}


def test_equal_seeds_draw_equally_and_others_differently() -> None:
    assert draws(SamplingSettings(temperature=1.0, seed=3)) == draws(SamplingSettings(temperature=1.0, seed=3))
    assert draws(SamplingSettings(temperature=1.0, seed=3)) != draws(SamplingSettings(temperature=1.0, seed=4))


def test_top_k_and_top_p_leave_only_the_most_probable() -> None:
    assert set(draws(SamplingSettings(temperature=1.0, top_k=2))) == {1, 3}
    assert set(draws(SamplingSettings(temperature=1.0, top_p=0.5))) == {1, 3}
    assert set(draws(SamplingSettings(temperature=1.0, top_p=0.1))) == {1}
    assert set(draws(SamplingSettings(temperature=5.0))) == {0, 1, 2, 3, 4}


def test_draws_follow_the_probabilities() -> None:
    drawn = np.bincount(draws(SamplingSettings(temperature=1.0), 20_000), minlength=5) / 20_000
    np.testing.assert_allclose(drawn, probabilities(LOGITS), atol=0.015)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(-40, 40), min_size=1, max_size=3000),
    st.sampled_from([0, 1, 2, 7, 1500, 5000]),
    st.sampled_from([0.05, 0.5, 0.9, 0.999, 1.0]),
)
def test_draws_come_from_what_a_full_sort_would_leave(levels: list[int], top_k: int, top_p: float) -> None:
    logits = (np.array(levels) / 4).astype(np.float32)
    order = np.argsort(-logits, kind="stable")[: top_k or None]
    weights = np.exp(logits[order].astype(np.float64) - logits.max())
    share = np.cumsum(weights / weights.sum())
    kept = set(order[: int(np.searchsorted(share, top_p * (1 + 1e-9))) + 1].tolist())
    sampler = make_sampler(SamplingSettings(temperature=1.0, top_k=top_k, top_p=top_p))
    assert {sampler(logits) for _ in range(20)} <= kept


def test_probabilities_do_not_overflow() -> None:
    assert probabilities(np.array([1e4, 0.0], dtype=np.float32)).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_logits_that_are_no_numbers_are_an_error(temperature: float) -> None:
    sampler = make_sampler(SamplingSettings(temperature=temperature))
    with pytest.raises(ValueError, match="finite"):
        sampler(np.full(4, np.nan, dtype=np.float32))
