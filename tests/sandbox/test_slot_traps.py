"""The traps of many candidates in one container (decision 4), each shown to be stepped over.

Not covered here: ports, ``getpass``, stale bytecode (``test_layouts.py``, ``test_honesty.py``), SELinux
and rootless engines (``test_runtime*.py``). With an engine that maps users these were run by hand: a
second ``dockerd --userns-remap=default`` with a bridge, socket, data and exec folders of its own, and its
socket in ``DOCKER_HOST``.
"""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest

from ocils.domain.judging import Passed
from ocils.domain.text import Snapshot
from ocils.workspace.disk import DiskWorkspace

from .conftest import SHOP, TESTS, Maker
from .yard import GOOD, body

pytestmark = pytest.mark.docker

TEMPORARY = """
    import os
    from shop import price

    def test_one(tmp_path, tmp_path_factory):
        (tmp_path / "a").write_text("x")
        assert os.stat(tmp_path.parent.parent).st_uid == os.getuid()
        assert tmp_path.parent.name == "pytest-0", "nobody was here before"
        assert price(1, 0) == 1
"""


def on_disk(root: Path) -> set[tuple[str, int, int, int]]:
    """Return everything below ``root`` with owner, mode and modification time."""
    found = set()
    for folder, folders, names in os.walk(root):
        for name in (".", *folders, *names):
            path = f"{folder}/{name}"
            at = os.lstat(path)
            found.add((path, at.st_uid, at.st_mode, at.st_mtime_ns))
    return found


async def test_tmp_path_is_the_candidates_own_each_time(make: Maker) -> None:
    yard = await make({**SHOP, "tests/test_tmp.py": TEMPORARY})
    for _ in range(3):
        verdict = await yard.try_text("shop.py", GOOD, "tests/test_tmp.py::test_one")
        assert isinstance(verdict, Passed), verdict


async def test_nothing_is_written_on_the_host_and_nothing_is_roots(make: Maker) -> None:
    yard = await make(SHOP)
    before = on_disk(yard.root)
    code = "import os\nopen('new', 'w').close(); os.makedirs('tests/new')\nopen('tests/data.txt', 'w').close()"
    assert isinstance(await yard.try_text("shop.py", code + "\n" + GOOD, *TESTS), Passed)
    assert isinstance(await yard.try_text("shop.py", GOOD, *TESTS, fresh=True), Passed)
    assert on_disk(yard.root) == before


async def test_private_files_and_folders_are_read_and_special_ones_left_out(make: Maker) -> None:
    """An engine without root's eyes could not read them through a mount; a copy has no such question."""
    yard = await make({**SHOP, "private/secret.txt": "x", "private/__init__.py": ""})
    (yard.root / "private/secret.txt").chmod(0o600)
    (yard.root / "private").chmod(0o700)
    os.mkfifo(yard.root / "pipe")
    with socket.socket(socket.AF_UNIX) as there:
        # A socket's path may have 107 bytes.
        folder = os.open(yard.root, os.O_PATH)
        there.bind(f"/proc/self/fd/{folder}/socket")
        os.close(folder)
        yard.snapshot = await DiskWorkspace(str(yard.root)).snapshot()
        look = """
import os
with open("private/secret.txt") as file:
    assert file.read() == "x"
import private
assert sorted(os.listdir(".")) == ["__pycache__", "private", "shop.py", "tests"], os.listdir(".")
return amount - amount * percent / 100
"""
        verdict = await yard.try_text("shop.py", body(look), *TESTS)
        assert isinstance(verdict, Passed), verdict


async def test_only_the_slots_own_folders_can_be_written(make: Maker) -> None:
    yard = await make(SHOP)
    look = f"""
import os
writable = set()
with open("/proc/self/mountinfo") as file:
    for line in file:
        place, options = line.split()[4:6]
        if "rw" in options.split(","):
            writable.add(place)
own = {{{str(yard.root)!r}, "/tmp", "/var/tmp", os.path.expanduser("~"), "/dev/shm", "/dev/mqueue"}}
# The kernel's and the engine's, of which the candidate may write nothing that lasts.
theirs = {{"/sys/fs/cgroup", "/proc", "/dev", "/dev/pts", "/dev/console", "/proc/kcore", "/proc/keys", "/proc/timer_list",
    "/proc/latency_stats", "/proc/sched_debug", "/proc/interrupts"}}
# An engine that maps users mounts devices one by one, and shows control groups for writing,
# which are nobody's here.
theirs |= {{"/dev/" + each for each in ("null", "zero", "full", "random", "urandom", "tty")}}
theirs |= {{each for each in writable if each.startswith("/sys/fs/cgroup/")}}
assert writable <= own | theirs, writable - own - theirs
for place in theirs | {{"/", "/etc", "/usr"}}:
    assert not (os.path.isdir(place) and os.access(place, os.W_OK)), place
return amount - amount * percent / 100
"""
    verdict = await yard.try_text("shop.py", body(look), *TESTS)
    assert isinstance(verdict, Passed), verdict


async def test_an_interpreter_below_a_private_home_works(
    tmp_path: Path, make: Maker, environment: str
) -> None:
    home = tmp_path / "private"
    shutil.copytree(Path(environment).parents[1], home / "env", symlinks=True)
    home.chmod(0o700)
    yard = await make(SHOP, python=str(home / "env/bin/python"))
    assert isinstance(await yard.try_text("shop.py", GOOD, *TESTS), Passed)


async def test_a_snapshot_of_odd_modes_is_put_back_as_it_was(make: Maker) -> None:
    yard = await make({**SHOP, "run.sh": "#!/bin/sh\necho hi\n", "out/keep.txt": "x"})
    (yard.root / "run.sh").chmod(0o700)
    (yard.root / "out").chmod(0o2775)
    snapshot: Snapshot = await DiskWorkspace(str(yard.root)).snapshot()
    yard.snapshot = snapshot
    look = """
import os, subprocess
assert subprocess.check_output(["./run.sh"]) == b"hi\\n"
assert oct(os.stat("run.sh").st_mode) == "0o100755"
assert os.access("out", os.W_OK)
os.chmod("run.sh", 0); os.chmod("out", 0)
return amount - amount * percent / 100
"""
    for _ in range(2):
        verdict = await yard.try_text("shop.py", body(look), TESTS[0])
        assert isinstance(verdict, Passed), verdict
