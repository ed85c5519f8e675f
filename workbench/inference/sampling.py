"""Chooses the next token from the logits."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from workbench.domain.llm import SamplingSettings
from workbench.inference.scheduler import Logits


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
        tokens = np.argsort(-logits, kind="stable")
        if self._settings.top_k > 0:
            tokens = tokens[: self._settings.top_k]
        weights = probabilities(logits[tokens] / np.float32(self._settings.temperature))
        n_kept = int(np.searchsorted(np.cumsum(weights), self._settings.top_p)) + 1
        cumulative = np.cumsum(weights[:n_kept])
        drawn = np.searchsorted(cumulative, self._random.random() * cumulative[-1], side="right")
        return int(tokens[min(int(drawn), cumulative.size - 1)])
