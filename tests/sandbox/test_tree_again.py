"""The slot's tree after more than one candidate: what one left behind in our own books would show in the next."""

# ruff: noqa: PTH116, PTH208
# What a candidate does, it does by plain calls of ``os``.

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ocils.sandbox.inside.entries import Entry
from ocils.sandbox.inside.owners import CANDIDATE, SOURCES
from ocils.sandbox.inside.tree import Tree

from .grove import TIME, as_candidate, entry, rewrite_untimed, seen

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become two other users")

BYTECODE = [("b/__pycache__/x.pyc", b"1", TIME)]


def calm(tree: Tree, root: Path) -> None:
    """Nothing happens, and nothing is found."""
    before = seen(root)
    tree.restore()
    assert tree.tampered == []
    assert tree.left == []
    assert seen(root) == before


def test_a_file_that_a_candidate_adds_is_there_for_its_own_run_only(
    slot_tree: Tree, slot_root: Path
) -> None:
    before = seen(slot_root)
    for act in ("pass", "os.chmod('b', 0)", "os.rename('b', 'x')", "os.unlink('b/n.py')"):
        slot_tree.write({"b/n.py": b"N = 1\n", "n.py": b"N = 1\n", "b/n.txt": b"n"})
        assert (slot_root / "b/n.py").exists()
        as_candidate(slot_root, act)
        slot_tree.restore()
        assert "b/n.py" not in slot_tree.tampered
        assert seen(slot_root) == before
        calm(slot_tree, slot_root)


def test_data_that_was_edited_and_put_back_is_compared_again(
    slot_tree: Tree, slot_root: Path
) -> None:
    before = seen(slot_root)
    slot_tree.write({"b/data.txt": b"edited"})
    slot_tree.restore()
    assert slot_tree.left == []
    assert seen(slot_root) == before
    rewrite_untimed(slot_tree, slot_root)
    slot_tree.restore()
    assert slot_tree.left == ["b/data.txt"]
    assert seen(slot_root) == before
    calm(slot_tree, slot_root)


@pytest.mark.parametrize("mask", [0o077, 0o000])
def test_a_folder_comes_back_with_its_mode_whatever_ours_is(
    slot_tree: Tree, slot_root: Path, mask: int
) -> None:
    before = seen(slot_root)
    as_candidate(slot_root, "shutil.rmtree('b/deep'); os.chmod('b', 448)")
    usual = os.umask(mask)
    try:
        slot_tree.restore()
    finally:
        os.umask(usual)
    assert seen(slot_root) == before
    calm(slot_tree, slot_root)


def test_bytecode_that_was_put_back_is_no_matter_for_the_next(
    slot_tree: Tree, slot_root: Path
) -> None:
    slot_tree.adopt(BYTECODE)
    before = seen(slot_root)
    as_candidate(slot_root, "os.rename('b/__pycache__', 'b/x')")
    slot_tree.restore()
    assert slot_tree.tampered == ["b/__pycache__", "b/__pycache__/x.pyc"]
    assert seen(slot_root) == before
    calm(slot_tree, slot_root)


def test_a_sealed_folder_that_was_put_back_is_no_matter_for_the_next(
    slot_tree: Tree, slot_root: Path
) -> None:
    slot_tree.seal()
    as_candidate(slot_root, "os.rename('__pycache__', 'x'); os.mkdir('__pycache__')")
    slot_tree.restore()
    assert slot_tree.tampered == ["__pycache__"]
    assert os.stat(slot_root / "__pycache__").st_uid == SOURCES
    calm(slot_tree, slot_root)


def test_a_seal_is_for_new_folders_too_and_spares_what_was_adopted(
    slot_tree: Tree, slot_root: Path
) -> None:
    slot_tree.adopt(BYTECODE)
    slot_tree.seal()
    assert (slot_root / "b/__pycache__/x.pyc").read_bytes() == b"1"
    assert os.stat(slot_root / "__pycache__").st_uid == SOURCES
    slot_tree.fill([entry("new", kind="folder"), entry("new/x.py", "X")], [])
    slot_tree.seal()
    assert os.stat(slot_root / "new/__pycache__").st_uid == SOURCES
    assert (slot_root / "b/__pycache__/x.pyc").exists()
    calm(slot_tree, slot_root)


def test_what_is_adopted_after_a_seal_was_lifted_stays(slot_tree: Tree, slot_root: Path) -> None:
    slot_tree.seal()
    slot_tree.unseal()
    assert not (slot_root / "b/__pycache__").exists()
    calm(slot_tree, slot_root)
    slot_tree.adopt(BYTECODE)
    slot_tree.unseal()
    assert (slot_root / "b/__pycache__/x.pyc").exists()
    assert slot_tree.bytecode() == BYTECODE
    calm(slot_tree, slot_root)


def test_what_is_gone_may_be_named_in_any_order(slot_tree: Tree, slot_root: Path) -> None:
    slot_tree.fill([], ["b", "b/deep", "b/c.py", "b/data.txt", "b/deep/more.json", "nowhere"])
    assert sorted(os.listdir(slot_root)) == ["a.py", "conftest.py", "link", "run.sh"]
    assert sorted(slot_tree.paths()) == ["a.py", "conftest.py", "link", "run.sh"]
    calm(slot_tree, slot_root)


def test_bytecode_comes_back_byte_by_byte_and_counts_as_known(
    slot_tree: Tree, slot_root: Path
) -> None:
    slot_tree.adopt([*BYTECODE, ("__pycache__/y.pyc", b"22", TIME + 5)])
    assert slot_tree.bytecode() == [*BYTECODE, ("__pycache__/y.pyc", b"22", TIME + 5)]
    as_candidate(slot_root, "os.mkdir('b/deep/__pycache__'); write('b/deep/__pycache__/z.pyc')")
    assert [path for path, _, _ in slot_tree.harvest()] == ["b/deep/__pycache__/z.pyc"]
    slot_tree.restore()
    calm(slot_tree, slot_root)


def test_every_kind_of_tampering_is_named_at_once_and_sorted(
    slot_tree: Tree, slot_root: Path
) -> None:
    slot_tree.adopt(BYTECODE)
    before = seen(slot_root)
    as_candidate(
        slot_root,
        "os.rename('conftest.py', 'x'); os.rename('a.py', 'y'); write('b/deep/conftest.py');"
        "os.rename('b/__pycache__', 'b/z'); write('b/data.txt'); write('stranger')",
    )
    slot_tree.restore()
    assert slot_tree.tampered == [
        "a.py",
        "b/__pycache__",
        "b/__pycache__/x.pyc",
        "b/deep/conftest.py",
        "conftest.py",
    ]
    assert set(slot_tree.left) >= {*slot_tree.tampered, "b/data.txt", "stranger", "x", "y", "b/z"}
    assert seen(slot_root) == before
    calm(slot_tree, slot_root)


def test_a_link_is_what_was_sent(slot_tree: Tree, slot_root: Path) -> None:
    slot_tree.fill([entry("b/l.py", kind="link", link="../nowhere.py")], [])
    for path, there in (("link", "b/data.txt"), ("b/l.py", "../nowhere.py")):
        assert str((slot_root / path).readlink()) == there
        assert os.lstat(slot_root / path).st_mtime_ns == TIME
        assert os.lstat(slot_root / path).st_uid == CANDIDATE
    as_candidate(slot_root, "os.unlink('link'); os.unlink('b/l.py'); os.symlink('a', 'b/l.py')")
    slot_tree.restore()
    assert slot_tree.tampered == ["b/l.py"]
    assert str((slot_root / "b/l.py").readlink()) == "../nowhere.py"
    calm(slot_tree, slot_root)


def test_no_descriptor_is_left_open(slot_tree: Tree, slot_root: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for number in range(3):
        slot_tree.write({"a.py": b"A = 2\n", "b/n.py": b"N"})
        as_candidate(slot_root, "shutil.rmtree('b'); write('stranger')")
        slot_tree.restore()
        slot_tree.fill([entry("new.py", str(number))], [])
        assert slot_tree.harvest() == []
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_known_folder_that_is_sent_again_stays_one(slot_tree: Tree, slot_root: Path) -> None:
    paths = slot_tree.paths()
    slot_tree.fill([Entry("b", "folder", 0o755, TIME + 10**9, "")], [])
    assert slot_tree.paths() == paths
    assert os.stat(slot_root / "b").st_mtime_ns == TIME + 10**9
    calm(slot_tree, slot_root)


def test_a_folder_below_one_that_the_runtime_made(slot_root: Path) -> None:
    (slot_root / "sub").mkdir(mode=0o755)
    tree = Tree(str(slot_root))
    tree.fill([entry("sub", kind="folder"), entry("sub/deep", kind="folder")], [])
    tree.fill([entry("sub/deep/x.py", "X"), entry("sub/deep/y", kind="folder")], [])
    assert os.stat(slot_root / "sub/deep/y").st_uid == CANDIDATE
    assert oct(os.stat(slot_root / "sub").st_mode) == "0o40755"
    before = seen(slot_root)
    as_candidate(slot_root, "shutil.rmtree('sub/deep')")
    tree.restore()
    assert tree.tampered == ["sub/deep/x.py"]
    assert seen(slot_root) == before


@pytest.mark.parametrize(
    ("mode", "stored"),
    [(0o644, 0o644), (0o600, 0o644), (0o777, 0o755), (0o6755, 0o755), (0o700, 0o755), (0, 0o444)],
)
def test_modes_are_for_both_users_and_never_set_id(
    slot_tree: Tree, slot_root: Path, mode: int, stored: int
) -> None:
    slot_tree.fill([entry("m", "x", mode=mode), entry("m.py", "x", mode=mode)], [])
    for name in ("m", "m.py"):
        assert oct(os.stat(slot_root / name).st_mode) == oct(0o100000 | stored)
    usual = os.umask(0o077)
    try:
        slot_tree.fill([entry("f", kind="folder", mode=mode)], [])
    finally:
        os.umask(usual)
    assert oct(os.stat(slot_root / "f").st_mode) == "0o40755"


def test_what_is_told_of_the_tree(slot_tree: Tree) -> None:
    assert slot_tree.data("b/c.py") == b"C = 1\n"
    assert slot_tree.data("b") == b""
    assert {"b", "b/c.py", "link"} < set(slot_tree.paths())
    with pytest.raises(KeyError):
        slot_tree.data("nowhere")


def test_only_at_the_root_a_name_is_a_mounts(slot_root: Path) -> None:
    (slot_root / ".venv").mkdir()
    tree = Tree(str(slot_root))
    tree.fill([entry("b", kind="folder"), entry("b/c.py")], [])
    as_candidate(slot_root, "os.mkdir('b/.venv'); write('b/.venv/x.py')")
    tree.restore()
    assert tree.left == ["b/.venv"]
    assert os.listdir(slot_root / "b") == ["c.py"]
    assert (slot_root / ".venv").is_dir()
