"""Events → ``$/progress``: what is happening, how far it is, and a button that cancels it.

Not covered: what an event leads to besides (``runs.py``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from lsprotocol import types

from ocils.domain.events import (
    BaselineJudged,
    Blocked,
    Cancelled,
    CandidateJudged,
    CandidateStarted,
    CaseFinished,
    Confirming,
    Event,
    Finished,
    Preparing,
    ProposalReady,
    Refuted,
    TestsDiscovered,
    TurnStarted,
)
from ocils.domain.judging import (
    Broken,
    Failed,
    Killed,
    Passed,
    TimedOut,
    Unjudged,
    Verdict,
)
from ocils.domain.model import StrategyName
from ocils.domain.session import Candidate
from ocils.domain.target import Hole
from ocils.domain.text import Snapshot

if TYPE_CHECKING:
    from pygls.lsp.server import LanguageServer

_PREPARED, _BASELINE, _SEARCHED = 5, 20, 90  # per cent reached when that part is done
_PAUSE = 0.1  # seconds between two reports: faster than the eye reads only costs
_ANSWER = 5.0  # seconds a client has to accept a progress before the run goes on without


class Story:
    """Turns the events of one run into a message and a percentage that never falls."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._red = 0
        self._confirming = ""
        self.message = "starting"
        self.percentage = 0
        self.judged = 0

    def hear(self, event: Event) -> bool:
        """Take in one event; tell whether there is something new to show."""
        told = self._tell(event)
        if told is None:
            return False
        message, percentage = told
        self.message = message
        self.percentage = max(self.percentage, min(100, round(percentage)))
        return True

    def _tell(self, event: Event) -> tuple[str, float] | None:
        match event:
            case Preparing(stage=stage, fraction=fraction):
                percent = "" if fraction is None else f", {fraction:.0%}"
                return stage + percent, _PREPARED * (fraction or 0.0)
            case TestsDiscovered(count=count):
                return f"{_tests(count)} found", _PREPARED
            case CaseFinished(case=case, done=done, total=total):
                share = done / total if total else 1.0
                name = case.test.rpartition("::")[2]
                self._red += not case.passed
                red = f", {self._red} red" if self._red else ""
                of = f"/{total}" if total > done else ""
                return (
                    f"running the tests: {done}{of}{red}, {name}",
                    _PREPARED + (_BASELINE - _PREPARED) * (share if of else 0.5),
                )
            case BaselineJudged(baseline=baseline):
                reaching = set(baseline.reaching)
                count = len([t for t in baseline.red if t in reaching]) or len(baseline.red)
                return f"{count} of {_tests(len(baseline.cases))} red", _BASELINE
            case TurnStarted(number=number, strategy=strategy, hole=hole):
                said = f"turn {number}: {_doing(strategy, hole)}"
                return self._confirming + said, self.percentage
            case CandidateStarted():
                return None
            case CandidateJudged(judged=judged, count=count, limit=limit):
                self.judged = count
                where = self._where(judged.candidate)
                said = f"judging {count}/{limit}{where}, {outcome(judged.verdict)}"
                return (
                    self._confirming + said,
                    _BASELINE + (_SEARCHED - _BASELINE) * (count / limit if limit else 0.0),
                )
            case Confirming(candidate=candidate):
                # Judging goes on meanwhile, and must not hide that something was found.
                self._confirming = "confirming one; "
                return f"green{self._where(candidate)}; confirming in fresh containers", _SEARCHED
            case Refuted(why=why):
                self._confirming = ""
                return f"not confirmed: {why}; going on", self.percentage
            case ProposalReady():
                return "confirmed; applying the edit", 95
            case Blocked() | Cancelled() | Finished():
                return None

    def _where(self, candidate: Candidate) -> str:
        """Name the line that a candidate changes first: ": line 14"."""
        for edit in candidate.edits:
            document = self._snapshot.document(edit.path)
            if document is not None and edit.span.start <= len(document.data):
                line = document.data.count(b"\n", 0, edit.span.start) + 1
                return f": line {line}"
        return ""


def outcome(verdict: Verdict) -> str:
    """Say in a few words what came of a candidate."""
    match verdict:
        case Passed(cases=cases):
            return "1 test passes" if len(cases) == 1 else f"all {len(cases)} tests pass"
        case Failed(cases=cases):
            return f"{len([c for c in cases if c.passed])} of {len(cases)} tests pass"
        case Broken():
            return "the tests cannot be collected"
        case TimedOut(seconds=seconds):
            return f"ended after {seconds:.1f} s"
        case Killed(why=why):
            return f"ended ({why})"
        case Unjudged(why=why):
            return f"not judged ({why})"


def _tests(count: int) -> str:
    return "1 test" if count == 1 else f"{count} tests"


def _doing(strategy: StrategyName, hole: Hole | None) -> str:
    where = "the whole function"
    if hole is not None:
        where = f"line {hole.first}"
        if hole.last > hole.first:
            where = f"lines {hole.first} to {hole.last}"
    match strategy:
        case "edit" | "guess":
            return "small edits" + ("" if hole is None else f" at {where}")
        case "infill":
            return f"filling {where} anew"
        case "rewrite":
            return f"rewriting {where}"
        case "extend":
            return f"continuing {where}"


class ProgressBar:
    """One progress in the editor, if the client knows such a thing; else every call does nothing.

    Use ``open`` first and ``close`` last, in ``finally``: an editor shows a progress without an
    end for ever.
    """

    def __init__(self, server: LanguageServer, token: str, cancel: Callable[[], None]) -> None:
        self._server = server
        self._token = token
        self._cancel = cancel
        self._shown = False
        self._last = 0.0
        self._waiting: tuple[str, int] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def open(self, title: str) -> None:
        """Ask the client for a progress and begin it."""
        window = self._server.client_capabilities.window
        if window is None or not window.work_done_progress:
            return
        progress = self._server.work_done_progress
        try:
            await asyncio.wait_for(progress.create_async(self._token), _ANSWER)
        except Exception:
            # A client that refuses one, or does not answer, gets the edit without a progress.
            return
        progress.tokens[self._token].add_done_callback(lambda _: self._cancel())
        self._shown = True
        progress.begin(
            self._token,
            types.WorkDoneProgressBegin(title, cancellable=True, message="starting", percentage=0),
        )

    def report(self, message: str, percentage: int) -> None:
        """Show a message, at most every tenth of a second; the latest one is never lost."""
        if not self._shown:
            return
        self._waiting = (message, percentage)
        due = self._last + _PAUSE - time.monotonic()
        if due <= 0:
            self._send()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(due, self._send)

    def close(self, message: str) -> None:
        """End the progress; the second call does nothing."""
        if self._timer is not None:
            self._timer.cancel()
        if not self._shown:
            return
        self._shown = False
        self._server.work_done_progress.end(self._token, types.WorkDoneProgressEnd(message=message))
        self._server.work_done_progress.tokens.pop(self._token, None)

    def _send(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting is None or not self._shown:
            return
        message, percentage = self._waiting
        self._waiting = None
        self._last = time.monotonic()
        self._server.work_done_progress.report(
            self._token,
            types.WorkDoneProgressReport(cancellable=True, message=message, percentage=percentage),
        )
