"""One task, searched: the product's own loop on the visible tests, then everything on what it offers.

Not covered: many tasks (``run``), shares and intervals (``score``).
"""

from __future__ import annotations

import ast
import time
from contextlib import aclosing
from typing import Literal, TypeAlias

from ocils.bench.blinkers import BlinkeredSandbox, TimedEngine
from ocils.bench.halves import visible
from ocils.bench.proof import Proof
from ocils.bench.task import Task, Unreadable
from ocils.domain.base import Value
from ocils.domain.cancel import CancelToken
from ocils.domain.events import Blocked, CandidateJudged, Finished, ProposalReady, TurnStarted
from ocils.domain.judging import Passed, Plan
from ocils.domain.model import StrategyName
from ocils.domain.python import parse_python
from ocils.domain.session import Limits, Proposal, Session
from ocils.domain.text import apply_edits
from ocils.ports import Ports, Recorder
from ocils.refine.loop import refine
from ocils.source.target import SourceTree, locate_name

Outcome: TypeAlias = Literal["green", "plausible", "suspicious", "red", "unjudged"]
"""green: right by all tests. plausible: right by the visible ones only, so it counts as red.
suspicious: offered as a last resort, counts as red. red: nothing was found. unjudged: the search
could not begin or go on."""


class Solved(Value, frozen=True, tag=True):
    """What came of one task.

    The offered candidate was the ``at``-th one judged, in turn number ``turn``; ``first`` is the
    first that was green by the visible tests (0: none). ``judged`` candidates were judged in all.
    ``seconds`` passed until a proposal was ready or the search gave up; of these, some candidate's
    verdict was waited for during ``judging``, the model during ``generating``, fresh runs during
    ``confirming``, the original's run during ``baseline``; they may overlap. ``visible`` and
    ``tests`` count tests. ``same``: the very program that is the known solution.
    """

    task: str
    outcome: Outcome
    at: int = 0
    first: int = 0
    judged: int = 0
    turn: int = 0
    strategy: StrategyName | Literal[""] = ""
    seconds: float = 0.0
    judging: float = 0.0
    generating: float = 0.0
    confirming: float = 0.0
    baseline: float = 0.0
    visible: int = 0
    tests: int = 0
    same: bool = False
    why: str = ""


async def solve(
    task: Task,
    proof: Proof,
    ports: Ports,
    limits: Limits,
    seed: int,
    width: int,
    cancel: CancelToken,
) -> Solved | None:
    """Search for what makes the visible tests pass, and judge what is offered by all of them.

    None when cancelled. Raises ``Unreadable`` when the function is not where the task says.
    """
    document = task.original.document(task.path)
    if document is None:
        raise Unreadable(f"there is no {task.path}")
    target = locate_name(SourceTree.of(document), task.function)
    shown = visible(proof, seed, task.held_out, task.shown)
    sandbox = BlinkeredSandbox(ports.sandbox, proof, shown, width)
    engine = TimedEngine(ports.engine)
    # The model loads before the clock starts: a user's server has it loaded already.
    await engine.load()
    session = Session(
        f"bench-{task.id}", task.wanted, target, task.original.hash, engine.identity, limits, seed
    )
    seen = _Seen()
    started = time.monotonic()
    recorder: Recorder = _Forgetful()
    own = Ports(engine, sandbox, recorder)
    async with aclosing(refine(session, task.original, own, cancel, task.tests)) as events:
        async for event in events:
            match event:
                case TurnStarted(number=number):
                    seen.turn = number
                case CandidateJudged(judged=judged, count=count):
                    seen.judged = count
                    seen.places[judged.candidate.id] = (count, seen.turn)
                    if isinstance(judged.verdict, Passed) and not judged.suspicious:
                        seen.first = seen.first or count
                case ProposalReady(proposal=proposal):
                    seen.proposal = proposal
                    seen.seconds = time.monotonic() - started
                case Finished() | Blocked():
                    seen.end = event
    if seen.end is None:
        return None
    outcome, same = await _scored(task, proof, seen, ports, cancel)
    if cancel.cancelled:
        return None
    at, turn = seen.places.get(seen.proposal.candidate.id, (0, 0)) if seen.proposal else (0, 0)
    asked = isinstance(seen.end, Blocked)
    why = _said(seen.end) if asked or outcome in ("unjudged", "suspicious") else ""
    return Solved(
        task.id,
        outcome,
        at,
        seen.first,
        seen.judged,
        turn,
        seen.proposal.candidate.strategy if seen.proposal else "",
        round(seen.seconds or time.monotonic() - started, 2),
        round(sandbox.judging.seconds, 2),
        round(engine.generating.seconds, 2),
        round(sandbox.confirming.seconds, 2),
        round(sandbox.baseline.seconds, 2),
        len(shown),
        len(proof.tests),
        same,
        why,
    )


class _Seen:
    """What a search said. Mutable, used by one task."""

    def __init__(self) -> None:
        self.turn = self.judged = self.first = 0
        self.seconds = 0.0
        self.places: dict[str, tuple[int, int]] = {}
        self.proposal: Proposal | None = None
        self.end: Finished | Blocked | None = None


class _Forgetful:
    """A recorder that keeps nothing: a benchmark's text stays where it is."""

    def record(self, session: Session) -> None:
        """Do nothing."""


async def _scored(
    task: Task, proof: Proof, seen: _Seen, ports: Ports, cancel: CancelToken
) -> tuple[Outcome, bool]:
    assert seen.end is not None
    if seen.proposal is None:
        # A search may end with a question for a package: nothing is installed for a measurement.
        tried = isinstance(seen.end, Blocked) or seen.end.outcome == "exhausted"
        return ("red" if tried and seen.judged else "unjudged"), False
    if isinstance(seen.end, Finished) and seen.end.outcome == "suspicious":
        return "suspicious", False
    every = tuple(dict.fromkeys((*proof.tests, *task.wider)))
    seconds = 30.0 + 10 * proof.seconds + 0.5 * len(task.wider)
    plan = Plan(tests=every, seconds=seconds, stop_early=True)
    verdict = await ports.sandbox.judge(task.original, seen.proposal.edits, plan, cancel)
    return ("green" if isinstance(verdict, Passed) else "plausible"), _same(task, seen.proposal)


def _said(end: Finished | Blocked) -> str:
    return end.message if isinstance(end, Finished) else f"it asks for {end.need.what}"


def _same(task: Task, proposal: Proposal) -> bool:
    """Tell whether a proposal gives the known solution's function, whatever its layout."""
    original = task.original.document(task.path)
    known = task.solution.document(task.path) if task.solution else None
    if original is None or known is None:
        return False
    made = apply_edits(original, proposal.edits)
    one, two = _function(made.data, task.function), _function(known.data, task.function)
    return bool(one) and one == two


def _function(data: bytes, name: str) -> str:
    try:
        node: ast.AST = parse_python(data)
    except (SyntaxError, ValueError):
        return ""
    for part in name.split("."):
        named = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        found = [n for n in ast.walk(node) if isinstance(n, named) and n.name == part]
        if not found:
            return ""
        node = found[0]
    return ast.dump(node)
