"""Putting a model in its place whole or not at all: a lock, a staging folder, one rename.

What is being made lies in ``.staging-NAME`` beside the installed models, so that the last step is a
rename on one file system. A process that died leaves its staging folder, which the next one goes on
with, and a lock that nobody holds any more.

Not covered: what is put in (``pull.py``); network file systems on which ``flock`` means nothing.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ocils.domain.errors import ModelUnavailable

_STAGING = ".staging-"
_OLD = ".old-"
_GONE = ".gone-"
_FORGOTTEN = 14 * 24 * 3600.0  # seconds after which nobody comes back to a staging folder
_MARGIN = 1024 * 1024


def staging_folder(installed: Path, name: str) -> Path:
    """Return where the model ``name`` is made; it need not exist."""
    return installed / f"{_STAGING}{name}"


@contextmanager
def locked(installed: Path, name: str) -> Iterator[None]:
    """Hold the model ``name`` for this process. Raises ``ModelUnavailable`` when another one does."""
    with _writing(installed):
        installed.mkdir(parents=True, exist_ok=True)
        file = _acquire(installed / f".{name}.lock")
    if file is None:
        raise ModelUnavailable(
            f"another ocils is at work on the model {name}", mend="wait until it is done"
        )
    try:
        yield
    finally:
        (installed / f".{name}.lock").unlink(missing_ok=True)
        os.close(file)


def _acquire(path: Path) -> int | None:
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return None
        try:
            # Who held it before removed the file at the end; then this lock is on nobody's file.
            if path.stat().st_ino == os.fstat(file).st_ino:
                return file
        except FileNotFoundError:
            pass
        os.close(file)


def check_room(folder: Path, needed: int) -> None:
    """Raise ``ModelUnavailable`` unless ``needed`` bytes can be written into ``folder``."""
    place = folder
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    wanted = needed + needed // 50 + _MARGIN
    if free < wanted:
        raise ModelUnavailable(
            f"{in_bytes(wanted)} are needed in {folder}, and {in_bytes(free)} are free",
            mend="free some disk space, or let XDG_DATA_HOME name a larger disk",
        )


def publish(made: Path, installed: Path, name: str) -> Path:
    """Put the finished folder ``made`` in place of the model ``name``; return where it is now.

    Every byte is on the disk before the rename, and what was there before goes only after it.
    """
    with _writing(installed):
        for each in made.rglob("*"):
            _sync(each)
        _sync(made)
        target = installed / name
        old = installed / f"{_OLD}{name}-{os.getpid()}"
        if target.exists():
            target.rename(old)
        made.rename(target)
        _sync(installed)
        shutil.rmtree(old, ignore_errors=True)
        shutil.rmtree(staging_folder(installed, name), ignore_errors=True)
    return target


def discard(installed: Path, name: str) -> None:
    """Remove the model ``name`` and what was begun of it; it is gone before the first byte is."""
    with _writing(installed):
        gone = installed / f"{_GONE}{name}-{os.getpid()}"
        target = installed / name
        if target.is_symlink():
            # What it points to is the user's.
            target.unlink()
        elif target.exists():
            target.rename(gone)
            _sync(installed)
        shutil.rmtree(gone, ignore_errors=True)
        shutil.rmtree(staging_folder(installed, name), ignore_errors=True)


def sweep(installed: Path) -> None:
    """Remove what was replaced or removed, and what nobody came back to."""
    for gone in installed.glob(f"{_GONE}*"):
        shutil.rmtree(gone, ignore_errors=True)
    for old in installed.glob(f"{_OLD}*"):
        name = old.name.removeprefix(_OLD).rpartition("-")[0]
        if not (installed / name).exists() and _held(installed, name):
            continue
        if (installed / name).exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            # Killed between the two renames: the model that was there is better than none.
            old.rename(installed / name)
    for staging in installed.glob(f"{_STAGING}*"):
        name = staging.name.removeprefix(_STAGING)
        if time.time() - staging.stat().st_mtime > _FORGOTTEN and not _held(installed, name):
            shutil.rmtree(staging, ignore_errors=True)


def _held(installed: Path, name: str) -> bool:
    try:
        with locked(installed, name):
            return False
    except ModelUnavailable:
        return True


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turn what the disk says no to into an error for the user."""
    try:
        yield
    except OSError as error:
        raise disk_problem(error, folder) from error


def disk_problem(error: OSError, folder: Path) -> ModelUnavailable:
    """Return the error for a disk that is full, or that cannot be written to."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ModelUnavailable(
            f"the disk is full at {folder}; nothing was installed",
            mend="free some disk space and say it again",
        )
    return ModelUnavailable(
        f"cannot write to {folder}: {(error.strerror or str(error)).lower()}; nothing was installed",
        mend="check its permissions",
    )


def replace_text(path: Path, text: str) -> None:
    """Write a file whole or not at all; what a link points to is replaced, not the link.

    Raises ``ModelUnavailable``.
    """
    path = path.resolve()
    new = path.with_name(f".{path.name}.{os.getpid()}")
    with _writing(path.parent):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            new.write_text(text, encoding="utf-8")
            if path.exists():
                shutil.copymode(path, new)
            _sync(new)
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)


def in_bytes(count: float) -> str:
    """Say a number of bytes: "1.3 GB"."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
