"""Several greens: where do they behave differently, on what the tests gave the function?

Each is run once more, warm, with the target's calls recorded (decision 9). Two programs are compared
call by call within a test, as long as they are given the same.

Not covered: inputs that no test gives; which of two behaviours is meant.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from ocils.domain.base import Value
from ocils.domain.cancel import CancelToken
from ocils.domain.judging import Call, Failed, Passed, Plan, Probe, TestId
from ocils.domain.session import Candidate, Rival
from ocils.domain.target import EditTarget
from ocils.domain.text import Document, Snapshot
from ocils.ports import Sandbox
from ocils.refine.distinct import lines_before, new_target_text


class Difference(Value, frozen=True):
    """The first call that two programs answer differently."""

    call: Call
    other: Call


def first_difference(mine: Sequence[Call], other: Sequence[Call]) -> Difference | None:
    """Compare the calls of each test in order; None when none is answered differently.

    Once the two are given different arguments, what follows in that test has another cause.
    """
    theirs: dict[TestId, list[Call]] = defaultdict(list)
    for call in other:
        theirs[call.test].append(call)
    ours: dict[TestId, list[Call]] = defaultdict(list)
    for call in mine:
        ours[call.test].append(call)
    for test, calls in ours.items():
        for one, two in zip(calls, theirs[test], strict=False):
            if one.given != two.given:
                break
            if one.outcome != two.outcome:
                return Difference(one, two)
    return None


async def compare_rivals(
    chosen: Candidate,
    others: Sequence[Candidate],
    tests: tuple[TestId, ...],
    document: Document,
    snapshot: Snapshot,
    target: EditTarget,
    sandbox: Sandbox,
    cancel: CancelToken,
) -> tuple[Rival, ...]:
    """Say how each of ``others`` differs from ``chosen``; those that do come first.

    A run that fails says nothing: the rival is then named without a comparison.
    """
    if not others:
        return ()

    async def calls(candidate: Candidate) -> tuple[Call, ...]:
        text = new_target_text(document, target, candidate.edits)
        start = target.first_line + lines_before(document, target, candidate.edits)
        probe = Probe(target.path, start, start + text.count("\n"), calls=True)
        plan = Plan(tests=tests, seconds=60.0, probe=probe)
        verdict = await sandbox.judge(snapshot, candidate.edits, plan, cancel)
        return verdict.calls if isinstance(verdict, Passed | Failed) else ()

    mine, *theirs = await asyncio.gather(*(calls(each) for each in (chosen, *others)))
    differing, same = [], []
    for candidate, other in zip(others, theirs, strict=True):
        difference = first_difference(mine, other)
        if difference is not None:
            differing.append(Rival(candidate, _told(target.name, candidate, difference)))
        elif mine and other:
            why = f"also green: {candidate.note}; the same in all {len(mine)} calls of the tests"
            same.append(Rival(candidate, why))
        else:
            same.append(Rival(candidate, f"also green: {candidate.note}"))
    return (*differing, *same)


def _told(name: str, candidate: Candidate, difference: Difference) -> str:
    call, other = difference.call, difference.other
    short = name.rpartition(".")[2]
    return (
        f"also green, and behaves differently: {candidate.note}; "
        f"{short}({call.given}) {other.outcome} there and {call.outcome} here"
    )
