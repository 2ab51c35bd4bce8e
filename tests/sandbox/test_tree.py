"""The slot's tree, put back after everything that a candidate's user may do to it; no container.

Needs root, as PID 1 of a container has it: the work is done by two other users. The same is shown
from inside a container in ``test_attacks_tree.py``.
"""

# What a candidate does, it does by plain calls of ``os``.

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ocils.sandbox.inside.tree import Tree

from .grove import as_candidate, seen

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become two other users")

HARMLESS: dict[str, str] = {
    "nothing": 'pass',
    "data": "write('b/data.txt')",
    "data of the same size": "write('b/data.txt', 'atad\\n')",
    "data and its time": "write('b/data.txt', 'atad\\n'); os.utime('b/data.txt', ns=(TIME, TIME))",
    "no data": "os.unlink('b/data.txt')",
    "a mode": "os.chmod('run.sh', 384)",
    "a time": "os.utime('b/data.txt', (1, 1))",
    "a folder's mode": "os.chmod('b/deep', 0)",
    "a folder's time": "os.utime('b/deep', (1, 1))",
    "the root's mode": "os.chmod('.', 448)",
    "a folder is gone": "shutil.rmtree('b/deep')",
    "a folder is a file": "shutil.rmtree('b/deep'); write('b/deep')",
    "a folder is a link to one": "os.rename('b/deep', 'b/x'); os.symlink('x', 'b/deep')",
    "a link is gone": "os.unlink('link')",
    "a link leads elsewhere": "os.unlink('link'); os.symlink('/etc/passwd', 'link')",
    "a link is a file": "os.unlink('link'); write('link')",
    "data is a link": "os.unlink('b/data.txt'); os.symlink('/etc/passwd', 'b/data.txt')",
    "data is a pipe": "os.unlink('b/data.txt'); os.mkfifo('b/data.txt')",
    "data is a folder": "os.unlink('b/data.txt'); os.makedirs('b/data.txt/x')",
    "data has two names": "os.link('b/data.txt', 'b/two')",
    "new files": "write('new'); write('b/new'); write('b/new.py')",
    "new folders": "os.makedirs('n/e/w'); write('n/e/w/x'); os.chmod('n/e', 0); os.chmod('n', 0)",
    "new bytecode folder": "os.mkdir('n'); os.mkdir('n/__pycache__'); write('n/__pycache__/x.pyc')",
    "odd names": "os.mkdir(b'\\xff\\n'); os.mkfifo(b'b/\\xff\\n')",
}  # fmt: skip


UNCOUNTED = ("nothing", "a folder's mode", "a folder's time", "the root's mode")


@pytest.mark.parametrize("what", HARMLESS)
def test_it_is_put_back(slot_tree: Tree, slot_root: Path, what: str) -> None:
    before = seen(slot_root)
    for _ in range(2):
        slot_tree.write({"a.py": b"A = 2\n"})
        as_candidate(slot_root, HARMLESS[what])
        slot_tree.restore()
        assert slot_tree.tampered == []
        assert bool(slot_tree.left) == (what not in UNCOUNTED)
        assert seen(slot_root) == before


TAMPERED: dict[str, tuple[str, list[str]]] = {
    "a source is gone": ("os.unlink('b/c.py')", ["b/c.py"]),
    "a source is another": ("os.unlink('b/c.py'); write('b/c.py')", ["b/c.py"]),
    "a source is the same again": ("os.unlink('b/c.py'); write('b/c.py', 'C = 1\\n'); os.utime('b/c.py', ns=(TIME, TIME))", ["b/c.py"]),
    "a source went and came": ("os.rename('b/c.py', 'b/x'); os.rename('b/x', 'b/c.py')", ["b/c.py"]),
    "a source is a link": ("os.unlink('b/c.py'); os.symlink('/etc/passwd', 'b/c.py')", ["b/c.py"]),
    "a source is a folder": ("os.unlink('b/c.py'); os.mkdir('b/c.py')", ["b/c.py"]),
    "the edited file": ("os.unlink('a.py'); write('a.py')", ["a.py"]),
    "its folder is another": ("os.rename('b', 'x'); os.mkdir('b'); write('b/c.py')", ["b/c.py"]),
    "its folder is a link": ("os.rename('b', 'x'); os.symlink('x', 'b')", ["b/c.py"]),
    "all is gone": ("shutil.rmtree('b'); os.unlink('a.py'); os.unlink('conftest.py')", ["a.py", "b/c.py", "conftest.py"]),
    "a conftest appears": ("write('b/conftest.py')", ["b/conftest.py"]),
    "the slot_root's conftest is gone": ("os.unlink('conftest.py')", ["conftest.py"]),
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERED)
def test_it_is_named_and_put_back(slot_tree: Tree, slot_root: Path, what: str) -> None:
    before = seen(slot_root)
    act, named = TAMPERED[what]
    slot_tree.write({"a.py": b"A = 2\n"})
    as_candidate(slot_root, act)
    slot_tree.restore()
    assert slot_tree.tampered == named
    assert slot_tree.left
    assert seen(slot_root) == before
