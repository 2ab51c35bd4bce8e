"""Reruns everything: corpus, tokenizer, examples, training, conversion, checks, manifest.

    python models/tiny/recipe.py WORK               the whole, hours on a CPU
    python models/tiny/recipe.py WORK --size smoke  minutes, without the network

Each stage is skipped when what it makes is there already, so a run that was stopped goes on where
it was. The smoke size reads the standard library only, trains a small network for a moment, and
leaves the weights in the work folder: it shows that the recipe runs, and nothing else.

It does not cover installing `requirements.txt`.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import dataclass
from pathlib import Path

import check
import contamination
import convert
import corpus
import shards
import tokens
import train
from machine import keep_memory
from network import Shape

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    packages: frozenset[str] | None
    functions: int | None
    sample: int
    epochs: int
    shard: int
    tokens: int
    batch: int
    shape: Shape
    checked: int


SIZES = {
    "full": Size(None, None, 40_000, 3, 8000, 53_400_000, 8192, Shape(), 300),
    "smoke": Size(
        frozenset({"python"}), 1500, 1500, 1, 500, 60_000, 1024,
        Shape(layers=2, width=128, heads=2, inner=256), 12,
    ),
}  # fmt: skip


def make_functions(work: Path, size: Size) -> None:
    """Download what is missing and write functions.jsonl."""
    output = work / "functions.jsonl"
    if output.exists():
        return
    named = {package["name"] for package in corpus.listed("package")} - {"python"}
    wanted = named if size.packages is None else set(size.packages) & named
    corpus.download(work / "dl", "package", wanted)
    measured = None
    if size.packages is None:
        corpus.download(work / "measured", "measured")
        measured = work / "measured"
    only = None if size.packages is None else set(size.packages)
    part = work / "functions.part"
    counts = corpus.build(work / "dl", part, contamination.Judge(measured), only)
    (work / "counts.json").write_text(json.dumps(dict(counts), indent=1) + "\n")
    if size.functions is not None:
        rows = random.Random(0).sample(part.read_text().splitlines(), size.functions)
        part.write_text("\n".join(rows) + "\n")
    part.rename(output)


def make_tokenizer(work: Path, size: Size) -> None:
    """Learn the merges on a sample of the training functions."""
    path = work / "tokenizer.json"
    if path.exists():
        return
    rows = [json.loads(line) for line in (work / "functions.jsonl").open()]
    texts = [tokens.lines_text(r["text"].split("\n")) for r in rows if r["split"] == "train"]
    tokens.train(random.Random(0).sample(texts, min(size.sample, len(texts))), path)


def run(work: Path, name: str, seconds: float, weights: Path | None) -> None:
    """All stages; the manifest of the repository is written only for the full size."""
    size = SIZES[name]
    work.mkdir(parents=True, exist_ok=True)
    make_functions(work, size)
    make_tokenizer(work, size)
    tokenizer = tokens.load(work / "tokenizer.json")
    folder = work / "shards"
    if not (folder / "done").exists():
        shards.write(tokenizer, work / "functions.jsonl", folder, size.epochs, size.shard)
        (folder / "done").touch()
    keep_memory()
    (work / "run").mkdir(exist_ok=True)
    if not (work / "run" / "shards").exists():
        (work / "run" / "shards").symlink_to("../shards")
    device = "cuda" if train.torch.cuda.is_available() else "cpu"
    plan = train.Plan(work / "run", size.tokens, seconds, size.batch, device=device)
    checkpoint = train.train(plan, size.shape)
    folder = weights or work / "weights"
    convert.convert(checkpoint, work / "tokenizer.json", folder, "int8")
    report = check.report(work, checkpoint, folder, size.checked)
    (work / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    manifest = HERE.parent / "tiny.toml" if weights else work / "tiny.toml"
    convert.write_manifest(folder, manifest, check.figures(report))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path, help="where corpus, checkpoints and logs go")
    parser.add_argument("--size", choices=list(SIZES), default="full")
    parser.add_argument("--minutes", type=float, default=1e6, help="end the training after these")
    parser.add_argument("--install", action="store_true", help="replace the repository's weights")
    got = parser.parse_args()
    weights = HERE / "weights" if got.install else None
    run(got.work, got.size, got.minutes * 60, weights)


if __name__ == "__main__":
    main()
