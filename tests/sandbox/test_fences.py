"""What fences a candidate in, seen from inside: limits that hold before anything goes wrong."""

from __future__ import annotations

import pytest

from ocils.domain.judging import Passed

from .conftest import TESTS
from .yard import GOOD, Yard

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

BEFORE = """
import os, resource, stat
def first(*paths):
    for path in paths:
        try:
            with open(path) as file:
                return file.read().strip()
        except OSError:
            pass
    return ""
def refused(path):
    try:
        open(path, "w").close()
    except OSError:
        return True
    os.unlink(path)
    return False
mounts = {line.split()[1]: line.split()[3].split(",") for line in open("/proc/self/mounts")}
"""

FENCES = {
    "processes": "first('/sys/fs/cgroup/pids/pids.max', '/sys/fs/cgroup/pids.max') == '128'",
    "memory": (
        "int(first('/sys/fs/cgroup/memory/memory.limit_in_bytes', '/sys/fs/cgroup/memory.max')) < 2 << 30"
    ),
    "who is killed first": "first('/proc/self/oom_score_adj') == '1000'",
    "a file's size": "resource.getrlimit(resource.RLIMIT_FSIZE) == (512 << 20, 512 << 20)",
    "cores": "resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)",
    "descriptors": "resource.getrlimit(resource.RLIMIT_NOFILE)[1] <= 4096",
    "temporary files": "os.statvfs('/tmp').f_blocks * os.statvfs('/tmp').f_frsize == 256 << 20",
    "shared memory": "os.statvfs('/dev/shm').f_blocks * os.statvfs('/dev/shm').f_frsize == 64 << 20",
    "the root": "'ro' in mounts['/']",
    "set-user-id files": "all('nosuid' in mounts[p] for p in ('/tmp', '/var/tmp', os.getcwd()))",
    "devices": "all('nodev' in mounts[p] for p in ('/tmp', '/var/tmp', os.getcwd()))",
    "the programs": "mounts['/usr/lib'][0] == 'ro' and all('ro' in m for p, m in mounts.items() if p[:4] == '/usr')",
    "the session": "os.getsid(0) == os.getpid() and os.getpgid(0) == os.getpid()",
    "groups": "os.getgroups() == [] and os.getresgid() == (os.getgid(),) * 3 != (0,) * 3",
    "users": "os.getresuid() == (os.getuid(),) * 3 and os.getuid() != 0",
    "new files": "(os.umask(0o022), os.umask(0o022))[0] == 0o022",
    "outside": "all(refused(f'{p}/x') for p in ('/', '/etc', '/usr', '/opt', '/runner', '/run'))",
}


@pytest.mark.parametrize("seed", [0, 1], ids=["forked", "a process of its own"])
@pytest.mark.parametrize("what", FENCES)
async def test_it_holds(shop: Yard, what: str, seed: int) -> None:
    text = f"{BEFORE}\nassert {FENCES[what]}\n{GOOD}"
    verdict = await shop.try_text("shop.py", text, TESTS[0], seed=seed)
    assert isinstance(verdict, Passed), verdict
