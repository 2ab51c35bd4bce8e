"""Ranks, to the number: which attempt came furthest, and what a green costs."""

from __future__ import annotations

import pytest

from ocils.domain.judging import (
    Broken,
    CaseResult,
    Failed,
    FailureClass,
    Killed,
    Outcome,
    Passed,
    TestId,
    TimedOut,
    Unjudged,
    Verdict,
)
from ocils.domain.session import Candidate, Judged
from ocils.refine.rank import cost, furthest, merit


def case(outcome: Outcome = "passed", kind: FailureClass = "") -> CaseResult:
    return CaseResult(TestId("t"), outcome, kind=kind)


GREEN, RED, ERROR = case(), case("failed", "assertion"), case("error", "runtime")


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (Passed((GREEN, GREEN), 0.1), "(5, 2.0)"),
        (Passed((), 0.1), "(5, 0.0)"),
        (Failed((GREEN, RED), 0.1), "(4, 1.0)"),
        (Failed((RED, RED), 0.1), "(4, 0.0)"),
        (Failed((case("failed"), GREEN, GREEN), 0.1), "(4, 2.0)"),
        (Failed((ERROR,), 0.1), "(3, 0.0)"),
        # One that did not run as far as an assertion is enough, and passed ones do not count for it.
        (Failed((RED, ERROR, GREEN), 0.1), "(3, 1.0)"),
        (Failed((RED, case("xfailed", "runtime")), 0.1), "(4, 1.0)"),
        (TimedOut(1.0, cases=(GREEN, RED, GREEN)), "(2, 2.0)"),
        (Killed("memory", cases=(GREEN,)), "(2, 1.0)"),
        (Broken("x", "syntax", cases=(GREEN,)), "(1, 0.0)"),
        (Unjudged("x", cases=(GREEN,)), "(0, 0.0)"),
    ],
)
def test_merit(verdict: Verdict, expected: str) -> None:
    assert repr(merit(verdict)) == expected


def test_what_is_no_verdict_has_no_merit() -> None:
    with pytest.raises(AssertionError):
        merit("passed")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("a b c", "a b c", 0.5),
        ("a b c", "a x c", 2.5),
        ("a b c", "a c", 1.5),
        ("a c", "a b c", 1.5),
        ("a b c", "x y", 5.5),
        ("a  b\n c", "a b c", 0.5),
        ("", "a b", 2.5),
        # Words, not letters.
        ("return one", "return two", 2.5),
        # A word that is everywhere still counts as the same (no junk in the matching).
        ("a " + "x " * 300, "b " + "x " * 300, 2.5),
    ],
)
def test_cost_counts_changed_words_and_likelihood(old: str, new: str, expected: float) -> None:
    assert cost(Candidate("1", (), -0.5, "edit"), old, new) == expected


def test_a_likely_one_costs_less() -> None:
    assert cost(Candidate("1", (), 2.0, "edit"), "a", "b") == 0.0


def test_the_furthest_of_several() -> None:
    def judged(verdict: Verdict, logprob: float = 0.0, *reasons: str) -> Judged:
        return Judged(Candidate("1", (), logprob, "edit"), verdict, reasons)

    red, better = judged(Failed((RED,), 0.1)), judged(Failed((GREEN, RED), 0.1), -9.0)
    likelier = judged(Failed((GREEN, RED), 0.1), -1.0)
    odd = judged(Passed((GREEN,), 0.1), 9.0, "uses `gc`")
    worse = judged(Passed((), 0.1), 9.0, "uses `gc`")
    assert furthest([]) is None
    assert furthest([red, better]) is better
    assert furthest([better, likelier, red]) is likelier
    assert furthest([odd, red]) is red
    assert furthest([worse, odd]) is odd
