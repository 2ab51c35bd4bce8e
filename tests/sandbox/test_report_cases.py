"""Records → cases, word for word: what is kept of each test, and what nobody said is empty."""

from __future__ import annotations

import json

import pytest

from ocils.domain.judging import (
    Call,
    CaseResult,
    Coverage,
    Failed,
    Frame,
    Killed,
    Passed,
    Plan,
    TestLines,
    TimedOut,
)
from ocils.sandbox.report import End, Report

from .reports import (
    MINE,
    NONCE,
    PROBE,
    A,
    B,
    C,
    Record,
    case,
    chain,
    collected,
    done,
    judge,
    lines,
    passed,
    reported,
)


def test_a_case_keeps_everything_that_was_said() -> None:
    about = {
        "seconds": 0.25,
        "message": "assert 1 == 2\n +  where",
        "report": "the long text",
        "output": "printed",
        "warnings": ["W: w (m.py:1)", 7],
        "frames": MINE,
        "chain": chain("AssertionError")["chain"],
        "lines": [3, 4],
        "calls": [["(1)", "2"], [3, 4]],
    }
    report = Report(NONCE, Plan(probe=PROBE), ())
    first = report.feed(lines([{"t": "collected", "ids": [A], "lines": [1, 2]}]))
    assert first == ()
    records = [collected(A), {"t": "start", "id": A}, {"t": "case", "id": A, "outcome": "failed", **about}, done(1)]  # fmt: skip
    data = [json.dumps({**r, "n": NONCE, "i": i}).encode() + b"\n" for i, r in enumerate(records)]
    assert report.feed(data[1]) == ()
    seen = report.feed(data[2] + data[3])
    expected = CaseResult(
        A,
        "failed",
        seconds=0.25,
        message="assert 1 == 2\n +  where",
        kind="assertion",
        frames=(Frame("/w/t.py", 8, "test", "f()"), Frame("/w/m.py", 3, "f", "g()")),
        report="the long text",
        output="printed",
        warnings=("W: w (m.py:1)", "7"),
    )
    assert seen == (expected,)
    assert report.cases == (expected,)
    assert report.verdict(End(1, "", 1.5)) == Failed(
        (expected,),
        1.5,
        Coverage((TestLines(A, (3, 4)),), (1, 2)),
        calls=(Call(A, "(1)", "2"), Call(A, "3", "4")),
    )


def test_a_green_holds_its_cases_lines_and_calls() -> None:
    records = [
        {"t": "collected", "ids": [A, B], "lines": [1]},
        *case(A, lines=[2], calls=[["a", "b"]]),
        *case(B, lines=[]),
        done(),
    ]
    coverage = Coverage((TestLines(A, (2,)), TestLines(B, ())), (1,))
    calls = (Call(A, "a", "b"),)
    assert judge(records, Plan(probe=PROBE)) == Passed(passed(A, B), 1.5, coverage, calls=calls)
    assert judge(records) == Passed(passed(A, B), 1.5, None, calls=calls)
    assert judge(records, Plan(tests=(A,))) == Passed(passed(A, B), 1.5, None, calls=calls)


def test_what_a_record_leaves_out_is_empty() -> None:
    (found,) = reported(case(A, "error")).cases
    assert found == CaseResult(A, "error", kind="assertion")
    (found,) = reported(case(A)).cases
    assert found == CaseResult(A, "passed")


def test_modules_are_handed_on() -> None:
    assert reported([{"t": "modules", "names": ["numpy", 3]}]).modules == ("numpy", "3")
    assert reported([]).modules == ()


def test_the_lines_of_a_test_that_was_on_are_told_as_they_run() -> None:
    def line(number: int) -> Record:
        return {"t": "line", "line": number}

    plan = Plan(probe=PROBE)
    during_collection = [line(1), collected(A, B, C)]
    records = [*during_collection, {"t": "start", "id": A}, line(2), case(A, lines=[2, 3])[1]]
    records += [{"t": "start", "id": B}, line(4), line(2)]
    lines = Coverage((TestLines(A, (2, 3)), TestLines(B, (2, 4))))
    hung = judge(records, plan, ended_for="timeout", status=-9)
    assert isinstance(hung, TimedOut)
    assert hung.coverage == lines
    ended = judge(records, plan, status=-9)
    assert isinstance(ended, Killed)
    assert ended.coverage == lines
    unasked = judge(records, status=-9)
    assert isinstance(unasked, Killed)
    assert unasked.coverage is None


@pytest.mark.parametrize(("told", "outcome"), [("odd", "error"), ("xpassed", "xpassed")])
def test_an_unknown_outcome_is_an_error(told: str, outcome: str) -> None:
    assert [each.outcome for each in reported(case(A, told)).cases] == [outcome]
