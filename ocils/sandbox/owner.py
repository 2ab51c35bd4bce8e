"""Whose container is this: labels that tell a dead ocils process's containers from a living one's.

A process is named by the kernel's boot, its process-number namespace, its number and its start
time, so that a reused number is not taken for the old process.

Not covered: containers of another machine's ocils on a shared engine; they are left alone.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import docker
from docker.errors import DockerException

LABEL = "ocils.owner"


def boot_id() -> str:
    """Return the kernel's boot id."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def current_owner() -> str:
    """Return this process's name, for the label."""
    pid = os.getpid()
    return ":".join([boot_id(), os.readlink("/proc/self/ns/pid"), str(pid), _start_time(pid)])


def is_dead(owner: str) -> bool:
    """Tell whether ``owner`` is a process of this boot and namespace that no longer runs."""
    *place, pid, start = owner.rsplit(":", 2)
    if ":".join(place) != ":".join([boot_id(), os.readlink("/proc/self/ns/pid")]):
        return False
    return _start_time(int(pid)) != start


def sweep(client: docker.DockerClient) -> int:
    """Remove the containers of dead owners; returns how many there were."""
    count = 0
    for each in client.api.containers(all=True, filters={"label": LABEL}):
        if is_dead(each["Labels"].get(LABEL, "")):
            with contextlib.suppress(DockerException):  # another process may sweep as well
                client.api.remove_container(each["Id"], force=True)
                count += 1
    return count


def _start_time(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    # The name in brackets may hold anything; the start time is the 20th field behind it.
    return stat.rpartition(")")[2].split()[19]
