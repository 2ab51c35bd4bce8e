"""Runs that end early, word for word: from outside, by the candidate, before any test is collected."""

from __future__ import annotations

from typing import Any

import pytest

from ocils.domain.judging import (
    Broken,
    CaseResult,
    Coverage,
    Frame,
    Killed,
    Passed,
    Plan,
    TestId,
    TimedOut,
    Verdict,
)
from ocils.sandbox.inside.child import RAISED
from ocils.sandbox.report import OUTPUT_CAP

from .reports import PROBE, THEIRS, A, B, C, Record, case, chain, collected, done, judge, on, passed


def test_cancelled() -> None:
    assert judge(on(), ended_for="cancelled", status=-9) == Killed("cancelled", cases=passed(A))


@pytest.mark.parametrize("tests", [(), (C, B, A)])
def test_the_time_is_up(tests: tuple[TestId, ...]) -> None:
    last = CaseResult(B, "failed", message="it had not ended when the time was up", kind="timeout")
    plan = Plan(tests=tests, probe=PROBE)
    verdict = judge(on(), plan, ended_for="timeout", status=-9)
    assert verdict == TimedOut(1.5, B, (*passed(A), last), (C,), Coverage(()))
    assert judge([], plan, ended_for="timeout") == TimedOut(1.5, None, (), tests, Coverage(()))
    assert judge([], ended_for="timeout") == TimedOut(1.5, None, (), (), None)


@pytest.mark.parametrize(
    ("ended_for", "status", "why", "detail", "kind", "message"),
    [
        ("memory", -9, "memory", "the container's memory was used up", "memory", ""),
        ("output", -9, "output", "it wrote more than the limit", "killed", ""),
        ("report", None, "output", "it wrote more than the limit", "killed", ""),
        ("", -11, "signal", "signal 11", "killed", "ended by signal 11"),
        ("", -1, "signal", "signal 1", "killed", "ended by signal 1"),
    ],
)
def test_ended_from_outside(
    ended_for: str, status: int | None, why: Any, detail: str, kind: Any, message: str
) -> None:
    last = CaseResult(B, "failed", message=message or detail, kind=kind)
    verdict = judge(on(), ended_for=ended_for, status=status)
    assert verdict == Killed(why, detail, (*passed(A), last), running=B, rest=(C,))
    assert judge([], ended_for=ended_for, status=status) == Killed(why, detail)


def test_the_printed_bytes_of_all_tests_count() -> None:
    def printing(*sizes: int) -> Verdict:
        return judge(
            [collected(A, B), *case(A, printed=sizes[0]), *case(B, printed=sizes[1]), done()]
        )

    assert isinstance(printing(OUTPUT_CAP, 0), Passed)
    assert printing(OUTPUT_CAP, 1) == Killed("output", "it wrote more than the limit", passed(A, B))
    silent = [collected(A, B), *case(A, printed=OUTPUT_CAP), *case(B), done()]
    assert isinstance(judge(silent), Passed)
    assert OUTPUT_CAP == 16 * 1024 * 1024


def test_the_first_file_that_cannot_be_collected_is_told() -> None:
    missing = chain("ModuleNotFoundError", "ImportError", module="yaml", text="No yaml")
    records: list[Record] = [
        *case(A),
        {"t": "broken", "id": "t.py", "frames": THEIRS, **missing},
        {"t": "broken", "id": "u.py", **chain("SyntaxError")},
        done(2),
    ]
    frames = (Frame("/w/m.py", 3, "f", "g()"), Frame("/w/t.py", 8, "test", "f()"))
    why = "ModuleNotFoundError: No yaml"
    assert judge(records, status=2) == Broken(why, "import", frames, passed(A), "yaml")


@pytest.mark.parametrize("name", ["SystemExit", "KeyboardInterrupt", "Exit"])
def test_leaving_the_session_is_an_exit(name: str) -> None:
    stopped = {"t": "stopped", "message": "0", **chain("Other")}
    stopped["chain"] = [*stopped["chain"], *chain("Deeper", name)["chain"]]
    stopped["message"] = "the last words"
    why = "it ended the test session: the last words"
    last = CaseResult(B, "failed", message=why, kind="killed")
    expected = Killed("exit", why, (*passed(A), last), running=B, rest=(C,))
    assert judge([*on(), stopped, done(2)]) == expected


def test_a_runner_that_fails_is_broken() -> None:
    stopped = {"t": "stopped", **chain("TypeError", text="in a plugin"), "frames": THEIRS}
    frames = (Frame("/w/m.py", 3, "f", "g()"), Frame("/w/t.py", 8, "test", "f()"))
    expected = Broken("pytest failed: in a plugin", "report", frames, passed(A))
    assert judge([collected(A), *case(A), stopped, done(3)]) == expected


def test_ending_the_process() -> None:
    last = CaseResult(B, "failed", message="it ended the test process", kind="killed")
    why = "it ended the test process during t.py::b (status 3)"
    assert judge(on(), status=3) == Killed("exit", why, (*passed(A), last), running=B, rest=(C,))
    assert judge([collected(A), *case(A)]) == Killed(
        "exit", "it ended the test process (status 0)", passed(A)
    )
    early = "it ended the test process (status 1)"
    assert judge([], status=1, output="SyntaxError: bad") == Killed("exit", early)
    late = judge([collected(A)], status=RAISED, output="SyntaxError: bad")
    assert late == Killed("exit", f"it ended the test process (status {RAISED})", rest=(A,))


def test_a_runner_that_does_not_come_to_collecting_is_broken() -> None:
    said = "x\nModuleNotFoundError: No module named 'a'\n"
    expected = Broken("ModuleNotFoundError: No module named 'a'", "import", missing_module="a")
    assert judge([], status=RAISED, output=said) == expected
    assert judge([done(4)], status=4, output=said) == expected


def test_nothing_collected() -> None:
    assert judge([collected(), done(5)], status=5) == Broken("no tests were collected", "empty")
    bare = {**collected(), "runner": "unittest"}
    assert judge([bare, done(5)], status=5) == Broken(
        "no tests were found by unittest; the interpreter has no pytest",
        "empty",
        missing_module="pytest",
    )
