"""A collected suite in use: the order of tests, frames, coverage."""

from __future__ import annotations

import re

import pytest

from ocils.domain.judging import (
    Broken,
    Passed,
    Plan,
    Probe,
    TestId,
    Verdict,
)

from .conftest import TESTS, Maker
from .yard import GOOD, Yard, body, replace

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

ADDRESS = re.compile("0x[0-9a-f]+")
OLD = "def price(amount, percent):\n    return amount * (100 - percent) / 100\n"


async def collected(yard: Yard, *tests: str) -> None:
    """See to it that the slot has a collected suite for the files of ``tests``."""
    for _ in range(3):
        verdict = await yard.try_text("shop.py", GOOD, *(tests or TESTS))
        assert isinstance(verdict, Passed), verdict
    assert level(verdict) == "L2", yard.sandbox.why_not_l2


def level(verdict: Verdict) -> str:
    return getattr(verdict, "level", "none")


async def test_tests_run_in_the_order_of_the_plan(shop: Yard) -> None:
    await collected(shop)
    for wanted in ((TESTS[3], TESTS[1], TESTS[4]), (TESTS[0],), TESTS[::-1]):
        verdict = await shop.try_text("shop.py", GOOD, *wanted)
        assert level(verdict) == "L2"
        assert tuple(each.test for each in verdict.cases) == wanted


async def test_stopping_early_leaves_the_rest_out(shop: Yard) -> None:
    await collected(shop)
    verdict = await shop.try_text("shop.py", body("pass"), *TESTS, stop_early=True)
    assert level(verdict) == "L2"
    assert [each.outcome for each in verdict.cases] == ["failed"]
    verdict = await shop.try_text("shop.py", body("pass"), *TESTS)
    assert len(verdict.cases) == len(TESTS)


async def test_a_test_that_does_not_exist_is_not_green(shop: Yard) -> None:
    await collected(shop)
    verdict = await shop.try_text("shop.py", GOOD, TESTS[0], "tests/test_shop.py::test_gone")
    assert isinstance(verdict, Broken)
    assert "test_gone" in verdict.why


async def test_results_and_reports_are_the_same_as_at_the_other_levels(shop: Yard) -> None:
    await collected(shop)
    text = "def price(amount, percent):\n    print('said')\n    return amount\n"
    swapped = await shop.try_text("shop.py", text, *TESTS)
    imported = await shop.try_text("shop.py", text + "LIMIT = 1\n", *TESTS)
    fresh = await shop.try_text("shop.py", text, *TESTS, fresh=True)
    assert (level(swapped), level(imported), level(fresh)) == ("L2", "L1", "L0")
    for one, other in zip(swapped.cases, fresh.cases, strict=True):
        assert (one.test, one.outcome, one.message, one.frames) == (
            other.test,
            other.outcome,
            other.message,
            other.frames,
        )
        assert (one.output, one.kind) == (other.output, other.kind)
    for one, other in zip(swapped.cases, imported.cases, strict=True):
        assert ADDRESS.sub("", one.report) == ADDRESS.sub("", other.report)


async def test_frames_below_the_edit_have_their_new_lines(make: Maker) -> None:
    files = {
        "low.py": """
            def first(a):
                return a

            class Low:
                def second(self):
                    return self.third()

                def third(self):
                    raise ValueError("deep")
        """,
        "test_low.py": """
            import low
            def test_low():
                assert low.first(1) == 1
                low.Low().second()
        """,
    }
    yard = await make(files)
    text = "def first(a):\n    b = a\n    c = b\n    return c\n" + OLD_LOW
    for _ in range(2):
        verdict = await yard.try_text("low.py", text, "test_low.py::test_low")
    assert level(verdict) == "L2", yard.sandbox.why_not_l2
    frames = [(each.line, each.function, each.text) for each in verdict.cases[0].frames]
    assert frames == [
        (4, "test_low", "low.Low().second()"),
        (8, "second", "return self.third()"),
        (11, "third", 'raise ValueError("deep")'),
    ]
    assert 'low.py:11: in third\n    raise ValueError("deep")' in verdict.cases[0].report


OLD_LOW = """
class Low:
    def second(self):
        return self.third()

    def third(self):
        raise ValueError("deep")
"""


async def test_coverage_is_that_of_the_new_text(make: Maker) -> None:
    files = {
        "lines.py": """
            LIMIT = 3
            def f(
                a,
                b=LIMIT,
            ):
                return a
            def g():
                return 1
        """,
        "test_lines.py": """
            import lines
            def test_one():
                assert lines.f(1) == 1
            def test_two():
                assert lines.f(5) == 5
        """,
    }
    text = files["lines.py"].replace(
        "return a\n", "if a > 3:\n                    return a\n                return a\n"
    )
    yard = await make(files)
    edits = replace(yard.snapshot, "lines.py", text)
    tests = (TestId("test_lines.py::test_one"), TestId("test_lines.py::test_two"))
    plan = Plan(tests=tests, probe=Probe(f"{yard.root}/lines.py", 2, 9))
    seen = []
    for _ in range(3):
        verdict = await yard.judge(edits, plan)
        assert isinstance(verdict, Passed)
        assert verdict.coverage is not None
        seen.append((verdict.level, verdict.coverage))
    assert [each[0] for each in seen] == ["L1", "L2", "L2"], yard.sandbox.why_not_l2
    coverage = seen[-1][1]
    assert [each.lines for each in coverage.tests] == [(6, 8), (6, 7)]
    assert 2 in coverage.collection
    assert 9 in coverage.collection
    assert not {6, 7, 8} & set(coverage.collection)


async def test_coverage_costs_no_trace_function_and_outlives_a_reload(make: Maker) -> None:
    test = """
        import importlib, sys
        import lines
        def test_one():
            assert sys.gettrace() is None
            assert lines.f(1) == 1
        def test_two():
            assert importlib.reload(lines).f(1) == 1
    """
    yard = await make({"lines.py": "def f(a):\n    return a\n", "test_lines.py": test})
    edits = replace(yard.snapshot, "lines.py", "def f(a):\n    b = a\n    return b\n")
    tests = (TestId("test_lines.py::test_one"), TestId("test_lines.py::test_two"))
    plan = Plan(tests=tests, probe=Probe(f"{yard.root}/lines.py", 1, 3))
    for _ in range(2):
        verdict = await yard.judge(edits, plan)
    assert isinstance(verdict, Passed), verdict
    assert verdict.level == "L2", yard.sandbox.why_not_l2
    assert verdict.coverage is not None
    assert [each.lines for each in verdict.coverage.tests] == [(2, 3), (1, 2, 3)]
