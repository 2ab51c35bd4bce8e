"""What forks of one process would share: each thing that would be felt by the next is refused."""

# ruff: noqa: PTH208
# What a fork shares is asked of the kernel.

from __future__ import annotations

import mmap
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ocils.sandbox.inside import forkable

from .test_swapping import in_a_fork


def refused(act: Callable[[], object]) -> str:
    """Say why a process that did ``act`` must not be forked from."""

    def held_then() -> str:
        # What stands for the output is a file that nothing else in this process is.
        with tempfile.TemporaryFile() as output:
            os.dup2(output.fileno(), 1)
        before = forkable.held()
        kept = [act()]  # not to be collected before it is looked for
        why = forkable.why_not(before)
        kept.clear()
        return why

    said = in_a_fork(held_then)
    assert isinstance(said, str)
    return said


def thread() -> object:
    found = threading.Thread(target=time.sleep, args=(60,), daemon=True)
    found.start()
    return found


def ended_child() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def child() -> None:
    if os.fork() == 0:
        os.kill(os.getpid(), signal.SIGKILL)


def living_child() -> None:
    if os.fork() == 0:
        time.sleep(0.3)
        os._exit(0)


def descriptor_of(path: str) -> int:
    return os.open(path, os.O_RDONLY)


def large() -> object:
    file = tempfile.TemporaryFile()  # noqa: SIM115
    file.write(bytes(forkable.COPIED + 1))
    file.flush()
    return file


HARMLESS: dict[str, Callable[[], object]] = {
    "nothing": lambda: None,
    "nothing's file": lambda: descriptor_of("/dev/null"),
    "the output once more": lambda: os.dup(1),
    "a small nameless file": tempfile.TemporaryFile,
    "private memory": lambda: mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS),
    "a thread that has ended": lambda: thread_that_ends(),
    "a timer that was put off": lambda: [
        signal.setitimer(signal.ITIMER_REAL, 60),
        signal.setitimer(signal.ITIMER_REAL, 0),
    ],
}


def thread_that_ends() -> None:
    found = threading.Thread(target=len, args=("",))
    found.start()
    found.join()
    while len(os.listdir("/proc/self/task")) > 1:
        time.sleep(0.001)  # Python has let go of it a moment before the kernel has


SHARED: dict[str, tuple[Callable[[], object], str]] = {
    "a thread": (thread, "collecting started threads"),
    "a child": (child, "collecting ran other processes"),
    "a child that lives": (living_child, "collecting ran other processes"),
    "a child that was waited for": (ended_child, "collecting ran other processes"),
    "a program": (lambda: subprocess.run(["true"], check=True), "collecting ran other processes"),
    "memory": (lambda: mmap.mmap(-1, 4096), "collecting made shared memory"),
    "an alarm": (
        lambda: signal.setitimer(signal.ITIMER_REAL, 600),
        "collecting set a timer",
    ),
    "a profile's timer": (
        lambda: signal.setitimer(signal.ITIMER_PROF, 600),
        "collecting set a timer",
    ),
    "a file": (lambda: descriptor_of("/etc/passwd"), "collecting opened /etc/passwd"),
    "a pipe": (lambda: os.pipe(), "collecting opened pipe:"),
    "a socket": (lambda: socket.socketpair(), "collecting opened socket:"),
    "a large nameless file": (large, "collecting opened /"),
}


@pytest.mark.parametrize("what", HARMLESS)
def test_what_a_fork_copies_is_no_reason(what: str) -> None:
    assert refused(HARMLESS[what]) == ""


@pytest.mark.parametrize("what", SHARED)
def test_what_a_fork_would_share_is_named(what: str) -> None:
    act, why = SHARED[what]
    assert refused(act).startswith(why)


def test_what_was_there_before_is_no_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    def act() -> str:
        kept = (descriptor_of(str(tmp_path / "file")), mmap.mmap(-1, 4096))
        return forkable.why_not(forkable.held()) if kept else "?"

    assert in_a_fork(act) == ""


def test_a_fork_gets_files_of_its_own() -> None:
    """What one fork writes or reads, another does not feel; the output is the one it was given."""

    def act() -> list[object]:
        with tempfile.TemporaryFile() as output:
            os.dup2(output.fileno(), 1)
        before = forkable.held()
        once_more = os.dup(1)
        with tempfile.TemporaryFile() as inheritable, tempfile.TemporaryFile() as private:
            os.set_inheritable(inheritable.fileno(), True)
            for each in (inheritable, private):
                os.write(each.fileno(), b"before")
                os.lseek(each.fileno(), 3, os.SEEK_SET)
            nothing = descriptor_of("/dev/null")
            ours, theirs = os.pipe()
            pid = os.fork()
            if pid == 0:
                forkable.renew(before, theirs)
                for number in (1, once_more, theirs):
                    os.write(number, b"%d;" % number)
                seen = os.read(private.fileno(), 99)
                os.write(inheritable.fileno(), b"CHANGED BY A FORK")
                flags = [os.get_inheritable(each.fileno()) for each in (inheritable, private)]
                flags += [os.get_inheritable(1), os.get_inheritable(once_more)]
                os.write(
                    1,
                    repr((seen, flags, str(Path(f"/proc/self/fd/{nothing}").readlink()))).encode(),
                )
                os._exit(0)
            os.waitpid(pid, 0)
            os.close(theirs)
            told = os.read(ours, 999).decode()
            after = [os.pread(each.fileno(), 99, 0).decode() for each in (inheritable, private)]
            at = [os.lseek(each.fileno(), 0, os.SEEK_CUR) for each in (inheritable, private)]
            return [told.replace(f"{theirs};", "T;").replace(f"{once_more};", "O;"), after, at]

    told, after, at = in_a_fork(act)
    assert told == "1;O;T;(b'ore', [True, False, True, False], '/dev/null')"
    assert after == ["before", "before"]
    assert at == [3, 3]
