"""The slot's tree, put back after everything that a candidate's user may do to it; no container.

Needs root, as PID 1 of a container has it: the work is done by two other users. The same is shown
from inside a container in ``test_attacks_tree.py``.
"""

# ruff: noqa: PTH101, PTH102, PTH103, PTH104, PTH108, PTH211
# What a candidate does, it does by plain calls of ``os``.

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ocils.sandbox.inside.tree import Tree

from .grove import TIME, as_candidate, seen, write

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become two other users")

HARMLESS: dict[str, Callable[[], object]] = {
    "nothing": lambda: None,
    "data": lambda: write("b/data.txt"),
    "data of the same size": lambda: write("b/data.txt", "atad\n"),
    "data and its time": lambda: (write("b/data.txt", "atad\n"), os.utime("b/data.txt", ns=(TIME, TIME))),
    "no data": lambda: os.unlink("b/data.txt"),
    "a mode": lambda: os.chmod("run.sh", 0o600),
    "a time": lambda: os.utime("b/data.txt", (1, 1)),
    "a folder's mode": lambda: os.chmod("b/deep", 0),
    "a folder's time": lambda: os.utime("b/deep", (1, 1)),
    "the root's mode": lambda: os.chmod(".", 0o700),
    "a folder is gone": lambda: shutil.rmtree("b/deep"),
    "a folder is a file": lambda: (shutil.rmtree("b/deep"), write("b/deep")),
    "a folder is a link to one": lambda: (os.rename("b/deep", "b/x"), os.symlink("x", "b/deep")),
    "a link is gone": lambda: os.unlink("link"),
    "a link leads elsewhere": lambda: (os.unlink("link"), os.symlink("/etc/passwd", "link")),
    "a link is a file": lambda: (os.unlink("link"), write("link")),
    "data is a link": lambda: (os.unlink("b/data.txt"), os.symlink("/etc/passwd", "b/data.txt")),
    "data is a pipe": lambda: (os.unlink("b/data.txt"), os.mkfifo("b/data.txt")),
    "data is a folder": lambda: (os.unlink("b/data.txt"), os.makedirs("b/data.txt/x")),
    "data has two names": lambda: os.link("b/data.txt", "b/two"),
    "new files": lambda: (write("new"), write("b/new"), write("b/new.py")),
    "new folders": lambda: (os.makedirs("n/e/w"), write("n/e/w/x"), os.chmod("n/e", 0), os.chmod("n", 0)),
    "new bytecode folder": lambda: (os.mkdir("n"), os.mkdir("n/__pycache__"), write("n/__pycache__/x.pyc")),
    "odd names": lambda: (os.mkdir(b"\xff\n"), os.mkfifo(b"b/\xff\n")),
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


TAMPERED: dict[str, tuple[Callable[[], object], list[str]]] = {
    "a source is gone": (lambda: os.unlink("b/c.py"), ["b/c.py"]),
    "a source is another": (lambda: (os.unlink("b/c.py"), write("b/c.py")), ["b/c.py"]),
    "a source is the same again": (lambda: (os.unlink("b/c.py"), write("b/c.py", "C = 1\n"), os.utime("b/c.py", ns=(TIME, TIME))), ["b/c.py"]),
    "a source went and came": (lambda: (os.rename("b/c.py", "b/x"), os.rename("b/x", "b/c.py")), ["b/c.py"]),
    "a source is a link": (lambda: (os.unlink("b/c.py"), os.symlink("/etc/passwd", "b/c.py")), ["b/c.py"]),
    "a source is a folder": (lambda: (os.unlink("b/c.py"), os.mkdir("b/c.py")), ["b/c.py"]),
    "the edited file": (lambda: (os.unlink("a.py"), write("a.py")), ["a.py"]),
    "its folder is another": (lambda: (os.rename("b", "x"), os.mkdir("b"), write("b/c.py")), ["b/c.py"]),
    "its folder is a link": (lambda: (os.rename("b", "x"), os.symlink("x", "b")), ["b/c.py"]),
    "all is gone": (lambda: [shutil.rmtree("b"), os.unlink("a.py"), os.unlink("conftest.py")], ["a.py", "b/c.py", "conftest.py"]),
    "a conftest appears": (lambda: write("b/conftest.py"), ["b/conftest.py"]),
    "the slot_root's conftest is gone": (lambda: os.unlink("conftest.py"), ["conftest.py"]),
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
