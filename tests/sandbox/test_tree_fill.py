"""A slot's tree follows the workspace: new, changed and vanished files, folders' times, bytecode; no container."""

# ruff: noqa: PTH116, PTH208
# What a candidate does, it does by plain calls of ``os``.

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ocils.sandbox.inside.entries import Entry
from ocils.sandbox.inside.tree import Tree

from .grove import ENTRIES, TIME, as_candidate, entry, seen

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become two other users")


def primed(tree: Tree) -> None:
    tree.adopt([("b/__pycache__/x.pyc", b"1", TIME), ("__pycache__/y.pyc", b"2", TIME)])


def test_entries_may_come_in_any_order(slot_root: Path) -> None:
    tree = Tree(str(slot_root))
    tree.fill(ENTRIES[::-1], [])
    assert (slot_root / "b/deep/more.json").read_text() == "{}"
    for path in ("b", "b/deep"):
        assert os.stat(slot_root / path).st_mtime_ns == TIME
        assert oct(os.stat(slot_root / path).st_mode) == "0o40755"


def test_adopted_bytecode_can_be_read_by_all_and_written_by_none(
    slot_tree: Tree, slot_root: Path
) -> None:
    primed(slot_tree)
    assert oct(os.stat(slot_root / "b/__pycache__").st_mode) == "0o40755"
    assert oct(os.stat(slot_root / "b/__pycache__/x.pyc").st_mode) == "0o100644"
    assert os.stat(slot_root / "b/__pycache__/x.pyc").st_mtime_ns == TIME


@pytest.mark.parametrize(
    ("entries", "gone", "dropped"),
    [
        ([entry("b/c.py", "C = 2\n")], [], True),
        ([entry("b/new.py", "N = 1\n")], [], True),
        ([], ["b/c.py"], True),
        ([entry("b/data.txt", "2")], [], False),
        ([], ["b/data.txt"], False),
        ([entry("b/deep/x.py")], [], False),
    ],
)
def test_bytecode_goes_with_the_sources_of_its_folder(
    slot_tree: Tree, slot_root: Path, entries: list[Entry], gone: list[str], dropped: bool
) -> None:
    primed(slot_tree)
    slot_tree.fill(entries, gone)
    assert (slot_root / "b/__pycache__/x.pyc").exists() != dropped
    assert (slot_root / "__pycache__/y.pyc").exists()
    before = seen(slot_root)
    slot_tree.restore()
    assert seen(slot_root) == before
    assert slot_tree.left == []


def test_a_folder_may_become_a_file_and_get_another_time(slot_tree: Tree, slot_root: Path) -> None:
    later = Entry("b", "folder", 0o755, TIME + 10**9, "")
    slot_tree.fill([later, entry("b/deep", "now a file")], ["b/deep/more.json"])
    assert (slot_root / "b/deep").read_text() == "now a file"
    assert os.stat(slot_root / "b").st_mtime_ns == TIME + 10**9
    assert (slot_root / "b/c.py").read_text() == "C = 1\n"


def test_a_file_that_a_candidate_added_and_the_workspace_gets_is_guarded(
    slot_tree: Tree, slot_root: Path
) -> None:
    slot_tree.write({"b/n.py": b"N = 1\n"})
    assert oct(os.stat(slot_root / "b/n.py").st_mode) == "0o100644"
    slot_tree.restore()
    slot_tree.fill([entry("b/n.py", "N = 2\n")], [])
    as_candidate(slot_root, "os.unlink('b/n.py')")
    slot_tree.restore()
    assert slot_tree.tampered == ["b/n.py"]
    assert (slot_root / "b/n.py").read_text() == "N = 2\n"


def test_an_edit_that_was_put_back_is_guarded_again(slot_tree: Tree, slot_root: Path) -> None:
    slot_tree.write({"a.py": b"A = 2\n"})
    slot_tree.restore()
    assert (slot_root / "a.py").read_text() == "A = 1\n"
    assert os.stat(slot_root / "a.py").st_mtime_ns == TIME
    as_candidate(slot_root, "os.rename('a.py', 'x')")
    slot_tree.restore()
    assert slot_tree.tampered == ["a.py"]
    assert sorted(os.listdir(slot_root)) == ["a.py", "b", "conftest.py", "link", "run.sh"]


def test_a_folder_that_the_runtime_made_for_a_mount_is_filled_too(slot_root: Path) -> None:
    """It is root's: an environment below a folder of the workspace makes one."""
    (slot_root / "sub").mkdir()
    (slot_root / "sub/.venv").mkdir()
    tree = Tree(str(slot_root))
    tree.fill([entry("sub", kind="folder"), entry("sub/x.py", "X"), entry("sub/y.txt", "Y")], [])
    before = seen(slot_root)
    as_candidate(slot_root, "os.rename('sub/y.txt', 'sub/z')")
    tree.restore()
    assert seen(slot_root) == before
    assert oct(os.stat(slot_root / "sub").st_mode) == "0o40755"
    assert sorted(os.listdir(slot_root / "sub")) == [".venv", "x.py", "y.txt"]
