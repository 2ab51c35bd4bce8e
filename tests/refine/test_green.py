"""Decision 3, rule by rule: taking a rule away turns one of these red."""

from __future__ import annotations

import pytest

from ocils.domain.judging import (
    Baseline,
    Broken,
    CaseResult,
    Coverage,
    Failed,
    Killed,
    Outcome,
    Passed,
    TestId,
    TimedOut,
    Unjudged,
    Verdict,
)
from ocils.refine.green import Confirmed, Denied, compare

A, B, C = TestId("t.py::a"), TestId("t.py::b"), TestId("t.py::c")


def case(test: TestId, outcome: Outcome = "passed") -> CaseResult:
    return CaseResult(test, outcome)


def run(**outcomes: Outcome) -> Verdict:
    names = {"a": A, "b": B, "c": C, "d": TestId("t.py::d")}
    cases = tuple(case(names[k], v) for k, v in outcomes.items())
    kind = Passed if all(c.passed or c.outcome == "skipped" for c in cases) else Failed
    return kind(cases, 0.1)


def baseline(**outcomes: Outcome) -> Baseline:
    verdict = run(**outcomes)
    assert isinstance(verdict, Passed | Failed)
    red = tuple(c.test for c in verdict.cases if c.outcome in ("failed", "error"))
    return Baseline(verdict.cases, 0.1, red, red, Coverage(()))


RED = {"a": "failed", "b": "passed", "c": "skipped"}
GREEN = {"a": "passed", "b": "passed", "c": "skipped"}


def decide(*runs: Verdict, original: Verdict | None = None) -> Confirmed | Denied:
    return compare([A], baseline(**RED), original or run(**RED), runs)  # type: ignore[arg-type]


def test_red_then_green_twice_is_confirmed() -> None:
    assert decide(run(**GREEN), run(**GREEN)) == Confirmed((A,), ())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"a": "failed"}, "a is failed"),
        ({"a": "skipped"}, "a is skipped"),
        ({"a": "xfailed"}, "a is xfailed"),
        ({"a": None}, "a was not run"),
        ({"b": "failed"}, "b was passed before and is failed"),
        ({"b": "skipped"}, "b was passed before and is skipped"),
        ({"b": None}, "b passed before and was not run"),
        ({"b": "xpassed"}, "b was passed before and is xpassed"),
        ({"c": "failed"}, "c was skipped before and is failed"),
        ({"c": "error"}, "c was skipped before and is error"),
        ({"d": "failed"}, "d was not run before and is failed"),
    ],
)
@pytest.mark.parametrize("which", [0, 1])
def test_one_wrong_case_in_either_run_denies(
    changed: dict[str, Outcome | None], why: str, which: int
) -> None:
    wrong = {k: v for k, v in {**GREEN, **changed}.items() if v is not None}
    runs = [run(**GREEN), run(**GREEN)]  # type: ignore[arg-type]
    runs[which] = run(**wrong)  # type: ignore[arg-type]
    answer = decide(*runs)
    assert isinstance(answer, Denied)
    assert why in answer.why


@pytest.mark.parametrize(
    "verdict",
    [Broken("x", "syntax"), TimedOut(1.0), Killed("memory"), Unjudged("gone")],
)
def test_no_report_is_no_green(verdict: Verdict) -> None:
    good = run(**GREEN)  # type: ignore[arg-type]
    assert isinstance(decide(good, verdict), Denied)
    assert isinstance(decide(good, good, original=verdict), Denied)


def test_a_goal_that_passes_by_itself_is_flaky_and_no_credit() -> None:
    answer = decide(run(**GREEN), run(**GREEN), original=run(**GREEN))  # type: ignore[arg-type]
    assert isinstance(answer, Denied)
    assert "by themselves" in answer.why


def test_flaky_neighbours_are_set_apart_visibly() -> None:
    original = run(a="failed", b="failed", c="skipped")
    now = run(a="passed", b="failed", c="skipped")
    assert compare([A], baseline(**RED), original, [now, now]) == Confirmed((A,), (B,))  # type: ignore[arg-type]


def test_a_test_red_before_for_another_reason_may_stay_red() -> None:
    before = baseline(a="failed", b="failed")
    now = run(a="passed", b="failed")
    assert compare([A], before, run(a="failed", b="failed"), [now, now]) == Confirmed((A,), ())


def test_a_goal_that_hung_is_not_asked_of_the_original() -> None:
    now = run(a="passed", b="passed")
    before = baseline(a="failed", b="passed")
    assert compare([A], before, run(b="passed"), [now, now]) == Confirmed((A,), ())


FILE = TestId("t.py")


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (run(a="passed", b="passed"), ""),
        (run(a="passed", b="failed"), "t.py::b is failed"),
        (run(a="skipped", b="passed"), "t.py::a is skipped"),
        (run(a="xfailed"), "t.py::a is xfailed"),
        (
            Passed((case(TestId("t.pyx::a")), case(TestId("other/t.py::a"))), 0.1),
            "t.py was not run",
        ),
        (Passed((), 0.1), "t.py was not run"),
        (Passed((case(FILE),), 0.1), ""),
        (Failed((case(FILE, "failed"),), 0.1), "t.py is failed"),
    ],
)
def test_a_file_that_never_ended_must_pass_as_a_whole(now: Verdict, why: str) -> None:
    """Its tests are not known: it hung before any of them was reported."""
    before = Baseline((), 0.1, (FILE,), (), Coverage(()))
    answer = compare([FILE], before, run(), [now, now])
    assert answer == (Denied(why) if why else Confirmed((FILE,), ()))


def test_a_test_that_is_named_is_not_taken_for_a_file() -> None:
    now = Passed((case(TestId("t.py::a::b")),), 0.1)
    assert compare([A], baseline(a="failed"), run(a="failed"), [now]) == Denied(f"{A} was not run")


def test_a_test_that_only_the_fresh_original_has_is_no_reason() -> None:
    now = run(a="passed", b="passed")
    before, again = baseline(a="failed"), run(a="failed", b="passed")
    assert compare([A], before, again, [now, now]) == Confirmed((A,), ())


def test_a_flaky_one_may_be_anything_and_they_are_told_in_order() -> None:
    before = baseline(a="failed", c="skipped", b="passed")
    again = run(a="failed", c="passed", b="failed")
    now = run(a="passed", c="failed", b="error")
    assert compare([A], before, again, [now, now]) == Confirmed((A,), (B, C))
