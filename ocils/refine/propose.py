"""From confirmed greens to the one proposal.

Not covered: how rivals are compared (``rivals.py``).
"""

from __future__ import annotations

import ast

from ocils.domain.cancel import CancelToken
from ocils.domain.judging import Failed, Passed, Plan, Probe, TestId
from ocils.domain.python import tree_of
from ocils.domain.session import Candidate, Judged, Proposal, Rival
from ocils.domain.target import EditTarget
from ocils.domain.text import Document, Snapshot
from ocils.ports import Sandbox
from ocils.refine.distinct import lines_before, new_target_text
from ocils.refine.green import Confirmed
from ocils.refine.localize import holes
from ocils.refine.rank import cost

_RIVALS = 3


def cost_of(judged: Judged, document: Document, target: EditTarget) -> float:
    """Return what offering this candidate would cost; the least is offered."""
    old = new_target_text(document, target, ())
    return cost(judged.candidate, old, new_target_text(document, target, judged.candidate.edits))


def propose(
    judged: Judged,
    confirmed: Confirmed,
    snapshot: Snapshot,
    target: EditTarget,
    unexecuted: tuple[int, ...],
    rivals: tuple[Rival, ...],
) -> Proposal:
    """Build the proposal for a confirmed green."""
    edited = sorted({edit.path for edit in judged.candidate.edits})
    documents = tuple(
        (path, doc.hash) for path in edited if (doc := snapshot.document(path)) is not None
    )
    return Proposal(
        target=target,
        edits=judged.candidate.edits,
        snapshot=snapshot.hash,
        documents=documents,
        verdict=judged.verdict,
        candidate=judged.candidate,
        mended=confirmed.mended,
        flaky=confirmed.flaky,
        unexecuted=unexecuted,
        rivals=rivals,
        suspicious=judged.suspicious,
    )


def others_than(judged: Judged, greens: list[Judged]) -> tuple[Candidate, ...]:
    """Return the other honest greens, as many as are worth comparing."""
    return tuple(
        green.candidate
        for green in greens
        if green.candidate.id != judged.candidate.id and not green.suspicious
    )[:_RIVALS]


def tests_of(judged: Judged, confirmed: Confirmed) -> tuple[TestId, ...]:
    """Return the tests that a proposal stands on: those it mended, and those that reach it."""
    cases = judged.verdict.cases if isinstance(judged.verdict, Passed) else ()
    return tuple(dict.fromkeys([*confirmed.mended, *(case.test for case in cases)]))


async def unexecuted_lines(
    judged: Judged,
    confirmed: Confirmed,
    document: Document,
    snapshot: Snapshot,
    target: EditTarget,
    sandbox: Sandbox,
    cancel: CancelToken,
) -> tuple[int, ...]:
    """Return the first lines of statements that no test ran (1-based, in the new text).

    Lines count as if the target still began where it did: imports added above are left out.

    One more warm run, with line coverage of the new text. Nothing is said when that run fails.
    """
    text = new_target_text(document, target, judged.candidate.edits)
    moved = lines_before(document, target, judged.candidate.edits)
    start = target.first_line + moved
    probe = Probe(target.path, start, start + text.count("\n"))
    plan = Plan(tests=tests_of(judged, confirmed), seconds=60.0, probe=probe)
    verdict = await sandbox.judge(snapshot, judged.candidate.edits, plan, cancel)
    if not isinstance(verdict, Passed | Failed) or verdict.coverage is None:
        return ()
    ran = {n - moved for n in verdict.coverage.lines() | set(verdict.coverage.collection)}
    source = "\n".join(line.removeprefix(target.indent) for line in text.splitlines())
    first = holes(source, target.first_line)
    definitions = _definition_lines(source, target.first_line)
    return tuple(
        hole.first
        for hole in first
        if hole.first not in definitions
        and not any(n in ran for n in range(hole.first, hole.last + 1))
    )


def _definition_lines(source: str, first_line: int) -> set[int]:
    """Return the lines of ``def`` and decorators, which run when the module is imported."""
    module = tree_of(source)
    if module is None:
        return set()
    found: set[int] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            found.update(range(first_line + first - 1, first_line + node.body[0].lineno - 1))
    return found
