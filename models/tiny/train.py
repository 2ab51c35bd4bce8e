"""Trains the network on the shards, from a checkpoint when there is one.

The loss is over the middle at full weight, and over the head and the tail at a weight that falls
during training: first the language, then the task. The learning rate follows the share of the
planned tokens or seconds, whichever is further on, so a run can be planned to end at a time.

It does not cover several devices, and two runs on different machines differ in the last digits.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor

from machine import Guest, give_back, keep_memory
from network import Network, Shape
from optimiser import optimisers
from tokens import PAD


@dataclass(frozen=True)
class Plan:
    """How long to train, and how.

    After ``pause`` seconds of this run it is saved and left, wherever the plan stands then.
    """

    folder: Path
    tokens: int
    seconds: float
    batch: int = 8192
    rate: float = 0.02
    language: tuple[float, float] = (0.3, 0.05)
    save_every: float = 180.0
    device: str = "cpu"
    threads: int = 2
    pause: float = float("inf")


Batch = tuple[np.ndarray, np.ndarray, np.ndarray]


def rows_of(path: Path) -> tuple[list[np.ndarray], np.ndarray, list[str]]:
    """The sequences of a shard, how many tokens of each are prompt, and their kinds."""
    with np.load(path) as data:
        parts = np.split(data["tokens"].astype(np.int64), np.cumsum(data["lengths"])[:-1])
        return parts, data["prompts"], [str(k) for k in data["kinds"]]


def batches(path: Path, size: int, seed: int) -> Iterator[Batch]:
    """(tokens, prompt lengths, muted tokens) of sequences of like length, about `size` tokens each.

    Shuffled. What is muted stays out of the loss; shards without it mute nothing.
    """
    parts, prompts, _ = rows_of(path)
    with np.load(path) as data:
        cuts = np.cumsum(data["lengths"])[:-1]
        quiet = np.split(data["muted"], cuts) if "muted" in data else None
    order = sorted(range(len(parts)), key=lambda i: len(parts[i]))
    groups: list[list[int]] = [[]]
    for i in order:
        if groups[-1] and (len(groups[-1]) + 1) * len(parts[i]) > size:
            groups.append([])
        groups[-1].append(i)
    random.Random(seed).shuffle(groups)
    for group in groups:
        longest = -(-max(len(parts[i]) for i in group) // 8) * 8
        tokens = np.full((len(group), longest), PAD, dtype=np.int64)
        mute = np.zeros((len(group), longest), dtype=bool)
        for row, i in enumerate(group):
            tokens[row, : len(parts[i])] = parts[i]
            if quiet is not None:
                mute[row, : len(parts[i])] = quiet[i]
        yield tokens, prompts[group], mute


def weights(tokens: Tensor, prompts: Tensor, mute: Tensor, language: float) -> Tensor:
    """The weight of each predicted token: 1 in the middle, `language` before it, 0 where muted."""
    place = torch.arange(1, tokens.shape[1], device=tokens.device)[None]
    middle = (place >= prompts[:, None]).float()
    return (middle + (1 - middle) * language) * ((tokens[:, 1:] != PAD) & ~mute[:, 1:])


def loss_of(network: torch.nn.Module, head: torch.nn.Module, tokens: Tensor, prompts: Tensor,
            mute: Tensor, language: float) -> tuple[Tensor, Tensor]:  # fmt: skip
    """(loss to train on, mean loss over the middle)."""
    weight = weights(tokens, prompts, mute, language)
    if language < 1:
        # The head is a fifth of the work: half of the language positions do, at twice the weight.
        keep = torch.rand_like(weight) < 0.5
        weight = torch.where(weight < 1, weight * 2 * keep, weight)
    hidden = network(tokens)[:, :-1].flatten(0, 1)
    chosen = weight.flatten().nonzero().squeeze(1)
    flat = weight.flatten()[chosen]
    logits = head(hidden[chosen])
    each = functional.cross_entropy(
        logits.float(), tokens[:, 1:].flatten()[chosen], reduction="none"
    )
    middle = flat == 1
    return (each * flat).sum() / flat.sum(), each[middle].detach().mean()


def factor_at(share: float, step: int) -> float:
    """The learning rate's factor: a warm-up, a plain, a straight fall to a twentieth."""
    return min(1.0, (step + 1) / 60) * max(0.05, min(1.0, (1 - share) / 0.6))


def train(plan: Plan, shape: Shape) -> Path:
    """Train until the planned tokens or seconds are spent; return the checkpoint."""
    torch.manual_seed(0)
    network = Network(shape).to(plan.device)
    muon, adam = optimisers(network, plan.rate)
    path = plan.folder / "checkpoint.pt"
    seen, step, spent, shard, skip = 0, 0, 0.0, 0, 0
    if path.exists():
        saved = torch.load(path, map_location=plan.device)
        network.load_state_dict(saved["network"])
        muon.load(saved["muon"])
        adam.load_state_dict(saved["adam"])
        seen, step, spent, shard, skip = saved["place"]
    guest = Guest(plan.threads)
    base = [group["lr"] for group in adam.param_groups] if step == 0 else saved["base"]
    start, last, running = time.monotonic() - spent, time.monotonic(), 0.0
    pause = time.monotonic() + plan.pause
    log = (plan.folder / "log.jsonl").open("a")

    def save() -> None:
        state = {"network": network.state_dict(), "muon": muon.state(), "adam": adam.state_dict()}
        place = (seen, step, time.monotonic() - start, shard, skip)
        extra = {"place": place, "base": base, "shape": shape.as_dict()}
        torch.save({**state, **extra}, path.with_suffix(".part"))
        path.with_suffix(".part").rename(path)

    while True:
        shards = sorted((plan.folder / "shards").glob("train-*.npz"))
        for number, (tokens, prompts, mute) in enumerate(
            batches(shards[shard % len(shards)], plan.batch, shard)
        ):
            if number < skip:
                continue
            seconds = time.monotonic() - start
            share = max(seen / plan.tokens, seconds / plan.seconds)
            if share >= 1 or time.monotonic() > pause:
                save()
                return path
            language = plan.language[0] + (plan.language[1] - plan.language[0]) * share
            inside = torch.from_numpy(tokens).to(plan.device)
            before = torch.from_numpy(prompts).to(plan.device)
            quiet = torch.from_numpy(mute).to(plan.device)
            with torch.autocast(plan.device.split(":")[0], dtype=torch.bfloat16):
                loss, middle = loss_of(network, network.head, inside, before, quiet, language)
            loss.backward()
            torch.set_num_threads(guest.threads())
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            factor = factor_at(share, step)
            for group, rate in zip(adam.param_groups, base, strict=True):
                group["lr"] = rate * factor
            adam.step()
            muon.step(factor, 0.85 + 0.1 * min(1.0, step / 300))
            network.zero_grad(set_to_none=True)
            seen, step, skip = seen + int((tokens != PAD).sum()), step + 1, number + 1
            running = 0.95 * running + 0.05 * float(middle) if running else float(middle)
            if step % 10 == 0:
                figures = {"step": step, "tokens": seen, "seconds": round(seconds), "loss": running}
                log.write(
                    json.dumps({**figures, "all": float(loss.detach()), "factor": factor}) + "\n"
                )
                log.flush()
            if time.monotonic() - last > plan.save_every:
                save()
                give_back()
                last = time.monotonic()
        shard, skip = shard + 1, 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tokens", type=float, default=100e6)
    parser.add_argument("--minutes", type=float, default=1e6)
    parser.add_argument("--batch", type=int, default=8192)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--inner", type=int, default=768)
    parser.add_argument("--rate", type=float, default=0.02)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    got = parser.parse_args()
    keep_memory()
    plan = Plan(got.folder, int(got.tokens), got.minutes * 60, batch=got.batch, rate=got.rate,
                device=got.device, threads=got.threads)  # fmt: skip
    heads = got.width // 64
    train(plan, Shape(layers=got.layers, width=got.width, heads=heads, inner=got.inner))


if __name__ == "__main__":
    main()
