"""A collected suite with plugins in use, and what is collected anew."""

from __future__ import annotations

import sys

import pytest

from ocils.domain.judging import (
    Failed,
    Passed,
)

from .conftest import Maker
from .test_collected import OLD, level
from .yard import GOOD, body, outcomes

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]


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
