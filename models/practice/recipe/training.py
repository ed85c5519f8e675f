"""Training and greedy generation."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from network import Cache, Network
from torch import Tensor
from torch.nn import functional

READING_WEIGHT = 0.15
"""Weight of the loss on what a network reads, beside 1 for what it is to write."""
DECISION_WEIGHT = 4.0
"""Weight of the loss on the first token that is written: it decides between declining and answering."""


@dataclass(frozen=True, slots=True)
class Example:
    """One row of training: a prompt and the tokens to be written after it.

    Attributes:
        prompt: What is read.
        reply: What comes after it.
        given: How many tokens at the start of the reply are given by the program and carry no loss.
    """

    prompt: list[int]
    reply: list[int]
    given: int = 0


def train(
    network: Network, next_batch: Callable[[], Sequence[Example]], *, steps: int, peak_rate: float, label: str
) -> None:
    """Train in place: matrices inside the layers with Muon, all else with AdamW; short warm-up, then a cosine."""
    inner = [parameter for parameter in network.layers.parameters() if parameter.dim() == 2]
    known = {id(parameter) for parameter in inner}
    outer = [parameter for parameter in network.parameters() if id(parameter) not in known]
    optimizers = (
        torch.optim.Muon(inner, lr=peak_rate, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(outer, lr=peak_rate, weight_decay=0.0, betas=(0.9, 0.95)),
    )
    warm_up = max(1, steps // 20)
    started = time.monotonic()
    for step in range(steps):
        done = max(0, step - warm_up) / max(1, steps - warm_up)
        rate = peak_rate * min(1.0, (step + 1) / warm_up) * (0.05 + 0.95 * (1 + math.cos(math.pi * done)) / 2)
        loss = _loss(network, next_batch())
        network.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
        if step % 25 == 0 or step == steps - 1:
            passed_s = time.monotonic() - started
            print(f"{label}: step {step + 1}/{steps}, loss {loss.item():.3f}, {passed_s:.0f} s", flush=True)


def _loss(network: Network, examples: Sequence[Example]) -> Tensor:
    """Mean loss on the replies. The tokens that all rows begin with are computed once for the whole batch."""
    rows = [example.prompt + example.reply for example in examples]
    shared = _shared_length(rows)
    longest = max(len(row) for row in rows) - shared
    tokens = torch.zeros(len(rows), longest, dtype=torch.long)
    weights = torch.zeros(len(rows), longest)
    for index, (row, example) in enumerate(zip(rows, examples, strict=True)):
        tokens[index, : len(row) - shared] = torch.tensor(row[shared:])
        reply_from = len(example.prompt) - shared
        weights[index, :reply_from] = READING_WEIGHT
        weights[index, reply_from + example.given : len(row) - shared] = 1.0
        weights[index, reply_from + example.given] = DECISION_WEIGHT
    past = network(torch.tensor([rows[0][:shared]]))[1] if shared else None
    logits, _ = network(tokens[:, :-1], past)
    losses = functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")
    kept = weights[:, 1:].flatten()
    return (losses * kept).sum() / kept.sum()


def _shared_length(rows: Sequence[Sequence[int]]) -> int:
    """How many tokens all rows have in common at their start; at least one token of each row is left."""
    limit = min(len(row) for row in rows) - 1
    first = rows[0]
    return next((i for i in range(limit) if any(row[i] != first[i] for row in rows)), limit)


@torch.inference_mode()
def generate(network: Network, prompts: Sequence[list[int]], *, end: int, max_tokens: int) -> list[list[int]]:
    """Greedy replies to prompts, in their order, without the end token."""
    by_length: dict[int, list[int]] = defaultdict(list)
    for index, prompt in enumerate(prompts):
        by_length[len(prompt)].append(index)
    replies: list[list[int]] = [[] for _ in prompts]
    for indexes in by_length.values():
        cache: Cache | None = None
        tokens = torch.tensor([prompts[index] for index in indexes])
        written: list[Tensor] = []
        for _ in range(max_tokens):
            logits, cache = network(tokens, cache)
            tokens = logits[:, -1:].argmax(-1)
            written.append(tokens)
            if all(bool((column == end).any()) for column in torch.cat(written, dim=1)):
                break
        for index, row in zip(indexes, torch.cat(written, dim=1).tolist(), strict=True):
            replies[index] = row[: row.index(end)] if end in row else row
    return replies


@torch.inference_mode()
def next_probabilities(network: Network, prompts: Sequence[list[int]]) -> list[Tensor]:
    """For each prompt the probabilities of the next token, shape (vocabulary,)."""
    return [network(torch.tensor([prompt]))[0][0, -1].softmax(-1) for prompt in prompts]
