"""Other Pythons and other pytests: judged as a plain run of the same pair does.

Two pairs by default; ``OCILS_MATRIX=full`` takes every Python of the machine with every pytest.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocils.domain.judging import Broken, Failed, Passed, Plan, Probe, TimedOut

from .conftest import Maker
from .plain import agrees
from .pythons import interpreters, make_environment, need
from .test_unittest import EXPECTED, SUITE, outcomes
from .yard import replace

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]

FULL = os.environ.get("OCILS_MATRIX") == "full"
PYTHONS = (8, 9, 10, 11, 12, 13, 14) if FULL else (8,)
PYTESTS = ("6.2", "7", "8", "9")
NEWEST = max(interpreters())


def pairs() -> Iterator[tuple[int, str]]:
    if FULL:
        yield from ((python, version) for python in PYTHONS for version in PYTESTS)
    else:
        yield from ((8, "6.2"), (NEWEST, "9"))


FILES = {
    "setup.cfg": "[tool:pytest]\naddopts = --doctest-glob=*.md --strict-markers -x\nmarkers = slow\n",
    "README.md": ">>> from m import scale\n>>> scale(1)\n2\n",
    "m.py": """
        import warnings

        def scale(n):
            warnings.warn("scale", DeprecationWarning, stacklevel=2)
            if n < 0:
                return [-each for each in range(n)]
            return n * 2
    """,
    "tests/conftest.py": """
        import pathlib, sys
        import pytest
        sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

        @pytest.fixture(scope="session")
        def two():
            yield 2
    """,
    "tests/test_m.py": """
        import sys, unittest
        import pytest
        from m import scale

        @pytest.mark.slow
        @pytest.mark.parametrize("n", [0, 1, 2], ids=["zero", "o n e", "zwei::ü"])
        def test_scale(n, two):
            print("printed")
            assert scale(n) == n * two

        class TestClass:
            def test_capture(self, capsys, tmp_path):
                print("x")
                assert capsys.readouterr().out == "x\\n"
                assert scale(-1) == []

            @pytest.mark.xfail(strict=True)
            def test_expected(self):
                assert scale(1) == 1

        class Case(unittest.TestCase):
            def test_sub(self):
                for n in (0, 1):
                    with self.subTest(n=n):
                        self.assertEqual(scale(n), 2 * n)

            @unittest.skip("no")
            def test_skipped(self):
                pass

        class Async(unittest.IsolatedAsyncioTestCase):
            async def test_async(self):
                self.assertEqual(scale(3), 6)

        @pytest.fixture
        def broken():
            raise KeyError("k")

        def test_error(broken):
            pass
    """,
}


def works(python: str, folder: Path) -> bool:
    """Whether this pytest can run at all under this Python: old ones know nothing of new ones."""
    file = folder / "test_works.py"
    file.write_text("def test_works():\n    assert 1 + 1 == 2\n")
    command = [python, "-m", "pytest", "-c", os.devnull, f"--rootdir={folder}", str(file)]
    return subprocess.run(command, capture_output=True, cwd=folder, check=False).returncode == 0


@pytest.mark.parametrize(("minor", "version"), [*pairs()])
async def test_a_python_with_a_pytest(
    make: Maker, tmp_path_factory: pytest.TempPathFactory, minor: int, version: str
) -> None:
    folder = tmp_path_factory.mktemp("python") / "venv"
    python = make_environment(folder, need(minor), f"pytest=={version}.*")
    yard = await make(FILES, python=python)
    if not works(python, yard.root.parent):
        pytest.skip(f"pytest {version} does not start under Python 3.{minor} by itself")
    good = {"passed": 7, "skipped": 1, "xfailed": 1, "error": 1}
    await agrees(yard, python, good)
    whole = await yard.judge()
    ids = tuple(reversed([c.test for c in whole.cases if c.passed]))
    probe = Probe(f"{yard.root}/m.py", 3, 7)
    asked = await yard.judge((), Plan(tests=ids, probe=probe, seconds=30))
    assert isinstance(asked, Passed), asked
    assert tuple(each.test for each in asked.cases) == ids
    assert asked.coverage is not None
    lines = {each.test.rpartition("::")[2]: each.lines for each in asked.coverage.tests}
    assert set(lines["test_async"]) == {4, 5, 7}
    assert set(lines["test_capture"]) == {4, 5, 6}
    text = FILES["m.py"].replace("return n * 2", "while n == 3: pass\n            return n * 2")
    live = Probe(f"{yard.root}/m.py", 3, 8, live=True)
    plan = Plan(tests=(ids[list(lines).index("test_async")],), seconds=3, probe=live, fresh=True)
    hung = await yard.judge(replace(yard.snapshot, "m.py", text), plan)
    assert isinstance(hung, TimedOut), hung
    assert hung.coverage is not None
    assert [each.lines for each in hung.coverage.tests] == [(4, 5, 7)]
    text = FILES["m.py"].replace("n * 2", "n + 2")
    edits = replace(yard.snapshot, "m.py", text)
    bad = {"failed": 5, "passed": 2, "skipped": 1, "xfailed": 1, "error": 1}
    levels = await agrees(yard, python, bad, edits=edits, fresh=True)
    assert levels == {"L0", "L1", "L2"}, yard.sandbox.why_not_l2
    red = await yard.judge(edits, Plan(tests=ids, seconds=30))
    assert isinstance(red, Failed), red
    case = next(each for each in red.cases if each.test.endswith("[zero]"))
    assert case.message.splitlines()[0] == "assert 2 == (0 * 2)"
    assert case.message.splitlines()[1].startswith(" +  where 2 = ")
    assert "printed" in case.output
    assert case.warnings == ("DeprecationWarning: scale (tests/test_m.py:9)",)
    assert (case.kind, case.frames[-1].line) == ("assertion", 9)
    broken = await yard.judge(replace(yard.snapshot, "m.py", "def scale(:\n"), Plan(seconds=30))
    assert isinstance(broken, Broken), broken
    assert broken.kind == "syntax"


@pytest.mark.parametrize("minor", PYTHONS)
async def test_a_python_with_unittest_alone(
    make: Maker, tmp_path_factory: pytest.TempPathFactory, minor: int
) -> None:
    folder = tmp_path_factory.mktemp("python") / "venv"
    yard = await make(SUITE, python=make_environment(folder, need(minor)))
    for fresh in (False, True):
        verdict = await yard.judge((), Plan(fresh=fresh, seconds=30))
        assert isinstance(verdict, Failed), verdict
        assert outcomes(verdict) == EXPECTED
    green = tuple(each.test for each in verdict.cases if "test_shop" in each.test and each.passed)
    probe = Probe(f"{yard.root}/shop.py", 1, 2)
    asked = await yard.judge((), Plan(tests=green, probe=probe, seconds=30))
    assert isinstance(asked, Passed), asked
    assert asked.coverage is not None
    assert asked.coverage.lines() == {2}
