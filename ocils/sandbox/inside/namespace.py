"""A mount namespace in which a copy of the workspace stands at the workspace's own path.

Root needs nothing for it; others need a user namespace, which some systems forbid. The process keeps
its own user number, so nothing else looks different to it.

Not covered: isolation. Everything else of the machine is where it was.
"""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18


def show(copy: str, root: str, environment: str) -> bool:
    """Show ``copy`` at ``root``, and in it the real ``environment`` (a path below ``root``, or nothing).

    Returns whether the kernel let us. Call it before any thread is started.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWNS | (CLONE_NEWUSER if user else 0)) != 0:
        return False

    def mount(source: str, target: str, flags: int) -> bool:
        return bool(libc.mount(source.encode(), target.encode(), None, flags, None) == 0)

    try:
        if user:
            _write("/proc/self/setgroups", "deny")
            _write("/proc/self/uid_map", f"{user} {user} 1")
            _write("/proc/self/gid_map", f"{group} {group} 1")
        if not mount("none", "/", MS_REC | MS_PRIVATE):
            return False
        if environment:
            place = f"{copy}/{os.path.relpath(environment, root)}"
            os.makedirs(place)
            if not mount(os.path.realpath(environment), place, MS_BIND | MS_REC):
                return False
    except OSError:
        return False
    return mount(copy, root, MS_BIND | MS_REC)


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
