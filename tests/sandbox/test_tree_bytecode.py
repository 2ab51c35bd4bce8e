"""What the slot's tree and scratch folders do besides: owners, times, bytecode, new snapshots; no container."""

# ruff: noqa: PTH101, PTH102, PTH103, PTH109, PTH116, PTH123, PTH208, PTH211, SIM115
# What a candidate does, it does by plain calls of ``os``.

from __future__ import annotations

import ctypes
import mmap
import os
import shutil
from pathlib import Path

import pytest

from ocils.sandbox.inside.owners import CANDIDATE, SOURCES, acting_as, owner_of
from ocils.sandbox.inside.scratch import Scratch, remove
from ocils.sandbox.inside.tree import Tree

from .grove import ENTRIES, TIME, Seen, as_candidate, entry, rewrite_untimed, seen, write

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become two other users")


def test_judged_files_cannot_be_written_and_all_else_can(slot_tree: Tree, slot_root: Path) -> None:
    for path in ("a.py", "b/c.py", "conftest.py"):
        assert os.stat(slot_root / path).st_uid == SOURCES
        with acting_as(CANDIDATE), pytest.raises(PermissionError):
            open(slot_root / path, "a")
    with acting_as(CANDIDATE):
        open(slot_root / "b/data.txt", "a").close()
        os.mkdir(slot_root / "mine")
    assert os.geteuid() == 0
    assert os.getegid() == 0


@pytest.mark.parametrize(
    "path",
    [
        "a.py",
        "a/b.pyi",
        "c.pyx",
        "pyproject.toml",
        "setup.cfg",
        "tox.ini",
        "x.pth",
        "a.pyc",
        ".git/x",
    ],
)
def test_what_is_judged(path: str) -> None:
    assert owner_of(path) == SOURCES
    assert owner_of("data/" + path.rpartition(".")[0]) == CANDIDATE


def test_an_edit_has_a_time_of_its_own_and_new_files_go_again(
    slot_tree: Tree, slot_root: Path
) -> None:
    before = seen(slot_root)
    times = set()
    for number in range(3):
        slot_tree.write({"a.py": f"A = {number}\n".encode(), "b/n/new.py": b"N = 1\n"})
        assert (slot_root / "a.py").read_text() == f"A = {number}\n"
        times.add(os.stat(slot_root / "a.py").st_mtime)
        assert os.stat(slot_root / "b/n/new.py").st_uid == SOURCES
        slot_tree.restore()
        assert slot_tree.tampered == []
        assert seen(slot_root) == before
    assert len(times) == 3
    assert min(times) > TIME / 10**9


def test_a_shared_mapping_changes_bytes_and_no_time(slot_tree: Tree, slot_root: Path) -> None:
    def act() -> None:
        with open("b/data.txt", "r+b") as file, mmap.mmap(file.fileno(), 0) as view:
            view[:4] = b"evil"

    before = seen(slot_root)
    as_candidate(slot_root, act)
    slot_tree.restore()
    assert seen(slot_root) == before


def test_other_bytes_are_seen_where_the_kernel_moves_no_time(
    slot_tree: Tree, slot_root: Path
) -> None:
    """Not every kernel moves the ctime of a file in memory that is changed through a mapping."""
    before = seen(slot_root)
    rewrite_untimed(slot_tree, slot_root)
    slot_tree.restore()
    assert slot_tree.left == ["b/data.txt"]
    assert seen(slot_root) == before


def test_bytecode_is_harvested_adopted_and_guarded(slot_tree: Tree, slot_root: Path) -> None:
    def original() -> None:
        for folder in ("__pycache__", "b/__pycache__"):
            os.mkdir(folder)
            write(f"{folder}/x.pyc", folder)
            write(f"{folder}/x.txt")
            os.mkfifo(f"{folder}/y.pyc")

    slot_tree.unseal()
    as_candidate(slot_root, original)
    harvest = slot_tree.harvest()
    assert sorted((path, data) for path, data, _ in harvest) == [
        ("__pycache__/x.pyc", b"__pycache__"),
        ("b/__pycache__/x.pyc", b"b/__pycache__"),
    ]
    slot_tree.restore()
    assert not (slot_root / "b/__pycache__").exists()
    slot_tree.adopt(harvest)
    assert sorted(slot_tree.bytecode()) == sorted(harvest)
    assert slot_tree.harvest() == []
    before = seen(slot_root)
    attacks: list[tuple[str, list[str]]] = [
        ("write('b/__pycache__/x.pyc')", []),
        ("write('b/__pycache__/new.pyc')", []),
        ("os.rename('b/__pycache__', 'b/x')", ["b/__pycache__", "b/__pycache__/x.pyc"]),
        (
            "os.rename('b/__pycache__', 'b/x'); os.mkdir('b/__pycache__')",
            ["b/__pycache__", "b/__pycache__/x.pyc"],
        ),
        (
            "os.rename('b/__pycache__', 'b/x'); os.rename('b/x', 'b/__pycache__')",
            ["b/__pycache__"],
        ),
        ("os.rename('b', 'x')", ["b/__pycache__", "b/__pycache__/x.pyc", "b/c.py"]),
    ]
    for act, named in attacks:
        as_candidate(slot_root, act)
        slot_tree.restore()
        assert slot_tree.tampered == named
        assert seen(slot_root) == before
    slot_tree.fill([entry("b/c.py", "C = 2\n")], [])
    assert not (slot_root / "b/__pycache__").exists()
    assert (slot_root / "__pycache__/x.pyc").exists()


def test_a_seal_keeps_bytecode_out_until_the_original_may_leave_some(
    slot_tree: Tree, slot_root: Path
) -> None:
    def now() -> Seen:
        return {path: what for path, what in seen(slot_root).items() if path != "."}

    slot_tree.seal()
    before = now()
    assert os.stat(slot_root / "b/__pycache__").st_uid == SOURCES
    assert not (slot_root / "b/deep/__pycache__").exists()
    as_candidate(slot_root, "write('b/__pycache__/c.pyc')")
    slot_tree.restore()
    assert now() == before
    assert slot_tree.tampered == []
    as_candidate(slot_root, "os.rename('b/__pycache__', 'b/x'); os.mkdir('b/__pycache__')")
    slot_tree.restore()
    assert slot_tree.tampered == ["b/__pycache__"]
    slot_tree.seal()
    assert now() == before
    slot_tree.unseal()
    assert not (slot_root / "b/__pycache__").exists()
    as_candidate(slot_root, "os.mkdir('b/__pycache__'); write('b/__pycache__/c.pyc')")
    assert [path for path, _, _ in slot_tree.harvest()] == ["b/__pycache__/c.pyc"]
    slot_tree.restore()
    slot_tree.seal()
    assert now() == before


def test_a_fill_takes_only_what_differs(slot_tree: Tree, slot_root: Path) -> None:
    slot_tree.fill(
        [entry("new", kind="folder"), entry("new/x.py", "X"), entry("b/data.txt", "2")],
        ["link", "b/deep/more.json", "b/deep"],
    )
    assert not (slot_root / "link").is_symlink()
    assert not (slot_root / "b/deep").exists()
    assert (slot_root / "b/data.txt").read_text() == "2"
    assert (slot_root / "b/c.py").read_text() == "C = 1\n"
    assert "new/x.py" in slot_tree.paths()
    assert slot_tree.data("b/data.txt") == b"2"
    before = seen(slot_root)
    as_candidate(slot_root, "shutil.rmtree('new')")
    slot_tree.restore()
    assert slot_tree.tampered == ["new/x.py"]
    assert seen(slot_root) == before
    slot_tree.fill(
        [entry("run.sh", kind="folder"), entry("b/data.txt", kind="link", link="c.py")], []
    )
    assert (slot_root / "run.sh").is_dir()
    assert (slot_root / "b/data.txt").is_symlink()
    before = seen(slot_root)
    slot_tree.restore()
    assert seen(slot_root) == before


def test_what_is_mounted_below_the_root_is_left_alone(slot_root: Path) -> None:
    (slot_root / ".venv").mkdir()
    (slot_root / ".venv/x").write_text("x")
    slot_tree = Tree(str(slot_root))
    slot_tree.fill(ENTRIES, [])
    slot_tree.restore()
    assert (slot_root / ".venv/x").read_text() == "x"
    assert slot_tree.tampered == []
    assert slot_tree.left == []


def test_a_tree_that_cannot_be_looked_at_is_not_believed(slot_tree: Tree, slot_root: Path) -> None:
    # A folder of somebody else's where ours was: nobody in here can look into it.
    shutil.rmtree(slot_root / "b/deep")
    (slot_root / "b/deep").mkdir(mode=0o700)
    with pytest.raises(OSError):
        slot_tree.restore()
    assert slot_tree.tampered == ["the workspace, so that it cannot be looked at"]


def test_scratch_is_emptied_but_for_what_was_there(slot_root: Path) -> None:
    (slot_root / "kept").write_text("x")
    scratch = Scratch([str(slot_root), "/nowhere"], ctypes.CDLL(None))
    scratch.remember()
    assert scratch.restore()
    assert scratch.left == []

    def act() -> None:
        os.makedirs("n/e/w")
        os.symlink("/etc", "n/e/etc")
        os.chmod("n", 0)
        os.mkfifo("pipe")
        here = os.getcwd()
        for _ in range(1100):
            os.mkdir("d")
            os.chdir("d")
        os.chdir(here)

    as_candidate(slot_root, act)
    assert scratch.restore()
    assert sorted(scratch.left) == [f"{slot_root}/d", f"{slot_root}/n", f"{slot_root}/pipe"]
    assert os.listdir(slot_root) == ["kept"]
    (slot_root / "roots").write_text("x")
    (slot_root / "roots").chmod(0)
    slot_root.chmod(0o1755)
    os.chown(slot_root, 0, 0)
    with pytest.raises(PermissionError):
        scratch.restore()


def test_removing_follows_no_link(slot_root: Path) -> None:
    (slot_root / "there").mkdir()
    (slot_root / "there/x").write_text("x")
    (slot_root / "gone").mkdir()
    (slot_root / "gone/link").symlink_to(slot_root / "there")
    (slot_root / "gone/inner").mkdir()
    (slot_root / "gone/inner/link").symlink_to(slot_root / "there")
    remove(str(slot_root / "gone"))
    (slot_root / "link").symlink_to(slot_root / "there")
    remove(str(slot_root / "link"))
    assert sorted(os.listdir(slot_root)) == ["there"]
    assert os.listdir(slot_root / "there") == ["x"]
