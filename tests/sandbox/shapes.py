"""More small workspaces: the two common places of sources, suites of unittest's, coroutines as tests.

Not covered: shapes of pytest's own (``suites.py``), installed packages (``test_plugins.py``).
"""

from __future__ import annotations

from .suites import Suite

SRC = Suite(
    {
        "pyproject.toml": """
            [project]
            name = "till"
            version = "1"

            [tool.pytest.ini_options]
            pythonpath = ["src"]
            testpaths = ["tests"]
            addopts = "-ra --strict-markers"
        """,
        "src/till/__init__.py": "from till.sums import total\n\n__all__ = ['total']\n",
        "src/till/sums.py": """
            from importlib import resources

            def rate():
                return int(resources.files("till").joinpath("rate.txt").read_text())

            def total(amounts):
                return sum(amounts) * (100 + rate()) // 100
        """,
        "src/till/rate.txt": "20\n",
        "tests/conftest.py": """
            import pathlib
            import pytest
            import till

            @pytest.fixture(scope="session")
            def place():
                return pathlib.Path(till.__file__).resolve().parent
        """,
        "tests/unit/test_sums.py": """
            import pytest
            from till import total
            from till.sums import rate

            @pytest.mark.parametrize("amounts, expected", [((), 0), ((100,), 120), ((50, 50), 120)])
            def test_total(amounts, expected):
                assert total(amounts) == expected

            def test_place(place):
                assert place.parent.name == "src"
                assert (place / "rate.txt").read_text() == "20\\n"

            def test_rate(monkeypatch):
                monkeypatch.setattr("till.sums.rate", lambda: 0)
                assert total([1]) == 1
        """,
        "tests/whole/test_sums.py": "import till\n\ndef test_sum():\n    assert till.total([10]) == 12\n",
        "tests/whole/__init__.py": "",
        "tests/__init__.py": "",
    },
    "src/till/sums.py",
    "from importlib import resources\n\ndef rate():\n    return 20\n\ndef total(amounts):\n"
    "    return sum(amounts)\n",
    {"passed": 6},
    {"passed": 3, "failed": 3},
    swapped=False,
)

FLAT = Suite(
    {
        "setup.cfg": "[metadata]\nname = till\n[tool:pytest]\nminversion = 6.0\n",
        "conftest.py": "collect_ignore = ['setup.py']\n",
        "setup.py": "raise SystemExit('nobody runs me')\n",
        "till/__init__.py": "",
        "till/sums.py": "def total(amounts):\n    return sum(amounts)\n",
        "till/tests/__init__.py": "",
        "till/tests/test_inside.py": """
            from .. import sums

            def test_relative():
                assert sums.total([1, 2]) == 3
        """,
        "test_beside.py": """
            import os, subprocess, sys
            from till.sums import total

            def test_total():
                assert total([2, 2]) == 4

            def test_here():
                assert os.path.dirname(os.path.abspath(__file__)) == os.getcwd()

            def test_as_a_program():
                code = "from till.sums import total; print(total([3]))"
                assert subprocess.check_output([sys.executable, "-c", code]) == b"3\\n"
        """,
    },
    "till/sums.py",
    "def total(amounts):\n    return len(amounts)\n",
    {"passed": 4},
    {"passed": 1, "failed": 3},
)

UNITS = Suite(
    {
        "bank.py": "class Account:\n    def __init__(self):\n        self.held = 0\n\n"
        "    def pay(self, amount):\n        self.held += amount\n        return self.held\n",
        "tests/__init__.py": "",
        "tests/test_bank.py": """
            import unittest
            from unittest import mock

            import bank

            LOG = []

            def setUpModule():
                LOG.append("module")

            class TestAccount(unittest.TestCase):
                @classmethod
                def setUpClass(cls):
                    LOG.append("class")
                    cls.addClassCleanup(LOG.clear)

                def setUp(self):
                    self.account = bank.Account()

                def test_pay(self):
                    self.assertEqual(self.account.pay(5), 5)
                    self.assertEqual(self.account.pay(5), 10)

                def test_order(self):
                    self.assertEqual(LOG, ["module", "class"])

                def test_each(self):
                    for amount in (1, 2, 3):
                        with self.subTest(amount=amount):
                            self.assertEqual(bank.Account().pay(amount), amount)

                def test_patched(self):
                    with mock.patch.object(bank.Account, "pay", return_value=7) as pay:
                        self.assertEqual(self.account.pay(1), 7)
                    pay.assert_called_once_with(1)

                @unittest.skipUnless(hasattr(bank, "Gone"), "there is no such thing")
                def test_left_out(self):
                    self.fail("never")

                @unittest.expectedFailure
                def test_known(self):
                    self.assertEqual(self.account.pay(1), 2)

                def test_logs(self):
                    with self.assertRaisesRegex(TypeError, "NoneType"):
                        self.account.pay(None)

            class Later(unittest.IsolatedAsyncioTestCase):
                async def asyncSetUp(self):
                    self.account = bank.Account()

                async def test_pay(self):
                    self.assertEqual(self.account.pay(1), 1)
        """,
    },
    "bank.py",
    "class Account:\n    def __init__(self):\n        self.held = 0\n\n"
    "    def pay(self, amount):\n        self.held = amount + 1\n        return self.held\n",
    {"passed": 6, "skipped": 1, "xfailed": 1},
    {"passed": 3, "failed": 4, "skipped": 1},
)

ASYNC = Suite(
    {
        "pytest.ini": "[pytest]\n",
        "feed.py": "import asyncio\n\nasync def twice(n):\n    await asyncio.sleep(0)\n    return 2 * n\n\n"
        "async def count(n):\n    for each in range(n):\n        yield await twice(each)\n",
        "conftest.py": """
            import asyncio, inspect
            import pytest

            @pytest.hookimpl(tryfirst=True)
            def pytest_pyfunc_call(pyfuncitem):
                if inspect.iscoroutinefunction(pyfuncitem.obj):
                    names = pyfuncitem._fixtureinfo.argnames
                    asyncio.run(pyfuncitem.obj(**{n: pyfuncitem.funcargs[n] for n in names}))
                    return True
        """,
        "test_feed.py": """
            import asyncio
            import pytest
            import feed

            async def test_twice():
                assert await feed.twice(2) == 4

            @pytest.mark.parametrize("n", [0, 3])
            async def test_count(n, tmp_path):
                assert [each async for each in feed.count(n)] == [2 * i for i in range(n)]

            class TestTogether:
                async def test_gather(self):
                    assert await asyncio.gather(feed.twice(1), feed.twice(2)) == [2, 4]

            def test_plain():
                assert asyncio.run(feed.twice(5)) == 10
        """,
    },
    "feed.py",
    "import asyncio\n\nasync def twice(n):\n    await asyncio.sleep(0)\n    return n * n\n\n"
    "async def count(n):\n    for each in range(n):\n        yield await twice(each)\n",
    {"passed": 5},
    {"passed": 2, "failed": 3},
)

SHAPES = {"src": SRC, "flat": FLAT, "units": UNITS, "async": ASYNC}
