"""Snapshots of real folders: what is in, what is left out, what is not read twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from ocils.domain.errors import Unsupported, UsageError
from ocils.domain.text import Document, Snapshot
from ocils.ports import Workspace
from ocils.workspace import walk as walking
from ocils.workspace.disk import DiskWorkspace


def write(root: Path, path: str, data: str | bytes = "x\n", mode: int = 0o644) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data if isinstance(data, bytes) else data.encode())
    file.chmod(mode)
    return file


async def freeze(root: Path, *buffers: Document) -> Snapshot:
    return await DiskWorkspace(str(root)).snapshot(buffers)


def files(snapshot: Snapshot) -> dict[str, bytes]:
    return {e.path: e.data for e in snapshot.entries if e.kind == "file"}


def reason(snapshot: Snapshot, path: str) -> str:
    (why,) = [w for w in snapshot.left_out if w.startswith(f"{path}: ")]
    return why.removeprefix(f"{path}: ")


async def test_bytes_modes_times_and_folders(tmp_path: Path) -> None:
    """CRLF, byte order marks and null bytes are bytes like all others."""
    data = b"\xef\xbb\xbfa = 1\r\nb = '\xc3\xa4'\r\n\0"
    file = write(tmp_path, "pkg/deep/a.py", data, 0o600)
    write(tmp_path, "run.sh", "#!/bin/sh\n", 0o755)
    (tmp_path / "empty").mkdir(mode=0o750)
    os.utime(file, ns=(1_600_000_000_123_456_789, 1_600_000_000_123_456_789))
    workspace: Workspace = DiskWorkspace(str(tmp_path))
    snapshot = await workspace.snapshot()
    assert workspace.root == snapshot.root == str(tmp_path)
    assert [e.path for e in snapshot.entries] == [
        "empty",
        "pkg",
        "pkg/deep",
        "pkg/deep/a.py",
        "run.sh",
    ]
    entry = snapshot.find("pkg/deep/a.py")
    assert entry is not None
    assert (entry.data, entry.mode, entry.mtime_ns) == (data, 0o600, 1_600_000_000_123_456_789)
    assert snapshot.find("run.sh").mode == 0o755  # type: ignore[union-attr]  # asserted above
    assert snapshot.find("empty").kind == "folder"  # type: ignore[union-attr]  # asserted above
    assert snapshot.left_out == ()
    document = snapshot.document(str(file))
    assert document is not None
    assert document.data == data


@pytest.mark.parametrize(
    "folder",
    [".git", "node_modules", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox",
     ".nox", ".hypothesis", "deep/in/__pycache__", "deep/node_modules"],
)  # fmt: skip
async def test_folders_that_are_nobodys_source(tmp_path: Path, folder: str) -> None:
    write(tmp_path, f"{folder}/sub/a.py")
    write(tmp_path, "kept.py")
    assert list(files(await freeze(tmp_path))) == ["kept.py"]


async def test_a_virtual_environment_of_any_name(tmp_path: Path) -> None:
    write(tmp_path, "my env/pyvenv.cfg")
    write(tmp_path, "my env/lib/a.py")
    write(tmp_path, "env/a.py")
    snapshot = await freeze(tmp_path)
    assert list(files(snapshot)) == ["env/a.py"]
    assert reason(snapshot, "my env") == "virtual environment"


async def test_links_stay_links_whatever_they_mean(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(root, "real/a.py")
    secret = write(tmp_path, "outside/secret.txt", "secret")
    (root / "loop").symlink_to(".")
    (root / "real" / "up").symlink_to("..")
    (root / "self").symlink_to("self")
    (root / "dangling").symlink_to("nowhere")
    (root / "out").symlink_to(secret.parent)
    (root / "b.py").symlink_to("real/a.py")
    snapshot = await asyncio.wait_for(freeze(root), 20)
    links = {e.path: e.link for e in snapshot.entries if e.kind == "link"}
    assert links == {
        "loop": ".",
        "real/up": "..",
        "self": "self",
        "dangling": "nowhere",
        "out": str(secret.parent),
        "b.py": "real/a.py",
    }
    assert list(files(snapshot)) == ["real/a.py"]
    assert not any(b"secret" in e.data for e in snapshot.entries)


async def test_sockets_pipes_and_devices(tmp_path: Path) -> None:
    """Opening a FIFO would wait for ever, and a socket can be talked through."""
    os.mkfifo(tmp_path / "pipe")
    # A socket's path must be short, which a temporary folder's may not be.
    with contextlib.chdir(tmp_path), socket.socket(socket.AF_UNIX) as server:
        server.bind("sock")
        snapshot = await asyncio.wait_for(freeze(tmp_path), 20)
    assert snapshot.entries == ()
    assert (reason(snapshot, "pipe"), reason(snapshot, "sock")) == ("FIFO", "socket")


async def test_large_files_are_left_out_and_named(tmp_path: Path) -> None:
    with (tmp_path / "big.bin").open("wb") as file:
        file.truncate(33 * walking.MIB)
    with (tmp_path / "fits.bin").open("wb") as file:
        file.truncate(32 * walking.MIB)
    snapshot = await freeze(tmp_path)
    assert list(files(snapshot)) == ["fits.bin"]
    assert reason(snapshot, "big.bin") == "33 MiB"


async def test_of_too_much_the_sources_stay(tmp_path: Path) -> None:
    for n in range(9):
        with (tmp_path / f"a{n}.bin").open("wb") as file:
            file.truncate(30 * walking.MIB)
    write(tmp_path, "z.py", "z" * 1000)
    snapshot = await freeze(tmp_path)
    assert "z.py" in files(snapshot)
    assert len(files(snapshot)) == 9
    assert len(snapshot.left_out) == 1
    assert "beyond 256 MiB in all" in snapshot.left_out[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
async def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    write(tmp_path, "locked.py", mode=0)
    locked = tmp_path / "folder"
    locked.mkdir(mode=0)
    try:
        snapshot = await freeze(tmp_path)
    finally:
        locked.chmod(0o700)
    assert reason(snapshot, "locked.py") == "permission denied"
    assert reason(snapshot, "folder") == "permission denied"


async def test_ignored_bulk_goes_ignored_code_stays(tmp_path: Path) -> None:
    write(tmp_path, ".gitignore", "data/\n*.db\n/out\n!keep.db\ngenerated.py\n*.so\n")
    write(tmp_path, "sub/.gitignore", "local\n")
    big = b"\0" * (walking.IGNORED_BULK + 1)
    for path in ("data/a.csv", "x.db", "keep.db", "sub/out/b.bin", "sub/local/c.bin", "ext.so"):
        write(tmp_path, path, big)
    write(tmp_path, "generated.py")
    write(tmp_path, "out/small.txt")
    for n in range(walking.IGNORED_ENTRIES + 1):
        write(tmp_path, f"sub/data/{n}", b"")
    snapshot = await freeze(tmp_path)
    assert sorted(files(snapshot)) == [
        ".gitignore", "ext.so", "generated.py", "keep.db", "out/small.txt", "sub/.gitignore",
        "sub/out/b.bin",
    ]  # fmt: skip
    assert reason(snapshot, "x.db") == "8 MiB, ignored by git"
    for folder in ("data", "sub/data", "sub/local"):
        assert reason(snapshot, folder) == "bulk that git ignores"


async def test_unchanged_files_are_not_read_again(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "a")
    changed = write(tmp_path, "b.py", "b")
    workspace = DiskWorkspace(str(tmp_path))
    first = await workspace.snapshot()
    changed.write_text("c")
    second = await workspace.snapshot()
    third = await workspace.snapshot()
    assert second.find("a.py") is first.find("a.py")
    assert second.find("b.py").data == b"c"  # type: ignore[union-attr]  # it is there
    assert second.hash != first.hash
    assert third == second
    assert all(x is y for x, y in zip(third.entries, second.entries, strict=True))


async def test_a_change_that_keeps_size_and_time_is_seen(tmp_path: Path) -> None:
    """The change time tells, which no program can set back."""
    file = write(tmp_path, "a.py", "a")
    times = file.stat()
    workspace = DiskWorkspace(str(tmp_path))
    first = await workspace.snapshot()
    await asyncio.sleep(0.02)
    file.write_text("b")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    second = await workspace.snapshot()
    assert (first.hash == second.hash, files(second)) == (False, {"a.py": b"b"})
    file.chmod(0o755)
    assert (await workspace.snapshot()).hash != second.hash


async def test_what_vanished_is_forgotten(tmp_path: Path) -> None:
    file = write(tmp_path, "a.py")
    workspace = DiskWorkspace(str(tmp_path))
    await workspace.snapshot()
    file.unlink()
    file.mkdir()
    assert [e.kind for e in (await workspace.snapshot()).entries] == ["folder"]


async def test_buffers_lie_over_the_disk(tmp_path: Path) -> None:
    file = write(tmp_path, "pkg/a.py", "disk", 0o600)
    write(tmp_path, "same.py", "same")
    root = str(tmp_path)
    workspace = DiskWorkspace(root)
    disk = await workspace.snapshot()
    buffers = [
        Document(f"{root}/pkg/a.py", b"typed", version=3),
        Document(f"{root}/new/folder/b.py", b"new", version=1),
        Document(f"{root}/same.py", b"same", version=1),
    ]
    typed = await workspace.snapshot(buffers)
    assert files(typed) == {"pkg/a.py": b"typed", "new/folder/b.py": b"new", "same.py": b"same"}
    assert typed.open == ("new/folder/b.py", "pkg/a.py")
    assert [e.path for e in typed.entries if e.kind == "folder"] == ["new", "new/folder", "pkg"]
    assert typed.hash != disk.hash
    old, new = disk.find("pkg/a.py"), typed.find("pkg/a.py")
    assert old is not None
    assert new is not None
    assert new.mode == 0o600
    assert new.mtime_ns // 10**9 > old.mtime_ns // 10**9
    assert file.read_text() == "disk"
    assert await workspace.snapshot(buffers) == typed
    assert await workspace.snapshot() == disk


async def test_every_new_text_of_a_buffer_has_a_later_second(tmp_path: Path) -> None:
    """Else bytecode of the same size and second would be taken for it."""
    workspace = DiskWorkspace(str(tmp_path))
    seconds = []
    for text in (b"a", b"b", b"c"):
        snapshot = await workspace.snapshot([Document(f"{tmp_path}/a.py", text)])
        seconds.append(snapshot.entries[0].mtime_ns // 10**9)
    assert sorted(set(seconds)) == seconds


async def test_a_buffer_reached_through_links(tmp_path: Path) -> None:
    root = tmp_path / "real"
    write(root, "src/a.py", "disk")
    (root / "linked").symlink_to("src")
    (root / "b.py").symlink_to("src/a.py")
    (tmp_path / "alias").symlink_to(root)
    for path in ("alias/src/a.py", "real/linked/a.py", "real/b.py", "alias/b.py"):
        workspace = DiskWorkspace(str(tmp_path / "alias"))
        assert workspace.root == str(root)
        snapshot = await workspace.snapshot([Document(str(tmp_path / path), b"typed")])
        assert (snapshot.open, files(snapshot)) == (("src/a.py",), {"src/a.py": b"typed"})
        assert snapshot.find("b.py").kind == "link"  # type: ignore[union-attr]  # it is there


async def test_buffers_that_have_no_place_are_named(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(root, ".venv/pyvenv.cfg")
    write(root, "file")
    buffers = [
        Document(str(tmp_path / "other.py"), b"x"),
        Document(f"{root}/.venv/lib/mod.py", b"x"),
        Document(f"{root}/file/below.py", b"x"),
        Document(f"{root}/../escape.py", b"x"),
    ]
    snapshot = await freeze(root, *buffers)
    assert list(files(snapshot)) == ["file"]
    assert snapshot.open == ()
    assert sum("open, but" in why for why in snapshot.left_out) == 4


async def test_files_may_change_while_they_are_read(tmp_path: Path) -> None:
    """Whatever the moment, a snapshot comes out, and each file in it is one that was there."""
    stop = threading.Event()

    def churn() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            file = tmp_path / f"f{n % 20}.py"
            file.write_bytes(b"%d" % (n % 10) * 5000)
            if n % 3 == 0:
                file.unlink()

    churning = threading.Thread(target=churn)
    churning.start()
    try:
        workspace = DiskWorkspace(str(tmp_path))
        for _ in range(60):
            for data in files(await workspace.snapshot()).values():
                assert len(set(data)) <= 2
    finally:
        stop.set()
        churning.join()


async def test_odd_names(tmp_path: Path) -> None:
    names = [b"sp ace\n.py", "ü.py".encode(), b"\xff\xfe.py", b"-rf"]
    for name in names:
        write(tmp_path, os.fsdecode(name))
    snapshot = await freeze(tmp_path)
    assert {os.fsencode(e.path) for e in snapshot.entries} == set(names)
    big = write(tmp_path, os.fsdecode(b"\xff.big"))
    os.truncate(big, 33 * walking.MIB)
    assert (await freeze(tmp_path)).left_out == ("\\udcff.big: 33 MiB",)


async def test_snapshots_may_be_asked_for_at_once(tmp_path: Path) -> None:
    for n in range(50):
        write(tmp_path, f"{n}.py", str(n))
    workspace = DiskWorkspace(str(tmp_path))
    one, *rest = await asyncio.gather(*(workspace.snapshot() for _ in range(8)))
    assert all(other == one for other in rest)


async def test_a_root_that_cannot_be_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        DiskWorkspace(str(write(tmp_path, "a.py")))


async def test_far_too_many_files_is_a_mistake(tmp_path: Path) -> None:
    """A home folder opened by accident gets an answer rather than an hour of reading."""
    for n in range(6):
        write(tmp_path, f"{n}.py")
    with pytest.raises(Unsupported, match="open the project's own folder"):
        walking.walk(str(tmp_path), most=5)


async def test_a_second_look_is_quick(tmp_path: Path) -> None:
    """Generous: the bound is many times what it takes."""
    for n in range(1000):
        write(tmp_path, f"{n % 30}/{n}.py", "x" * 2000)
    workspace = DiskWorkspace(str(tmp_path))
    await workspace.snapshot()
    started = time.perf_counter()
    await workspace.snapshot()
    assert time.perf_counter() - started < 5
