"""Trains on a GPU that is lent for minutes, far from the corpus: pack, train in pieces, bring back.

    gpu.py pack WORK PACK            everything that training needs, at most 60 MiB in all
    gpu.py train PACK WORK OUT ...   one piece; call it again until it says "done"
    gpu.py join OUT CHECKPOINT       the weights that came back, as `convert.py` reads them

A pack holds the functions, the tokenizer and ready-made shards. Where `tokenizers` is installed on
the GPU's machine, its processors break the functions anew for every pass; else the shards are used
again and again. The whole checkpoint stays in that machine's WORK for the next piece; what comes
back after each piece are the weights alone, in 16 bits and in files of at most 16 MiB, and the log.
Training can go on from those too, without the optimisers' momenta.

It does not cover several GPUs, nor carrying the files: `gpu.sh` says what goes where.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import lzma
import multiprocessing
import os
import random
import shutil
from pathlib import Path

import torch

import train
from network import Network, Shape

ROOM = 60 * 2**20
PART = 16 * 2**20 - 4096
SHARD = 8000  # functions


def pack(work: Path, folder: Path) -> int:
    """Fill `folder`; return its bytes. The newest shards, with the newest kinds of bug, go first."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(work / "tokenizer.json", folder / "tokenizer.json")
    data = lzma.compress((work / "functions.jsonl").read_bytes(), preset=3)
    (folder / "functions.jsonl.xz").write_bytes(data)
    shards = sorted((work / "shards").glob("train-*.npz"), reverse=True)
    room = ROOM - len(data) - (folder / "tokenizer.json").stat().st_size
    if (work / "verified.jsonl").exists():
        data = lzma.compress((work / "verified.jsonl").read_bytes(), preset=3)
        (folder / "verified.jsonl.xz").write_bytes(data)
        room -= len(data)
    for path in (work / "shards" / "held.npz", *shards):
        data = lzma.compress(path.read_bytes(), preset=3)
        if len(data) > room:
            break
        (folder / f"{path.name}.xz").write_bytes(data)
        room -= len(data)
    return sum(path.stat().st_size for path in folder.iterdir())


def unpack(folder: Path, work: Path) -> None:
    """Put the pack's files where the recipe has them; what is there already is kept."""
    (work / "shards").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / "tokenizer.json", work / "tokenizer.json")
    for path in folder.glob("*.xz"):
        place = work / "shards" if path.stem.endswith(".npz") else work
        if not (place / path.stem).exists():
            (place / path.stem).write_bytes(lzma.decompress(path.read_bytes()))


def make(work: Path, number: int) -> None:
    """Write one fresh shard: other functions, other bugs, for every number."""
    import shards
    import tokens

    path = work / "shards" / f"train-{number:04d}.npz"
    if path.exists():
        return
    rows = [json.loads(line) for line in (work / "functions.jsonl").open()]
    texts = [row["text"] for row in rows if row["split"] == "train"]
    random.Random(number).shuffle(texts)
    tokenizer = tokens.load(work / "tokenizer.json")
    made = shards.shard(tokenizer, texts[:SHARD], 10_000 + number, rows=shards.checked(work))
    shards.save(path, list(made), tokenizer)


def make_on(work: Path, first: int, count: int) -> None:
    """Write shards one after another; in a process of its own, which ends with its parent."""
    os.nice(5)
    for number in range(first, first + count):
        make(work, number)


def makers(work: Path) -> list[multiprocessing.Process]:
    """Start as many makers of shards as there are processors to spare."""
    if importlib.util.find_spec("tokenizers") is None:
        return []
    context = multiprocessing.get_context("spawn")
    taken = [int(path.stem[-4:]) for path in (work / "shards").glob("train-*.npz")]
    spare = min(12, max(0, (os.cpu_count() or 1) - 2))
    first = max(taken, default=-1) + 1
    found = []
    for number in range(spare):
        process = context.Process(target=make_on, args=(work, first + number * 40, 40), daemon=True)
        process.start()
        found.append(process)
    return found


def weights_out(checkpoint: Path, out: Path) -> int:
    """Write the weights alone, in parts; return how many tokens they have seen."""
    saved = torch.load(checkpoint, map_location="cpu")
    half = {name: value.to(torch.bfloat16) for name, value in saved["network"].items()}
    held = io.BytesIO()
    torch.save({"network": half, "shape": saved["shape"], "place": saved["place"]}, held)
    data = held.getvalue()
    out.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(range(0, len(data), PART)):
        (out / f"weights.{number:02d}").write_bytes(data[start : start + PART])
    return int(saved["place"][0])


def join(out: Path, checkpoint: Path) -> None:
    """Put parts together: a checkpoint for `convert.py`, and to start another training from."""
    data = b"".join(path.read_bytes() for path in sorted(out.glob("weights.*")))
    saved = torch.load(io.BytesIO(data), map_location="cpu")
    network = Network(Shape(**saved["shape"]))
    network.load_state_dict({name: value.float() for name, value in saved["network"].items()})
    torch.save({**saved, "network": network.state_dict()}, checkpoint)


def piece(got: argparse.Namespace) -> None:
    """Train for some minutes of the plan and write what there is to `out`."""
    unpack(got.pack, got.work)
    run = got.work / "run"
    run.mkdir(exist_ok=True)
    if not (run / "shards").exists():
        (run / "shards").symlink_to("../shards")
    running = makers(got.work)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_float32_matmul_precision("high")
    plan = train.Plan(run, int(got.tokens), got.total * 60, batch=got.batch, rate=got.rate,
                      device=device, pause=got.minutes * 60)  # fmt: skip
    shape = Shape(layers=got.layers, width=got.width, heads=got.width // 64, inner=3 * got.width)
    checkpoint = train.train(plan, shape)
    for process in running:
        process.terminate()
    seen = weights_out(checkpoint, got.out)
    shutil.copyfile(run / "log.jsonl", got.out / "log.jsonl")
    spent = torch.load(checkpoint, map_location="cpu")["place"][2]
    done = seen >= plan.tokens or spent >= plan.seconds
    print("done" if done else "to be continued", f"{seen} tokens, {spent:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = parser.add_subparsers(required=True, dest="kind")
    sub = kinds.add_parser("pack")
    sub.add_argument("work", type=Path)
    sub.add_argument("pack", type=Path)
    sub = kinds.add_parser("train")
    for name in ("pack", "work", "out"):
        sub.add_argument(name, type=Path)
    sub.add_argument("--minutes", type=float, default=8.5, help="of this piece")
    sub.add_argument("--total", type=float, default=25.0, help="minutes of the whole plan")
    sub.add_argument("--tokens", type=float, default=4e9)
    sub.add_argument("--batch", type=int, default=65_536)
    sub.add_argument("--layers", type=int, default=8)
    sub.add_argument("--width", type=int, default=512)
    sub.add_argument("--rate", type=float, default=0.02)
    sub = kinds.add_parser("join")
    sub.add_argument("out", type=Path)
    sub.add_argument("checkpoint", type=Path)
    got = parser.parse_args()
    if got.kind == "pack":
        print(pack(got.work, got.pack) // 2**20, "MiB")
    elif got.kind == "train":
        piece(got)
    else:
        join(got.out, got.checkpoint)


if __name__ == "__main__":
    main()
