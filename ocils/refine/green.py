"""What green means (decision 3), as a pure comparison of runs.

``original`` and two runs of the candidate come from fresh containers and plain processes, the
candidate's with different hash seeds. ``baseline`` is the warm run the search was based on.

Not covered: a candidate that forges its report from inside the interpreter; see ``sandbox/``.
"""

from __future__ import annotations

from collections.abc import Sequence

from ocils.domain.base import Value
from ocils.domain.judging import Baseline, CaseResult, Failed, Passed, TestId, Verdict
from ocils.refine import feedback


class Confirmed(Value, frozen=True, tag=True):
    """The candidate is green: ``mended`` turned from red, ``flaky`` were set apart."""

    mended: tuple[TestId, ...]
    flaky: tuple[TestId, ...]


class Denied(Value, frozen=True, tag=True):
    """The candidate is not green; ``why`` is for people."""

    why: str


def compare(
    goals: Sequence[TestId], baseline: Baseline, original: Verdict, runs: Sequence[Verdict]
) -> Confirmed | Denied:
    """Decide from a fresh run of the original and fresh runs of the candidate.

    ``goals`` are the red tests that must turn green; those that were stuck at the baseline are not
    part of ``original``.
    """
    if not isinstance(original, Passed | Failed):
        return Denied(f"the original could not be run again: {feedback.write(original, 200).text}")
    before = {case.test: case for case in baseline.cases}
    again = {case.test: case for case in original.cases}
    flaky = {t for t, case in again.items() if t in before and case.passed != before[t].passed}
    red = [t for t in goals if t not in flaky]
    if not red:
        return Denied("the failing tests pass by themselves when they are run again")
    for run in runs:
        if not isinstance(run, Passed | Failed):
            return Denied(feedback.write(run, 200).text)
        if (why := _objection(red, before, run.cases, flaky)) is not None:
            return Denied(why)
    return Confirmed(tuple(red), tuple(sorted(flaky)))


def _of_file(test: TestId, cases: Sequence[CaseResult]) -> list[CaseResult]:
    """Return the tests of a file that was named as a whole, because it never ended."""
    return [case for case in cases if case.test.startswith(f"{test}::")]


def _objection(
    red: Sequence[TestId],
    before: dict[TestId, CaseResult],
    cases: Sequence[CaseResult],
    flaky: set[TestId],
) -> str | None:
    """Return why this run of the candidate does not count as green, or None."""
    now = {case.test: case for case in cases}
    for test in red:
        if "::" not in test and (whole := _of_file(test, cases)):
            if bad := next((c for c in whole if c.outcome != "passed"), None):
                return f"{bad.test} is {bad.outcome}"
            continue
        if test not in now:
            return f"{test} was not run"
        if now[test].outcome != "passed":
            return f"{test} is {now[test].outcome}"
    for test, case in before.items():
        if test in flaky or not case.passed:
            continue
        if test not in now:
            return f"{test} passed before and was not run"
        if now[test].outcome != case.outcome:
            return f"{test} was {case.outcome} before and is {now[test].outcome}"
    for test, case in now.items():
        if case.outcome not in ("failed", "error") or test in flaky:
            continue
        if test not in before:
            return f"{test} was not run before and is {case.outcome}"
        if before[test].outcome == "skipped":
            return f"{test} was skipped before and is {case.outcome}"
    return None
