"""Why a run ended, in one sentence for the user, and what the baseline allows.

Not covered: how it is shown (``server/``, ``cli``).
"""

from __future__ import annotations

from typing import assert_never

from ocils.domain.events import Finished
from ocils.domain.judging import (
    Baseline,
    Broken,
    Failed,
    Killed,
    Passed,
    TestId,
    TimedOut,
    Unjudged,
    Verdict,
)
from ocils.domain.model import Manifest
from ocils.domain.session import Judged, Limits, Proposal, Session
from ocils.domain.target import EditTarget
from ocils.languages.manifest import PYTHON, LanguageName
from ocils.refine.attempts import Attempts
from ocils.refine.beyond import beyond


def goals(baseline: Baseline) -> tuple[TestId, ...]:
    """Return the red tests that reach the target and are not red for lack of isolation alone."""
    isolated = {case.test for case in baseline.cases if case.kind == "isolation"}
    reaching = set(baseline.reaching)
    return tuple(t for t in baseline.red if t in reaching and t not in isolated)


def nothing_to_do(baseline: Baseline, target: EditTarget) -> Finished | None:
    """Return why there is nothing to search for, or None when there is."""
    if goals(baseline):
        return None
    name = target.name
    red, count = baseline.red, len(baseline.cases)
    reaching = set(baseline.reaching)
    if not count:
        return Finished("no_tests", f"no tests were found; write one that calls `{name}` first")
    if not baseline.reaching:
        return Finished("no_tests", f"none of the {count} tests runs `{name}`; write one that does")
    isolated = [c for c in baseline.cases if c.kind == "isolation" and c.test in reaching]
    if isolated:
        return Finished("unjudged", _isolated(isolated[0].test, isolated[0].reason))
    elsewhere = ""
    if red:
        elsewhere = f"; {len(red)} others fail, go to a function that {red[0]} runs"
    message = f"all {len(reaching)} tests that run `{name}` pass already{elsewhere}"
    return Finished("already_green", message)


def _isolated(test: str, message: str) -> str:
    return (
        f"{test} fails only because tests run without network and outside your home ({message}); "
        "nothing was tried"
    )


def unusable(verdict: Verdict) -> Finished:
    """Return the end of a run whose baseline could not be had."""
    match verdict:
        case Broken(why=why, kind="empty"):
            return Finished("no_tests", f"no tests were found: {why}", verdict=verdict)
        case Broken(why=why, missing_module=module):
            mend = f"; install {module} into the workspace's environment" if module else ""
            return Finished(
                "broken", f"the tests cannot be collected: {why}{mend}", verdict=verdict
            )
        case TimedOut(seconds=seconds, running=running):
            where = f" ({running} was running)" if running else ""
            message = f"the tests did not end within {seconds:.0f} s{where}"
            return Finished("timeout", message, verdict=verdict)
        case Killed(why=why, detail=detail):
            return Finished("unjudged", f"the test run was ended: {detail or why}", verdict=verdict)
        case Unjudged(why="isolation", detail=detail, cases=cases):
            red = next((case.test for case in cases if not case.passed), "a test")
            return Finished("unjudged", _isolated(red, detail), verdict=verdict)
        case Unjudged(why=why, detail=detail):
            said = f"{why}: {detail}" if detail else why
            return Finished("unjudged", f"the tests could not be judged: {said}", verdict=verdict)
        case Passed() | Failed():
            return Finished("unjudged", "the test run gave no usable report", verdict=verdict)
        case _:
            assert_never(verdict)


def of_run(baseline: Baseline, target: EditTarget | None) -> Finished:
    """Return the end of a plain test run."""
    red, count = len(baseline.red), len(baseline.cases)
    reach = f"; {len(baseline.reaching)} run `{target.name}`" if target else ""
    if baseline.unheard:
        reach += f"; {len(baseline.unheard)} were not run, since too many before them never end"
    if not red:
        return Finished("already_green", f"all {count} tests pass{reach}")
    return Finished("exhausted", f"{red} of {count} tests fail{reach}")


def exhausted(
    attempts: Attempts,
    refuted: int,
    manifest: Manifest,
    session: Session,
    limits: Limits,
    language: LanguageName = PYTHON,
) -> Finished:
    """Return the end of a search that found nothing that held."""
    tried = attempts.count
    name = session.target.name
    if tried >= limits.candidates or (session.turns and len(session.turns) >= limits.turns):
        why = f"{tried} candidates were judged"
    else:
        why = f"{tried} candidates were judged and no idea was left, or time ran out"
    green = f", {refuted} of them green at first and not when run again" if refuted else ""
    reach = beyond(manifest, session.task, language)
    message = f"`{name}` is not mended: {why}{green}" + (f"; {reach}" if reach else "")
    return Finished("exhausted", message, session, attempts.best)


def found(proposal: Proposal, session: Session, best: Judged | None) -> Finished:
    """Return the end of a search that found something: green, or a last resort to be read first."""
    message = _green_message(proposal)
    if not proposal.suspicious:
        return Finished("green", message, session, best)
    why = "; ".join(proposal.suspicious)
    warning = f"{message}, but it {why}: read it before you believe it; it is not applied by itself"
    return Finished("suspicious", warning, session, best)


def _green_message(proposal: Proposal) -> str:
    """Say what the offered change does."""
    mended = len(proposal.mended)
    flaky = f"; {len(proposal.flaky)} flaky tests were set apart" if proposal.flaky else ""
    tests = "test" if mended == 1 else "tests"
    return f"{mended} failing {tests} of `{proposal.target.name}` now pass, confirmed afresh{flaky}"
