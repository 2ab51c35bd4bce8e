"""Workspaces with packages of their own: plugins in use, and editable installs of both kinds."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ocils.domain.judging import Failed, Passed

from .conftest import Maker
from .plain import agrees
from .pythons import without_registry
from .yard import lay_out, replace

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]

PLUGINS = (
    "pytest",
    "pytest-asyncio",
    "pytest-mock",
    "pytest-xdist",
    "pytest-randomly",
    "pytest-rerunfailures",
    "hypothesis",
    "anyio",
)


@pytest.fixture(scope="session")
def plugged(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Install plugins into an environment of their own; skips where the registry is out of reach."""
    folder = tmp_path_factory.mktemp("plugged")
    python = str(folder / "bin" / "python")
    commands = (
        [sys.executable, "-m", "venv", str(folder)],
        [python, "-m", "pip", "install", "--quiet", *PLUGINS],
    )
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
        if done.returncode:
            without_registry(f"the plugins cannot be installed: {done.stderr[-300:]}")
    for each in (folder, *folder.parents[:2]):
        each.chmod(0o755)
    return python


IN_USE = {
    "pyproject.toml": """
        [tool.pytest.ini_options]
        addopts = "-x --ff -n 1 --strict-markers"
        asyncio_mode = "auto"
        asyncio_default_fixture_loop_scope = "function"
        markers = ["net: needs a network"]
    """,
    "m.py": """
        import asyncio, os
        async def later(n):
            await asyncio.sleep(0)
            return n + 1
        def home():
            return os.path.exists("/nowhere")
    """,
    "test_use.py": """
        import asyncio, os, random
        import pytest
        from hypothesis import given, settings, strategies as st
        import m

        @pytest.fixture
        async def number():
            yield await m.later(1)

        async def test_async(number):
            assert number == 2

        class TestAsync:
            @pytest.mark.parametrize("n", [1, 2])
            async def test_in_class(self, n):
                assert await m.later(n) == n + 1

        @pytest.mark.anyio
        def test_marked():
            pass

        @given(st.integers(), st.text())
        @settings(max_examples=20, deadline=None)
        def test_property(number, text):
            assert asyncio.run(m.later(number)) > number

        def test_mocked(mocker):
            mocker.patch("os.path.exists", return_value=True)
            assert m.home()

        def test_drawn():
            assert 0 <= random.random() < 1

        TRIES = []

        @pytest.mark.flaky(reruns=2)
        def test_comes_right():
            TRIES.append(1)
            assert len(TRIES) == 2
    """,
}


async def test_plugins_in_use(make: Maker, plugged: str) -> None:
    """xdist is switched off for a candidate; what it spreads comes out the same."""
    yard = await make(IN_USE, python=plugged)
    await agrees(yard, plugged, {"passed": 8})
    text = IN_USE["m.py"].replace("n + 1", "n - 1").replace("os.path", "os.path.")
    edits = replace(yard.snapshot, "m.py", text.replace("..", "."))
    await agrees(yard, plugged, {"passed": 4, "failed": 4}, edits=edits, fresh=True)


SUBTESTS = {
    "pytest.ini": "[pytest]\naddopts = -p no:cacheprovider --strict-config\n",
    "m.py": "def square(n):\n    return n * n\n",
    "test_sub.py": """
        import pytest, m
        def test_sub(subtests):
            for n in range(3):
                with subtests.test(msg="square", n=n):
                    assert m.square(n) == n ** 2
        def test_after():
            assert m.square(0) == 0
    """,
}


async def test_subtests_and_a_strict_configuration(make: Maker, environment: str) -> None:
    yard = await make(SUBTESTS)
    await agrees(yard, environment, {"passed": 2})
    edits = replace(yard.snapshot, "m.py", "def square(n):\n    return n + n\n")
    await agrees(yard, environment, {"passed": 1, "failed": 1}, edits=edits)
    verdict = await yard.judge(())
    assert isinstance(verdict, Passed)


def _environment_of(root: Path, environment: str) -> tuple[Path, str]:
    """Copy the environment into the workspace; returns its site-packages and its interpreter."""
    inside = root / ".venv"
    shutil.copytree(Path(environment).parent.parent, inside, symlinks=True)
    return next(inside.glob("lib/*/site-packages")), str(inside / "bin/python")


FINDER = """
    import importlib.machinery, importlib.util, sys

    MAPPING = {MAPPING}

    class Finder:
        @classmethod
        def find_spec(cls, name, path=None, target=None):
            top, _, rest = name.partition(".")
            if top in MAPPING and not rest:
                place = MAPPING[top] + "/__init__.py"
                return importlib.util.spec_from_file_location(
                    name, place, submodule_search_locations=[MAPPING[top]]
                )
            return None

    def install():
        sys.meta_path.append(Finder)
"""


@pytest.mark.parametrize("kind", ["path", "finder"])
async def test_an_editable_install_points_into_the_workspace(
    make: Maker, environment: str, tmp_path: Path, kind: str
) -> None:
    root = tmp_path / "work"
    site, python = _environment_of(root, environment)
    place = f"{root}/lib/src"
    if kind == "path":
        (site / "__editable__.inst.pth").write_text(f"{place}\n")
    else:
        mapping = repr({"inst": f"{place}/inst"})
        lay_out(site, {"__editable___inst_finder.py": FINDER.replace("{MAPPING}", mapping)})
        line = "import __editable___inst_finder; __editable___inst_finder.install()\n"
        (site / "__editable__.inst.pth").write_text(line)
    files = {
        "lib/src/inst/__init__.py": "from inst.core import one\n",
        "lib/src/inst/core.py": "def one():\n    return 1\n",
        "tests/test_inst.py": f"""
            import inst, inst.core
            def test_place():
                assert inst.__file__ == {place!r} + "/inst/__init__.py"
            def test_one():
                assert inst.one() == 1
        """,
    }
    lay_out(root, {name: text for name, text in files.items() if name.startswith("lib")})
    yard = await make(files, python=None)
    await agrees(yard, python, {"passed": 2})
    edits = replace(yard.snapshot, "lib/src/inst/core.py", "def one():\n    return 2\n")
    await agrees(yard, python, {"passed": 1, "failed": 1}, edits=edits)
    raises = replace(yard.snapshot, "lib/src/inst/__init__.py", "raise RuntimeError\n")
    assert not isinstance(await yard.judge(raises), Passed | Failed)
