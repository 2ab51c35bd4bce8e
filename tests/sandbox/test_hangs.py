"""A run that says nothing is ended early, and what had not begun is named."""

from __future__ import annotations

import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.judging import Passed, Plan, TestId, TimedOut

from .conftest import TESTS
from .yard import Yard, replace

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

ENDLESS = """def price(amount, percent):
    while percent == 10:
        pass
    return amount * (100 - percent) / 100
"""


async def test_the_hanging_test_and_those_behind_it_are_named(shop: Yard) -> None:
    edits = replace(shop.snapshot, "shop.py", ENDLESS)
    verdict = await shop.sandbox.judge(
        shop.snapshot, edits, Plan(seconds=60, quiet=1.0), CancelToken()
    )
    assert isinstance(verdict, TimedOut)
    assert verdict.seconds < 30
    assert verdict.running == TESTS[1]
    assert [case.test for case in verdict.cases] == [TESTS[0], TESTS[1]]
    assert set(verdict.rest) == set(TESTS[2:])


async def test_the_rest_can_be_judged_without_it(shop: Yard) -> None:
    edits = replace(shop.snapshot, "shop.py", ENDLESS)
    rest = (TestId(TESTS[0]), TestId(TESTS[2]))
    plan = Plan(tests=rest, seconds=60, quiet=5.0)
    assert isinstance(await shop.sandbox.judge(shop.snapshot, edits, plan, CancelToken()), Passed)


async def test_a_module_that_never_imports_is_ended_too(shop: Yard) -> None:
    edits = replace(shop.snapshot, "shop.py", "while True:\n    pass\n")
    verdict = await shop.sandbox.judge(
        shop.snapshot, edits, Plan(seconds=120, quiet=1.0), CancelToken()
    )
    assert isinstance(verdict, TimedOut)
    assert verdict.running is None
    assert verdict.seconds < 60
