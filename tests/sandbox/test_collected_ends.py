"""A collected suite whose candidates hang, are cancelled, attack it, or would share something."""

from __future__ import annotations

import asyncio

import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.judging import (
    Failed,
    Killed,
    Passed,
    Plan,
    TestId,
    TimedOut,
)

from .conftest import TESTS, Maker
from .test_collected import OLD, collected, level
from .yard import GOOD, Yard, body, replace

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]


async def test_a_hang_is_ended_and_the_suite_goes_on(shop: Yard) -> None:
    await collected(shop)
    verdict = await shop.try_text("shop.py", body("while True: pass"), *TESTS, seconds=1)
    assert isinstance(verdict, TimedOut)
    assert (verdict.level, verdict.running) == ("L2", TESTS[0])
    assert level(await shop.try_text("shop.py", GOOD, *TESTS)) == "L2"


async def test_a_cancel_is_felt_and_the_suite_goes_on(shop: Yard) -> None:
    await collected(shop)
    cancel = CancelToken()
    edits = replace(shop.snapshot, "shop.py", body("while True: pass"))
    plan = Plan(tests=tuple(TestId(each) for each in TESTS), seconds=30)
    task = asyncio.create_task(shop.judge(edits, plan, cancel=cancel))
    await asyncio.sleep(0.3)
    cancel.cancel()
    assert isinstance(await task, Killed)
    assert level(await shop.try_text("shop.py", GOOD, *TESTS)) == "L2"


async def test_a_cancel_while_the_suite_is_collected_is_felt(make: Maker) -> None:
    yard = await make(
        {
            "shop.py": OLD,
            "test_shop.py": """
                import os, time
                import shop
                # Only a collected suite has a user of its own.
                time.sleep(30 if os.getuid() != os.geteuid() else 0)
                def test_it():
                    assert shop.price(1, 0) == 1
            """,
        }
    )
    assert isinstance(await yard.try_text("shop.py", GOOD, "test_shop.py::test_it"), Passed)
    cancel = CancelToken()
    plan = Plan(tests=(TestId("test_shop.py::test_it"),), seconds=60)
    edits = replace(yard.snapshot, "shop.py", GOOD)
    task = asyncio.create_task(yard.judge(edits, plan, cancel=cancel))
    await asyncio.sleep(0.5)
    assert not task.done()
    cancel.cancel()
    assert isinstance(await asyncio.wait_for(task, 5), Killed)
    assert isinstance(await yard.try_text("shop.py", GOOD, "test_shop.py::test_it"), Passed)


async def test_a_candidate_that_kills_everyone_kills_no_suite(shop: Yard) -> None:
    await collected(shop)
    everyone = "import os, signal; os.kill(-1, signal.SIGKILL)"
    assert level(await shop.try_text("shop.py", body(everyone), TESTS[0])) == "L2"
    assert level(await shop.try_text("shop.py", GOOD, *TESTS)) == "L2"


@pytest.mark.parametrize(
    "attack",
    [
        "import os, signal; os.kill(os.getppid(), signal.SIGKILL)",
        "import os, signal; os.kill(os.getppid(), signal.SIGSTOP)",
        "import os; open(f'/proc/{os.getppid()}/mem', 'r+b')",
        "import os; open(f'/proc/{os.getppid()}/oom_score_adj', 'w').write('1000')",
        "import os; print(os.listdir(f'/proc/{os.getppid()}/fd'))",
        "import os; os.setresuid(61003, 61003, 61003)",
    ],
    ids=["kill", "stop", "memory", "oom", "descriptors", "user"],
)
async def test_a_candidate_cannot_touch_the_suite(shop: Yard, attack: str) -> None:
    await collected(shop)
    verdict = await shop.try_text("shop.py", body(attack), TESTS[0])
    assert level(verdict) == "L2"
    assert isinstance(verdict, Failed)
    assert "PermissionError" in verdict.cases[0].message
    assert level(await shop.try_text("shop.py", GOOD, *TESTS)) == "L2"


async def test_a_suite_that_was_slowed_down_is_thrown_away(shop: Yard) -> None:
    await collected(shop)
    slow = "import os; os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)"
    assert level(await shop.try_text("shop.py", body(slow), TESTS[0])) == "L2"
    await collected(shop)
    verdict = await shop.try_text(
        "shop.py", GOOD.replace("return", "import os; return os.getpriority(0, 0) +"), *TESTS
    )
    assert (level(verdict), type(verdict)) == ("L2", Passed)


async def test_candidates_share_neither_memory_nor_files_nor_output(shop: Yard) -> None:
    await collected(shop)
    text = body(
        "import pytest, sys, os\n"
        "assert not hasattr(pytest, 'MARK'), 'memory'\n"
        "assert not os.path.exists('/tmp/mark'), 'files'\n"
        "pytest.MARK = 1; open('/tmp/mark', 'w').close()\n"
        "print('x' * 1000); sys.stdout.flush(); os._exit(3)"
    )
    for _ in range(2):
        verdict = await shop.try_text("shop.py", text, TESTS[0])
        assert isinstance(verdict, Killed), verdict
        assert verdict.level == "L2"
    verdict = await shop.try_text("shop.py", body("print('mine')"), TESTS[0])
    assert verdict.cases[0].output.count("x") == 0
    assert "mine" in verdict.cases[0].output
