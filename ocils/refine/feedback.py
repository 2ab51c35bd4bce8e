"""A verdict as text for the model: short, concrete, what was expected and what came.

OpenCodeInterpreter's evaluation feedback, at most a few hundred characters: the failing assertion,
the error with its frames inside the workspace, a time-out, or a missing definition.

Not covered: what the user reads (``server/diagnostics.py``).
"""

from __future__ import annotations

from typing import assert_never

from ocils.domain.judging import (
    Broken,
    CaseResult,
    Failed,
    Killed,
    Passed,
    TimedOut,
    Unjudged,
    Verdict,
)
from ocils.domain.session import Feedback

_PRINTED = 200  # characters of what a test printed: enough to see a value


def write(verdict: Verdict, limit: int = 500) -> Feedback:
    """Return the feedback for a verdict, its text at most ``limit`` characters."""
    return Feedback(cut(_text(verdict), limit))


def cut(text: str, limit: int) -> str:
    """Shorten ``text`` to ``limit`` characters by leaving out its middle."""
    if len(text) <= limit:
        return text
    half = (limit - 5) // 2
    return f"{text[:half]}\n...\n{text[-half:]}"


def failures(cases: tuple[CaseResult, ...], most: int = 3) -> str:
    """Describe the first few red cases."""
    return "\n".join(_case(case) for case in [c for c in cases if not c.passed][:most])


def _text(verdict: Verdict) -> str:
    match verdict:
        case Passed():
            return "All tests passed."
        case Failed(cases=cases):
            return failures(cases) or "A test failed."
        case Broken(why=why):
            return f"The tests could not be run: {why}"
        case TimedOut(seconds=seconds, running=running):
            where = f" in {running}" if running else ""
            return f"Execution timed out after {seconds:.0f} s{where}."
        case Killed(why=why, cases=cases):
            where = f" in {cases[-1].test}" if cases and not cases[-1].passed else ""
            return f"The process was ended{where}: {why}."
        case Unjudged(why=why):
            return f"It could not be judged: {why}."
        case _:
            assert_never(verdict)


def _case(case: CaseResult) -> str:
    frames = "".join(f"\n  line {f.line} in {f.function}: {f.text}" for f in case.frames[-3:])
    printed = f"\n  printed: {cut(case.output.strip(), _PRINTED)}" if case.output.strip() else ""
    return f"{case.test} failed: {case.message or case.outcome}{frames}{printed}"
