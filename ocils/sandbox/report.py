"""Records from inside → a Verdict, cross-checked. Pure.

Green needs every expected test reported as passed exactly once, nothing missing, an unbroken
numbering under the run's nonce, ``done``, and an exit code that agrees. Everything else is some
other verdict: the exit code alone says nothing, since the candidate can exit as it likes.

Not covered: a candidate that finds the reporter in its own interpreter and uses it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ocils.domain.base import Value
from ocils.domain.judging import (
    Broken,
    Call,
    CaseResult,
    Coverage,
    Failed,
    FailureClass,
    Killed,
    KilledFor,
    Passed,
    Plan,
    TestId,
    TestLines,
    TimedOut,
    Unjudged,
    Verdict,
)
from ocils.sandbox.blame import broken_kind, from_output
from ocils.sandbox.cases import case_of, frames_of
from ocils.sandbox.inside.child import RAISED

Record = Mapping[str, Any]

OUTPUT_CAP = 16 << 20
"""Bytes that a run may print; whoever fills the disk in less time than it takes to look is caught here."""


class End(Value, frozen=True):
    """How the supervisor saw the run end.

    ``status`` is the exit status, negative for a signal, None when unknown. ``ended_for`` is why
    the supervisor or the kernel ended it: "timeout", "output", "report", "memory", "cancelled".
    ``tampered`` are judged files that were replaced during the run.
    """

    status: int | None
    ended_for: str
    seconds: float
    output: str = ""
    tampered: tuple[str, ...] = ()


class Report:
    """Takes the records of one run as they come, and says what they amount to."""

    def __init__(self, nonce: str, plan: Plan, edited: Sequence[str] = ()) -> None:
        self._nonce = nonce
        self._plan = plan
        self._edited = frozenset(edited)
        self._number = 0
        self._trust = ""
        self._rest = bytearray()
        self._cases: dict[str, CaseResult] = {}
        self._lines: list[TestLines] = []
        self._calls: list[Call] = []
        self._collected: list[str] | None = None
        self._runner = "pytest"
        self._collection: tuple[int, ...] = ()
        self._broken: list[Record] = []
        self._stopped: Record | None = None
        self._running: str | None = None
        self._live: set[int] = set()
        self._code: int | None = None
        self._replaced: list[tuple[str, str]] = []
        self._printed = 0
        self._modules: tuple[str, ...] = ()

    @property
    def modules(self) -> tuple[str, ...]:
        """The third-party modules that the run loaded, when it was asked."""
        return self._modules

    @property
    def cases(self) -> tuple[CaseResult, ...]:
        """What was reported so far, in the order in which the tests ended."""
        return tuple(self._cases.values())

    def feed(self, data: bytes) -> tuple[CaseResult, ...]:
        """Take bytes of the report; returns the tests that ended with them."""
        self._rest += data
        if b"\n" not in data:
            return ()  # else a line without an end would be looked through again and again
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        ended = []
        for line in lines:
            case = self._take(line)
            if case is not None:
                ended.append(case)
        return tuple(ended)

    def verdict(self, end: End) -> Verdict:
        """Judge the whole run."""
        cases = self.cases
        if end.ended_for == "cancelled":
            return Killed("cancelled", cases=cases)
        if end.ended_for == "timeout":
            running = None if self._running is None else TestId(self._running)
            rest, coverage = self._not_begun(), self._coverage()
            cases = self._until("timeout", "it had not ended when the time was up")
            return TimedOut(end.seconds, running, cases, rest, coverage)
        if end.ended_for == "memory":
            why = "the container's memory was used up"
            return self._killed("memory", why, "memory", why)
        if end.ended_for in ("output", "report") or self._printed > OUTPUT_CAP:
            why = "it wrote more than the limit"
            return self._killed("output", why, "killed", why)
        if end.status is not None and end.status < 0:
            why = f"signal {-end.status}"
            return self._killed("signal", why, "killed", f"ended by {why}")
        if self._rest and not self._trust:
            self._trust = "the report ends in the middle of a record"
        if self._trust:
            return Broken(self._trust, "report", cases=cases)
        if self._broken:
            return self._not_collected(self._broken[0])
        if self._stopped is not None:
            return self._left(self._stopped)
        if self._code is None:
            return self._ended_itself(end)
        if self._collected is None:
            kind, why, module = from_output(end.output)
            return Broken(why, kind, missing_module=module)
        return self._compare(end, cases)

    def _until(self, kind: FailureClass, why: str) -> tuple[CaseResult, ...]:
        """Return what was reported, and last the test that was on when the run was ended."""
        if self._running is None:
            return self.cases
        last = CaseResult(TestId(self._running), "failed", message=why, kind=kind)
        return (*self.cases, last)

    def _killed(self, why: KilledFor, detail: str, kind: FailureClass, message: str) -> Killed:
        return Killed(
            why,
            detail,
            self._until(kind, message),
            running=None if self._running is None else TestId(self._running),
            rest=self._not_begun(),
            coverage=self._coverage(),
        )

    def _coverage(self) -> Coverage | None:
        if self._plan.probe is None:
            return None
        lines = list(self._lines)
        if self._running is not None and self._live:
            lines.append(TestLines(TestId(self._running), tuple(sorted(self._live))))
        return Coverage(tuple(lines), self._collection)

    def _not_begun(self) -> tuple[TestId, ...]:
        begun = {*self._cases, self._running}
        wanted = self._plan.tests or self._collected or ()
        return tuple(TestId(each) for each in wanted if each not in begun)

    def _take(self, line: bytes) -> CaseResult | None:
        try:
            record: Record = json.loads(line)
            if record["n"] != self._nonce or record["i"] != self._number:
                self._distrust("the report holds a record that is not ours")
                return None
            self._number += 1
            return self._understand(record)
        except (ValueError, KeyError, TypeError, IndexError):
            self._distrust("the report cannot be read")
            return None

    def _distrust(self, why: str) -> None:
        self._trust = self._trust or why

    def _understand(self, record: Record) -> CaseResult | None:
        if self._code is not None:
            self._distrust("a record came after the end")
        match record["t"]:
            case "collected":
                self._collected = [str(each) for each in record["ids"]]
                self._collection = tuple(record["lines"])
                self._runner = str(record.get("runner", "pytest"))
            case "broken":
                self._broken.append(record)
            case "stopped":
                self._stopped = record
            case "start":
                self._running = str(record["id"])
                self._live.clear()
            case "line":
                self._live.add(int(record["line"]))
            case "modules":
                self._modules = tuple(str(each) for each in record["names"])
            case "done":
                self._code = int(record["code"])
                self._replaced = [(str(n), str(file)) for n, file in record.get("replaced", ())]
            case "case":
                return self._case(record)
            case _:
                self._distrust("the report holds a record of an unknown kind")
        return None

    def _case(self, record: Record) -> CaseResult:
        name = str(record["id"])
        if name in self._cases or name != self._running:
            self._distrust(f"{name} was reported out of turn")
        self._running = None
        self._printed += int(record.get("printed", 0))
        case = case_of(record, self._edited)
        self._cases[name] = case
        if "lines" in record:
            self._lines.append(TestLines(case.test, tuple(record["lines"])))
        self._calls += [Call(case.test, str(a), str(b)) for a, b in record.get("calls", ())]
        return case

    def _ended_itself(self, end: End) -> Verdict:
        if end.status == RAISED and self._collected is None:
            kind, why, module = from_output(end.output)
            return Broken(why, kind, missing_module=module)
        on = f" during {self._running}" if self._running else ""
        why = f"it ended the test process{on} (status {end.status})"
        return self._killed("exit", why, "killed", "it ended the test process")

    def _left(self, record: Record) -> Verdict:
        names = {name for link in record["chain"] for name in link[0]}
        if names & {"SystemExit", "KeyboardInterrupt", "Exit"}:
            why = f"it ended the test session: {record['message']}"
            return self._killed("exit", why, "killed", why)
        why = f"pytest failed: {record['message']}"
        return Broken(why, "report", frames_of(record), self.cases)

    def _not_collected(self, record: Record) -> Broken:
        kind, why, module = broken_kind(record)
        return Broken(why, kind, frames_of(record), self.cases, module)

    def _compare(self, end: End, cases: tuple[CaseResult, ...]) -> Verdict:
        coverage = self._coverage()
        collected = self._collected or []
        expected = self._plan.tests or tuple(TestId(each) for each in collected)
        missing = [each for each in expected if each not in self._cases]
        if not expected:
            if self._runner == "unittest":
                why = "no tests were found by unittest; the interpreter has no pytest"
                return Broken(why, "empty", missing_module="pytest")
            return Broken("no tests were collected", "empty")
        if tampered := (*end.tampered, *self._tampered()):
            return Broken(f"the run replaced {tampered[0]}", "report", cases=cases)
        wrong = [each for each in cases if not self._counts(each)]
        stopped = self._plan.stop_early and wrong
        if missing and not stopped:
            gone = [each for each in missing if each not in collected]
            why = "was not collected" if gone else "was collected and not reported"
            kind: Literal["collection", "report"] = "collection" if gone else "report"
            return Broken(f"{(gone or missing)[0]} {why}", kind, cases=cases)
        if wrong:
            red = [each for each in wrong if each.kind]
            alone = red and len(red) == len(wrong) and all(e.kind == "isolation" for e in red)
            # A run of everything is compared with another one, test by test; only where the first
            # red test ended the run does isolation mean that nothing was learnt.
            if alone and self._plan.stop_early:
                return Unjudged("isolation", red[0].reason, cases)
            return Failed(cases, end.seconds, coverage, calls=tuple(self._calls))
        if self._code != 0 or end.status != 0:
            why = f"every test passed, and yet pytest ended with {self._code}"
            return Broken(why, "report", cases=cases)
        return Passed(cases, end.seconds, coverage, calls=tuple(self._calls))

    def _tampered(self) -> list[str]:
        """Return the parts of the test runner that the candidate replaced.

        What plugins and the workspace's own conftest do is theirs, as it was in the baseline.
        """
        return [
            name
            for name, file in self._replaced
            if self._edited and (file in self._edited or not file or file.startswith("<"))
        ]

    def _counts(self, case: CaseResult) -> bool:
        """Whether ``case`` is good enough for green; a skip is not, where the test was asked for."""
        return case.passed or (case.outcome == "skipped" and not self._plan.tests)
