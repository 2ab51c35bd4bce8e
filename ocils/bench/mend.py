"""How often planted bugs are mended: one refine a mutant, its outcome, and a record that resumes.

Not covered: which mutants (``mutants``, ``caught``), showing a run (``demo``).
"""

from __future__ import annotations

import ast
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from ocils.bench.caught import Caught
from ocils.bench.mutants import Mutant
from ocils.domain.base import Value
from ocils.domain.cancel import CancelToken
from ocils.domain.errors import StaleTarget
from ocils.domain.events import BaselineJudged, CandidateJudged, Event, Finished, ProposalReady
from ocils.domain.python import parse_python
from ocils.domain.session import Limits, Session
from ocils.domain.text import Document, Snapshot, apply_edits
from ocils.ports import Ports, Workspace
from ocils.refine.loop import refine
from ocils.source.target import SourceTree, locate

RECORD = Path("tests", "bench", "mended.json")
"""Where a checkout keeps the measurement of the demo's project."""

Outcome: TypeAlias = Literal["mended", "not mended", "not red", "unjudged", "cancelled"]


class Mended(Value, frozen=True):
    """What came of one mutant.

    "mended": a proposal was confirmed green. ``candidates`` were judged, ``seconds`` passed in all
    and ``warm`` of them before the baseline was known. ``same_as_original``: the proposal brings
    back the very program that was mutated. ``how`` is the winning candidate's note and strategy.
    """

    mutant: str
    path: str
    function: str
    operator: str
    outcome: Outcome
    candidates: int = 0
    seconds: float = 0.0
    warm: float = 0.0
    same_as_original: bool = False
    how: str = ""


async def mend(
    mutant: Mutant,
    clean: Snapshot,
    workspace: Workspace,
    ports: Ports,
    limits: Limits,
    cancel: CancelToken,
    seed: int = 0,
) -> AsyncGenerator[Event | Mended, None]:
    """Refine the mutated function as if its text stood in an unsaved buffer.

    Yields the run's events and, last, the outcome. Nothing is written. Raises ``StaleTarget`` when
    ``mutant`` was not made from ``clean``.
    """
    document = clean.document(mutant.path)
    if document is None:
        raise StaleTarget(f"{mutant.path} is not in {clean.root}")
    broken = apply_edits(document, (mutant.edit,))
    snapshot = await workspace.snapshot([broken])
    target = locate(SourceTree.of(broken), mutant.edit.span.start)
    session = Session(
        f"mutant-{mutant.id}",
        "repair",
        target,
        snapshot.hash,
        ports.engine.identity,
        limits,
        seed,
    )
    started = time.monotonic()
    outcome: Outcome = "cancelled"
    warm, candidates, same, how = 0.0, 0, False, ""
    async with aclosing(refine(session, snapshot, ports, cancel)) as events:
        async for event in events:
            match event:
                case BaselineJudged():
                    warm = time.monotonic() - started
                case CandidateJudged():
                    candidates += 1
                case ProposalReady(proposal=proposal):
                    outcome = "mended"
                    same = _same_program(apply_edits(broken, proposal.edits), document)
                    how = f"{proposal.candidate.strategy}: {proposal.candidate.note}"
                case Finished(outcome="already_green" | "no_tests"):
                    outcome = "not red"
                case Finished(outcome="broken" | "unjudged" | "timeout"):
                    outcome = "unjudged"
                case Finished(outcome="exhausted" | "suspicious"):
                    outcome = "not mended"
            yield event
    yield Mended(
        mutant.id,
        clean.relative(mutant.path),
        mutant.function,
        mutant.operator,
        outcome,
        candidates,
        round(time.monotonic() - started, 2),
        round(warm, 2),
        same,
        how,
    )


def _same_program(one: Document, two: Document) -> bool:
    return ast.dump(parse_python(one.data)) == ast.dump(parse_python(two.data))


class Conditions(Value, frozen=True):
    """What a measurement was made with; measurements of other conditions are not compared."""

    model: str
    limits: Limits
    seed: int
    isolation: str


class Record(Value, frozen=True):
    """A measurement: its conditions, its day, and one outcome a mutant."""

    date: str
    conditions: Conditions
    outcomes: tuple[Mended, ...] = ()

    @property
    def mended(self) -> int:
        """How many were mended."""
        return sum(each.outcome == "mended" for each in self.outcomes)


def read_record(path: Path) -> Record | None:
    """Return the record at ``path``; None where there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Record)
    except (OSError, msgspec.MsgspecError):
        return None


def write_record(path: Path, record: Record) -> None:
    """Write a record, one outcome a line, so that two of them can be compared by eye."""
    head = msgspec.json.encode(msgspec.structs.replace(record, outcomes=())).decode()
    lines = ",\n".join(msgspec.json.encode(each).decode() for each in record.outcomes)
    path.write_text(f'{head[:-1]},"outcomes":[\n{lines}\n]}}\n')


async def mend_all(
    caught: Iterable[Caught],
    clean: Snapshot,
    workspace: Workspace,
    ports: Ports,
    limits: Limits,
    cancel: CancelToken,
    seed: int = 0,
    journal: Path | None = None,
) -> AsyncGenerator[Mended, None]:
    """Yield the outcome of each mutant, in order.

    ``journal`` is a file of JSON lines: what stands in it is taken from there, what is new is
    added at once, so that a long measurement can be interrupted and goes on where it was.
    """
    known = {each.mutant: each for each in _read_journal(journal)}
    for each in caught:
        if cancel.cancelled:
            return
        if each.mutant.id in known:
            yield known[each.mutant.id]
            continue
        run = mend(each.mutant, clean, workspace, ports, limits, cancel, seed)
        async with aclosing(run) as events:
            async for event in events:
                if not isinstance(event, Mended) or event.outcome == "cancelled":
                    continue
                if journal is not None:
                    with journal.open("ab") as file:
                        file.write(msgspec.json.encode(event) + b"\n")
                yield event


def _read_journal(journal: Path | None) -> list[Mended]:
    if journal is None or not journal.exists():
        return []
    # A line that was cut short when the power went is measured again.
    found = []
    for line in journal.read_bytes().splitlines():
        try:
            found.append(msgspec.json.decode(line, type=Mended))
        except msgspec.MsgspecError:
            continue
    return found
