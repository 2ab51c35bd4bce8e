"""What a ranking and a whole search cost, and how often the search succeeds.

Not covered: the whole measurement of the demo's project (``measure``).
"""

from __future__ import annotations

import statistics
import time

from ocils.bench.demo import drawn_from
from ocils.bench.figure import Bench, Figure
from ocils.bench.mend import Mended, mend, read_record
from ocils.bench.mutants import mutants_of, spread
from ocils.domain.cancel import CancelToken
from ocils.domain.model import Infill
from ocils.domain.session import Limits
from ocils.domain.target import Context, Hole
from ocils.domain.text import Snapshot, apply_edits
from ocils.ports import Ports
from ocils.prompt import infill
from ocils.source.target import SourceTree, locate


async def score_64_s(bench: Bench, rounds: int = 5) -> Figure:
    """Score 64 one-line candidates of one function, as the *edit* strategy does."""
    _, clean, ports = await bench.workspace("kitty")
    cancel = CancelToken()
    await ports.engine.load()
    pairs = _scored(clean, ports, 64)
    seconds = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        await ports.engine.score(pairs, cancel)
        seconds.append(time.perf_counter() - started)
    value = round(statistics.median(seconds[1:]), 3)
    conditions: dict[str, object] = {
        "model": ports.engine.identity,
        "rounds": rounds,
        "candidates": len(pairs),
    }
    return Figure("score_64_s", value, "s", "lower", conditions)


def _scored(clean: Snapshot, ports: Ports, count: int) -> list[tuple[Infill, str]]:
    manifest = ports.engine.manifest
    pairs: list[tuple[Infill, str]] = []
    for mutant in mutants_of(clean):
        document = clean.document(mutant.path)
        if mutant.function != "table" or document is None:
            continue
        target = locate(SourceTree.of(document), mutant.edit.span.start)
        source = document.data[target.span.start : target.span.end].decode()
        context = Context(target, source)
        hole = Hole(mutant.line, mutant.line)
        new = apply_edits(document, (mutant.edit,)).data.decode().split("\n")[mutant.line - 1]
        prompt = infill.render(
            context, hole, manifest, ports.engine.count_tokens, room=64, limit=256
        )
        pairs.append((prompt, infill.middle([new], manifest)))
    return (pairs * count)[:count]


async def mended_share(bench: Bench, sample: int = 12, seconds: float = 30.0) -> Figure:
    """How many of a few bugs of the demo's project are mended; the record holds the whole set."""
    workspace, clean, ports = await bench.workspace("kitty")
    limits = Limits(seconds=seconds)
    record = read_record(bench.record)
    outcomes: list[Mended] = []
    for mutant in spread(drawn_from(clean, record), 3 * sample, seed=1):
        run = mend(mutant, clean, workspace, ports, limits, CancelToken())
        last = [event async for event in run][-1]
        if isinstance(last, Mended) and last.outcome != "not red":
            outcomes.append(last)
        if len(outcomes) == sample:
            break
    mended = [each for each in outcomes if each.outcome == "mended"]
    conditions: dict[str, object] = {
        "model": ports.engine.identity,
        "isolation": ports.sandbox.isolation,
        "mutants": len(outcomes),
        "seconds_each_at_most": seconds,
        "median_seconds_when_mended": (
            round(statistics.median(each.seconds for each in mended), 1) if mended else None
        ),
        "same_as_original": sum(each.same_as_original for each in mended),
    }
    value = round(len(mended) / max(1, len(outcomes)), 3)
    return Figure("mended_share", value, "share", "higher", conditions)
