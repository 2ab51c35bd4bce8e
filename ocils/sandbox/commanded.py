"""Records of a commanded run and the JUnit XML in them → a Verdict, cross-checked. Pure.

Green needs every expected test reported as passed, exactly one report from every step, whole and
without a contradiction, and an exit code that agrees with it. That is less than what is asked of
pytest (``report.py``): the XML is written by the candidate's own processes, so a candidate that
writes files and knows the runner can forge it. A report's folder has a name that cannot be guessed,
but it stands in the runner's command line. What does stand against that: the syntax gate marks
whoever newly reaches for files, processes or the runner, and a proposal is confirmed afresh.

A test's id is ``FILE::SUITE > NAME``; the second one of a name has " (2)" behind it. A file alone
stands for all of its tests: that is how a file that never ends, or that crashes, is named, since
nobody knows at which test it was.

Not covered: a candidate that forges the XML or the runner on purpose.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from typing import Any

import msgspec

from ocils.domain.base import Value
from ocils.domain.judging import (
    Broken,
    CaseResult,
    Failed,
    Killed,
    Passed,
    Plan,
    TestId,
    TimedOut,
    Verdict,
)
from ocils.domain.text import Snapshot
from ocils.languages.manifest import Runner
from ocils.sandbox.commands import Step, file_of, named_files, steps
from ocils.sandbox.junit import BadReport, read
from ocils.sandbox.report import End
from ocils.sandbox.told import case_of, frames_in

REPORT = "report.xml"
_FILE_PATIENCE = 3
"""How many times as long as one test a whole file of tests may be silent; a whole run always may."""


class _Ended(Value, frozen=True):
    """How one step ended: its exit code, and what lay in its report folder."""

    code: int
    found: tuple[str, ...]


class CommandedReport:
    """Takes the records of one run as they come, and says what they amount to."""

    def __init__(
        self,
        nonce: str,
        plan: Plan,
        root: str,
        runner: Runner,
        steps: Sequence[Step],
        named: Sequence[str] = (),
    ) -> None:
        """Wait for the records of ``steps``; ``named`` are the files whose tests have names."""
        self._nonce = nonce
        self._plan = plan
        self._root = root
        self._runner = runner
        self._steps = steps
        self._named = frozenset(named)
        self._number = 0
        self._rest = bytearray()
        self._trust = ""
        self._step = -1
        self._ended: dict[int, _Ended] = {}
        self._xml = bytearray()
        self._read: set[int] = set()
        self._failed: dict[int, bool] = {}
        self._bad: dict[int, str] = {}
        self._unloaded: dict[str, CaseResult] = {}
        self._cases: dict[str, CaseResult] = {}
        self._over = False

    @property
    def modules(self) -> tuple[str, ...]:
        """Nothing: what a commanded run loads is not primed."""
        return ()

    @property
    def cases(self) -> tuple[CaseResult, ...]:
        """What was reported so far."""
        return tuple(self._cases.values())

    def feed(self, data: bytes) -> tuple[CaseResult, ...]:
        """Take bytes of the records; returns the tests of the reports that are whole with them."""
        self._rest += data
        if b"\n" not in data:
            return ()  # else a line without an end would be looked through again and again
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        ended: list[CaseResult] = []
        for line in lines:
            try:
                record: dict[str, Any] = json.loads(line)
                if record["n"] != self._nonce or record["i"] != self._number or self._over:
                    self._trust = self._trust or "the report holds a record that is not ours"
                    continue
                self._number += 1
                ended += self._take(record)
            except (ValueError, KeyError, TypeError):
                self._trust = self._trust or "the report cannot be read"
        return tuple(ended)

    def _take(self, record: dict[str, Any]) -> Sequence[CaseResult]:
        match record["t"]:
            case "start":
                self._step = int(record["step"])
                self._xml.clear()
            case "step":
                found = tuple(str(each) for each in record["found"])
                self._ended[int(record["step"])] = _Ended(int(record["code"]), found)
            case "xml":
                self._xml += str(record["data"]).encode("latin-1")
            case "read":
                return self._understand()
            case "ended":
                self._over = True
            case _:
                raise ValueError(record["t"])
        return ()

    def _understand(self) -> Sequence[CaseResult]:
        step = self._steps[self._step]
        self._read.add(self._step)
        try:
            cases = read(bytes(self._xml))
        except BadReport as problem:
            self._bad[self._step] = str(problem)
            return ()
        found: list[CaseResult] = []
        for each in cases:
            case = case_of(each, step.files, self._runner, self._root, self._cases)
            if "::" not in case.test and not case.passed and case.outcome != "skipped":
                self._unloaded[case.test] = case
            else:
                self._cases[case.test] = case
                found.append(case)
        wrong = [each for each in cases if each.outcome in ("failed", "error")]
        self._failed[self._step] = bool(wrong)
        return found

    def verdict(self, end: End) -> Verdict:
        """Judge the whole run."""
        cases = self.cases
        match end.ended_for:
            case "cancelled":
                return Killed("cancelled", cases=cases)
            case "timeout":
                return self._timed_out(end)
            case "memory":
                return Killed("memory", "the container's memory was used up", cases)
            case "output" | "report":
                return Killed("output", "it wrote more than the limit", cases)
        if end.status is not None and end.status < 0:
            return Killed("signal", f"signal {-end.status}", cases)
        if self._rest and not self._trust:
            self._trust = "the report ends in the middle of a record"
        if self._trust:
            return Broken(self._trust, "report", cases=cases)
        if not self._over:
            return Killed("exit", f"the run ended by itself (status {end.status})", cases)
        return self._objection(end) or self._compare(end)

    def _timed_out(self, end: End) -> TimedOut:
        begun = self._steps[self._step] if 0 <= self._step < len(self._steps) else None
        running = None
        if begun is not None and self._step not in self._ended and len(begun.files) == 1:
            running = TestId(begun.files[0])
        rest = [TestId(file) for step in self._steps[self._step + 1 :] for file in step.files]
        if self._plan.tests:
            left = {*rest}
            rest = [test for test in self._plan.tests if file_of(test) in left]
        # Whoever asked takes a test's silence for waiting, not for work; a file's is longer.
        waited = (_FILE_PATIENCE - 1) * self._plan.quiet if running is not None else 0.0
        return TimedOut(max(0.0, end.seconds - waited), running, self.cases, tuple(rest))

    def _objection(self, end: End) -> Broken | None:
        """Return why the reports cannot be trusted, or None."""
        cases = self.cases
        if end.tampered:
            return Broken(f"the run replaced {end.tampered[0]}", "report", cases=cases)
        for number, step in enumerate(self._steps):
            what = step.files[0] if len(step.files) == 1 else self._runner.name
            ended = self._ended.get(number)
            if ended is None:
                return Broken(f"{what} was not run", "report", cases=cases)
            if not ended.found:
                return self._nothing(end, what, ended.code)
            if ended.found != (REPORT,):
                why = f"there is more than one report of {what}: {', '.join(ended.found)}"
                return Broken(why, "report", cases=cases)
            if number not in self._read:
                return Broken(f"the report of {what} is not a plain file", "report", cases=cases)
            if number in self._bad:
                return Broken(self._bad[number], "report", cases=cases)
            if (ended.code == 0) == self._failed[number]:
                said = "a test failed" if self._failed[number] else "every test passed"
                why = f"{said}, and yet {self._runner.name} ended with {ended.code} on {what}"
                return Broken(why, "report", cases=cases)
        return self._not_loaded(end) if self._unloaded else None

    def _nothing(self, end: End, what: str, code: int) -> Broken:
        found = self._said(end.output)
        if found is not None:
            return found
        last = [line.strip() for line in end.output.splitlines() if line.strip()][-1:]
        said = f": {last[0][:200]}" if last else ""
        return Broken(
            f"{self._runner.name} wrote no report of {what} and ended with {code}{said}",
            "report",
            cases=self.cases,
        )

    def _not_loaded(self, end: End) -> Broken | None:
        """Say why a file that failed as a whole did not load; None where it did and ended early."""
        said = [case.report or case.message for case in self._unloaded.values()]
        return self._said("\n".join([end.output, *said]))

    def _said(self, text: str) -> Broken | None:
        """Return what the runner says of a syntax error or of a module that is not there."""
        says = self._runner.says
        if says.syntax and (found := re.search(says.syntax, text)):
            frames = frames_in(text, self._runner, self._root)
            return Broken(found[0][:300], "syntax", frames, self.cases)
        if says.missing and (found := re.search(says.missing, text)):
            return Broken(found[0][:300], "import", cases=self.cases)
        return None

    def _compare(self, end: End) -> Verdict:
        failed = {test: self._ended_early(case, end) for test, case in self._unloaded.items()}
        expected = self._plan.tests or tuple(each.test for each in (*self.cases, *failed.values()))
        if not expected:
            return Broken(f"no tests were found by {self._runner.name}", "empty")
        cases: dict[str, CaseResult] = {}
        for test in expected:
            mine = [failed[file_of(test)]] if file_of(test) in failed else self._of(test)
            if not mine:
                return Broken(f"{test} was not reported", "collection", cases=self.cases)
            cases.update((case.test, case) for case in mine)
        counted = tuple(cases.values())
        skips = not self._plan.tests
        wrong = [c for c in counted if not c.passed and not (skips and c.outcome == "skipped")]
        return (Failed if wrong else Passed)(counted, end.seconds)

    def _ended_early(self, case: CaseResult, end: End) -> CaseResult:
        """Return the result of a file that failed outside its tests, or crashed in one of them."""
        thrown = self._runner.says.thrown
        found = re.search(thrown, end.output) if thrown else None
        why = found[0].strip()[:300] if found else case.reason
        return msgspec.structs.replace(case, message=f"the file did not run to its end: {why}")

    def _of(self, test: str) -> list[CaseResult]:
        """Return the case of an id; of a file's all of its cases.

        Of a whole file its skipped tests were not asked for one by one. And where its tests have
        names, the file alone was reported only because it ended before them.
        """
        if "::" in test or (test in self._cases and test not in self._named):
            return [self._cases[test]] if test in self._cases else []
        mine = [case for case in self.cases if case.test.startswith(f"{test}::")]
        return [case for case in mine if case.outcome != "skipped"] or mine


def ordered(
    runner: Runner, program: str, plan: Plan, snapshot: Snapshot, changed: Sequence[str], nonce: str
) -> tuple[CommandedReport, dict[str, Any]]:
    """Return what reads a run of ``plan``, and what the slot is to be told of it."""
    taken = steps(runner, program, plan, snapshot, changed)
    named = named_files(runner, taken, snapshot)
    report = CommandedReport(nonce, plan, snapshot.root, runner, taken, named)
    return report, {
        "folder": secrets.token_hex(16),
        "steps": [list(step.argv) for step in taken],
        "environment": dict(runner.environment),
        "written": runner.written,
        "patience": _FILE_PATIENCE if runner.each == "file" else 0,
    }
