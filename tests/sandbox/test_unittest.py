"""Workspaces whose interpreter has no pytest: the standard library's unittest judges."""

from __future__ import annotations

import pytest

from ocils.domain.judging import Broken, CaseResult, Failed, Passed, Plan, Probe, TestId, Verdict

from .conftest import Maker
from .yard import replace

pytestmark = pytest.mark.docker

SUITE = {
    "shop.py": """
        def price(amount, percent):
            return amount - amount * percent / 100
    """,
    "tests/__init__.py": "",
    "tests/test_shop.py": """
        import os, subprocess, sys, unittest, warnings
        from shop import price

        class Price(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                cls.base = 100

            def test_none(self):
                self.assertEqual(price(self.base, 0), 100)

            def test_some(self):
                for percent in (10, 50):
                    with self.subTest(percent=percent):
                        self.assertEqual(price(self.base, percent), 100 - percent)

            @unittest.skip("later")
            def test_left_out(self):
                raise AssertionError

            @unittest.expectedFailure
            def test_known_bad(self):
                self.assertEqual(price(1, 1), 3)

        class Slow(unittest.IsolatedAsyncioTestCase):
            async def asyncSetUp(self):
                self.value = 7

            async def test_async(self):
                self.assertEqual(self.value, 7)
    """,
    "tests/test_red.py": """
        import os, subprocess, sys, unittest, warnings
        from shop import price

        order = []

        def setUpModule():
            order.append("module")

        class Red(unittest.TestCase):
            def test_equal(self):
                warnings.warn("old", DeprecationWarning)
                print("said on the way")
                sys.stderr.write("and to stderr\\n")
                subprocess.check_call([sys.executable, "-c", "print('from below')"])
                self.assertEqual(price(10, 50), 3)

            def test_error(self):
                {}["missing"]

            def test_sub(self):
                for n in (1, 2, 3):
                    with self.subTest(n=n):
                        self.assertNotEqual(n, 2)

            def test_plain(self):
                assert order == []

            @unittest.expectedFailure
            def test_good_after_all(self):
                pass

        class NoSetUp(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                raise RuntimeError("no database")

            def test_a(self):
                pass

            def test_b(self):
                pass

        class NoTearDown(unittest.TestCase):
            @classmethod
            def tearDownClass(cls):
                raise RuntimeError("cannot clean")

            def test_first(self):
                pass

            def test_last(self):
                pass

        class Skipped(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                raise unittest.SkipTest("not here")

            def test_s(self):
                raise AssertionError
    """,
    "tests/test_load.py": """
        import doctest, unittest

        def double(n):
            '''
            >>> double(2)
            4
            '''
            return n * 2

        class Many(unittest.TestCase):
            def __init__(self, number):
                super().__init__("test_number")
                self.number = number

            def test_number(self):
                self.assertGreater(self.number, 0)

        def load_tests(loader, tests, pattern):
            suite = unittest.TestSuite([Many(1), unittest.TestSuite([Many(2)])])
            suite.addTests(doctest.DocTestSuite(__name__))
            return suite
    """,
}

EXPECTED = {
    "tests/test_shop.py::Price::test_none": "passed",
    "tests/test_shop.py::Price::test_some": "passed",
    "tests/test_shop.py::Price::test_left_out": "skipped",
    "tests/test_shop.py::Price::test_known_bad": "xfailed",
    "tests/test_shop.py::Slow::test_async": "passed",
    "tests/test_red.py::Red::test_equal": "failed",
    "tests/test_red.py::Red::test_error": "failed",
    "tests/test_red.py::Red::test_sub": "failed",
    "tests/test_red.py::Red::test_plain": "failed",
    "tests/test_red.py::Red::test_good_after_all": "failed",
    "tests/test_red.py::NoSetUp::test_a": "error",
    "tests/test_red.py::NoSetUp::test_b": "error",
    "tests/test_red.py::NoTearDown::test_first": "passed",
    "tests/test_red.py::NoTearDown::test_last": "error",
    "tests/test_red.py::Skipped::test_s": "skipped",
    "tests/test_load.py::Many::test_number": "passed",
    "tests/test_load.py::Many::test_number[2]": "passed",
    "tests/test_load.py::tests.test_load.double": "passed",
}


def by_id(verdict: Verdict) -> dict[str, CaseResult]:
    return {each.test: each for each in verdict.cases}


def outcomes(verdict: Verdict) -> dict[str, str]:
    return {each.test: each.outcome for each in verdict.cases}


async def test_every_kind_of_unittest(make: Maker, bare: str) -> None:
    yard = await make(SUITE, python=bare)
    verdict = await yard.judge()
    assert isinstance(verdict, Failed), verdict
    assert outcomes(verdict) == EXPECTED
    cases = by_id(verdict)
    equal = cases["tests/test_red.py::Red::test_equal"]
    assert (equal.message, equal.kind) == ("AssertionError: 5.0 != 3", "assertion")
    assert [each.function for each in equal.frames] == ["test_equal"]
    assert equal.frames[-1].text == "self.assertEqual(price(10, 50), 3)"
    assert "said on the way\nand to stderr\nfrom below\n" in equal.output
    assert "unittest/case.py" not in equal.report
    assert equal.warnings == ("DeprecationWarning: old (tests/test_red.py:11)",)
    sub = cases["tests/test_red.py::Red::test_sub"]
    assert sub.message == "(n=2) AssertionError: 2 == 2"
    assert cases["tests/test_red.py::Red::test_error"].kind == "runtime"
    assert cases["tests/test_red.py::NoSetUp::test_b"].message == "RuntimeError: no database"
    assert cases["tests/test_red.py::NoTearDown::test_last"].message == "RuntimeError: cannot clean"
    fresh = await yard.judge((), Plan(seconds=20, fresh=True))
    assert outcomes(fresh) == EXPECTED


async def test_chosen_tests_in_their_order_with_their_lines(make: Maker, bare: str) -> None:
    yard = await make(SUITE, python=bare)
    good = [each for each, outcome in EXPECTED.items() if outcome in ("passed", "xfailed")]
    ids = tuple(TestId(each) for each in reversed(good) if "NoTearDown" not in each)
    probe = Probe(f"{yard.root}/shop.py", 1, 2)
    verdict = await yard.judge((), Plan(tests=ids, probe=probe))
    assert isinstance(verdict, Passed), verdict
    assert tuple(each.test for each in verdict.cases) == ids
    assert verdict.coverage is not None
    ran = {each.test for each in verdict.coverage.tests if each.lines}
    assert ran == {each for each in ids if "Price" in each}
    wrong = "def price(amount, percent):\n    return amount - percent - 1\n"
    plan = Plan(tests=ids, stop_early=True)
    failed = await yard.judge(replace(yard.snapshot, "shop.py", wrong), plan)
    assert isinstance(failed, Failed)
    assert failed.cases[-1].outcome == "failed"
    assert len(failed.cases) < len(ids)
    right = "def price(amount, percent):\n    return amount * (1 - percent / 100)\n"
    assert isinstance(await yard.judge(replace(yard.snapshot, "shop.py", right), plan), Passed)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("def price(:\n", "syntax"),
        ("import nothing_of_the_kind\n", "import"),
        ("1/0\n", "collection"),
    ],
)
async def test_what_cannot_be_imported_is_broken(
    make: Maker, bare: str, text: str, kind: str
) -> None:
    yard = await make(SUITE, python=bare)
    verdict = await yard.judge(replace(yard.snapshot, "shop.py", text))
    assert isinstance(verdict, Broken)
    assert verdict.kind == kind
    assert verdict.frames[-1].path == f"{yard.root}/shop.py"


async def test_a_file_that_cannot_be_loaded_does_not_hide_others(make: Maker, bare: str) -> None:
    yard = await make({**SUITE, "tests/test_bad.py": "import nothing_of_the_kind\n"}, python=bare)
    test = TestId("tests/test_shop.py::Price::test_none")
    assert isinstance(await yard.judge((), Plan(tests=(test,))), Passed)
    assert isinstance(await yard.judge(), Broken)


FLAT = {
    "pack/__init__.py": "def one():\n    return 1\n",
    "pack/tests/__init__.py": "",
    "pack/tests/test_one.py": """
        import unittest, pack
        class One(unittest.TestCase):
            def test_one(self):
                self.assertEqual(pack.one(), 1)
    """,
}
LOOSE = {
    "pack.py": "def one():\n    return 1\n",
    "tests/common.py": "WANTED = 1\n",
    "tests/test_one.py": """
        import unittest, common, pack
        class One(unittest.TestCase):
            def test_one(self):
                self.assertEqual(pack.one(), common.WANTED)
    """,
}


@pytest.mark.parametrize("files", [FLAT, LOOSE], ids=["packages", "loose"])
async def test_where_tests_are_found(make: Maker, bare: str, files: dict[str, str]) -> None:
    yard = await make(files, python=bare)
    verdict = await yard.judge()
    assert isinstance(verdict, Passed), verdict
    (case,) = verdict.cases
    assert case.test.endswith("tests/test_one.py::One::test_one")
    assert isinstance(await yard.judge((), Plan(tests=(case.test,))), Passed)


async def test_tests_written_for_pytest_say_what_is_missing(make: Maker, bare: str) -> None:
    yard = await make({"test_x.py": "def test_x(): pass\n"}, python=bare)
    verdict = await yard.judge()
    assert isinstance(verdict, Broken)
    assert verdict.kind == "empty"
    assert "pytest" in verdict.why
    imports = replace(yard.snapshot, "test_x.py", "import pytest\n")
    verdict = await yard.judge(imports)
    assert isinstance(verdict, Broken)
    assert verdict.missing_module == "pytest"


DISHONEST = (
    "import os; os._exit(0)",
    "raise SystemExit(0)",
    "raise KeyboardInterrupt",
    "import unittest; raise unittest.SkipTest('later')",
    "import unittest; unittest.TestCase.assertEqual = lambda *_: None",
    "import unittest.case; unittest.case._Outcome.success = property(lambda _: True, lambda *_: None)",
    "print('x' * (20 << 20))",
)


async def test_dishonest_ways_to_end_are_not_green(make: Maker, bare: str) -> None:
    yard = await make(SUITE, python=bare)
    test = TestId("tests/test_shop.py::Price::test_none")
    for code in DISHONEST:
        text = f"def price(amount, percent):\n    {code}\n"
        verdict = await yard.judge(replace(yard.snapshot, "shop.py", text), Plan(tests=(test,)))
        assert not isinstance(verdict, Passed), code
    early = "import sys\nsys.exit(0)\n"
    verdict = await yard.judge(replace(yard.snapshot, "shop.py", early), Plan(tests=(test,)))
    assert not isinstance(verdict, Passed)
