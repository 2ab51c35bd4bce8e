"""Runs the tests with the standard library's unittest, where the interpreter has no pytest.

The records are those of ``reporter.py``. A failing sub-test makes its test fail; what goes wrong
in ``setUpClass`` or ``setUpModule`` is the error of every test that it keeps from running, and what
goes wrong in ``tearDownClass`` or ``tearDownModule`` that of the last test before it.

Not covered: as in ``reporter.py``, code that looks for the reporter in its own interpreter.
"""

from __future__ import annotations

import fcntl
import io
import os
import sys
import tempfile
import time
import traceback
import unittest
import warnings
from typing import Any, Sequence

from . import failures
from .loaded import third_party
from .records import Records
from .unittest_loader import Loader

OK, FAILED, INTERRUPTED, EMPTY = 0, 1, 2, 5
"""Exit codes, pytest's."""


def run(order: dict[str, Any], report: int, settings: dict[str, Any]) -> int:
    """Find, select and run the tests; returns the exit code."""
    reporter = Reporter(report, order, settings)
    code = reporter.run()
    reporter.done(code)
    return code


class Output:
    """What is printed while a test runs; a file, so that subprocesses are heard as well."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115, it lives as long as the run
        # Else what is written after the file was emptied would stand behind a hole.
        fcntl.fcntl(self._file, fcntl.F_SETFL, os.O_APPEND)
        self._kept: list[int] = []
        self.size = 0

    def begin(self) -> None:
        """Take over standard output and error."""
        _flush()
        # Else what a subprocess prints comes before what was printed ahead of it.
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(line_buffering=True)
        self._kept = [os.dup(1), os.dup(2)]
        os.dup2(self._file.fileno(), 1)
        os.dup2(self._file.fileno(), 2)

    def end(self) -> None:
        """Give them back."""
        _flush()
        for number, kept in zip((1, 2), self._kept):
            os.dup2(kept, number)
            os.close(kept)
        self._file.close()

    def take(self) -> str:
        """Return what was printed since the last time, and leave in ``size`` how much it was."""
        _flush()
        number = self._file.fileno()
        self.size = os.fstat(number).st_size
        head = os.pread(number, failures.READ, 0)
        tail = os.pread(number, failures.READ, max(len(head), self.size - failures.READ))
        os.ftruncate(number, 0)
        return (head + tail).decode("utf-8", "replace")


class Reporter(Records, unittest.TestResult):
    """unittest's result: a record is held back until the next test starts, for tear-downs."""

    def __init__(self, report: int, order: dict[str, Any], settings: dict[str, Any]) -> None:
        Records.__init__(self, report, order)
        unittest.TestResult.__init__(self)
        self._order = order
        self._root: str = settings["root"]
        self._environment: str = settings["environment"]
        self._before = frozenset(sys.modules)
        self._case: dict[str, Any] = {}
        self._blocked: dict[str, Any] = {}
        self._began = 0.0
        self._bad = False
        self._output = Output()
        self._warned: list[Any] = []
        self._probe: Any | None = None
        if order.get("probe"):
            from . import lines

            self._probe = lines.watch(**order["probe"], tell=self._tell)

    def run(self) -> int:
        """Run the tests of the order; returns the exit code."""
        with warnings.catch_warnings(record=True) as self._warned:
            if not sys.warnoptions:
                warnings.simplefilter("default")
            tests = self._collect()
            if tests is None:
                return INTERRUPTED
            if not tests:
                return EMPTY
            self._output.begin()
            try:
                _Suite(tests).run(self)
                self._flush_case()
            except BaseException as error:
                self._flush_case()
                found = failures.describe(failures.Raised(error), self._root, self._environment)
                self._send(t="stopped", **found)
                return INTERRUPTED
            finally:
                self._output.end()
        return FAILED if self._bad else OK

    def done(self, code: int) -> None:
        """Say that the run came to its end."""
        if self._order.get("modules"):
            self._send(t="modules", names=third_party(self._before, self._root, self._environment))
        self._send(t="done", code=code)

    def _collect(self) -> Sequence[Any] | None:
        """Return the tests in the order asked for; None when a file could not be loaded."""
        loader = Loader(self._root)
        expected = self._order["tests"]
        found = loader.find(self._order["paths"], expected)
        for path, error in loader.broken:
            about = failures.describe(failures.Raised(error), self._root, self._environment)
            self._send(t="broken", id=path, report=_text(error), **about)
        names = [each for each in expected if each in found] if expected else list(found)
        lines = self._probe.take() if self._probe else []
        self._send(t="collected", ids=names, lines=lines, runner="unittest")
        if loader.broken:
            return None
        for each in names:
            found[each].ocils_id = each
        return [found[each] for each in names]

    def startTest(self, test: Any) -> None:
        """Report the test before, and say which one is on."""
        self._flush_case()
        name = test.ocils_id
        self._case = {"id": name, "outcome": "passed", "seconds": 0.0}
        self._send(t="start", id=name)
        del self._warned[:]
        self._output.take()
        self._began = time.perf_counter()
        if self._probe:
            self._probe.start()

    def stopTest(self, test: Any) -> None:
        """Note how long it took."""
        self._case["seconds"] = time.perf_counter() - self._began
        self.shouldStop = self._order["stop_early"] and self._bad

    def block(self, test: Any) -> None:
        """Report a test that its class or module kept from running."""
        self.startTest(test)
        self._worsen(**self._blocked)
        self.stopTest(test)

    def addError(self, test: Any, err: Any) -> None:
        """Note an exception, of the test or of a fixture around several."""
        if hasattr(test, "ocils_id"):
            self._fail("failed", err[1])
            return
        about = self._about("error", err[1])
        if str(test).startswith("setUp"):
            self._blocked = about
        elif self._case:
            self._worsen(**about)

    def addFailure(self, test: Any, err: Any) -> None:
        """Note a failed assertion."""
        self._fail("failed", err[1])

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        """Note a sub-test; its parameters go before the message."""
        if err is not None:
            self._fail("failed", err[1], f"{subtest._subDescription()} ")

    def addSkip(self, test: Any, reason: str) -> None:
        """Note a skip, of the test, a sub-test or a whole class."""
        about = {"outcome": "skipped", "message": f"Skipped: {reason}"[: failures.MESSAGE]}
        name = getattr(test, "ocils_id", None)
        if name is None and str(test).startswith("setUp"):
            self._blocked = about
        elif name is not None and name != self._case.get("id"):
            # Python 3.12.1 does not start what it skips.
            self.startTest(test)
            self._worsen(**about)
            self.stopTest(test)
        else:
            self._worsen(**about)

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        """Note a failure that its decorator announced."""
        self._worsen(**{**self._about("xfailed", err[1]), "marked": True})

    def addUnexpectedSuccess(self, test: Any) -> None:
        """Note a success that its decorator denied; unittest counts it as a failure."""
        self._worsen(outcome="failed", message="Unexpected success", chain=[], frames=[])

    def _fail(self, outcome: str, error: BaseException, before: str = "") -> None:
        about = self._about(outcome, error)
        about["message"] = f"{before}{about['message']}"
        self._worsen(**about)

    def _about(self, outcome: str, error: BaseException) -> dict[str, Any]:
        about = failures.describe(failures.Raised(error), self._root, self._environment)
        return {"outcome": outcome, "report": _text(error), **about}

    def _worsen(self, **about: Any) -> None:
        """Keep the first of the worst that came of the test."""
        rank = ("passed", "xfailed", "skipped", "failed", "error")
        before = self._case["outcome"]
        if rank.index(about["outcome"]) > rank.index(before) and before != "failed":
            self._case.update(about)
        self._bad = self._bad or self._case["outcome"] in ("failed", "error")

    def _flush_case(self) -> None:
        case, self._case = self._case, {}
        if not case:
            return
        output = self._output.take()
        case["printed"] = self._output.size
        if case["outcome"] != "passed":
            case["output"] = failures.cut(output, failures.OUTPUT)
            warned = self._warned[: failures.WARNINGS]
            case["warnings"] = [failures.warned(each, self._root) for each in warned]
        if self._probe:
            self._probe.note(case)
        self._send(t="case", **case)


class _Suite(unittest.TestSuite):
    """Says which tests their class or module kept from running."""

    def _handleClassSetUp(self, test: Any, result: Any) -> None:
        super()._handleClassSetUp(test, result)  # type: ignore[misc]
        failed = getattr(type(test), "_classSetupFailed", False)
        if failed or getattr(result, "_moduleSetUpFailed", False):
            result.block(test)


def _text(error: BaseException) -> str:
    """Return the traceback without unittest's own frames around the test's."""
    trace = error.__traceback__
    while trace is not None and "__unittest" in trace.tb_frame.f_globals:
        trace = trace.tb_next
    limit, number, frame = None, 0, trace
    while frame is not None:
        number += 1
        if "__unittest" not in frame.tb_frame.f_globals:
            limit = number
        frame = frame.tb_next
    lines = traceback.format_exception(type(error), error, trace, limit)
    return failures.cut("".join(lines), failures.REPORT)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue
