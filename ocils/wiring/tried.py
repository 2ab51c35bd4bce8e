"""One function's candidate judged for the doctor: at which level, how fast, and why not faster.

The candidate changes nothing: it has one more local name, behind the function's last statement. The
third one is told of, since the first two warm the slot up and collect the suite.

Not covered: finding the function that the user named (``cli_place.py``).
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import OcilsError
from ocils.domain.judging import Killed, Passed, Plan, Probe, TestId, Verdict
from ocils.domain.target import EditTarget
from ocils.domain.text import Document, Edit, Snapshot, Span
from ocils.ports import Sandbox
from ocils.wiring.adapters import how_judged
from ocils.wiring.checkup import Check

NAME = "judging"
TRIES = 3
SECONDS = 300.0


async def tried(
    sandbox: Sandbox,
    snapshot: Snapshot,
    target: EditTarget,
    paths: Sequence[str],
    cancel: CancelToken,
) -> Check:
    """Judge a candidate for ``target`` on the passing tests that reach it, of ``paths`` or of all."""
    document = snapshot.document(target.path)
    assert document is not None, "the target was found in it"
    try:
        await sandbox.warm(snapshot, cancel)
        tests = await _reaching(sandbox, snapshot, target, paths, cancel)
        if not tests:
            why = f"no passing test reaches {target.name}: there is nothing to try"
            return Check(NAME, not cancel.cancelled, "interrupted" if cancel.cancelled else why)
        plan = Plan(tests=tests, seconds=SECONDS)
        for number in range(TRIES):
            edit = unchanged(document, target, number)
            started = time.perf_counter()
            verdict: Verdict = await sandbox.judge(snapshot, (edit,), plan, cancel)
            seconds = time.perf_counter() - started
    except OcilsError as problem:
        return Check(NAME, False, problem.message, problem.mend)
    if not isinstance(verdict, Passed):
        told = "interrupted" if isinstance(verdict, Killed) and cancel.cancelled else _why(verdict)
        return Check(NAME, False, told)
    count = f"{len(tests)} test{'s' if len(tests) > 1 else ''}"
    level = f"at {verdict.level}" if verdict.level else "by its command"
    detail = f"a candidate for {target.name} is judged {level} in {seconds * 1000:.0f} ms ({count})"
    _, reasons = how_judged(sandbox)
    return Check(NAME, True, detail, notes=reasons if verdict.level != "L2" else ())


def unchanged(document: Document, target: EditTarget, number: int) -> Edit:
    """Return an edit of the target's body that does nothing and makes a text of its own."""
    body = target.body
    line = document.data[document.data.rfind(b"\n", 0, body.start) + 1 : body.start]
    indent = line.decode("utf-8", "replace")
    gap = f"\n{indent}" if indent.isspace() else "; "
    return Edit(document.path, Span(body.end, body.end), f"{gap}ocils_tried = {number}")


async def _reaching(
    sandbox: Sandbox,
    snapshot: Snapshot,
    target: EditTarget,
    paths: Sequence[str],
    cancel: CancelToken,
) -> tuple[TestId, ...]:
    probe = Probe(target.path, target.first_line, target.last_line)
    plan = Plan(paths=tuple(paths), seconds=SECONDS, probe=probe)
    original = await sandbox.judge(snapshot, (), plan, cancel)
    passed = tuple(each.test for each in original.cases if each.passed)
    coverage = getattr(original, "coverage", None)
    if coverage is None:
        return passed  # another runner, which tells no lines
    reached = {each.test for each in coverage.tests if each.lines}
    return tuple(each for each in passed if each in reached)


def _why(verdict: Verdict) -> str:
    wrong = next((each for each in verdict.cases if not each.passed), None)
    said = f"{wrong.test}: {wrong.reason}" if wrong else str(getattr(verdict, "why", ""))
    kind = type(verdict).__name__.lower()
    return f"a candidate that changes nothing was judged {kind} ({said})"
