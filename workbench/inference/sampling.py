"""Chooses the next token from the logits."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from workbench.domain.llm import SamplingSettings
from workbench.inference.scheduler import Logits

_N_LIKELY = 1024
"""Tokens that hold the mass of nearly every distribution an llm gives."""


class Sampler(Protocol):
    """Chooses tokens for one answer; keeps nothing of any other answer."""

    def __call__(self, logits: Logits) -> int:
        """The next token.

        Raises:
            ValueError: If the logits are not numbers, as damaged weights give.
        """
        ...


def make_sampler(settings: SamplingSettings) -> Sampler:
    """The sampler for one answer; equal settings and logits give equal tokens."""
    return greedy if settings.temperature <= 0 else _RandomSampler(settings)


def greedy(logits: Logits) -> int:
    """The most probable token; of several the one with the lowest number."""
    token = int(np.argmax(logits))
    if not np.isfinite(logits[token]):
        raise ValueError("The logits are not finite.")
    return token


def probabilities(logits: Logits) -> npt.NDArray[np.float64]:
    """The softmax over the whole vocabulary.

    Raises:
        ValueError: If the logits are not numbers.
    """
    highest = float(logits[greedy(logits)])
    weights = np.exp(logits.astype(np.float64) - highest)
    return np.asarray(weights / weights.sum(), dtype=np.float64)


class _RandomSampler:
    """Draws from the tokens that ``top_k`` and ``top_p`` leave, the most probable first."""

    def __init__(self, settings: SamplingSettings) -> None:
        self._settings = settings
        self._random = np.random.default_rng(settings.seed)

    def __call__(self, logits: Logits) -> int:
        weights = probabilities(logits / np.float32(self._settings.temperature))
        tokens = self._candidates(weights)
        cumulative = np.cumsum(weights if tokens is None else weights[tokens])
        drawn = np.searchsorted(cumulative, self._random.random() * cumulative[-1], side="right")
        position = min(int(drawn), cumulative.size - 1)
        return position if tokens is None else int(tokens[position])

    def _candidates(self, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.intp] | None:
        """The tokens to draw from, the most probable first; ``None`` for all of them, which needs no sorting."""
        top_k, top_p = self._settings.top_k, self._settings.top_p
        if top_k <= 0 and top_p >= 1:
            return None
        n_sorted = top_k if top_k > 0 else _N_LIKELY
        tokens = _most_probable(weights, n_sorted)
        share = np.cumsum(weights[tokens])
        if top_k <= 0 and share[-1] < top_p:  # a flat distribution: rare, and as slow as sorting a vocabulary is
            tokens = _most_probable(weights, weights.size)
            share = np.cumsum(weights[tokens])
        scale = share[-1] if top_k > 0 else 1.0
        return tokens[: int(np.searchsorted(share, top_p * scale)) + 1]


def _most_probable(weights: npt.NDArray[np.float64], n_tokens: int) -> npt.NDArray[np.intp]:
    """The most probable tokens in falling order; of equal ones those with lower numbers first."""
    if n_tokens >= weights.size:
        return np.argsort(-weights, kind="stable")
    threshold = np.partition(weights, weights.size - n_tokens)[weights.size - n_tokens]
    likely = np.flatnonzero(weights >= threshold)
    return likely[np.argsort(-weights[likely], kind="stable")][:n_tokens]
