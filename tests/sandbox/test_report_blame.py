"""Whose failure it is: the code's, the test's or the isolation's; who may expect one."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from ocils.domain.judging import Failed, Plan, Unjudged
from ocils.sandbox.blame import broken_kind, failure_class, from_output
from ocils.sandbox.inside.owners import JUDGED

from .reports import MINE, THEIRS, A, B, Record, case, chain, collected, done, judge, reported


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
