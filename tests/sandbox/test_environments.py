"""Interpreters and environments: the workspace's own, the running one, other versions, none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import SandboxUnavailable
from ocils.domain.judging import Broken, Failed, Passed, Plan, Probe, TestId

from .conftest import Maker
from .pythons import interpreters
from .yard import lay_out, replace

pytestmark = pytest.mark.docker


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


async def test_the_workspaces_python_may_be_another_version(
    tmp_path: Path, environment: str, make: Maker
) -> None:
    """From 3.12 on the lines are watched in another way."""
    running = sys.version_info[1]
    others = [path for minor, path in interpreters().items() if 12 <= minor != running]
    if not others:
        pytest.skip("no other Python 3.12 or later is installed here")
    python = others[0]
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


async def test_a_pytest_that_cannot_be_imported_says_how_to_mend_it(
    tmp_path: Path, environment: str, make: Maker
) -> None:
    own = own_environment(tmp_path / "work", environment)
    (own / "pytest.py").write_text("import nothing_of_the_kind\n")
    yard = await make({"test_x.py": "def test_x(): pass\n"}, python=None)
    with pytest.raises(SandboxUnavailable) as caught:
        await yard.sandbox.warm(yard.snapshot, CancelToken())
    assert "-m pip install pytest" in caught.value.mend
    fresh = await yard.judge((), Plan(tests=(TestId("test_x.py::test_x"),), fresh=True))
    assert isinstance(fresh, Broken)
    assert fresh.missing_module == "nothing_of_the_kind"
