"""A small network of the llama architecture, as llama.cpp computes it (interleaved rotary pairs, no biases)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

Cache = list[tuple[Tensor, Tensor]]  # per layer: keys and values, each (batch, heads, positions, head width)


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of the network; widths are multiples of 32, so that every quantisation of llama.cpp fits."""

    vocabulary: int
    width: int = 192
    layers: int = 4
    heads: int = 6
    feed_forward: int = 512
    context_tokens: int = 1024
    rope_base: float = 10_000.0
    norm_epsilon: float = 1e-5


class _Attention(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.q, self.k, self.v, self.output = (nn.Linear(shape.width, shape.width, bias=False) for _ in range(4))

    def forward(self, x: Tensor, rotation: Tensor, past: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor, Tensor]:
        batch, length, width = x.shape
        q, k, v = (part(x).view(batch, length, self.heads, -1).transpose(1, 2) for part in (self.q, self.k, self.v))
        q, k = _rotate(q, rotation), _rotate(k, rotation)
        if past is not None:
            k = torch.cat((past[0].expand(batch, -1, -1, -1), k), dim=2)
            v = torch.cat((past[1].expand(batch, -1, -1, -1), v), dim=2)
        seen = torch.ones(length, k.shape[2], dtype=torch.bool).tril(k.shape[2] - length)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        return self.output(mixed.transpose(1, 2).reshape(batch, length, width)), k, v


class _Layer(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(shape.width, eps=shape.norm_epsilon)
        self.attention = _Attention(shape)
        self.feed_forward_norm = nn.RMSNorm(shape.width, eps=shape.norm_epsilon)
        self.gate = nn.Linear(shape.width, shape.feed_forward, bias=False)
        self.up = nn.Linear(shape.width, shape.feed_forward, bias=False)
        self.down = nn.Linear(shape.feed_forward, shape.width, bias=False)

    def forward(self, x: Tensor, rotation: Tensor, past: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor, Tensor]:
        change, k, v = self.attention(self.attention_norm(x), rotation, past)
        x = x + change
        h = self.feed_forward_norm(x)
        return x + self.down(functional.silu(self.gate(h)) * self.up(h)), k, v


class Network(nn.Module):
    """Next-token predictor. `forward` continues a cache, so that a prefix shared by a batch is computed once."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.layers = nn.ModuleList(_Layer(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width, eps=shape.norm_epsilon)
        self.output = nn.Linear(shape.width, shape.vocabulary, bias=False)
        for parameter in self.parameters():
            if parameter.dim() == 2:
                nn.init.normal_(parameter, std=0.03)
        self.register_buffer("rotations", _rotations(shape), persistent=False)

    def forward(self, tokens: Tensor, past: Cache | None = None) -> tuple[Tensor, Cache]:
        """Logits of the next token at each position, and the cache with these positions added.

        Args:
            tokens: Token ids, shape (batch, length).
            past: What came before; a cache of batch 1 is shared by all rows.
        """
        start = past[0][0].shape[2] if past else 0
        rotation = self.get_buffer("rotations")[start : start + tokens.shape[1]]
        x = self.embedding(tokens)
        cache: Cache = []
        for index, layer in enumerate(self.layers):
            x, k, v = layer(x, rotation, past[index] if past else None)
            cache.append((k, v))
        return self.output(self.norm(x)), cache


def _rotations(shape: Shape) -> Tensor:
    """Cosine and sine for each position and rotary pair, shape (positions, pairs, 2)."""
    head_width = shape.width // shape.heads
    frequencies = shape.rope_base ** (-torch.arange(0, head_width, 2, dtype=torch.float64) / head_width)
    angles = torch.outer(torch.arange(shape.context_tokens, dtype=torch.float64), frequencies)
    return torch.stack((angles.cos(), angles.sin()), dim=-1).float()


def _rotate(x: Tensor, rotation: Tensor) -> Tensor:
    """Turn each pair of neighbouring values by the angle of its position."""
    even, odd = x[..., 0::2], x[..., 1::2]
    cos, sin = rotation[..., 0], rotation[..., 1]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(-2)
