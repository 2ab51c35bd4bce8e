"""Records → verdicts, word for word: what every verdict holds, and which doubt comes first."""

from __future__ import annotations

import errno
import json
from typing import Any

import pytest

from ocils.domain.judging import (
    Broken,
    Call,
    CaseResult,
    Coverage,
    Failed,
    Frame,
    Killed,
    Passed,
    Plan,
    Probe,
    TestId,
    TestLines,
    TimedOut,
    Unjudged,
    Verdict,
)
from ocils.sandbox.blame import broken_kind, failure_class, from_output
from ocils.sandbox.inside.child import RAISED
from ocils.sandbox.inside.owners import JUDGED
from ocils.sandbox.report import OUTPUT_CAP, End, Report

from .test_report import NONCE, A, B, Record, case, chain, collected, done, lines

C = TestId("t.py::c")
EVERYTHING = Plan()
PROBE = Probe("/w/m.py", 1, 9)
MINE = [["/w/t.py", 8, "test", "f()"], ["/w/m.py", 3, "f", "g()"]]
THEIRS = [["/w/m.py", 3, "f", "g()"], ["/w/t.py", 8, "test", "f()"]]
GREEN = [collected(A, B), *case(A), *case(B), done()]


def reported(
    records: list[Record], plan: Plan = EVERYTHING, edited: tuple[str, ...] = ("/w/m.py",)
) -> Report:
    report = Report(NONCE, plan, edited)
    report.feed(lines(records))
    return report


def judge(
    records: list[Record],
    plan: Plan = EVERYTHING,
    *,
    status: int | None = 0,
    ended_for: str = "",
    output: str = "",
    tampered: tuple[str, ...] = (),
    edited: tuple[str, ...] = ("/w/m.py",),
) -> Verdict:
    end = End(status, ended_for, 1.5, output, tampered)
    return reported(records, plan, edited).verdict(end)


def passed(*tests: TestId) -> tuple[CaseResult, ...]:
    return tuple(CaseResult(each, "passed") for each in tests)


def on(*tests: TestId) -> list[Record]:
    """The first of three tests has passed, the second is on."""
    return [collected(A, B, C), *case(A), {"t": "start", "id": B}]


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


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'{"t":"done"', "the report ends in the middle of a record"),
        (b"junk\n", "the report cannot be read"),
        (b"junk\n{", "the report cannot be read"),
        (b'{"t":"done","n":"other","i":3,"code":0}\n', "the report holds a record that is not ours"),
        (b'{"t":"done","n":"NONCE","i":4,"code":0}\n', "the report holds a record that is not ours"),
        (b'{"t":"odd","n":"NONCE","i":3}\n', "the report holds a record of an unknown kind"),
        (b'{"t":"done","n":"NONCE","i":3,"code":"x"}\n', "the report cannot be read"),
        (b'{"t":"done","n":"NONCE","i":3}\n', "the report cannot be read"),
        (b'{"t":"case","n":"NONCE","i":3,"id":"t.py::a","outcome":"passed"}\n', "t.py::a was reported out of turn"),
        (b'{"t":"case","n":"NONCE","i":3,"id":"t.py::b","outcome":"passed"}\n', "t.py::b was reported out of turn"),
        (b'{"t":"case","n":"NONCE","i":3,"id":"t.py::b","outcome":"passed"}\njunk\n', "t.py::b was reported out of turn"),
        (b'{"t":"done","n":"NONCE","i":3,"code":0}\n{"t":"start","n":"NONCE","i":4,"id":"x"}\n', "a record came after the end"),
    ],
)  # fmt: skip
def test_each_doubt_has_its_words_and_the_first_one_is_told(data: bytes, why: str) -> None:
    report = reported([collected(A), *case(A)])
    report.feed(data.replace(b"NONCE", NONCE.encode()))
    verdict = report.verdict(End(0, "", 1.5))
    assert isinstance(verdict, Broken)
    assert (verdict.why, verdict.kind) == (why, "report")
    assert verdict.cases[:1] == passed(A)


def test_a_test_that_ran_twice_is_doubtful() -> None:
    verdict = judge([collected(A, B), *case(A), *case(B), *case(A), done()])
    assert verdict == Broken("t.py::a was reported out of turn", "report", cases=passed(A, B))


def test_a_doubtful_record_is_not_taken() -> None:
    report = reported([collected(A), {"t": "start", "id": A}])
    forged = {"t": "case", "id": A, "outcome": "passed", "n": "x", "i": 2}
    assert report.feed(json.dumps(forged).encode() + b"\n") == ()
    assert report.cases == ()


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


@pytest.mark.parametrize(
    ("edited", "file", "believed"),
    [
        (("/w/m.py",), "/w/m.py", False),
        (("/w/m.py",), "", False),
        (("/w/m.py",), "<string>", False),
        (("/w/m.py",), "/w/conftest.py", True),
        ((), "", True),
        ((), "/w/m.py", True),
    ],
)
def test_a_replaced_part_of_the_runner(edited: tuple[str, ...], file: str, believed: bool) -> None:
    replaced = {**done(), "replaced": [["plugin", "/site/p.py"], ["pytest.raises", file]]}
    verdict = judge([collected(A), *case(A), replaced], edited=edited)
    why = "the run replaced pytest.raises"
    assert verdict == (
        Passed(passed(A), 1.5) if believed else Broken(why, "report", cases=passed(A))
    )


def test_a_replaced_file_comes_first() -> None:
    replaced = {**done(), "replaced": [["pytest.raises", ""]]}
    verdict = judge([collected(A), *case(A), replaced], tampered=("t.py", "u.py"))
    assert verdict == Broken("the run replaced t.py", "report", cases=passed(A))


def test_missing_tests_are_told_with_why() -> None:
    ask = Plan(tests=(A, B, C))
    gone = judge([collected(A, B), *case(A), done()], ask)
    assert gone == Broken("t.py::c was not collected", "collection", cases=passed(A))
    silent = judge([collected(A, B, C), *case(A), *case(B), done()], ask)
    why = "t.py::c was collected and not reported"
    assert silent == Broken(why, "report", cases=passed(A, B))
    red = [collected(A, B), *case(A, "failed"), done(1)]
    assert isinstance(judge(red, Plan(tests=(A, B))), Broken)
    early = judge(red, Plan(tests=(A, B), stop_early=True))
    assert early == Failed((CaseResult(A, "failed", kind="assertion"),), 1.5)


def test_isolation_is_the_verdict_only_where_it_ended_the_run_alone() -> None:
    net = chain("gaierror", "OSError", text="no net\nmore")
    apart = {**net, "message": "gaierror: no net\nmore"}
    early = Plan(stop_early=True)
    alone = [collected(A, B), *case(A), *case(B, "failed", **apart), done(1)]
    verdict = judge(alone, early, status=1)
    assert isinstance(verdict, Unjudged)
    assert (verdict.why, verdict.detail) == ("isolation", "gaierror: no net")
    assert [each.kind for each in verdict.cases] == ["", "isolation"]
    assert isinstance(judge(alone, status=1), Failed)
    both = [collected(A, B), *case(A, "failed"), *case(B, "failed", **apart), done(1)]
    assert isinstance(judge(both, early, status=1), Failed)
    skipped = [collected(A, B), *case(A, "skipped"), *case(B, "failed", **apart), done(1)]
    asked = Plan(tests=(A, B), stop_early=True)
    assert isinstance(judge(skipped, asked, status=1), Failed)
    assert isinstance(judge([collected(A), *case(A, "skipped"), done()], asked), Failed)


@pytest.mark.parametrize(("code", "status"), [(1, 0), (0, 1), (0, None), (5, 5)])
def test_the_ends_must_agree(code: int, status: int | None) -> None:
    why = f"every test passed, and yet pytest ended with {code}"
    verdict = judge([collected(A), *case(A), done(code)], status=status)
    assert verdict == Broken(why, "report", cases=passed(A))


@pytest.mark.parametrize(
    ("more", "outcome"),
    [
        ({"marked": False, "frames": MINE}, "failed"),
        ({"marked": True, "frames": MINE}, "xfailed"),
        ({"frames": MINE}, "xfailed"),
        ({"marked": False, "frames": THEIRS}, "xfailed"),
        ({"marked": False}, "xfailed"),
    ],
)
def test_who_may_expect_a_failure(more: Record, outcome: str) -> None:
    (found,) = reported(case(A, "xfailed", message="said", **more)).cases
    text = "the changed code called xfail: said" if outcome == "failed" else "said"
    assert (found.outcome, found.message) == (outcome, text)
    assert found.kind == ("assertion" if outcome == "failed" else "")


def test_a_pass_out_of_the_changed_code_stays_a_pass() -> None:
    (found,) = reported(case(A, "passed", marked=False, frames=MINE)).cases
    assert found.outcome == "passed"


@pytest.mark.parametrize(("told", "outcome"), [("odd", "error"), ("xpassed", "xpassed")])
def test_an_unknown_outcome_is_an_error(told: str, outcome: str) -> None:
    assert [each.outcome for each in reported(case(A, told)).cases] == [outcome]


def refused(path: str = f"/w/setup.cfg{JUDGED[0]}") -> list[Any]:
    return [["PermissionError", "OSError"], errno.EACCES, "", path, "denied"]


@pytest.mark.parametrize(("frames", "kind"), [(THEIRS, "isolation"), (MINE, "runtime")])
def test_who_may_not_write_a_judged_file(frames: list[Any], kind: str) -> None:
    (found,) = reported(case(A, "failed", frames=frames, chain=[refused()])).cases
    assert found.kind == kind


@pytest.mark.parametrize(
    ("link", "kind"),
    [
        ([["PermissionError"], 13, "", "/etc/passwd", ""], "runtime"),
        ([["OSError"], 13, "", refused()[3], ""], "runtime"),
        ([["OSError"], errno.ENETDOWN, "", "", ""], "isolation"),
        ([["OSError"], errno.EHOSTUNREACH, "", "", ""], "isolation"),
        ([["ValueError"], None, "", "", "x: Read-only file system"], "isolation"),
        ([["ValueError"], None, "", "", "x: Network is unreachable (1)"], "isolation"),
        ([["Failed", "OutcomeException"], None, "", "", "a Timeout"], "assertion"),
        ([["Other"], None, "", "", "Timeout"], "runtime"),
    ],
)
def test_classes_of_one_exception(link: list[Any], kind: str) -> None:
    assert failure_class({"chain": [link]}) == kind
    deeper = chain("AssertionError")["chain"]
    expected = kind if kind == "isolation" else "assertion"
    assert failure_class({"chain": [*deeper, link]}) == expected


def test_a_group_is_what_its_members_agree_on() -> None:
    group = chain("ExceptionGroup", "BaseExceptionGroup")["chain"]
    failed, lost = chain("AssertionError")["chain"], chain("gaierror")["chain"]
    assert failure_class({"chain": group, "leaves": failed * 2}) == "assertion"
    assert failure_class({"chain": group, "leaves": lost}) == "isolation"
    assert failure_class({"chain": group, "leaves": [*failed, *lost]}) == "runtime"
    assert failure_class({"chain": group, "leaves": []}) == "runtime"
    assert failure_class({"chain": group, "leaves": [refused()]}, from_edit=True) == "runtime"
    assert failure_class({}) == "assertion"
    assert failure_class({"chain": [*failed, refused()]}) == "isolation"


def test_why_a_file_cannot_be_collected() -> None:
    other = chain("ImportError", module="m", text="cannot import\nmore")
    assert broken_kind(other) == ("import", "ImportError: cannot import", "")
    inner = {**chain("ExceptionGroup"), "leaves": chain("SyntaxError", text="\n\nbad")["chain"]}
    assert broken_kind(inner) == ("syntax", "SyntaxError: bad", "")
    two = {
        "chain": [
            *chain("CollectError", text="x")["chain"],
            *chain("KeyError", text="'k'")["chain"],
        ]
    }
    assert broken_kind(two) == ("collection", "KeyError: 'k'", "")
    assert broken_kind(chain("KeyError")) == ("collection", "KeyError: ", "")
    assert broken_kind({"message": "as it is"}) == ("collection", "as it is", "")
    assert broken_kind({}) == ("collection", "", "")


@pytest.mark.parametrize(
    ("output", "found"),
    [
        (
            "  SyntaxError: one\n  SyntaxError: two  \nan Error\n",
            ("syntax", "SyntaxError: two", ""),
        ),
        ("  \tan error  \n", ("collection", "an error", "")),
        ("an error\nnot it\nan Error: x\nthe end\n", ("collection", "an Error: x", "")),
        ("first\n\n  last  \n\n", ("collection", "last", "")),
        ("", ("collection", "pytest ended before it collected", "")),
        ("e" * 600, ("collection", "e" * 500, "")),
    ],
)
def test_what_the_output_says(output: str, found: tuple[str, str, str]) -> None:
    assert from_output(output) == found
