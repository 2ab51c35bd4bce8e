"""Muon for the matrices, AdamW for the rest.

Muon's step is the momentum with its singular values made equal, by a few matrix products; equal
shapes are stacked, so that a step of a small model is a handful of products. It does not cover
several devices.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def equalised(matrices: Tensor, rounds: int = 5) -> Tensor:
    """Newton-Schulz: the nearest matrices with equal singular values, roughly, in bfloat16."""
    x = matrices.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(rounds):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return (x.mT if tall else x).to(matrices.dtype)


class Muon:
    """Momentum, equalised, for two-dimensional weights."""

    def __init__(self, weights: list[nn.Parameter], rate: float, decay: float) -> None:
        self.rate, self.decay = rate, decay
        self.groups: dict[tuple[int, ...], list[nn.Parameter]] = {}
        for weight in weights:
            self.groups.setdefault(tuple(weight.shape), []).append(weight)
        self.momenta = {s: torch.zeros(len(g), *s) for s, g in self.groups.items()}

    @torch.no_grad()
    def step(self, factor: float, momentum: float = 0.95) -> None:
        """Change the weights by their gradients, at a share of the rate."""
        for shape, group in self.groups.items():
            gradient = torch.stack([w.grad for w in group if w.grad is not None])
            store = self.momenta[shape] = self.momenta[shape].to(gradient.device)
            store.lerp_(gradient, 1 - momentum)
            update = equalised(gradient.lerp(store, momentum))
            rate = self.rate * factor
            scale = rate * max(1.0, shape[0] / shape[1]) ** 0.5
            for weight, change in zip(group, update, strict=True):
                weight.mul_(1 - rate * self.decay).sub_(change, alpha=scale)

    def state(self) -> dict[str, Tensor]:
        """The momenta, for a checkpoint."""
        return {"x".join(map(str, s)): m for s, m in self.momenta.items()}

    def load(self, state: dict[str, Tensor]) -> None:
        """Take the momenta of a checkpoint."""
        for shape in self.groups:
            self.momenta[shape] = state["x".join(map(str, shape))]


def optimisers(network: nn.Module, rate: float) -> tuple[Muon, torch.optim.AdamW]:
    """Muon for the blocks' matrices; AdamW for embedding, head and norms."""
    named = list(network.named_parameters())
    inner = [w for n, w in named if w.dim() == 2 and ".blocks." in f".{n}"]
    rest = [
        {"params": [w for n, w in named if n.startswith("embed")], "lr": rate * 0.3},
        {"params": [w for n, w in named if n.startswith("head")], "lr": rate * 0.1},
        {"params": [w for _, w in named if w.dim() == 1], "lr": rate * 0.1},
    ]
    outer = torch.optim.AdamW(rest, betas=(0.9, 0.95), eps=1e-10, weight_decay=0.0)
    return Muon(inner, rate, 0.02), outer
