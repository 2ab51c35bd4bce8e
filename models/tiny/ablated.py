"""The table of `ablation.py`'s results: each arm, and its paired difference from everything.

    ablated.py WORK

Differences are over the held-out verified rows, and their 95 % intervals by drawing functions (not
rows: the bugs of one function are alike) 4,000 times. They say how far other held-out functions
might differ; not how far another training would, which only more rounds show.

It does not cover measuring.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

DRAWS = 4000
BASE = "everything"
Values = list[tuple[float, float]]  # a row's amount, and how much it weighs in the mean


def columns(result: dict[str, list[list[float]]]) -> dict[str, Values]:
    """What is compared, row by row."""
    found: dict[str, Values] = {}
    for name, told in (("plain", "no hint given"), ("hint", "hint given")):
        found[f"loss, {told}"] = [(row[0], row[1]) for row in result[name]]
        found[f"log rank, {told}"] = [(math.log(row[2]), 1.0) for row in result[name]]
    found["loss of the rest"] = [
        (0.0, 0.0) if math.isnan(row[0]) else (row[0], 1.0) for row in result["rest"]
    ]
    return found


def mean(values: Sequence[tuple[float, float]]) -> float:
    return sum(v for v, _ in values) / max(1e-9, sum(w for _, w in values))


def interval(one: Values, other: Values, groups: list[list[int]]) -> tuple[float, float, float]:
    """(difference, low, high) of two arms' means, functions drawn with replacement."""
    chance, found = random.Random(0), []
    for _ in range(DRAWS):
        rows = [row for group in chance.choices(groups, k=len(groups)) for row in group]
        found.append(mean([one[row] for row in rows]) - mean([other[row] for row in rows]))
    found.sort()
    return mean(one) - mean(other), found[DRAWS // 40], found[-DRAWS // 40]


def functions(work: Path) -> list[list[int]]:
    """The numbers of the held-out rows, a list a function."""
    rows = map(json.loads, (work / "verified.jsonl").open())
    held = [row["text"] for row in rows if row["split"] == "held"]
    groups: dict[str, list[int]] = defaultdict(list)
    for number, text in enumerate(held):
        groups[text].append(number)
    return list(groups.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    got = parser.parse_args()
    groups = functions(got.work)
    results = [json.loads(line) for line in (got.work / "ablation" / "results.jsonl").open()]
    found = {(r["arm"], r["round"]): columns(r) for r in results}
    print(
        f"{sum(map(len, groups))} rows of {len(groups)} functions; {results[-1]['tokens']:.0f} tokens"
    )
    names = list(next(iter(found.values())))
    print(f"| arm | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    for (arm, number), mine in found.items():
        base = found.get((BASE, number))
        cells = []
        for name in names:
            cell = f"{mean(mine[name]):.3f}"
            if "rank" in name:
                cell += f" ({math.exp(mean(mine[name])):.2f})"
            if base and arm != BASE:
                cell += "; {:+.3f} ({:+.3f} to {:+.3f})".format(
                    *interval(mine[name], base[name], groups)
                )
            cells.append(cell)
        print(f"| {arm}, {number} | {' | '.join(cells)} |")
        for kind in ("loss", "log rank"):
            given, without = mine[f"{kind}, hint given"], mine[f"{kind}, no hint given"]
            told = "{:+.3f} ({:+.3f} to {:+.3f})".format(*interval(given, without, groups))
            print(f"|  | {kind} with the hint less that without: {told} |")


if __name__ == "__main__":
    main()
