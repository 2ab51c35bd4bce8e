"""Which function to mend so that a failing test passes: by its frames, else by what it runs.

The innermost frame of the failure outside the tests is where the program broke. Where only the test
itself is in the frames (an assertion), the functions that the test reaches are compared by Ochiai's
coefficient over whole functions: run by this red test, and by few green ones of the same file.

Not covered: functions that are reached through fixtures or names bound at run time, unless the
failure's frames show them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ocils.domain.base import Value
from ocils.domain.cancel import CancelToken
from ocils.domain.errors import OcilsError
from ocils.domain.judging import (
    CaseResult,
    Coverage,
    Failed,
    Passed,
    Plan,
    Probe,
    TestId,
    Verdict,
)
from ocils.domain.target import EditTarget
from ocils.domain.text import Snapshot
from ocils.ports import Sandbox
from ocils.source.functions import is_test_file
from ocils.source.target import SourceTree, locate, targets

_SECONDS = 60.0
_FILES = 4  # files whose coverage is looked at: each takes a run of the test's file


class Aim(Value, frozen=True):
    """The functions that are equally likely, most often one, and why it is they."""

    targets: tuple[EditTarget, ...]
    why: str


def reports(verdict: Verdict, test: TestId) -> tuple[CaseResult, ...]:
    """Return the cases of a test function: itself, or one for each of its parameters."""
    return tuple(c for c in verdict.cases if c.test == test or c.test.startswith(f"{test}["))


async def fails(
    test: TestId, snapshot: Snapshot, sandbox: Sandbox, cancel: CancelToken
) -> tuple[CaseResult, ...]:
    """Run a test on the original and return its red cases."""
    verdict = await sandbox.judge(snapshot, (), Plan(tests=(test,), seconds=_SECONDS), cancel)
    cases = reports(verdict, test)
    if not cases:
        # A function with parameters has no id of its own: its file is run instead.
        plan = Plan(paths=(test.partition("::")[0],), seconds=_SECONDS)
        cases = reports(await sandbox.judge(snapshot, (), plan, cancel), test)
    return tuple(case for case in cases if case.outcome in ("failed", "error"))


def by_frames(cases: Sequence[CaseResult], snapshot: Snapshot) -> EditTarget | None:
    """Return the function of the innermost frame outside the tests, or None."""
    trees: dict[str, SourceTree] = {}
    for case in cases:
        for frame in reversed(case.frames):
            name = frame.path.rpartition("/")[2]
            document = snapshot.document(frame.path)
            if document is None or is_test_file(frame.path) or name == "conftest.py":
                continue
            tree = trees.setdefault(frame.path, SourceTree.of(document))
            try:
                found = locate(tree, tree.starts[frame.line - 1])
            except (OcilsError, IndexError):
                continue
            if found.first_line <= frame.line <= found.last_line:
                return found
    return None


async def by_coverage(
    test: TestId,
    candidates: Sequence[EditTarget],
    snapshot: Snapshot,
    sandbox: Sandbox,
    cancel: CancelToken,
) -> tuple[EditTarget, ...]:
    """Return the most suspicious of the candidates: one, or several that cannot be told apart."""
    scores: dict[EditTarget, float] = {}
    for path in tuple(dict.fromkeys(target.path for target in candidates))[:_FILES]:
        document = snapshot.document(path)
        if document is None or cancel.cancelled:
            continue
        lines = document.data.count(b"\n") + 1
        plan = Plan(paths=(test.partition("::")[0],), seconds=_SECONDS, probe=Probe(path, 1, lines))
        verdict = await sandbox.judge(snapshot, (), plan, cancel)
        if not isinstance(verdict, Passed | Failed) or verdict.coverage is None:
            continue
        red = {case.test for case in reports(verdict, test) if not case.passed}
        for target in candidates:
            if target.path == path:
                scores[target] = suspicion(target, verdict.coverage, red)
    best = max(scores.values(), default=0.0)
    return tuple(t for t in candidates if best and scores.get(t, 0.0) == best) or tuple(candidates)


def suspicion(target: EditTarget, coverage: Coverage, red: set[TestId]) -> float:
    """Return Ochiai's coefficient of a whole function; nested functions are their own."""
    body = range(target.first_line, target.last_line + 1)
    ran = {each.test for each in coverage.tests if any(line in body for line in each.lines)}
    failed = len(ran & red)
    return failed / math.sqrt(len(red) * len(ran)) if failed else 0.0


def function_of(test: TestId, snapshot: Snapshot) -> EditTarget | None:
    """Return the test's own function, or None: it is inherited, or made by a program."""
    path, _, rest = test.partition("[")[0].partition("::")
    document = snapshot.document(path)
    if document is None or not rest:
        return None
    name = rest.replace("::", ".")
    return next((t for t in targets(SourceTree.of(document)) if t.name == name), None)
