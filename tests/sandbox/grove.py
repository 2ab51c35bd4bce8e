"""A slot's tree without a container: what is in it, how it looks, and what a candidate does to it."""

# ruff: noqa: PTH114, PTH115, PTH123
# What a candidate does, it does by plain calls of ``os``.

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from ocils.sandbox.inside.entries import Entry, identity
from ocils.sandbox.inside.owners import CANDIDATE
from ocils.sandbox.inside.tree import Tree

TIME = 1_600_000_000 * 10**9
Seen = dict[str, tuple[object, ...]]


def entry(
    path: str, text: str = "", *, kind: str = "file", mode: int = 0o644, link: str = ""
) -> Entry:
    return Entry(path, kind, mode, TIME, link, text.encode())


ENTRIES = [
    entry("a.py", "A = 1\n"),
    entry("b", kind="folder", mode=0o755),
    entry("b/c.py", "C = 1\n"),
    entry("b/data.txt", "data\n"),
    entry("b/deep", kind="folder", mode=0o755),
    entry("b/deep/more.json", "{}"),
    entry("conftest.py", "\n"),
    entry("link", kind="link", link="b/data.txt"),
    entry("run.sh", "#!/bin/sh\n", mode=0o755),
]


def seen(root: Path) -> Seen:
    """Return everything below ``root``: owner, mode, time and content."""
    found: Seen = {}
    for folder, folders, names in os.walk(root):
        for name in (
            ".",
            *names,
            *(each for each in folders if os.path.islink(f"{folder}/{each}")),
        ):
            path = os.path.normpath(f"{folder}/{name}")
            at = os.lstat(path)
            content: object = None
            if stat.S_ISREG(at.st_mode):
                content = Path(path).read_bytes()
            elif stat.S_ISLNK(at.st_mode):
                content = os.readlink(path)
            time = at.st_mtime_ns if at.st_uid == CANDIDATE or content is not None else 0
            found[os.path.relpath(path, root)] = (
                at.st_uid,
                at.st_mode,
                time,
                at.st_nlink * (content is not None),
                content,
            )
    return found


def as_candidate(root: Path, act: str | Callable[[], object]) -> None:
    """Do ``act``, code or a function, in ``root`` in a process of the candidate's, whatever comes of it."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(CANDIDATE, CANDIDATE, CANDIDATE)
            os.setresuid(CANDIDATE, CANDIDATE, CANDIDATE)
            os.umask(0o022)
            os.chdir(root)
            if isinstance(act, str):
                exec(act, {"os": os, "shutil": shutil, "write": write, "TIME": TIME})
            else:
                act()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def write(path: str, text: str = "x") -> None:
    with open(path, "w") as file:
        file.write(text)


def rewrite_untimed(tree: Tree, root: Path) -> None:
    """As a candidate give ``b/data.txt`` other bytes, on a kernel where no time tells of it."""
    as_candidate(root, "write('b/data.txt', 'evil\\n'); os.utime('b/data.txt', ns=(TIME, TIME))")
    tree._files["b/data.txt"] = identity(str(root / "b/data.txt"))
