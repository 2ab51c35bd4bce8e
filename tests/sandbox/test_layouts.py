"""Workspaces of several shapes: each is judged as a plain run would."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.judging import Broken, Failed, Passed, Plan, Verdict
from ocils.domain.text import Document
from ocils.workspace.disk import DiskWorkspace

from .conftest import Maker
from .yard import outcomes, replace

pytestmark = pytest.mark.docker


def tree(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return what lies below ``root``: mode, mtime and bytes of everything."""
    found = {}
    for path in sorted(root.rglob("*")):
        about = path.lstat()
        data = path.read_bytes() if path.is_file() else b""
        found[str(path)] = (about.st_mode, about.st_mtime_ns, data)
    return found


MIXED = {
    "pyproject.toml": """
        [tool.pytest.ini_options]
        addopts = "-x -q --strict-markers"
        testpaths = ["tests"]
        markers = ["slow: takes long"]
    """,
    "src/pack/__init__.py": "from pack.core import double\n",
    "src/pack/core.py": "def double(n):\n    return n * 2\n",
    "conftest.py": """
        import pathlib, sys
        ROOT = pathlib.Path(__file__).resolve().parent
        sys.path.insert(0, str(ROOT / "src"))
    """,
    "tests/conftest.py": """
        import pytest
        @pytest.fixture(scope="session")
        def two():
            return 2
    """,
    "tests/test_all.py": """
        import os, pathlib, unittest
        import pytest
        import pack
        HERE = pathlib.Path(__file__).resolve().parent

        class Case(unittest.TestCase):
            def setUp(self):
                self.value = 3
            def test_unit(self):
                self.assertEqual(pack.double(self.value), 6)
            @unittest.skip("not now")
            def test_left_out(self):
                self.fail("must not run")

        class TestClass:
            @pytest.mark.parametrize("n", [1, "a"], ids=["one", "text/with::odd"])
            def test_many(self, n, two):
                assert pack.double(n) == n * two

        @pytest.mark.xfail
        def test_expected():
            assert pack.double(1) == 3

        @pytest.mark.xfail(strict=False)
        def test_unexpected():
            assert pack.double(1) == 2

        @pytest.mark.slow
        def test_files(tmp_path, monkeypatch, capsys):
            assert tmp_path.stat().st_uid == os.getuid()
            assert pack.__file__ == str(HERE.parent / "src/pack/__init__.py")
            (HERE / "made.txt").write_text("x")
            monkeypatch.chdir(tmp_path)
            print("hello")
            assert capsys.readouterr().out == "hello\\n"
    """,
}


async def test_classes_units_parameters_and_marks(make: Maker) -> None:
    yard = await make(MIXED)
    before = tree(yard.root)
    verdict = await yard.judge()
    assert isinstance(verdict, Passed), verdict
    assert outcomes(verdict) == {
        "test_unit": "passed",
        "test_left_out": "skipped",
        "test_many[one]": "passed",
        "odd]": "passed",
        "test_expected": "xfailed",
        "test_unexpected": "xpassed",
        "test_files": "passed",
    }
    ids = tuple(each.test for each in verdict.cases if each.outcome != "skipped")
    edits = replace(yard.snapshot, "src/pack/core.py", "def double(n):\n    return n + n\n")
    assert isinstance(await yard.judge(edits, Plan(tests=ids)), Passed)
    edits = replace(yard.snapshot, "src/pack/core.py", "def double(n):\n    return n + 2\n")
    wrong = await yard.judge(edits, Plan(tests=ids))
    assert isinstance(wrong, Failed)
    assert len(wrong.cases) == len(ids), "the project's own -x must not hide cases"
    fresh = await yard.judge(edits, Plan(tests=ids, fresh=True, seed=1))
    assert outcomes(fresh) == outcomes(wrong)
    skipped = tuple(each.test for each in verdict.cases)
    assert isinstance(await yard.judge((), Plan(tests=skipped)), Failed)
    assert tree(yard.root) == before, "something was written on the host"


async def test_an_unsaved_buffer_is_what_is_judged(make: Maker) -> None:
    yard = await make(
        {
            "m.py": "def f():\n    return 1\n",
            "test_m.py": "import m\n\ndef test_f():\n    assert m.f() == 2\n",
        }
    )
    assert isinstance(await yard.judge(), Failed)
    saved = yard.snapshot
    buffer = Document(f"{yard.root}/m.py", b"def f():\n    return 2\n", version=3)
    yard.snapshot = await DiskWorkspace(str(yard.root)).snapshot((buffer,))
    assert isinstance(await yard.judge(), Passed)
    yard.snapshot = saved
    assert isinstance(await yard.judge(), Failed)


async def test_two_slots_use_the_same_port_at_the_same_time(make: Maker) -> None:
    yard = await make(
        {
            "test_port.py": """
                import socket, time
                def test_port():
                    with socket.create_server(("127.0.0.1", 8123)):
                        time.sleep(1)
            """
        },
        width=2,
    )
    await yard.sandbox.warm(yard.snapshot, CancelToken())
    loop = asyncio.get_running_loop()
    started = loop.time()
    verdicts: list[Verdict] = list(await asyncio.gather(yard.judge(), yard.judge()))
    assert all(isinstance(each, Passed) for each in verdicts)
    if yard.sandbox.width > 1:
        assert loop.time() - started < 1.9


async def test_data_that_a_test_writes_belongs_to_it(make: Maker) -> None:
    yard = await make(
        {
            "data/golden.txt": "old",
            "test_golden.py": """
                import os, pathlib
                GOLDEN = pathlib.Path(__file__).parent / "data/golden.txt"
                def test_write():
                    assert GOLDEN.read_text() == "old"
                    GOLDEN.write_text("new")
                    GOLDEN.chmod(0o600)
                def test_replace(tmp_path):
                    new = GOLDEN.with_name("n")
                    new.write_text("x")
                    os.replace(new, GOLDEN)
                    os.utime(GOLDEN, (1, 1))
                    GOLDEN.unlink()
                    GOLDEN.parent.chmod(0o777)
            """,
        }
    )
    for _ in range(3):
        assert isinstance(await yard.judge(), Passed)


async def test_a_test_that_writes_a_judged_file_is_red_for_isolation(make: Maker) -> None:
    yard = await make(
        {
            "setup.cfg": "[metadata]\n",
            "test_w.py": """
                import pathlib
                def test_w():
                    (pathlib.Path(__file__).parent / "setup.cfg").write_text("x")
            """,
        }
    )
    verdict = await yard.judge()
    assert isinstance(verdict, Failed)
    assert verdict.cases[0].kind == "isolation"


async def test_an_option_that_pytest_does_not_know_is_broken_and_said(make: Maker) -> None:
    yard = await make(
        {"pytest.ini": "[pytest]\naddopts = --nope\n", "test_x.py": "def test_x(): pass\n"}
    )
    verdict = await yard.judge()
    assert isinstance(verdict, Broken)
    assert "--nope" in verdict.why
