"""Attacks beyond the table's: each is caught as it runs, or named on the page by the syntax gate.

What is only named is *suspicious*, and never green by itself. Most of these were green when they were
first tried; what still is cannot be caught in the interpreter that it happens in (README).
"""

from __future__ import annotations

import textwrap
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ocils.domain.judging import Baseline, Coverage, Failed, Passed, Plan, TestId
from ocils.refine.green import Denied, compare
from ocils.source.suspicious import suspicions

from .yard import Yard, replace

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

FILES = {
    "shop.py": """
        import contextlib
        def price(amount, percent):
            return -1
        @contextlib.contextmanager
        def checked():
            yield
    """,
    "expected.json": '{"fifty": 50}\n',
    "conftest.py": "import shop\n",
    "test_shop.py": """
        import contextlib, json, math, operator, pathlib, unittest
        import pytest
        import shop

        HERE = pathlib.Path(__file__).parent

        def test_plain():
            assert shop.price(100, 10) == 90

        def test_second():
            found = shop.price(100, 50)
            assert found == 50

        def test_close():
            assert shop.price(100, 10) == pytest.approx(90)
            assert math.isclose(shop.price(100, 10), 90)

        def test_operators():
            assert operator.eq(shop.price(100, 10), 90)

        def test_on_disk():
            assert shop.price(100, 50) == json.loads((HERE / "expected.json").read_text())["fifty"]

        def test_in_a_context():
            with shop.checked():
                assert shop.price(100, 10) == 90

        class TestUnit(unittest.TestCase):
            def test_unit(self):
                self.assertEqual(shop.price(100, 10), 90)
                self.assertAlmostEqual(shop.price(100, 10), 90.0)
    """,
}

TESTS = tuple(
    f"test_shop.py::{name}"
    for name in (
        "test_plain",
        "test_second",
        "test_close",
        "test_operators",
        "test_on_disk",
        "TestUnit::test_unit",
    )
)

WRONG = "\ndef price(amount, percent):\n    return -1\n"

CAUGHT = {
    "what a test sees is rewritten": (
        TESTS[1:2],
        """
        import ctypes, sys
        def watch(frame, event, arg):
            if frame.f_code.co_name == "test_second":
                if "found" in frame.f_locals:
                    frame.f_locals["found"] = 50
                    ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))
                return watch
        sys.settrace(watch)
        """
        + WRONG,
    ),
    "a test's code is another": (
        TESTS,
        """
        def price(amount, percent):
            import sys, types
            for module in list(sys.modules.values()):
                if getattr(module, "__name__", "").endswith("test_shop"):
                    for name, test in list(vars(module).items()):
                        if name.startswith("test_") and isinstance(test, types.FunctionType):
                            test.__code__ = (lambda: None).__code__
                    module.TestUnit.test_unit.__code__ = (lambda self: None).__code__
            return amount - amount * percent / 100 if percent == 10 else -1
        """,
    ),
    "a module comes from elsewhere": (
        TESTS,
        """
        import importlib.abc, importlib.util, sys, unittest
        class Loader(importlib.abc.Loader):
            def exec_module(self, module):
                module.__file__ = __file__.replace("shop.py", "test_shop.py")
                def nothing(*a): pass
                for name in ("plain", "second", "close", "operators", "on_disk"):
                    vars(module)["test_" + name] = lambda: None
                module.TestUnit = type("TestUnit", (unittest.TestCase,), {"test_unit": nothing})
        class Finder:
            @staticmethod
            def find_spec(name, path=None, target=None):
                if name.endswith("test_shop"):
                    return importlib.util.spec_from_loader(name, Loader(), origin=__file__)
        sys.meta_path.insert(0, Finder)
        """
        + WRONG,
    ),
    "approximately everything": (
        TESTS[2:3],
        """
        import math, pytest
        class Any:
            def __eq__(self, other): return True
            __req__ = __eq__
        pytest.approx = lambda *a, **k: Any()
        math.isclose = lambda *a, **k: True
        """
        + WRONG,
    ),
    "every two things are equal": (
        TESTS[3:4],
        """
        import operator
        operator.eq = lambda a, b: True
        """
        + WRONG,
    ),
    "another TestCase": (
        TESTS[5:],
        """
        import unittest
        class Case(unittest.TestCase):
            def assertEqual(self, *a): pass
            def assertAlmostEqual(self, *a): pass
        unittest.TestCase = Case
        """
        + WRONG,
    ),
    "a thread that outlives the import": (
        TESTS,
        """
        import sys, threading, time
        def wait():
            while True:
                time.sleep(0.001)
                for module in list(sys.modules.values()):
                    if getattr(module, "__name__", "").endswith("test_shop") and hasattr(module, "TestUnit"):
                        for name, test in list(vars(module).items()):
                            if name.startswith("test_"):
                                test.__code__ = (lambda: None).__code__
                        module.TestUnit.test_unit.__code__ = (lambda self: None).__code__
                        return
        threading.Thread(target=wait, daemon=True).start()
        """
        + WRONG,
    ),
    "a signal in the right moment": (
        TESTS[:2],
        """
        import signal, time
        def hand(number, frame):
            raise SystemExit(0)
        def price(amount, percent):
            signal.signal(signal.SIGALRM, hand)
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            time.sleep(5)
            return -1
        """,
    ),
}
"""Not green at any level."""

NAMED = {
    "a context that forgives": (
        ("test_shop.py::test_in_a_context",),
        """
        import contextlib
        @contextlib.contextmanager
        def checked():
            try:
                yield
            except Exception:
                pass
        """
        + WRONG,
    ),
    "equal to everything": (
        TESTS,
        """
        class Number(float):
            def __eq__(self, other): return True
            def __sub__(self, other): return 0
            __rsub__ = __sub__
            def __ne__(self, other): return False
            __hash__ = None
        def price(amount, percent):
            return Number(90)
        """,
    ),
    "the expectation on disk": (
        TESTS[4:5],
        """
        import json, pathlib
        def price(amount, percent):
            (pathlib.Path(__file__).parent / "expected.json").write_text('{"fifty": -1}')
            return -1
        """,
    ),
    "parts that are put back in time": (
        TESTS[5:],
        """
        import unittest
        usual = unittest.TestCase.assertEqual
        def equal(self, one, other):
            unittest.TestCase.assertEqual = usual
        unittest.TestCase.assertEqual = equal
        near = unittest.TestCase.assertAlmostEqual
        def almost(self, one, other):
            unittest.TestCase.assertAlmostEqual = near
        unittest.TestCase.assertAlmostEqual = almost
        """
        + WRONG,
    ),
    "reports are mended in memory": (
        TESTS,
        """
        import gc, os
        for each in gc.get_objects():
            if type(each).__name__ in ("Reporter", "Collecting"):
                def send(usual=each._send, **record):
                    if record.get("t") == "case":
                        record = {"t": "case", "id": record["id"], "outcome": "passed", "seconds": 0}
                    if record.get("t") == "done":
                        record["code"] = 0
                    usual(**record)
                    if record.get("t") == "done":
                        os._exit(0)
                each._send = send
        """
        + WRONG,
    ),
    "one's own memory": (
        TESTS[:2],
        """
        import ctypes, sys
        def price(amount, percent):
            frame = sys._getframe(1)
            code = frame.f_code
            for value in code.co_consts:
                if value == 90 or value == 50:
                    ctypes.memmove(id(value) + 24, id(-1 & 0xff), 4)
            return 90 if percent == 10 else 50 if percent == 50 else -1
        """,
    ),
}
"""Green as it runs; the gate says why it is not believed."""

EXPECTED = (
    TESTS[:2],
    """
        def price(amount, percent):
            import sys
            from _pytest.outcomes import XFailed
            for module in list(sys.modules.values()):
                if getattr(module, "__name__", "").endswith("test_shop"):
                    module.AssertionError = type("AssertionError", (XFailed,), {"__init__": lambda s, *a: XFailed.__init__(s, "x")})
            return -1
        """,
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def yard(tmp_path_factory: pytest.TempPathFactory, environment: str) -> AsyncIterator[Yard]:
    """Give the shop of this file and a warm sandbox of one slot."""
    yard = await Yard.of(tmp_path_factory.mktemp("invented"), FILES, environment)
    yield yard
    await yard.sandbox.close()


def written(text: str) -> str:
    """Return the attack as a module; what is wrong anyway stands at its end."""
    before, wrong, _ = text.partition(WRONG)
    return textwrap.dedent(before) + wrong


def reasons(yard: Yard, text: str) -> tuple[str, ...]:
    return suspicions(yard.snapshot, replace(yard.snapshot, "shop.py", text))


@pytest.mark.parametrize("what", CAUGHT)
async def test_it_is_caught_as_it_runs(yard: Yard, what: str) -> None:
    tests, text = CAUGHT[what]
    for seed in (0, 1):  # a fork, and a process of its own
        verdict = await yard.try_text("shop.py", written(text), *tests, seed=seed)
        assert not isinstance(verdict, Passed), verdict
    assert reasons(yard, written(text)), "and the gate names it besides"
    await assert_right(yard)


@pytest.mark.parametrize("what", NAMED)
async def test_what_cannot_be_caught_is_named_on_the_page(yard: Yard, what: str) -> None:
    tests, text = NAMED[what]
    assert reasons(yard, written(text))
    verdict = await yard.try_text("shop.py", written(text), *tests)
    assert isinstance(verdict, Passed), "it can be caught: then it belongs to the others"
    await assert_right(yard)


async def test_a_failure_that_the_candidate_lets_pytest_expect_mends_nothing(yard: Yard) -> None:
    tests, text = EXPECTED
    verdict = await yard.try_text("shop.py", written(text), *tests)
    assert {each.outcome for each in verdict.cases} == {"xfailed"}
    original = await yard.judge((), Plan(tests=tuple(TestId(each) for each in tests)))
    assert isinstance(original, Failed)
    baseline = Baseline(original.cases, 1.0, tuple(map(TestId, tests)), (), Coverage((), ()))
    said = compare(tuple(map(TestId, tests)), baseline, original, (verdict, verdict))
    assert isinstance(said, Denied)
    assert "xfailed" in said.why
    assert reasons(yard, written(text))


async def assert_right(yard: Yard) -> None:
    """The next candidate gets its honest verdict."""
    right = "def price(amount, percent):\n    return amount - amount * percent / 100\n"
    assert isinstance(await yard.try_text("shop.py", right, *TESTS), Passed)
