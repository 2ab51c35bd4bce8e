"""Checks a converted model: agreement with the network, loss by kind, and ranking.

Ranking is what the model is for: a held-out function gets one bug, the candidates are single
edits, and the rank of the right one among them is reported, beside that of a random order.
`line` ranks edits of the broken line; `function` ranks edits of all lines by the gain over the
line as it stands, which also asks where the bug is.

It does not cover judging by tests: `ocils bench` does that. The bugs come from the operators that
the training used, on functions it never saw, so the ranks flatter the model somewhat.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import ctranslate2
import numpy as np
import torch
from tokenizers import Tokenizer

from convert import convert
from examples import broken, choose, replaced
from mutate import edits, parses
from network import Network, Shape
from tokens import END, encode, load, prompt
from train import rows_of

LONGEST = 500


def network_of(checkpoint: Path) -> Network:
    saved = torch.load(checkpoint, map_location="cpu")
    network = Network(Shape(**saved["shape"]))
    network.load_state_dict(saved["network"])
    return network.eval()


@torch.no_grad()
def agreement(network: Network, folder: Path, held: Path, kind: str) -> dict[str, float]:
    """The largest difference of log-probabilities, and the share of equal greedy tokens."""
    generator = ctranslate2.Generator(str(folder), compute_type=kind)
    parts, _, _ = rows_of(held)
    worst, same, total = 0.0, 0, 0
    for tokens in random.Random(3).sample(parts, min(40, len(parts))):
        given = ctranslate2.StorageView.from_array(tokens[None].astype(np.int32))
        lengths = ctranslate2.StorageView.from_array(np.array([len(tokens)], dtype=np.int32))
        logits = generator.forward_batch(given, lengths, return_log_probs=True)
        theirs = np.array(logits)[0]
        hidden = network(torch.from_numpy(tokens[None]))
        mine = network.head(hidden)[0].float().log_softmax(-1).numpy()
        worst = max(worst, float(np.abs(mine - theirs).max()))
        same += int((mine.argmax(-1) == theirs.argmax(-1)).sum())
        total += len(tokens)
    return {"largest_difference": round(worst, 5), "same_greedy": round(same / total, 4)}


@torch.no_grad()
def losses(network: Network, held: Path, most: int) -> dict[str, float]:
    """Mean loss a token over the middle, for each kind of held-out example."""
    parts, prompts, kinds = rows_of(held)
    sums: defaultdict[str, list[float]] = defaultdict(list)
    for tokens, before, kind in list(zip(parts, prompts, kinds, strict=True))[:most]:
        inside = torch.from_numpy(tokens[None])
        logits = network.head(network(inside)[:, before - 1 : -1])[0]
        each = torch.nn.functional.cross_entropy(
            logits.float(), inside[0, before:], reduction="none"
        )
        sums[kind] += each.tolist()
    overall = [x for values in sums.values() for x in values]
    found = {kind: round(statistics.fmean(v), 3) for kind, v in sorted(sums.items())}
    return {"all": round(statistics.fmean(overall), 3), **found}


class Scorer:
    """Scores lines as replacements of a line, through CTranslate2."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer: Tokenizer = load(folder / "tokenizer.json")
        self.words = [self.tokenizer.id_to_token(i) for i in range(self.tokenizer.get_vocab_size())]
        self.generator = ctranslate2.Generator(str(folder), compute_type="auto", intra_threads=2)

    def scores(self, lines: list[str], at: int, news: list[str]) -> list[float]:
        """log p(new line and the end) for each new line in the place of line `at`."""
        before, after = encode(self.tokenizer, lines[:at]), encode(self.tokenizer, lines[at + 1 :])
        start = prompt(before, after, encode(self.tokenizer, [lines[at]]))
        asked = [[*start, *encode(self.tokenizer, [new]), END] for new in news]
        texts = [[self.words[i] for i in tokens] for tokens in asked]
        results = self.generator.score_batch(texts, max_batch_size=8192, batch_type="tokens")
        return [sum(r.log_probs[len(start) - 1 :]) for r in results]

    def screened(self, lines: list[str], at: int, news: list[str]) -> list[float]:
        """A cheap guess of the same gains: one pass for the line, not one for each candidate.

        The pass with the old line as the middle tells the log-probability of every token that may
        follow each of its beginnings. A candidate is worth its first different token less what
        the old line has from there on; what comes after that token is taken as certain.
        """
        was = [*encode(self.tokenizer, [lines[at]]), END]
        before, after = encode(self.tokenizer, lines[:at]), encode(self.tokenizer, lines[at + 1 :])
        start = prompt(before, after, was[:-1])
        given = np.array([[*start, *was]], dtype=np.int32)
        length = np.array([given.shape[1]], dtype=np.int32)
        view = ctranslate2.StorageView.from_array
        table = np.array(
            self.generator.forward_batch(view(given), view(length), return_log_probs=True)
        )[0][len(start) - 1 : -1]
        old = [float(table[i][token]) for i, token in enumerate(was)]
        gains = []
        for new in news:
            tokens = [*encode(self.tokenizer, [new]), END]
            split = next(
                i for i, pair in enumerate(zip(tokens, was, strict=False)) if pair[0] != pair[1]
            )
            gains.append(float(table[split][tokens[split]]) - sum(old[split:]))
        return gains


def candidates(text: str, chance: random.Random, most: int) -> list[tuple[int, str]]:
    """Up to `most` distinct (line number, new line) single edits that parse, kinds mixed."""
    found, out = edits(text), dict[tuple[int, str], None]()
    for _ in range(most * 3):
        if not found or len(out) >= most:
            break
        edit = choose(found, chance)
        found.remove(edit)
        changed = edit.apply(text)
        number = text.count("\n", 0, edit.start)
        if parses(changed):
            out[number, changed.split("\n")[number].rstrip()] = None
    return list(out)


def ranking(folder: Path, functions: list[str], seed: int) -> dict[str, object]:
    """Ranks of the right line: among edits of its line, and among edits of the function."""
    chance, scorer = random.Random(seed), Scorer(folder)
    ranks: dict[str, list[int]] = {"line": [], "function": [], "function, screened": []}
    sizes: dict[str, list[int]] = {"line": [], "function": [], "function, screened": []}
    seconds: list[float] = []
    for text in functions:
        bad = broken(text, edits(text), chance)
        if bad is None or len(encode(scorer.tokenizer, text.split("\n"))) > LONGEST - 60:
            continue
        at, line, _ = bad
        lines = replaced(text.split("\n"), at, 1, [line])
        right = (at, text.split("\n")[at])
        found = [c for c in candidates("\n".join(lines), chance, 160) if c != right]
        # A single edit often undoes a bug but need not: the right line is put among them.
        same_line = [c for c in found if c[0] == at][:49]
        for name, pool in (("line", same_line), ("function", found[:99])):
            if len(pool) < 15:
                continue
            pool = [right, *pool]
            gains: dict[tuple[int, str], float] = {}
            cheap: dict[tuple[int, str], float] = {}
            for number in {n for n, _ in pool}:
                news = [new for n, new in pool if n == number]
                start = time.perf_counter()
                old, *scores = scorer.scores(lines, number, [lines[number], *news])
                if len(news) >= 32:
                    seconds.append((time.perf_counter() - start) * 64 / len(news))
                gains.update({(number, n): s - old for n, s in zip(news, scores, strict=True)})
                guesses = scorer.screened(lines, number, news)
                cheap.update({(number, n): g for n, g in zip(news, guesses, strict=True)})
            if name == "function":
                rank = 1 + sum(g > cheap[right] for c, g in cheap.items() if c != right)
                ranks["function, screened"].append(rank)
                sizes["function, screened"].append(len(pool))
            ranks[name].append(1 + sum(g > gains[right] for c, g in gains.items() if c != right))
            sizes[name].append(len(pool))
    result: dict[str, object] = {}
    for name, got in ranks.items():
        if got:
            result[name] = {
                "functions": len(got),
                "mean_candidates": round(statistics.fmean(sizes[name]), 1),
                "median_rank": statistics.median(got),
                "unranked_median": round((statistics.median(sizes[name]) + 1) / 2, 1),
                "first": round(sum(r == 1 for r in got) / len(got), 3),
                "within_5": round(sum(r <= 5 for r in got) / len(got), 3),
                "within_10": round(sum(r <= 10 for r in got) / len(got), 3),
            }
    if seconds:
        result["seconds_for_64_of_a_line"] = round(statistics.median(seconds), 3)
    return result


def report(work: Path, checkpoint: Path, folder: Path, functions: int) -> dict[str, object]:
    """All figures of one checkpoint and its converted form."""
    network, held = network_of(checkpoint), work / "shards" / "held.npz"
    made: dict[str, object] = {
        "tokens_seen": torch.load(checkpoint, map_location="cpu")["place"][0]
    }
    with tempfile.TemporaryDirectory() as plain:
        convert(checkpoint, work / "tokenizer.json", Path(plain), None)
        made["float32"] = agreement(network, Path(plain), held, "float32")
    made["int8"] = agreement(network, folder, held, "auto")
    made["loss"] = losses(network, held, 1200)
    rows = [json.loads(line) for line in (work / "functions.jsonl").open()]
    texts = [row["text"] for row in rows if row["split"] == "held"]
    some = random.Random(5).sample(texts, min(functions, len(texts)))
    made["ranking"] = ranking(folder, some, 5)
    return made


def figures(made: dict[str, object]) -> dict[str, object]:
    """The few figures that the manifest repeats."""
    flat: dict[str, object] = {"tokens_seen": made["tokens_seen"]}
    loss, ranks = made["loss"], made["ranking"]
    if isinstance(loss, dict):
        flat["held_out_loss"] = loss["all"]
    if isinstance(ranks, dict):
        for name in ("line", "function"):
            if name in ranks:
                flat[f"median_rank_{name}"] = ranks[name]["median_rank"]
                flat[f"candidates_{name}"] = ranks[name]["mean_candidates"]
        flat["seconds_for_64_of_a_line"] = ranks.get("seconds_for_64_of_a_line", 0.0)
    return flat


def main() -> None:
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--folder", type=Path, default=here / "weights")
    parser.add_argument("--functions", type=int, default=150)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--figures", type=Path, help="write the manifest's few figures there")
    got = parser.parse_args()
    checkpoint = got.checkpoint or got.work / "run" / "checkpoint.pt"
    made = report(got.work, checkpoint, got.folder, got.functions)
    text = json.dumps(made, indent=1)
    print(text)
    if got.figures:
        got.figures.write_text(json.dumps(figures(made)) + "\n")
    if got.output:
        got.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
