"""What a candidate leaves outside the tree goes: files, folders, System V objects; no container."""

# ruff: noqa: PTH101, PTH102, PTH208
# What a candidate does, it does by plain calls of ``os``.

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import pytest

from ocils.sandbox.inside.scratch import Scratch, remove, remove_shared_objects

from .grove import as_candidate

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become two other users")

LIBC = ctypes.CDLL(None, use_errno=True)
KEYS = range(7_000_001, 7_000_004)


def shared(*, make: bool) -> list[bool]:
    """For each key, and each kind of System V object: whether it is there (after it was made)."""
    flags = 0o1666 if make else 0
    found = []
    for key in KEYS:
        found += [
            LIBC.shmget(key, 100 if make else 0, flags) >= 0,
            LIBC.semget(key, 2 if make else 0, flags) >= 0,
            LIBC.msgget(key, flags) >= 0,
        ]
    return found


def scratch_of(root: Path) -> Scratch:
    scratch = Scratch([str(root)], LIBC)
    scratch.remember()
    return scratch


def test_every_system_v_object_goes(slot_root: Path) -> None:
    scratch = scratch_of(slot_root)
    assert not any(shared(make=False))
    as_candidate(slot_root, lambda: shared(make=True))
    assert all(shared(make=False))
    assert scratch.restore()
    assert not any(shared(make=False))


def test_they_go_without_a_scratch_too(slot_root: Path) -> None:
    as_candidate(slot_root, lambda: shared(make=True))
    remove_shared_objects(LIBC)
    assert not any(shared(make=False))


@pytest.mark.parametrize(
    "code",
    [
        "write('x')",
        "os.mkdir('x'); write('x/y'); os.mkdir('x/z')",
        "os.makedirs('x/y/z/deep'); write('x/y/z/w'); os.chmod('x/y/z', 0); os.chmod('x/y', 0)",
        "os.symlink('/etc', 'x')",
        "os.symlink('/nowhere', 'x')",
        "os.mkdir('x'); os.symlink('.', 'x/self'); os.symlink('/etc', 'x/etc')",
        "os.mkdir('x'); os.mkdir('x/y'); os.symlink('/etc', 'x/y/etc'); write('x/y/.hidden')",
        "os.makedirs('x/a/one/two'); os.makedirs('x/b/one/two'); write('x/b/one/two/f')",
        "os.mkdir('x'); os.mkdir('x/\\x01' + '1'); os.mkdir('x/a'); os.mkdir('x/a/b')",
    ],
)
def test_whatever_was_left_is_removed_and_told(slot_root: Path, code: str) -> None:
    (slot_root / "kept").write_text("x")
    scratch = scratch_of(slot_root)
    for _ in range(2):
        as_candidate(slot_root, code)
        assert (slot_root / "x").is_symlink() or (slot_root / "x").exists()
        assert scratch.restore()
        assert scratch.left == [f"{slot_root}/x"]
        assert os.listdir(slot_root) == ["kept"]
        assert Path("/etc/passwd").exists()


def test_what_was_there_first_and_is_gone_is_told(slot_root: Path) -> None:
    os.mkdir(slot_root / "kept")
    os.chown(slot_root / "kept", slot_root.stat().st_uid, -1)
    scratch = scratch_of(slot_root)
    as_candidate(slot_root, "os.rmdir('kept')")
    assert not scratch.restore()
    assert scratch.left == []


def test_every_folder_is_looked_at(tmp_path: Path, slot_root: Path) -> None:
    os.mkdir(slot_root / "one", 0o777)
    os.mkdir(slot_root / "two", 0o777)
    for name in ("one", "two"):
        os.chmod(slot_root / name, 0o777)
    (tmp_path / "file").write_text("no folder")
    places = [str(slot_root / "one"), str(tmp_path / "file"), str(slot_root / "two")]
    scratch = Scratch(places, LIBC)
    scratch.remember()
    as_candidate(slot_root, "write('one/x'); write('two/y')")
    assert scratch.restore()
    assert scratch.left == [f"{slot_root}/one/x", f"{slot_root}/two/y"]
    assert scratch.restore()
    assert scratch.left == []


def test_a_deep_folder_is_removed_though_its_path_is_too_long(slot_root: Path) -> None:
    def dig() -> None:
        os.mkdir("x")
        os.chdir("x")
        for number in range(1200):
            os.mkdir("d")
            if number % 100 == 0:
                open("file", "w").close()  # noqa: PTH123
            os.chdir("d")

    as_candidate(slot_root, dig)
    remove(str(slot_root / "x"))
    assert os.listdir(slot_root) == []
