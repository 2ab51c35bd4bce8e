"""What judging adds to generating: whether a verdict costs less than the candidate it judges.

A whole search, end to end: a bug is planted in the demo's project, a model of the 0.5B shape draws
rewrites of the function in turns with feedback, and each is judged in a container. The weights are
random, so the replies' words are exchanged for rewrites that still hold the bug (``dubbed``); times
are the model's and the sandbox's own.

Not covered: replies that end early, of which more would be judged while others are still drawn.
"""

from __future__ import annotations

import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing, suppress

from ocils.bench.arms import random_model
from ocils.bench.caught import keep_caught
from ocils.bench.dubbed import Dubbed
from ocils.bench.figure import Bench, Figure
from ocils.bench.mutants import Mutant, mutants_of, spread
from ocils.domain.cancel import CancelToken
from ocils.domain.errors import OverlappingEdits, TargetNotFound, UsageError
from ocils.domain.events import CandidateJudged, Finished, TurnStarted
from ocils.domain.session import Limits, Session
from ocils.domain.text import Document, Snapshot, apply_edits
from ocils.ports import Ports
from ocils.refine.loop import refine
from ocils.source.target import SourceTree, locate


async def judging_share(
    bench: Bench, turns: int = 3, tokens: int = 160, model: str = "0.5B"
) -> Figure:
    """Seconds of a search in which nothing was drawn over seconds in which something was."""
    folder = await random_model(model)
    bench.choose(str(folder))
    try:
        return await _share(bench, turns, tokens)
    finally:
        bench.choose("")


async def _share(bench: Bench, turns: int, tokens: int) -> Figure:
    workspace, clean, ports = await bench.workspace("kitty")
    mutant, texts = await _subject(clean, ports, 8 * turns)
    document = clean.document(mutant.path)
    assert document is not None, "a mutant is of a file of its snapshot"
    broken = apply_edits(document, (mutant.edit,))
    snapshot = await workspace.snapshot([broken])
    target = locate(SourceTree.of(broken), mutant.edit.span.start)
    engine = Dubbed(ports.engine, iter(texts))
    limits = Limits(turns=turns, candidates=8 * turns, tokens=tokens, seconds=600)
    session = Session("share", "repair", target, snapshot.hash, engine.identity, limits)
    mine = Ports(engine, ports.sandbox, ports.recorder)
    started = ended = judged = begun = 0.0
    async with aclosing(refine(session, snapshot, mine, CancelToken())) as events:
        async for event in events:
            match event:
                case TurnStarted():
                    started = started or time.perf_counter()
                    begun += 1
                case CandidateJudged():
                    judged += 1
                    ended = time.perf_counter()
                case Finished():
                    ended = time.perf_counter()
    if not engine.generating or not judged:
        raise UsageError("nothing was drawn or judged", mend="run `ocils doctor`")
    waiting = max(0.0, ended - started - engine.generating)
    conditions: dict[str, object] = {
        "model": engine.identity,
        "isolation": ports.sandbox.isolation,
        "turns": int(begun),
        "replies": engine.replies,
        "judged": int(judged),
        "tokens_a_reply": tokens,
        "generating_s": round(engine.generating, 2),
        "waiting_s": round(waiting, 2),
    }
    return Figure(
        "judging_share", round(waiting / engine.generating, 3), "share", "lower", conditions
    )


async def _subject(clean: Snapshot, ports: Ports, count: int) -> tuple[Mutant, list[str]]:
    """Return a bug that the tests catch, and so many rewrites of its function that still have it."""
    everything = mutants_of(clean)
    sizes = Counter((mutant.path, mutant.function) for mutant in everything)
    offered = [
        mutant
        for mutant in spread(everything, len(everything), 0)
        if sizes[mutant.path, mutant.function] > 2 * count
    ]
    async with aclosing(keep_caught(offered, clean, ports.sandbox, CancelToken())) as found:
        async for caught in found:
            texts = list(_rewrites(clean, caught.mutant, everything))
            if len(texts) >= count:
                return caught.mutant, texts
    raise UsageError("the project has no function with enough mutants")


def _rewrites(clean: Snapshot, bug: Mutant, others: tuple[Mutant, ...]) -> Iterator[str]:
    document = clean.document(bug.path)
    assert document is not None, "a mutant is of a file of its snapshot"
    for other in others:
        if (other.path, other.function) == (bug.path, bug.function) and other.id != bug.id:
            with suppress(OverlappingEdits, TargetNotFound):
                yield _written(apply_edits(document, (bug.edit, other.edit)), bug)


def _written(document: Document, bug: Mutant) -> str:
    target = locate(SourceTree.of(document), bug.edit.span.start)
    source = document.data[target.span.start : target.span.end].decode()
    whole = textwrap.dedent(target.indent + source)
    return f"Here it is:\n\n```python\n{whole}\n```\n"
