"""Reports that are not believed, word for word: each doubt has its words, and which comes first."""

from __future__ import annotations

import json

import pytest

from ocils.domain.judging import Broken, CaseResult, Failed, Passed, Plan
from ocils.sandbox.report import End

from .reports import NONCE, A, B, C, case, collected, done, judge, passed, reported


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


@pytest.mark.parametrize(("code", "status"), [(1, 0), (0, 1), (0, None), (5, 5)])
def test_the_ends_must_agree(code: int, status: int | None) -> None:
    why = f"every test passed, and yet pytest ended with {code}"
    verdict = judge([collected(A), *case(A), done(code)], status=status)
    assert verdict == Broken(why, "report", cases=passed(A))
