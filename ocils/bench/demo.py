"""What ``make demo`` shows: a bug drawn at run time, refined to green before the viewer's eyes.

Colours and a spinner on a terminal, plain lines in a pipe. Nothing is written: the bug exists only
as an unsaved buffer over the workspace.

Not covered: the measurement it quotes, which ``ocils bench mutants`` makes.
"""

from __future__ import annotations

import asyncio
import difflib
import random
from contextlib import aclosing

from rich.console import Console

from ocils.bench.mend import Mended, Record, mend
from ocils.bench.mutants import Mutant, mutants_of, spread
from ocils.console import Narrator
from ocils.domain.cancel import CancelToken
from ocils.domain.errors import UsageError
from ocils.domain.events import ProposalReady
from ocils.domain.session import Limits
from ocils.domain.text import Document, Snapshot, apply_edits
from ocils.ports import Ports, Workspace

LIMITS = Limits(candidates=256, seconds=60.0)
"""The limits of the demo and of the measurement that it quotes."""

SET = 200  # mutants offered to the tests when there is no measurement to say which they catch
_DRAWS = 5


def drawn_from(clean: Snapshot, record: Record | None) -> tuple[Mutant, ...]:
    """Return the mutants that may be drawn: the measured ones, else an even spread over all."""
    everything = mutants_of(clean)
    measured = {each.mutant for each in record.outcomes} if record else set()
    known = tuple(mutant for mutant in everything if mutant.id in measured)
    return known or spread(everything, SET)


async def demo(
    workspace: Workspace,
    ports: Ports,
    cancel: CancelToken,
    console: Console,
    *,
    seed: int,
    record: Record | None = None,
    limits: Limits = LIMITS,
) -> bool:
    """Draw bugs until one is mended, five at most; tell whether one was.

    A mutant that the tests turn out not to catch is put back and does not count. Raises
    ``OcilsError`` for what keeps anything from running at all.
    """
    clean = await workspace.snapshot()
    choice = await asyncio.to_thread(drawn_from, clean, record)
    if not choice:
        raise UsageError(f"{clean.root} has no Python functions to plant a bug in")
    functions = len({(mutant.path, mutant.function) for mutant in choice})
    _say(console, f"{clean.root.rpartition('/')[2]}: {len(choice)} bugs in {functions} functions")
    _say(console, f"seed {seed} (make demo SEED={seed} draws the same again)")
    tried = 0
    for mutant in random.Random(seed).sample(choice, len(choice)):  # noqa: S311 - a drawing
        mended = await _show(mutant, clean, workspace, ports, cancel, console, limits, seed)
        if cancel.cancelled:
            return False
        if mended.outcome == "not red":
            _say(console, "the tests do not notice this one; drawing another")
            continue
        tried += 1
        if mended.outcome == "mended":
            _quote(console, record, len(choice), ports.engine.identity, limits)
            return True
        if tried == _DRAWS:
            break
        _say(console, f"{mended.outcome}, {_spent(mended)}; drawing another")
    _say(console, f"none of {tried} bugs was mended", style="red")
    return False


async def _show(
    mutant: Mutant,
    clean: Snapshot,
    workspace: Workspace,
    ports: Ports,
    cancel: CancelToken,
    console: Console,
    limits: Limits,
    seed: int,
) -> Mended:
    document = clean.document(mutant.path)
    if document is None:
        raise UsageError(f"{mutant.path} is not in {clean.root}")
    broken = apply_edits(document, (mutant.edit,))
    where = f"{clean.relative(mutant.path)}, line {mutant.line}"
    _say(console, "")
    _say(console, f"the bug: {mutant.operator} in {mutant.function} ({where})", style="bold")
    _draw(console, _difference(document, broken, clean))
    fixed = None
    mended: Mended | None = None
    run = mend(mutant, clean, workspace, ports, limits, cancel, seed)
    with Narrator(console, verbose=True) as narrator:
        async with aclosing(run) as events:
            async for event in events:
                if isinstance(event, Mended):
                    mended = event
                else:
                    narrator.tell(event)
                if isinstance(event, ProposalReady):
                    fixed = apply_edits(broken, event.proposal.edits)
    assert mended is not None  # mend's last word is always the outcome
    if fixed is not None:
        _say(console, "")
        _say(console, f"mended: {_spent(mended)}", style="bold green")
        _draw(console, _difference(broken, fixed, clean))
        same = "the very program that the bug was planted in"
        other = "another text than the bug was planted in; all tests agree with it"
        _say(console, same if mended.same_as_original else other)
    return mended


def _spent(mended: Mended) -> str:
    plural = "" if mended.candidates == 1 else "s"
    return f"{mended.candidates} candidate{plural} judged in {mended.seconds:.1f} s"


def _difference(before: Document, after: Document, snapshot: Snapshot) -> str:
    name = snapshot.relative(before.path)
    old = before.data.decode(before.encoding, "replace").splitlines()
    new = after.data.decode(after.encoding, "replace").splitlines()
    return "\n".join(difflib.unified_diff(old, new, f"a/{name}", f"b/{name}", n=3, lineterm=""))


def _draw(console: Console, difference: str) -> None:
    for line in difference.splitlines():
        _say(console, line, {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], ""))


def _quote(
    console: Console,
    record: Record | None,
    choice: int,
    identity: str,
    limits: Limits,
) -> None:
    """Say how often such bugs are mended, and how far the measurement is from what runs here."""
    _say(console, "")
    if record is None or not record.outcomes:
        _say(console, "how often such bugs are mended has not been measured here")
        return
    count, mended = len(record.outcomes), record.mended
    made = record.conditions
    _say(
        console,
        f"of {count} such bugs, {mended} were mended ({mended / count:.0%}) within "
        f"{made.limits.candidates} candidates and {made.limits.seconds:.0f} s each; "
        f"measured {record.date} with {made.model}",
    )
    if made.model != identity:
        _say(console, f"this run's model is another one: {identity}", style="yellow")
    if made.limits != limits:
        _say(console, "this run's limits are others", style="yellow")
    if choice != count:
        _say(console, "the project has changed since", style="yellow")


def _say(console: Console, text: str, style: str = "") -> None:
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
