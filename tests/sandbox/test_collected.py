"""A collected suite in use: order, frames, coverage, ends by force, and what it must not leave behind."""

from __future__ import annotations

import asyncio
import re
import sys

import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.judging import (
    Broken,
    Failed,
    Killed,
    Passed,
    Plan,
    Probe,
    TestId,
    TimedOut,
    Verdict,
)

from .conftest import TESTS, Maker
from .yard import GOOD, Yard, body, outcomes, replace

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


async def test_another_snapshot_or_other_files_are_collected_anew(make: Maker) -> None:
    test = "import shop\ndef test_it():\n    assert shop.price(100, 0) == 100\n"
    yard = await make({"shop.py": OLD, "test_a.py": test, "test_b.py": test})
    levels = []
    for name in "aaabbba":
        verdict = await yard.try_text("shop.py", GOOD, f"test_{name}.py::test_it")
        levels.append(level(verdict))
    assert levels == ["L1", "L2", "L2", "L1", "L2", "L2", "L1"]


async def test_plugins_of_the_workspace_are_in_use(make: Maker) -> None:
    files = {
        "shop.py": OLD,
        "pytest.ini": "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n",
        "test_shop.py": """
            import asyncio
            import pytest
            from hypothesis import given, strategies
            import shop

            @given(strategies.integers(1, 100))
            def test_given(amount):
                assert shop.price(amount, 0) == amount

            @pytest.fixture
            async def amount():
                await asyncio.sleep(0)
                return 100

            async def test_async(amount):
                await asyncio.sleep(0)
                assert shop.price(amount, 50) == 50
        """,
    }
    yard = await make(files, python=sys.executable)
    tests = ("test_shop.py::test_given", "test_shop.py::test_async")
    for text, wanted in ((GOOD, "passed"), (GOOD, "passed"), (body("pass"), "failed")):
        verdict = await yard.try_text("shop.py", text, *tests)
        assert outcomes(verdict) == {"test_given": wanted, "test_async": wanted}, verdict
    assert level(verdict) == "L2", yard.sandbox.why_not_l2
    # anyio looks at what was collected too, at each test by itself.
    verdict = await yard.try_text("shop.py", GOOD, tests[1])
    assert outcomes(verdict) == {"test_async": "passed"}
    assert level(verdict) == "L2", yard.sandbox.why_not_l2


async def test_hypothesis_draws_from_the_constants_of_the_candidate(make: Maker) -> None:
    files = {
        "shop.py": "def same(a):\n    return a\n",
        "test_shop.py": """
            from hypothesis import given, strategies
            import shop

            @given(strategies.integers())
            def test_same(a):
                assert shop.same(a) == a
        """,
    }
    yard = await make(files, python=sys.executable)
    rare = ", ".join(str(918273645546372819 + 7919 * n) for n in range(300))
    text = f"def same(a):\n    return 0 if a in ({rare}) else a\n"
    levels = []
    for _ in range(2):
        verdict = await yard.try_text("shop.py", text, "test_shop.py::test_same")
        assert isinstance(verdict, Failed), yard.sandbox.why_not_l2
        levels.append(verdict.level)
    assert levels == ["L1", "L2"], yard.sandbox.why_not_l2


async def test_helpers_in_a_file_that_pytest_rewrites_are_imported_anew(make: Maker) -> None:
    test = """
        def same(a):
            return a
        def test_same():
            assert same(1) == 1
    """
    yard = await make({"test_same.py": test})
    text = test.replace("return a", "return -a")
    for _ in range(2):
        verdict = await yard.try_text("test_same.py", text, "test_same.py::test_same")
        assert isinstance(verdict, Failed)
        assert verdict.level == "L1"
    assert "AssertionRewritingHook" in yard.sandbox.why_not_l2


async def test_a_plugin_that_looks_at_what_was_collected_sees_what_is_judged(make: Maker) -> None:
    files = {
        "shop.py": OLD,
        "conftest.py": """
            NAMES = []
            def pytest_collection_finish(session):
                NAMES[:] = [item.name for item in session.items]
        """,
        "test_shop.py": """
            import conftest, shop
            def test_one():
                assert shop.price(1, 0) == len(conftest.NAMES)
            def test_two():
                assert shop.price(2, 0) == len(conftest.NAMES)
        """,
    }
    yard = await make(files)
    one, two = "test_shop.py::test_one", "test_shop.py::test_two"
    for tests, truth in (((one,), Passed), ((one,), Passed), ((one, two), Failed)):
        verdict = await yard.try_text("shop.py", GOOD, *tests)
        assert isinstance(verdict, truth), yard.sandbox.why_not_l2
    assert getattr(verdict, "level", "") == "L2", yard.sandbox.why_not_l2
    verdict = await yard.try_text("shop.py", GOOD, two)
    assert isinstance(verdict, Failed)
    assert verdict.level == "L1"
    assert "a plugin looks" in yard.sandbox.why_not_l2
