"""A candidate that fails a Hypothesis test is not made to show how small its failure can be."""

from __future__ import annotations

import sys

import pytest

from ocils.domain.judging import Plan, TestId

from .conftest import Maker
from .yard import outcomes

pytestmark = pytest.mark.docker

FILES = {
    "shop.py": "def same(a):\n    return a\n",
    "test_shop.py": """
        from hypothesis import given, settings, strategies
        import shop

        AFTER = []

        class TestSame:
            @settings(max_examples=500)
            @given(strategies.lists(strategies.integers(), min_size=3))
            def test_same(self, many):
                if AFTER or shop.same(many) != many:
                    AFTER.append(many)
                assert shop.same(many) == many

        def test_the_search_ended_at_the_first_failure():
            # Finding it, and running it again to be sure.
            assert len(AFTER) < 5
    """,
}
WRONG = "def same(a):\n    return a if sum(a) < 1000 else []\n"
SEARCH = "test_the_search_ended_at_the_first_failure"
TESTS = ("test_shop.py::TestSame::test_same", f"test_shop.py::{SEARCH}")


async def test_a_failing_example_is_not_shrunk(make: Maker) -> None:
    yard = await make(FILES, python=sys.executable)
    for _ in range(3):
        verdict = await yard.try_text("shop.py", WRONG, *TESTS)
        assert outcomes(verdict) == {"test_same": "failed", SEARCH: "passed"}, verdict


async def test_one_of_the_original_is(make: Maker) -> None:
    yard = await make({**FILES, "shop.py": WRONG}, python=sys.executable)
    verdict = await yard.judge((), Plan(tests=tuple(map(TestId, TESTS)), seconds=60))
    assert outcomes(verdict) == {"test_same": "failed", SEARCH: "failed"}
