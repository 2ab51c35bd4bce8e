"""Is a task what it claims to be: its original red, its solution green, by the judge itself.

A task that fails this is reported and not counted. A test that never ends, fills the memory or ends
the process is red like any other; the tests behind it are run without it.

Not covered: tests that come out differently from run to run.
"""

from __future__ import annotations

from msgspec import structs

from ocils.bench.task import Task, Unusable
from ocils.domain.base import Value
from ocils.domain.cancel import CancelToken
from ocils.domain.judging import (
    Broken,
    CaseResult,
    Failed,
    Killed,
    Passed,
    Plan,
    TestId,
    TimedOut,
    Unjudged,
    Verdict,
)
from ocils.domain.text import digest
from ocils.ports import Sandbox

_SOLUTION_SECONDS = 180.0
_SOLUTION_QUIET = 30.0  # without a test ending
_PATIENCE = 10.0  # seconds for a test of which nothing is known
_STEPS = 12  # tests that never end or end the process; what is behind more of them is not looked at


class Proof(Value, frozen=True, tag=True):
    """A task that holds: the tests that its solution passes, and how they fare on the original.

    ``hung`` are those of ``red`` that do not end; ``patience`` is how many seconds a test may take
    before it counts as one that does not. ``seconds`` is what the solution's run took. Tests that
    are in ``tests`` alone were not looked at on the original.
    """

    task: str
    workspace: str
    tests: tuple[TestId, ...]
    red: tuple[TestId, ...]
    hung: tuple[TestId, ...] = ()
    patience: float = 2.0
    seconds: float = 0.0


async def prove(task: Task, sandbox: Sandbox, cancel: CancelToken) -> Proof | Unusable | None:
    """Judge the solution and the original; None when cancelled meanwhile."""
    known: Proof | None = None
    if task.passing:
        known = Proof(task.id, digest_of_task(task), task.passing, (), patience=_PATIENCE)
    elif task.solution is not None:
        plan = Plan(paths=task.tests, seconds=_SOLUTION_SECONDS, quiet=_SOLUTION_QUIET)
        verdict = await sandbox.judge(task.solution, (), plan, cancel)
        answer = _of_solution(task, verdict)
        if isinstance(answer, Unusable):
            return None if cancel.cancelled else answer
        known = answer
    found = await _original(task, known, sandbox, cancel)
    return None if cancel.cancelled else found


def digest_of_task(task: Task) -> str:
    """Return what a proof holds for: the bytes of both workspaces, and the tests that count."""
    solution = task.solution.hash if task.solution else ""
    told = f"{task.original.hash} {solution} {task.tests} {task.passing} {task.strict}"
    return digest(told.encode())[:24]


def _of_solution(task: Task, verdict: Verdict) -> Proof | Unusable:
    if not isinstance(verdict, Passed | Failed):
        return Unusable(task.id, f"its solution cannot be judged: {_said(verdict)}")
    bad = next((case for case in verdict.cases if not (_good(case) or _says_nothing(case))), None)
    if task.strict and bad is not None:
        return Unusable(task.id, f"its solution is red: {bad.test}: {bad.reason}")
    passed = [case for case in verdict.cases if _good(case)]
    if not passed:
        return Unusable(task.id, "its solution passes no test")
    slowest = max(case.seconds for case in passed)
    return Proof(
        task.id,
        digest_of_task(task),
        tuple(case.test for case in passed),
        (),
        patience=max(2.0, round(20 * slowest, 1)),
        seconds=round(verdict.seconds, 2),
    )


async def _original(
    task: Task, known: Proof | None, sandbox: Sandbox, cancel: CancelToken
) -> Proof | Unusable:
    patience = known.patience if known else _PATIENCE
    wanted = known.tests if known else ()
    cases: dict[TestId, CaseResult] = {}
    hung: list[TestId] = []
    for _ in range(_STEPS):
        left = tuple(test for test in wanted if test not in cases)
        if wanted and not left:
            break
        paths = () if left else task.tests
        plan = Plan(tests=left, paths=paths, seconds=120.0 + 2 * patience, quiet=patience)
        verdict = await sandbox.judge(task.original, (), plan, cancel)
        if isinstance(verdict, Broken | Unjudged):
            return Unusable(task.id, f"the original cannot be judged: {_said(verdict)}")
        cases.update((case.test, case) for case in verdict.cases)
        if isinstance(verdict, Passed | Failed):
            break
        if not wanted:
            return Unusable(task.id, f"the original cannot be judged: {_said(verdict)}")
        if cancel.cancelled:
            break
        stuck = _stuck(verdict, [test for test in left if test not in cases])
        if stuck is not None:
            hung.append(stuck)
            cases[stuck] = CaseResult(stuck, "failed", kind="timeout")
    known = known or Proof(task.id, digest_of_task(task), tuple(cases), ())
    red = tuple(t for t in known.tests if t in cases and not cases[t].passed)
    if not red:
        return Unusable(task.id, "the original passes its tests already")
    return structs.replace(known, red=red, hung=tuple(hung))


def _stuck(verdict: TimedOut | Killed, left: list[TestId]) -> TestId | None:
    """Return the test that was on when a run was ended, unless its case says so itself."""
    if isinstance(verdict, TimedOut) and verdict.running is not None:
        return verdict.running
    if any(case.kind in ("timeout", "memory", "killed") for case in verdict.cases):
        return None
    return left[0] if left else None


def _good(case: CaseResult) -> bool:
    return case.outcome == "passed"


def _says_nothing(case: CaseResult) -> bool:
    return case.outcome in ("skipped", "xfailed", "xpassed")


def _said(verdict: Verdict) -> str:
    match verdict:
        case Broken(why=why):
            return why
        case TimedOut(seconds=seconds, running=running):
            return f"not done after {seconds:.0f} s" + (f" ({running} was on)" if running else "")
        case Killed(why=why, detail=detail):
            return f"it was ended: {why} {detail}".rstrip()
        case Unjudged(why=why, detail=detail):
            return f"{why} {detail}".rstrip()
        case Passed() | Failed():
            return "no usable report"
