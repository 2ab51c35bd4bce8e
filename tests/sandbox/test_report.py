"""Records → verdicts, without a container: green is hard to get, and every doubt has a name."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from ocils.domain.judging import (
    Broken,
    Failed,
    Killed,
    Passed,
    Plan,
    TimedOut,
    Unjudged,
    Verdict,
)
from ocils.sandbox.blame import broken_kind, failure_class, from_output
from ocils.sandbox.report import OUTPUT_CAP, End, Report

from .reports import NONCE, A, B, Record, case, chain, collected, done, lines

BOTH = Plan(tests=(A, B))
FINE = End(0, "", 0.5)


def judge(records: list[Record], plan: Plan = BOTH, end: End = FINE) -> Verdict:
    report = Report(NONCE, plan, edited=("/w/m.py",))
    report.feed(lines(records))
    return report.verdict(end)


GREEN = [collected(A, B), *case(A), *case(B), done()]


def test_all_passed_is_green() -> None:
    assert isinstance(judge(GREEN), Passed)


@pytest.mark.parametrize("at", range(len(GREEN)))
def test_no_record_can_be_missing(at: int) -> None:
    assert not isinstance(judge(GREEN[:at] + GREEN[at + 1 :]), Passed)


@pytest.mark.parametrize("at", [at for at, r in enumerate(GREEN) if r["t"] in ("case", "done")])
def test_no_promise_can_be_repeated(at: int) -> None:
    assert not isinstance(judge(GREEN[: at + 1] + GREEN[at:]), Passed)


@pytest.mark.parametrize("numbers", [range(1, 8), [0, 1, 2, 4, 5, 6, 7], [0, 0, 1, 2, 3, 4, 5]])
def test_a_record_out_of_number_is_not_believed(numbers: Sequence[int]) -> None:
    """Also one whose loss nothing else would show."""
    records = [*GREEN[:-1], {"t": "modules", "names": []}, GREEN[-1]]
    report = Report(NONCE, BOTH)
    for number, record in zip(numbers, records, strict=True):
        report.feed(json.dumps({**record, "n": NONCE, "i": number}).encode() + b"\n")
    assert report.verdict(FINE) == Broken(
        "the report holds a record that is not ours", "report", cases=report.cases
    )


def test_every_byte_of_the_report_counts() -> None:
    data = lines(GREEN)
    for cut in range(0, len(data), 7):
        report = Report(NONCE, BOTH)
        report.feed(data[:cut])
        assert not isinstance(report.verdict(FINE), Passed)
    report = Report(NONCE, BOTH)
    for at in range(len(data)):
        report.feed(data[at : at + 1])
    assert isinstance(report.verdict(FINE), Passed)


def test_another_nonce_is_not_believed() -> None:
    report = Report(NONCE, BOTH)
    report.feed(lines(GREEN, "0" * 32))
    verdict = report.verdict(FINE)
    assert isinstance(verdict, Broken)
    assert verdict.kind == "report"


def test_one_forged_record_spoils_the_report() -> None:
    report = Report(NONCE, BOTH)
    report.feed(b'{"t":"done","n":"x","i":0}\n' + lines(GREEN))
    assert isinstance(report.verdict(FINE), Broken)


@pytest.mark.parametrize("junk", [b"\xff\n", b"[]\n", b"3\n", b"{}\n", b'"x"\n', b"rest"])
def test_junk_spoils_the_report(junk: bytes) -> None:
    report = Report(NONCE, BOTH)
    report.feed(lines(GREEN) + junk)
    assert isinstance(report.verdict(FINE), Broken)


@pytest.mark.parametrize(
    "end",
    [
        End(1, "", 0.5),
        End(None, "", 0.5),
        End(-9, "", 0.5),
        End(0, "timeout", 0.5),
        End(0, "memory", 0.5),
        End(0, "output", 0.5),
        End(0, "report", 0.5),
        End(0, "cancelled", 0.5),
        End(0, "", 0.5, tampered=("t.py",)),
    ],
)
def test_a_bad_end_is_never_green(end: End) -> None:
    assert not isinstance(judge(GREEN, end=end), Passed)


@pytest.mark.parametrize("outcome", ["failed", "error", "skipped", "rerun", "odd"])
def test_an_expected_test_must_pass(outcome: str) -> None:
    verdict = judge([collected(A, B), *case(A), *case(B, outcome), done()])
    assert isinstance(verdict, Failed)


def test_exit_code_and_cases_must_agree() -> None:
    verdict = judge([collected(A, B), *case(A), *case(B), done(1)])
    assert isinstance(verdict, Broken)
    assert verdict.kind == "report"


def test_a_skip_counts_only_where_no_ids_were_asked() -> None:
    records = [collected(A, B), *case(A), *case(B, "skipped"), done()]
    assert isinstance(judge(records, Plan()), Passed)
    assert isinstance(judge(records), Failed)


def test_an_expected_failure_counts_unless_the_change_declared_it() -> None:
    marked = [collected(A), *case(A, "xfailed", marked=True), done()]
    assert isinstance(judge(marked, Plan(tests=(A,))), Passed)
    frames = [["/w/m.py", 3, "f", "pytest.xfail()"]]
    called = [collected(A), *case(A, "xfailed", marked=False, frames=frames), done()]
    assert isinstance(judge(called, Plan(tests=(A,))), Failed)


def test_nothing_collected_is_empty() -> None:
    verdict = judge([collected(), done(5)], Plan())
    assert isinstance(verdict, Broken)
    assert verdict.kind == "empty"


def test_stopping_early_may_leave_tests_out_only_behind_a_red_one() -> None:
    plan = Plan(tests=(A, B), stop_early=True)
    assert isinstance(judge([collected(A, B), *case(A, "failed"), done(1)], plan), Failed)
    assert isinstance(judge([collected(A, B), *case(A), done(0)], plan), Broken)


def test_a_time_limit_names_what_was_on() -> None:
    verdict = judge([collected(A, B), *case(A), {"t": "start", "id": B}], end=End(-9, "timeout", 2))
    assert verdict == TimedOut(2, B, verdict.cases)
    assert [(each.test, each.kind) for each in verdict.cases] == [(A, ""), (B, "timeout")]


def test_ending_the_process_is_an_exit() -> None:
    verdict = judge([collected(A, B), {"t": "start", "id": A}])
    assert isinstance(verdict, Killed)
    assert verdict.why == "exit"
    stopped = {
        "t": "stopped",
        "message": "SystemExit: 0",
        "chain": [[["SystemExit"], None, "", "", "0"]],
    }
    left = judge([collected(), stopped, done(3)])
    assert isinstance(left, Killed)
    assert left.why == "exit"


def test_printing_too_much_is_output() -> None:
    verdict = judge([collected(A, B), *case(A, printed=OUTPUT_CAP + 1), *case(B), done()])
    assert isinstance(verdict, Killed)
    assert verdict.why == "output"


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        (chain("AssertionError"), "assertion"),
        (chain("Failed", text="DID NOT RAISE"), "assertion"),
        (chain("Failed", text="Timeout >1.0s"), "timeout"),
        (chain("KeyError"), "runtime"),
        (chain("ModuleNotFoundError", "ImportError"), "import"),
        (chain("IndentationError", "SyntaxError"), "syntax"),
        (chain("MemoryError"), "memory"),
        (chain("gaierror", "OSError", number=-2), "isolation"),
        (chain("OSError", number=101), "isolation"),
        (chain("OSError", number=30), "isolation"),
        (chain("OSError", number=111), "runtime"),
    ],
)
def test_classes_of_failure(record: Record, kind: str) -> None:
    assert failure_class(record) == kind


def test_a_hidden_cause_is_found() -> None:
    outer = chain("ConnectionError", "OSError")["chain"] + chain("gaierror", "OSError")["chain"]
    assert failure_class({"chain": outer}) == "isolation"
    only = [collected(A), *case(A, "failed", chain=outer), done(1)]
    assert isinstance(judge(only, Plan(tests=(A,), stop_early=True)), Unjudged)
    assert isinstance(judge(only, Plan(tests=(A,))), Failed)


def test_kinds_of_broken() -> None:
    missing = chain(
        "ModuleNotFoundError", "ImportError", module="yaml", text="No module named 'yaml'"
    )
    assert broken_kind(missing) == ("import", "ModuleNotFoundError: No module named 'yaml'", "yaml")
    wrapped = {
        "chain": [*chain("CollectError")["chain"], *chain("SyntaxError", text="bad")["chain"]]
    }
    assert broken_kind(wrapped) == ("syntax", "SyntaxError: bad", "")
    assert from_output("x\nModuleNotFoundError: No module named 'a.b'\n")[2] == "a.b"
    assert from_output("ERROR: usage error\n")[0] == "collection"
    assert from_output("")[0] == "collection"
