"""One run, from its order to its end: what the candidate writes is taken, bounded, and not lost."""

from __future__ import annotations

import pytest

from ocils.domain.judging import Killed, Passed

from .conftest import TESTS
from .yard import GOOD, Yard, assert_unhurt, body

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

PIPES = """
import os, stat
def pipes():
    found = {}
    for number in range(3, 64):
        try:
            about = os.fstat(number)
        except OSError:
            continue
        if stat.S_ISFIFO(about.st_mode):
            found.setdefault(about.st_ino, []).append(number)
    # The output's pipe is there twice: pytest keeps it for both streams.
    return [numbers[0] for numbers in found.values() if len(numbers) == 1]
assert len(pipes()) == 1
"""


async def test_a_flood_of_the_report_is_ended(shop: Yard) -> None:
    code = "while True:\n    for number in pipes():\n        os.write(number, b'x' * 65536)"
    verdict = await shop.try_text("shop.py", body(code, PIPES), TESTS[0], seconds=60)
    assert isinstance(verdict, Killed)
    assert (verdict.why, verdict.detail) == ("output", "it wrote more than the limit")
    await assert_unhurt(shop)


async def test_what_was_reported_before_a_sudden_end_is_not_lost(shop: Yard) -> None:
    code = """
import os
if percent == 50:
    os._exit(0)
print("x" * 50_000)
return amount - amount * percent / 100
"""
    for _ in range(3):
        verdict = await shop.try_text("shop.py", body(code), *TESTS)
        assert isinstance(verdict, Killed)
        told = [(each.test, each.outcome) for each in verdict.cases]
        assert told == [(TESTS[0], "passed"), (TESTS[1], "passed"), (TESTS[2], "failed")]


async def test_a_child_that_keeps_the_pipes_open_does_not_hold_the_verdict_up(shop: Yard) -> None:
    code = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(600)\n    os._exit(0)\n"
    verdict = await shop.try_text("shop.py", code + GOOD, *TESTS, seconds=120)
    assert isinstance(verdict, Passed)
    assert verdict.seconds < 100
    await assert_unhurt(shop)
