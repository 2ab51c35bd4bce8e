"""Localising, ranking, feedback and telling candidates apart."""

from __future__ import annotations

import pytest

from ocils.domain.judging import (
    Broken,
    CaseResult,
    Coverage,
    Failed,
    Frame,
    Killed,
    Passed,
    TestId,
    TestLines,
    TimedOut,
    Unjudged,
    Verdict,
)
from ocils.domain.session import Candidate, Judged
from ocils.domain.target import EditTarget, Hole
from ocils.domain.text import Document, Edit, Span
from ocils.refine import feedback
from ocils.refine.distinct import (
    lines_before,
    new_target_text,
    normal_form,
    parses,
    texts_around,
)
from ocils.refine.localize import body_line, holes, suspects
from ocils.refine.rank import cost, furthest, merit

SOURCE = '''def f(a,
      b=1):
    """Say
    nothing."""
    if a > b:
        return [a,
                b]
    for x in a:
        try:
            y = x
        except ValueError:
            pass
    return y'''


def test_holes_are_statements_and_headers_without_docstrings() -> None:
    found = [(h.first - 9, h.last - 9) for h in holes(SOURCE, 10)]
    assert found == [
        (1, 2), (5, 5), (6, 7), (8, 8), (9, 9), (10, 10), (12, 12), (13, 13)
    ]  # fmt: skip


def test_text_no_parser_knows_gives_one_hole_a_line() -> None:
    assert holes("def f(:\n\n  x", 1) == (Hole(1, 1), Hole(3, 3))


def target(source: str, first: int = 1) -> EditTarget:
    span = Span(0, len(source.encode()))
    last = first + source.count("\n")
    return EditTarget("/w/a.py", "f", "function", span, span, "", first, last, "h")


def test_lines_that_only_red_tests_ran_come_first() -> None:
    source = "def f(a):\n    b = 1\n    if a:\n        b = 2\n    return b"
    red, green = TestId("r"), TestId("g")
    coverage = Coverage((TestLines(red, (2, 3, 4, 5)), TestLines(green, (2, 3, 5))))
    order = suspects(target(source), source, coverage, [red])
    assert order[0].hole == Hole(4, 4)
    assert order[0].suspicion == 1.0
    assert order[-1].hole == Hole(1, 1)


def test_a_red_test_without_coverage_suspects_every_line() -> None:
    source = "def f(a):\n    b = 1\n    return b"
    order = suspects(target(source), source, Coverage(()), [TestId("hung")])
    assert {s.suspicion for s in order} == {1.0}


def case(name: str, outcome: str = "passed", kind: str = "") -> CaseResult:
    return CaseResult(TestId(name), outcome, message="assert 1 == 2", kind=kind)  # type: ignore[arg-type]


LADDER: list[Verdict] = [
    Unjudged("gone"),
    Broken("x", "syntax"),
    TimedOut(1.0),
    Failed((case("a", "failed", "runtime"),), 0.1),
    Failed((case("a", "failed", "assertion"),), 0.1),
    Failed((case("a"), case("b", "failed", "assertion")), 0.1),
    Passed((case("a"), case("b")), 0.1),
]


def test_merit_climbs_the_ladder() -> None:
    merits = [merit(v) for v in LADDER]
    assert merits == sorted(merits)
    assert len(set(merits)) == len(merits)
    assert merit(Killed("memory"))[0] == merit(TimedOut(1.0))[0]


def test_the_furthest_attempt_and_of_equals_the_likelier() -> None:
    attempts = [
        Judged(Candidate(str(n), (), float(-n), "edit"), v)
        for n, v in enumerate([*LADDER, *LADDER])
    ]
    best = furthest(attempts)
    assert best is not None
    assert best.candidate.id == str(len(LADDER) - 1)
    assert furthest([]) is None


def test_cost_prefers_near_and_likely() -> None:
    old = "return a + b"
    near = Candidate("n", (), -2.0, "edit")
    assert cost(near, old, "return a - b") < cost(near, old, "if a == 3: return 7")
    assert cost(near, old, "return a - b") < cost(
        Candidate("u", (), -9.0, "edit"), old, "return a - b"
    )


@pytest.mark.parametrize("verdict", LADDER)
def test_feedback_is_short_and_never_empty(verdict: Verdict) -> None:
    text = feedback.write(verdict, 120).text
    assert 0 < len(text) <= 120


def test_feedback_names_the_test_the_assertion_and_the_line() -> None:
    frame = Frame("/w/a.py", 7, "f", "return a - b")
    red = CaseResult(TestId("t.py::a"), "failed", message="assert 1 == 2", frames=(frame,))
    text = feedback.write(Failed((red,), 0.1)).text
    for piece in ("t.py::a", "assert 1 == 2", "line 7 in f", "return a - b"):
        assert piece in text


def test_cut_keeps_both_ends() -> None:
    assert feedback.cut("a" * 50 + "b" * 50, 21) == "a" * 8 + "\n...\n" + "b" * 8


def test_normal_form_ignores_layout_and_comments_only() -> None:
    base = normal_form("def f(a):\n    return (a + 1)")
    assert normal_form("    def f(a):  # why\n\n        return a+1") == base
    assert normal_form("def f(a):\r\n    return a + 1\r\n") == base
    assert normal_form("def f(a):\n    return a + 2") != base


APPENDED = b"def f(a):\n    b = a\n\nx = 1\n"


@pytest.mark.parametrize("offset", [0, 1])
def test_a_line_appended_to_the_target_belongs_to_it(offset: int) -> None:
    end = APPENDED.index(b"b = a") + 5
    where = EditTarget("/w/a.py", "f", "function", Span(0, end), Span(0, end), "", 1, 2, "h")
    document = Document("/w/a.py", APPENDED)
    text = "\n    return b" if offset == 0 else "    return b\n"
    edits = (Edit("/w/a.py", Span(end + offset, end + offset), text),)
    new = new_target_text(document, where, edits)
    assert new == "def f(a):\n    b = a\n    return b"
    assert texts_around(where, edits) == ()


def test_what_stands_before_the_target_tells_candidates_apart_and_moves_it() -> None:
    document = Document("/w/a.py", b"import os\n\n" + APPENDED)
    where = EditTarget("/w/a.py", "f", "function", Span(11, 30), Span(0, 0), "", 3, 4, "h")
    edits = (Edit("/w/a.py", Span(9, 9), "\nimport sys\nimport re"),)
    assert new_target_text(document, where, edits) == new_target_text(document, where, ())
    assert texts_around(where, edits) == ("\nimport sys\nimport re",)
    assert lines_before(document, where, edits) == 2


STUB = '''@deco
def f(
    a,
):
    """Say what."""
    raise NotImplementedError'''


@pytest.mark.parametrize(
    ("source", "line"),
    [(STUB, 15), ('def f():\n    """Say."""', 12), ("def f():\n    pass", 11), ("def f(:", 11)],
)
def test_the_body_begins_behind_signature_and_docstring(source: str, line: int) -> None:
    assert body_line(source, target(source, 10)) == line


def test_odd_literals_are_told_apart_in_silence() -> None:
    assert parses("def f():\n    return 1if 2else 3")
    assert not parses("def f():\n  return 1\n    return 2")
    assert normal_form("def f(:") != normal_form("def g(:")


def test_the_new_target_text_survives_edits_around_it() -> None:
    text = b"import os\n\n    def f():\n        return 1\n\nx = 1\n"
    start, end = text.index(b"def"), text.index(b"return 1") + 8
    where = EditTarget("/w/a.py", "f", "method", Span(start, end), Span(0, 0), "    ", 3, 4, "h")
    document = Document("/w/a.py", text)
    edits = (
        Edit("/w/a.py", Span(9, 9), "\nimport sys"),
        Edit("/w/a.py", Span(end - 1, end), "22"),
        Edit("/w/a.py", Span(len(text), len(text)), "# end\n"),
    )
    assert new_target_text(document, where, edits) == "    def f():\n        return 22"
