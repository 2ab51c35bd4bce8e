"""The network: a small Llama (RMSNorm, rotary, SwiGLU, no biases), for training only.

ocils runs it through CTranslate2; `convert.py` writes these weights in that form. It does not
cover caches, generation, or masks: sequences of a batch are padded on the right, and a causal
network never looks there.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as functional
from torch import Tensor, nn


@dataclass(frozen=True)
class Shape:
    """The size of the network."""

    words: int = 4096
    layers: int = 6
    width: int = 256
    heads: int = 4
    inner: int = 768
    base: float = 10_000.0
    epsilon: float = 1e-5

    def as_dict(self) -> dict[str, float]:
        """The fields, for a checkpoint."""
        return asdict(self)


class Norm(nn.Module):
    """Root-mean-square norm with a gain."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(shape.width))
        self.epsilon = shape.epsilon

    def forward(self, x: Tensor) -> Tensor:
        """The input at unit size, times the gain."""
        return functional.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.epsilon)


def turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions, halves rotated against each other."""
    one, two = x.chunk(2, dim=-1)
    return torch.cat((one * cos - two * sin, two * cos + one * sin), dim=-1)


def attended(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Causal attention; on a CPU by plain products, three times as fast as the fused kernel."""
    if query.is_cuda:
        return functional.scaled_dot_product_attention(query, key, value, is_causal=True)
    batch, heads, length, size = query.shape
    mask = torch.full((length, length), -1e4, dtype=query.dtype).triu(1)
    scores = torch.baddbmm(
        mask.expand(batch * heads, length, length),
        (query * size**-0.5).flatten(0, 1),
        key.flatten(0, 1).mT,
    )
    return torch.bmm(scores.softmax(-1), value.flatten(0, 1)).view(query.shape)


class Block(nn.Module):
    """Attention and feed-forward, each behind its norm."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.norm_one, self.norm_two = Norm(shape), Norm(shape)
        self.query = nn.Linear(shape.width, shape.width, bias=False)
        self.key = nn.Linear(shape.width, shape.width, bias=False)
        self.value = nn.Linear(shape.width, shape.width, bias=False)
        self.out = nn.Linear(shape.width, shape.width, bias=False)
        self.gate = nn.Linear(shape.width, shape.inner, bias=False)
        self.up = nn.Linear(shape.width, shape.inner, bias=False)
        self.down = nn.Linear(shape.inner, shape.width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """The stream with what this block adds."""
        batch, length, width = x.shape
        inside = self.norm_one(x)
        split = (batch, length, self.heads, width // self.heads)
        query = self.query(inside).view(split).transpose(1, 2)
        key = self.key(inside).view(split).transpose(1, 2)
        value = self.value(inside).view(split).transpose(1, 2)
        query, key = turned(query, cos, sin), turned(key, cos, sin)
        mixed = attended(query, key, value)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        inside = self.norm_two(x)
        return x + self.down(functional.silu(self.gate(inside)) * self.up(inside))


class Network(nn.Module):
    """Token numbers in, the last hidden states out; `head` makes logits of them."""

    cos: Tensor
    sin: Tensor

    def __init__(self, shape: Shape, longest: int = 1024) -> None:
        super().__init__()
        self.shape = shape
        self.embed = nn.Embedding(shape.words, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = Norm(shape)
        self.head = nn.Linear(shape.width, shape.words, bias=False)
        size = shape.width // shape.heads
        steps = 1.0 / shape.base ** (torch.arange(0, size, 2).float() / size)
        angles = torch.outer(torch.arange(longest).float(), steps)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        nn.init.normal_(self.embed.weight, std=0.5)
        nn.init.zeros_(self.head.weight)
        for block in self.blocks:
            for name, weight in block.named_parameters():
                if weight.dim() == 2:
                    zero = name.startswith(("out", "down"))
                    nn.init.normal_(weight, std=0.0 if zero else weight.shape[1] ** -0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        """The last hidden state of every token."""
        # Autocast leaves an embedding in float32; the narrower type here keeps all that follows
        # narrow, which on a CPU is worth half the time of the elementwise work.
        x = self.embed(tokens)
        if torch.is_autocast_enabled(x.device.type):
            x = x.to(torch.bfloat16)
        length = tokens.shape[1]
        cos, sin = self.cos[:length].to(x.dtype), self.sin[:length].to(x.dtype)
        for block in self.blocks:
            x = block(x, cos, sin)
        return self.norm(x)
