"""Workspaces of several shapes: each is judged as a plain run would."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import SandboxUnavailable
from ocils.domain.judging import Broken, Failed, Passed, Plan, Probe, TestId, Unjudged, Verdict
from ocils.domain.text import Document
from ocils.workspace.disk import DiskWorkspace

from .yard import Files, Yard, lay_out, outcomes, replace

pytestmark = pytest.mark.docker

Maker = Callable[..., Awaitable[Yard]]


@pytest_asyncio.fixture
async def make(tmp_path: Path, environment: str) -> AsyncIterator[Maker]:
    """Make yards that are closed at the end."""
    made: list[Yard] = []

    async def of(files: Files, *, python: str | None = environment, width: int = 1) -> Yard:
        yard = await Yard.of(tmp_path / "work", files, python, width=width)
        made.append(yard)
        return yard

    yield of
    for each in made:
        await each.sandbox.close()


def own_environment(root: Path, environment: str, *added: str) -> Path:
    """Give the workspace a ``.venv``; with ``added`` import roots it has pytest, by a ``.pth`` file."""
    base = Path(environment).parent.parent
    inside = root / ".venv"
    (inside / "bin").mkdir(parents=True)
    (inside / "pyvenv.cfg").write_text((base / "pyvenv.cfg").read_text())
    (inside / "bin/python").symlink_to((base / "bin/python").readlink())
    site = next(base.glob("lib/*/site-packages"))
    own = inside / site.relative_to(base)
    own.mkdir(parents=True)
    if added:
        (own / "packages.pth").write_text("".join(f"{each}\n" for each in (site, *added)))
    return own


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


async def test_a_src_layout_found_by_an_editable_install(
    tmp_path: Path, environment: str, make: Maker
) -> None:
    lay_out(tmp_path / "work", {"src/inst/__init__.py": "def one():\n    return 1\n"})
    own_environment(tmp_path / "work", environment, f"{tmp_path}/work/src")
    yard = await make(
        {"tests/test_i.py": "import inst\n\ndef test_one():\n    assert inst.one() == 1\n"},
        python=None,
    )
    assert isinstance(await yard.judge(), Passed)
    edits = replace(yard.snapshot, "src/inst/__init__.py", "def one():\n    return 2\n")
    assert isinstance(await yard.judge(edits), Failed)


async def test_the_running_interpreter_serves_a_workspace_without_its_own(make: Maker) -> None:
    """It has plugins: tests in a random order, hypothesis, asyncio, time limits."""
    text = """
        import asyncio, sys
        import pytest
        from hypothesis import given, strategies

        def test_prefix():
            assert sys.prefix == PREFIX

        @pytest.mark.asyncio
        async def test_async():
            await asyncio.sleep(0)

        @given(strategies.integers())
        def test_all(number):
            assert number + 0 == number

        @pytest.mark.timeout(30)
        def test_limited():
            pass
    """
    yard = await make({"test_p.py": text.replace("PREFIX", repr(sys.prefix))}, python=None)
    first = await yard.judge()
    assert isinstance(first, Passed), first
    second = await yard.judge()
    assert [each.test for each in first.cases] == [each.test for each in second.cases]
    ids = tuple(sorted(each.test for each in first.cases))
    asked = await yard.judge((), Plan(tests=ids))
    assert isinstance(asked, Passed)
    assert tuple(each.test for each in asked.cases) == ids


def other_pythons() -> list[Path]:
    """Return interpreters of other versions that this machine has, found by their files."""
    here = Path(sys.base_prefix).parent.glob("3.1[2-9]*/bin/python3.1[2-9]")
    names = (shutil.which(f"python3.{minor}") for minor in range(12, 20))
    found = [*here, *(Path(each) for each in names if each is not None)]
    return sorted(each for each in found if f"{each.name}" != f"python3.{sys.version_info[1]}")


async def test_the_workspaces_python_may_be_another_version(
    tmp_path: Path, environment: str, make: Maker
) -> None:
    """From 3.12 on the lines are watched in another way."""
    # pyenv's shims are scripts and say nothing of where the interpreter is.
    others = [each for each in other_pythons() if each.read_bytes()[:4] == b"\x7fELF"]
    if not others:
        pytest.skip("no other Python 3.12 or later is installed here")
    python = others[0].resolve()
    inside = tmp_path / "work" / ".venv"
    (inside / "bin").mkdir(parents=True)
    (inside / "pyvenv.cfg").write_text(
        f"home = {python.parent}\ninclude-system-site-packages = false\n"
    )
    (inside / "bin/python").symlink_to(python)
    site = inside / "lib" / python.name / "site-packages"
    site.mkdir(parents=True)
    packages = next(Path(environment).parent.parent.glob("lib/*/site-packages"))
    (site / "packages.pth").write_text(f"{packages}\n")
    yard = await make(
        {
            "m.py": """
                def f(x):
                    if x:
                        return [y for y in
                                range(x)]
                    return None
            """,
            "test_m.py": """
                import sys, m
                def test_version():
                    assert "%d.%d" % sys.version_info[:2] in "VERSION"
                def test_f():
                    assert m.f(2) == [0, 1]
            """.replace("VERSION", python.name),
        },
        python=None,
    )
    probe = Probe(f"{yard.root}/m.py", 1, 5)
    for fresh in (False, True):
        verdict = await yard.judge((), Plan(probe=probe, fresh=fresh))
        assert isinstance(verdict, Passed), verdict
        assert verdict.coverage is not None
        lines = {each.test: each.lines for each in verdict.coverage.tests}
        assert lines == {"test_m.py::test_version": (), "test_m.py::test_f": (2, 3, 4)}
        assert verdict.coverage.collection == (1,)


async def test_a_workspace_that_pytest_itself_imports_is_not_judged_by_a_fork(
    tmp_path: Path, environment: str, make: Maker
) -> None:
    """The plugin is loaded in the zygote; a fork would judge the old code green."""
    own = own_environment(tmp_path / "work", environment, f"{tmp_path}/work")
    entry = own / "plug-1.0.dist-info"
    entry.mkdir()
    (entry / "METADATA").write_text("Metadata-Version: 2.1\nName: plug\nVersion: 1.0\n")
    (entry / "entry_points.txt").write_text("[pytest11]\nplug = plug\n")
    yard = await make(
        {
            "plug.py": "VALUE = 1\n",
            "test_v.py": "import plug\n\ndef test_v():\n    assert plug.VALUE == 1\n",
        },
        python=None,
    )
    assert isinstance(await yard.judge(), Passed)
    assert isinstance(await yard.judge(replace(yard.snapshot, "plug.py", "VALUE = 2\n")), Failed)
    raises = replace(yard.snapshot, "plug.py", "raise RuntimeError\n")
    assert not isinstance(await yard.judge(raises), Passed)


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


async def test_an_interpreter_without_pytest_says_how_to_mend_it(
    tmp_path: Path, environment: str, make: Maker
) -> None:
    own_environment(tmp_path / "work", environment)
    yard = await make({"test_x.py": "def test_x(): pass\n"}, python=None)
    with pytest.raises(SandboxUnavailable) as caught:
        await yard.sandbox.warm(yard.snapshot, CancelToken())
    assert "-m pip install pytest" in caught.value.mend
    fresh = await yard.judge((), Plan(tests=(TestId("test_x.py::test_x"),), fresh=True))
    assert isinstance(fresh, Broken)
    assert fresh.missing_module == "pytest"


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
    assert isinstance(verdict, Unjudged)
    assert verdict.why == "isolation"
