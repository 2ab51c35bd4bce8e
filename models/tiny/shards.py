"""Shards of training examples: many functions' examples, encoded, in files that the trainer reads.

Reproducible: the seed, the functions and the verified rows decide every byte of a shard's content.
A shard that is there is kept, so a run that was stopped goes on.

It does not cover how an example is made (`examples.py`).
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from examples import CONTEXT, EVERYTHING, Example, Row, Switches, make, ran, tokens_of
from tokens import encode


def shard(
    tokenizer: Tokenizer,
    texts: Iterable[str],
    seed: int,
    longest: int = CONTEXT,
    rows: Iterable[Row] = (),
    stage: float = 1.0,
    switches: Switches = EVERYTHING,
) -> Iterator[tuple[list[int], int, Example]]:
    """Encoded examples of many functions, one each, and of verified rows; reproducible."""
    chance = random.Random(seed)
    made = [make(text, chance, stage if switches.curriculum else 1.0) for text in texts]
    for row in rows if switches.verified else ():
        made += ran(row, chance, stage, switches)
    for example in made:
        if example is None:
            continue
        budget = chance.randrange(80, 320) if chance.random() < 0.3 else longest
        encoded = tokens_of(tokenizer, example, budget, longest)
        if encoded is not None:
            yield *encoded, example


def checked(work: Path) -> list[Row]:
    """The verified rows of a work folder that may be trained on; none where there are none."""
    path = work / "verified.jsonl"
    rows = [json.loads(line) for line in path.open()] if path.exists() else []
    return [row for row in rows if row.get("split") != "held"]


def write(
    tokenizer: Tokenizer,
    functions: Path,
    folder: Path,
    epochs: int,
    size: int,
    switches: Switches = EVERYTHING,
) -> None:
    """Write shards of `size` functions each; those that are there already are kept.

    Verified rows are taken from `verified.jsonl` beside the functions, where there is one.
    """
    rows = [json.loads(line) for line in functions.open()]
    verified = checked(functions.parent)
    folder.mkdir(parents=True, exist_ok=True)
    held = [row["text"] for row in rows if row["split"] == "held"]
    save(folder / "held.npz", list(shard(tokenizer, held, 1)), tokenizer)
    trained = sum(row["split"] == "train" for row in rows)
    number, total = 0, max(1, epochs * -(-trained // size) - 1)
    for epoch in range(epochs):
        train = [row["text"] for row in rows if row["split"] == "train"]
        random.Random(epoch).shuffle(train)
        for start in range(0, len(train), size):
            path = folder / f"train-{number:04d}.npz"
            if not path.exists():
                stage = min(1.0, 2 * number / total)  # the curriculum's end is half-way
                texts = train[start : start + size]
                made = shard(tokenizer, texts, 1000 + number, CONTEXT, verified, stage, switches)
                save(path, list(made), tokenizer)
            number += 1


def muted(tokenizer: Tokenizer, tokens: list[int], before: int, example: Example) -> list[bool]:
    """Which tokens stay out of the loss: those of lines that no test executed."""
    marks = [False] * before
    for number, line in enumerate(example.middle):
        marks += [number in example.unseen] * len(encode(tokenizer, [line]))
    return (marks + [False] * len(tokens))[: len(tokens)]


def save(path: Path, made: list[tuple[list[int], int, Example]], tokenizer: Tokenizer) -> None:
    """Write one shard, whole or not at all: the trainer may be waiting for it."""
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as file:
        np.savez(
            file,
            tokens=np.concatenate([np.array(t, dtype=np.uint16) for t, _, _ in made]),
            lengths=np.array([len(t) for t, _, _ in made], dtype=np.int32),
            prompts=np.array([p for _, p, _ in made], dtype=np.int32),
            kinds=np.array([e.kind for _, _, e in made]),
            muted=np.concatenate([np.array(muted(tokenizer, *each)) for each in made]),
        )
    temporary.rename(path)
