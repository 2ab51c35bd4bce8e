"""A Python environment whose packages are compiled, and the shop that most tests judge."""

from __future__ import annotations

import compileall
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from ocils.sandbox.inside.owners import CANDIDATE
from ocils.sandbox.inside.tree import Tree

from .grove import ENTRIES
from .yard import Files, Yard

PACKAGES = ("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments", "py")

Maker = Callable[..., Awaitable[Yard]]

SHOP = {
    "shop.py": """
        def price(amount, percent):
            return amount * (100 - percent) / 100
    """,
    "tests/test_shop.py": """
        import pytest
        from shop import price

        @pytest.mark.parametrize("percent", [0, 10, 50])
        def test_price(percent):
            assert price(100, percent) == 100 - percent

        def test_nothing():
            assert price(0, 10) == 0

        class TestLarge:
            def test_million(self):
                assert price(1_000_000, 1) == 990_000
    """,
    "tests/data.txt": "data\n",
}

TESTS = (
    "tests/test_shop.py::test_price[0]",
    "tests/test_shop.py::test_price[10]",
    "tests/test_shop.py::test_price[50]",
    "tests/test_shop.py::test_nothing",
    "tests/test_shop.py::TestLarge::test_million",
)


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Make a virtual environment that holds pytest and nothing else; returns its interpreter.

    Without compiled packages every start of a zygote would compile pytest anew.
    """
    folder = tmp_path_factory.mktemp("environment")
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    site = folder / "lib" / version / "site-packages"
    site.mkdir(parents=True)
    (folder / "bin").mkdir()
    base = Path(sys.base_prefix) / "bin" / version
    (folder / "bin" / "python").symlink_to(base)
    (folder / "pyvenv.cfg").write_text(
        f"home = {base.parent}\ninclude-system-site-packages = false\n"
    )
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        source = Path(spec.origin)
        if source.name == "__init__.py":
            # With its bytecode, which stays good: what has none yet is compiled below.
            shutil.copytree(source.parent, site / name)
            for about in source.parents[1].glob(f"{name}-*.dist-info"):
                shutil.copytree(about, site / about.name)
        else:
            shutil.copy(source, site)
    for each in (folder, *folder.parents[:2]):
        each.chmod(0o755)
    assert compileall.compile_dir(str(site), quiet=2, workers=0)
    return str(folder / "bin" / "python")


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory, environment: str) -> str:
    """Make a virtual environment that holds nothing at all; returns its interpreter."""
    folder = tmp_path_factory.mktemp("bare")
    full = Path(environment).parent.parent
    site = folder / next(full.glob("lib/*/site-packages")).relative_to(full)
    site.mkdir(parents=True)
    (folder / "bin").mkdir()
    (folder / "bin" / "python").symlink_to((full / "bin" / "python").readlink())
    shutil.copy(full / "pyvenv.cfg", folder)
    for each in (folder, *folder.parents[:2]):
        each.chmod(0o755)
    return str(folder / "bin" / "python")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory, environment: str) -> AsyncIterator[Yard]:
    """Give the shop and a warm sandbox of one slot, shared by a module's tests."""
    yard = await Yard.of(tmp_path_factory.mktemp("shop"), SHOP, environment)
    await yard.judge()
    yield yard
    await yard.sandbox.close()


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


@pytest.fixture
def slot_root() -> Iterator[Path]:
    """A folder that the candidate owns and can reach, in memory, as the slot's is.

    Only there a shared mapping changes bytes and no time.
    """
    place = Path(tempfile.mkdtemp(prefix="ocils-tree-", dir="/dev/shm"))
    os.chown(place, CANDIDATE, CANDIDATE)
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@pytest.fixture
def slot_tree(slot_root: Path) -> Tree:
    tree = Tree(str(slot_root))
    tree.fill(ENTRIES, [])
    return tree
