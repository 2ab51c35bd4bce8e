"""Attacks on the slot's tree: an honest verdict, and the next candidate finds it as it was."""

from __future__ import annotations

import pytest

from ocils.domain.judging import Broken, Failed, Passed

from .conftest import SHOP, TESTS, Maker
from .yard import GOOD, Yard, assert_unhurt, body, outcomes

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

FAKE = "import pytest\n@pytest.mark.parametrize('percent', [0, 10, 50])\ndef test_price(percent): pass\ndef test_nothing(): pass\nclass TestLarge:\n    def test_million(self): pass\n"

SWAPS = {
    "a link in the place of the tests": "os.rename('tests', 'gone'); os.symlink('gone', 'tests')",
    "a link in the place of one test": (
        "os.rename('tests/test_shop.py', 'tests/o'); os.symlink('o', 'tests/test_shop.py')"
    ),
    "a folder in the place of one test": (
        "os.rename('tests/test_shop.py', 'tests/o'); os.mkdir('tests/test_shop.py')"
    ),
    "a pipe in the place of one test": (
        "os.rename('tests/test_shop.py', 'tests/o'); os.mkfifo('tests/test_shop.py')"
    ),
    "another tests folder": (
        "os.rename('tests', 'gone'); os.mkdir('tests')\n"
        "with open('tests/test_shop.py', 'w') as f: f.write(FAKE)"
    ),
    "the bytecode's folder": (
        "os.rename('tests/__pycache__', 'tests/c'); os.mkdir('tests/__pycache__')"
    ),
    "the bytecode's folder is gone": "os.rename('tests/__pycache__', '/tmp/../' + os.getcwd() + '/c')",
    "a folder into its own stranger": (
        "os.mkdir('deep'); os.rename('tests', 'deep/tests'); os.chmod('deep', 0)"
    ),
    "a new conftest": "open('tests/conftest.py', 'w').close()",
}


@pytest.mark.parametrize("what", SWAPS)
async def test_what_was_swapped_is_seen_and_put_back(shop: Yard, what: str) -> None:
    text = f"import os\nFAKE = {FAKE!r}\n{SWAPS[what]}\n{GOOD}"
    verdict = await shop.try_text("shop.py", text, *TESTS)
    assert not isinstance(verdict, Passed), verdict
    await assert_unhurt(shop)
    again = await shop.try_text("shop.py", GOOD, *TESTS)
    assert outcomes(again) == {each.rpartition("::")[2]: "passed" for each in TESTS}


async def test_a_run_whose_tree_cannot_be_looked_at_is_no_green(shop: Yard) -> None:
    """A candidate must not hide what it replaced by making the restoring fail."""
    code = """
import os
os.rename("tests/test_shop.py", "tests/o")
for each in range(40):
    os.makedirs(f"m{each}/x")
    os.chmod(f"m{each}", 0)
"""
    verdict = await shop.try_text("shop.py", code + GOOD, *TESTS)
    assert isinstance(verdict, Broken)
    # Nor is the slot used again in which something was left.
    verdict = await shop.try_text("shop.py", body(LOOK), *TESTS)
    assert isinstance(verdict, Passed), verdict


LEFT = {
    "a pipe": "os.mkfifo('tests/pipe'); os.mkfifo('pipe')",
    "a pipe in the place of data": "os.unlink('tests/data.txt'); os.mkfifo('tests/data.txt')",
    "a socket": "import socket; socket.socket(socket.AF_UNIX).bind('tests/s')",
    "a link to elsewhere": "os.symlink('/etc', 'tests/etc'); os.symlink('/nowhere', 'no')",
    "a link in the place of data": "os.unlink('tests/data.txt'); os.symlink('/etc/passwd', 'tests/data.txt')",
    "a second name of data": "os.link('tests/data.txt', 'tests/again')",
    "a sparse file": "open('sparse', 'wb').truncate(400 << 20); open('tests/data.txt', 'wb').truncate(400 << 20)",
    "many files": "os.mkdir('many')\nfor n in range(3000): open(f'many/{n}', 'w').close()",
    "deep folders": (
        "here = os.getcwd()\nfor _ in range(1200): os.mkdir('d'); os.chdir('d')\nos.chdir(here)"
    ),
    "odd names": (
        "for n in (b'a\\nb', b'\\xff\\xfe', b' ', b'-rf', b'\\x01', b'x' * 255): os.mkdir(n); os.mkdir(b'tests/' + n)"
    ),
    "closed folders": (
        "os.makedirs('shut/a/b'); os.chmod('shut/a/b', 0); os.chmod('shut/a', 0); os.chmod('shut', 0)"
    ),
    "closed tests": "import atexit; os.chmod('tests', 0o300)",
    "a closed root": "os.chmod('.', 0o300)",
    "open modes": "os.chmod('tests', 0o2777); os.chmod('tests/data.txt', 0o6777)",
    "other times": "os.utime('tests/data.txt', (1, 1)); os.utime('tests', (1, 1)); os.utime('.', (1, 1))",
    "a shared mapping": (
        "import mmap\nf = open('tests/data.txt', 'r+b'); m = mmap.mmap(f.fileno(), 0); m[:4] = b'evil'"
    ),
    "configuration": (
        "open('pytest.ini', 'w').write('[pytest]\\naddopts = --collect-only')\n"
        "open('sitecustomize.py', 'w').write('raise SystemExit')\n"
        "open('x.pth', 'w').write('import os; os._exit(0)')"
    ),
    "a package that shadows": "os.makedirs('pytest'); open('pytest/__init__.py', 'w').close()",
    "git": "os.makedirs('.git/hooks'); open('.git/hooks/pre-commit', 'w').write('exit 1')",
    "extended attributes": (
        "try: os.setxattr('tests/data.txt', 'user.x', b'1')\nexcept OSError: pass"
    ),
}

LOOK = """
import os, stat
def files():
    for folder, folders, names in os.walk(b"."):
        for name in folders + names:
            path = os.path.join(folder, name)
            if b"__pycache__" not in path:
                yield path, oct(os.lstat(path).st_mode)
expected = {
    b"./shop.py": "0o100644", b"./tests": "0o40755", b"./tests/test_shop.py": "0o100644",
    b"./tests/data.txt": "0o100644",
}
found = dict(files())
assert found == expected, found
assert oct(os.stat(".").st_mode) == "0o40755"
with open("tests/data.txt") as file:
    assert file.read() == "data\\n"
assert os.stat("tests").st_mtime > 100 and os.stat("tests/data.txt").st_mtime > 100
assert os.stat("tests/data.txt").st_nlink == 1
return amount - amount * percent / 100
"""


@pytest.mark.parametrize("what", LEFT)
async def test_what_was_left_in_the_tree_is_gone(shop: Yard, what: str) -> None:
    text = f"import os\n{LEFT[what]}\n{GOOD}"
    verdict = await shop.try_text("shop.py", text, TESTS[0])
    # Closing the folders fails the tests, which is the candidate's own fault.
    assert isinstance(verdict, Passed | Failed | Broken), verdict
    verdict = await shop.try_text("shop.py", body(LOOK), *TESTS)
    assert isinstance(verdict, Passed), verdict


POISON = """
import importlib.util, inspect, os
from _pytest.assertion import rewrite
path = os.path.abspath("tests/test_shop.py")
with open(path, "rb") as file:
    source = importlib.util.source_hash(file.read())
# pytest 9.2 keeps the source's hash, earlier ones its time and size.
by_hash = "source_hash" in inspect.signature(rewrite._write_pyc_fp).parameters
try:
    os.makedirs("tests/__pycache__", exist_ok=True)
    with open("tests/__pycache__/test_shop" + rewrite.PYC_TAIL, "wb") as file:
        code = compile(FAKE, path, "exec")
        rewrite._write_pyc_fp(file, source if by_hash else os.stat(path), code)
except OSError:
    pass
"""


@pytest.mark.parametrize("how", ["warm", "unprimed", "fresh"])
@pytest.mark.asyncio(loop_scope="function")
async def test_bytecode_cannot_be_left_for_a_test_that_comes_later(make: Maker, how: str) -> None:
    """``tests/test_a.py`` imports the candidate before ``tests/test_shop.py`` is read."""
    yard = await make({**SHOP, "tests/test_a.py": "import shop\ndef test_a(): pass\n"})
    if how == "warm":
        assert isinstance(await yard.judge(), Passed)
    text = f"FAKE = {FAKE!r}\n{POISON}\n{body('pass')}"
    verdict = await yard.try_text(
        "shop.py", text, "tests/test_a.py::test_a", *TESTS, fresh=how == "fresh"
    )
    assert not isinstance(verdict, Passed), verdict


@pytest.mark.asyncio(loop_scope="function")
async def test_a_slot_that_does_not_go_back_is_not_used_again(make: Maker) -> None:
    """No room is left to write again what was deleted: the folder's memory holds one file."""
    names = [f"data/{number}.txt" for number in range(30)]
    look = "def price(amount, percent):\n    import os\n    assert len(os.listdir('data')) == 30\n    return amount - amount * percent / 100\n"
    yard = await make({**SHOP, **dict.fromkeys(names, "x" * 9999)})
    assert isinstance(await yard.try_text("shop.py", look, *TESTS), Passed)
    code = """
import os
for number in range(1, 30):
    os.unlink(f"data/{number}.txt")
with open("data/0.txt", "wb", buffering=0) as file:
    try:
        while True:
            file.write(bytes(1 << 20))
    except OSError:
        pass
    try:
        while True:
            file.write(b"x")
    except OSError:
        pass
"""
    await yard.try_text("shop.py", code + look, *TESTS)
    assert isinstance(await yard.try_text("shop.py", look, *TESTS), Passed)
