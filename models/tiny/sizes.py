"""What a size costs: bytes as int8, seconds for 64 candidates of a line, and training's speed.

    sizes.py WORK --rounds 3

Weights are random: what a pass costs does not depend on them. The sizes take turns, and the middle of
the rounds is reported, so that other work on the machine falls on all alike. The candidates stand
in the place of one line of held-out functions of some 200 tokens, and are scored in full by
CTranslate2 with two threads, as `check.py` does.

It does not cover how good a size becomes.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from pathlib import Path

import torch

import train
from check import Scorer
from convert import convert
from machine import keep_memory
from network import Network, Shape
from optimiser import optimisers
from tokens import encode, load

SHAPES = (
    Shape(layers=4, width=128, heads=2, inner=384),
    Shape(),
    Shape(layers=8, width=320, heads=5, inner=960),
    Shape(layers=10, width=448, heads=7, inner=1344),
    Shape(layers=12, width=576, heads=9, inner=1728),
)


def weights_of(shape: Shape) -> int:
    return sum(weight.numel() for weight in Network(shape).parameters())


def converted(shape: Shape, tokenizer: Path, folder: Path) -> int:
    """Write random weights of a shape as int8; return the bytes of model.bin."""
    checkpoint = folder.with_suffix(".pt")
    network = Network(shape)
    for weight in network.parameters():
        if (
            not weight.any()
        ):  # CTranslate2 keeps equal matrices once, and trained ones are not equal
            torch.nn.init.normal_(weight, std=0.02)
    torch.save({"network": network.state_dict(), "shape": shape.as_dict()}, checkpoint)
    convert(checkpoint, tokenizer, folder, "int8")
    checkpoint.unlink()
    return (folder / "model.bin").stat().st_size


def asked(work: Path) -> list[tuple[list[str], int, list[str]]]:
    """Some held-out functions, a line of each, and 64 lines for its place."""
    rows = [json.loads(line) for line in (work / "functions.jsonl").open()]
    held = [row["text"] for row in rows if row["split"] == "held"]
    tokenizer, chance = load(work / "tokenizer.json"), random.Random(1)
    lines = [line for text in held for line in text.split("\n") if 20 < len(line) < 60]
    some = [t for t in held if 180 < len(encode(tokenizer, t.split("\n"))) < 260]
    found = []
    for text in chance.sample(some, 3):
        own = text.split("\n")
        found.append((own, len(own) // 2, chance.sample(lines, 64)))
    return found


def training(shape: Shape, held: Path, steps: int = 2) -> float:
    """Tokens a second of whole steps, the first left out."""
    network = Network(shape)
    muon, adam = optimisers(network, 0.02)
    spent, seen = 0.0, 0
    for number, (tokens, prompts, mute) in enumerate(train.batches(held, 4096, 0)):
        if number > steps:
            break
        start = time.perf_counter()
        inside, before = torch.from_numpy(tokens), torch.from_numpy(prompts)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss, _ = train.loss_of(
                network, network.head, inside, before, torch.from_numpy(mute), 0.1
            )
        loss.backward()
        adam.step()
        muon.step(1.0)
        network.zero_grad(set_to_none=True)
        if number:
            spent, seen = spent + time.perf_counter() - start, seen + int((tokens > 1).sum())
    return seen / spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    got = parser.parse_args()
    keep_memory()
    torch.set_num_threads(2)
    questions = asked(got.work)
    seconds: dict[Shape, list[float]] = {shape: [] for shape in SHAPES}
    speeds: dict[Shape, list[float]] = {shape: [] for shape in SHAPES}
    with tempfile.TemporaryDirectory() as place:
        size = {
            shape: converted(shape, got.work / "tokenizer.json", Path(place) / str(shape.width))
            for shape in SHAPES
        }
        for _ in range(got.rounds):
            for shape in SHAPES:
                scorer = Scorer(Path(place) / str(shape.width))
                for question in questions:
                    start = time.perf_counter()
                    scorer.scores(*question)
                    seconds[shape].append(time.perf_counter() - start)
                speeds[shape].append(training(shape, got.work / "shards" / "held.npz"))
    print("| weights | layers x width | int8 | 64 candidates | of the shipped shape's | tokens/s |")
    print("|---|---|---|---|---|---|")
    for shape in SHAPES:
        ratios = [a / b for a, b in zip(seconds[shape], seconds[Shape()], strict=True)]
        print(
            f"| {weights_of(shape) / 1e6:.1f} M | {shape.layers} x {shape.width} "
            f"| {size[shape] / 1e6:.1f} MB | {statistics.median(seconds[shape]):.2f} s "
            f"| {statistics.median(ratios):.2f} | {statistics.median(speeds[shape]):,.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
