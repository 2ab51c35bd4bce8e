"""What verified examples, hints, CCCS and FGO are each worth: short trainings, one left out in each.

    ablation.py WORK CHECKPOINT --tokens 2.5e5 --rounds 2

Every arm starts at the same checkpoint, with the rate at a third and falling, on the same ordinary
functions and, in the arms that have them, the same verified rows (`verified.jsonl`, those of
packages that are trained on); a round is another draw of both. All are measured on the verified
rows of the packages that are held out: loss a token over the right line and over the executed lines
of the rest of a function, and the right line's rank among edits, by the guess that the product
screens with; each without the failing assertion in the prompt and with it. Results are appended to
WORK/ablation/results.jsonl, an arm and round that is there is not repeated.

It does not cover judging by tests, and trainings of another length.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer

import train
from check import candidates, network_of
from examples import CONTEXT, Row, Switches, late_start
from machine import keep_memory
from network import Network
from shards import checked, save, shard
from tokens import END, encode, load, prompt

ARMS = {
    "everything": Switches(),
    "no hints": Switches(hints=False),
    "no CCCS": Switches(curriculum=False),
    "no FGO": Switches(mask=False),
    "no verified": Switches(verified=False),
}
SHARDS = 6  # a round's; the curriculum goes through them
RATE = 0.02 / 3
ROOM = 300  # tokens of head and tail shown when measuring
LINES = 5  # of a function whose edits compete, the broken one among them


@dataclass
class Told:
    """What the model says of one row: log-losses, tokens, and the right line's rank."""

    repair: float
    tokens: int
    rank: int
    of: int


def start_of(checkpoint: Path, folder: Path) -> None:
    """A checkpoint that trains on from another's weights and momenta, the rate at a third."""
    saved = torch.load(checkpoint, map_location="cpu")
    saved["place"] = (0, 300, 0.0, 0, 0)
    saved["base"] = [rate / 3 for rate in saved["base"]]
    torch.save(saved, folder / "checkpoint.pt")


def trained(work: Path, checkpoint: Path, arm: str, round_: int, tokens: int) -> Network:
    """The network after one arm's training; nothing is kept of it but the log."""
    folder = work / "ablation" / f"{arm.replace(' ', '-')}-{round_}"
    (folder / "shards").mkdir(parents=True, exist_ok=True)
    tokenizer = load(work / "tokenizer.json")
    texts = [r["text"] for r in map(json.loads, (work / "functions.jsonl").open())
             if r["split"] == "train"]  # fmt: skip
    rows = checked(work)
    chance = random.Random(round_)
    chance.shuffle(texts)
    chance.shuffle(rows)
    # Four ordinary functions for each verified example, so that a round is about one pass. Without
    # verified rows there are more functions: every arm sees the same number of tokens.
    part = -(-len(rows) // SHARDS)
    for number in range(SHARDS):
        mine = rows[number * part : (number + 1) * part]
        count = (8 if ARMS[arm].verified else 10) * part
        made = shard(tokenizer, texts[number * 10 * part :][:count], 100 * round_ + number, CONTEXT,
                     mine, number / (SHARDS - 1), ARMS[arm])  # fmt: skip
        save(folder / "shards" / f"train-{number:04d}.npz", list(made), tokenizer)
    start_of(checkpoint, folder)
    plan = train.Plan(folder, tokens, float("inf"), 4096, RATE, save_every=1e9)
    network = network_of(train.train(plan, train.Shape()))
    (folder / "checkpoint.pt").unlink()
    return network


def near(tokens: list[int], room: int, *, end: bool) -> list[int]:
    """At most `room` tokens, those at the end or at the start."""
    if len(tokens) <= room:
        return tokens
    return tokens[len(tokens) - room :] if end else tokens[:room]


@torch.no_grad()
def tables(network: Network, asked: list[tuple[list[int], list[int]]]) -> list[torch.Tensor]:
    """For each (prompt, middle), the log-probabilities of every word in each of its places."""
    longest = max(len(head) + len(middle) for head, middle in asked)
    tokens = torch.zeros(len(asked), longest, dtype=torch.long)
    for number, (head, middle) in enumerate(asked):
        tokens[number, : len(head) + len(middle)] = torch.tensor([*head, *middle])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = network(tokens)
    return [
        network.head(hidden[n, len(h) - 1 : len(h) + len(m) - 1].float()).log_softmax(-1)
        for n, (h, m) in enumerate(asked)
    ]


def told(
    network: Network, tokenizer: Tokenizer, row: Row, hint: str, chance: random.Random
) -> Told:
    """Ask for one row: the loss of the right line, and its rank among edits of the whole function."""
    text, number, was = str(row["text"]), int(str(row["line"])), str(row["was"])
    right = text.split("\n")[number]
    lines = text.split("\n")
    lines[number] = was
    extra = encode(tokenizer, [f"# fails: {hint}"]) if hint else []

    def asked(at: int) -> list[int]:
        head = near(encode(tokenizer, lines[:at]), ROOM * 2 // 3, end=True)
        tail = near(encode(tokenizer, lines[at + 1 :]), ROOM // 3, end=False)
        return prompt(head, [*tail, *extra], encode(tokenizer, [lines[at]]))

    found = [c for c in candidates("\n".join(lines), chance, 120) if c != (number, right)]
    others = sorted({at for at, _ in found} - {number})
    places = sorted([number, *chance.sample(others, min(LINES - 1, len(others)))])
    pool = [(number, right), *(c for c in found if c[0] in places)]
    middle = [*encode(tokenizer, [right]), END]
    olds = {at: [*encode(tokenizer, [lines[at]]), END] for at in places}
    first, *rest = tables(
        network, [(asked(number), middle), *((asked(a), olds[a]) for a in places)]
    )
    table = dict(zip(places, rest, strict=True))
    loss = -float(first[torch.arange(len(middle)), torch.tensor(middle)].sum())
    gains = []
    for at, line in pool:
        new, old = [*encode(tokenizer, [line]), END], olds[at]
        split = next((i for i, (n, o) in enumerate(zip(new, old, strict=False)) if n != o), None)
        gains.append(0.0 if split is None else
                     float(table[at][split, new[split]] - table[at][split, old[split]]))  # fmt: skip
    rank = 1 + sum(gain > gains[0] for gain in gains[1:])
    return Told(loss, len(middle), rank, len(pool))


def rest_loss(network: Network, tokenizer: Tokenizer, row: Row, chance: random.Random) -> float:
    """Mean loss a token over the executed lines of the rest of a function, from a conditional on."""
    lines, executed = str(row["text"]).split("\n"), row["executed"]
    at = late_start(lines, 1.0, chance)
    parts = [encode(tokenizer, [line]) for line in lines[at:]]
    keep = [n + at in executed for n, part in enumerate(parts) for _ in part]  # type: ignore[operator]
    middle = [token for part in parts for token in part][:CONTEXT]
    head = near(encode(tokenizer, lines[:at]), ROOM, end=True)
    (table,) = tables(network, [(prompt(head, [], []), middle)])
    each = -table[torch.arange(len(middle)), torch.tensor(middle)]
    some = each[torch.tensor(keep[: len(middle)])]
    return float(some.mean()) if len(some) else math.nan


def measured(network: Network, work: Path) -> dict[str, list[list[float]]]:
    """[loss, tokens, rank, candidates] of every held-out row, without hint and with; the rest's loss."""
    tokenizer = load(work / "tokenizer.json")
    torch.set_num_threads(1)  # two that wait for each other crawl on a busy machine
    rows = [r for r in map(json.loads, (work / "verified.jsonl").open()) if r["split"] == "held"]
    found: dict[str, list[list[float]]] = defaultdict(list)
    for number, row in enumerate(rows):
        for name, hint in (("plain", ""), ("hint", str(row["hint"]))):
            one = told(network, tokenizer, row, hint, random.Random(number))
            found[name].append([one.repair, one.tokens, one.rank, one.of])
        found["rest"].append([rest_loss(network, tokenizer, row, random.Random(number))])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--tokens", type=float, default=2.5e5)
    parser.add_argument("--rounds", type=int, default=2)
    got = parser.parse_args()
    keep_memory()
    output = got.work / "ablation" / "results.jsonl"
    output.parent.mkdir(exist_ok=True)
    lines = map(json.loads, output.open()) if output.exists() else ()
    have = {(line["arm"], line["round"]) for line in lines}
    order = ("everything", "no verified", "no hints", "no FGO", "no CCCS")
    todo = [("as it was", 0), *((arm, n) for n in range(got.rounds) for arm in order)]
    for arm, number in todo:
        if (arm, number) in have:
            continue
        start = time.monotonic()
        network = (
            network_of(got.checkpoint)
            if arm == "as it was"
            else trained(got.work, got.checkpoint, arm, number, int(got.tokens))
        )
        spent = time.monotonic() - start
        row = {"arm": arm, "round": number, "tokens": got.tokens, "seconds": round(spent)}
        with output.open("a") as file:
            file.write(json.dumps({**row, **measured(network, got.work)}) + "\n")
        print(arm, number, round(time.monotonic() - start), "s", flush=True)


if __name__ == "__main__":
    main()
