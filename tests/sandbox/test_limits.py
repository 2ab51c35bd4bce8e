"""Bombs, loops and left-overs: ended at a limit, and the next candidate is not hurt."""

from __future__ import annotations

import time

import pytest

from ocils.domain.judging import Failed, Killed, Passed, TimedOut, Unjudged

from .conftest import SHOP, TESTS, Maker
from .yard import Yard, assert_unhurt, body

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]


async def test_an_endless_loop_with_blocked_signals_ends_at_the_limit(shop: Yard) -> None:
    code = """
import signal
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
while True:
    pass
"""
    verdict = await shop.try_text("shop.py", body(code), TESTS[0], seconds=1)
    assert isinstance(verdict, TimedOut)
    await assert_unhurt(shop)


async def test_a_stopped_process_ends_at_the_limit(shop: Yard) -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"
    verdict = await shop.try_text("shop.py", body(code), TESTS[0], seconds=1)
    assert isinstance(verdict, TimedOut)


async def test_a_fork_bomb_ends_at_the_limit(shop: Yard) -> None:
    code = """
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
"""
    started = time.monotonic()
    verdict = await shop.try_text("shop.py", body(code), TESTS[0], seconds=1)
    assert not isinstance(verdict, Passed | Failed | Unjudged)
    assert time.monotonic() - started < 10
    await assert_unhurt(shop)


async def test_a_memory_bomb_is_killed_for_memory(shop: Yard) -> None:
    code = "held = []\nwhile True:\n    held.append(bytearray(10 << 20))"
    verdict = await shop.try_text("shop.py", body(code), TESTS[0])
    assert isinstance(verdict, Killed)
    assert verdict.why == "memory"
    await assert_unhurt(shop)


@pytest.mark.parametrize(
    "code",
    [
        "while True:\n    print('x' * 65536)",
        "import os\nwhile True:\n    os.write(1, b'x' * 65536)",
        "import os\nos.system('yes')",
    ],
)
async def test_an_output_bomb_is_killed_for_output(shop: Yard, code: str) -> None:
    verdict = await shop.try_text("shop.py", body(code), TESTS[0], seconds=15)
    assert isinstance(verdict, Killed)
    # Who writes faster than anyone looks may run into the memory limit first.
    assert verdict.why in ("output", "memory")
    await assert_unhurt(shop)


@pytest.mark.asyncio(loop_scope="function")
async def test_output_that_nobody_captures_is_bounded_too(make: Maker) -> None:
    yard = await make({**SHOP, "pytest.ini": "[pytest]\naddopts = -s\n"})
    verdict = await yard.try_text("shop.py", body("while True:\n    print('x' * 65536)"), TESTS[0])
    assert isinstance(verdict, Killed)
    assert verdict.why == "output"
    await assert_unhurt(yard)


async def test_a_full_disk_does_not_reach_the_next(shop: Yard) -> None:
    code = """
import itertools
for number in itertools.count():
    try:
        with open(f"/tmp/fill{number}", "wb") as file:
            file.write(bytes(32 << 20))
    except OSError:
        break
"""
    assert not isinstance(await shop.try_text("shop.py", body(code), TESTS[0]), Passed)
    await assert_unhurt(shop)


async def test_what_was_left_behind_is_gone(shop: Yard) -> None:
    code = """
import os, pathlib, subprocess, sys
for folder in ("/tmp", "/var/tmp", "/dev/shm", os.path.expanduser("~"), "tests", "."):
    pathlib.Path(folder, "left").write_text("x")
    pathlib.Path(folder, "leftdir", "a").mkdir(parents=True)
    os.chmod(pathlib.Path(folder, "leftdir"), 0)
pathlib.Path("tests/data.txt").write_text("changed")
pathlib.Path("tests/data.txt").chmod(0o600)
subprocess.Popen(["sleep", "100"], start_new_session=True)
"""
    await shop.try_text("shop.py", body(code), TESTS[0])
    look = """
import os, pathlib
for folder in ("/tmp", "/var/tmp", "/dev/shm", os.path.expanduser("~"), "tests", "."):
    assert not [n for n in os.listdir(folder) if n.startswith("left")], folder
assert pathlib.Path("tests/data.txt").read_text() == "data\\n"
assert pathlib.Path("tests/data.txt").stat().st_mode & 0o777 == 0o644
# By their real user: a collected suite only acts as the candidate.
mine = [p for p in os.listdir("/proc") if p.isdigit() and f"Uid:\\t{os.getuid()}\\t" in open(f"/proc/{p}/status").read()]
assert mine == [str(os.getpid())], mine
return amount - amount * percent / 100
"""
    verdict = await shop.try_text("shop.py", body(look), *TESTS)
    assert isinstance(verdict, Passed), verdict


async def test_deep_folders_are_removed(shop: Yard) -> None:
    code = """
import os
os.chdir("/tmp")
for _ in range(1500):
    os.mkdir("d")
    os.chdir("d")
"""
    await shop.try_text("shop.py", body(code), TESTS[0])
    look = "import os\nassert 'd' not in os.listdir('/tmp')\nreturn amount * (100 - percent) / 100"
    assert isinstance(await shop.try_text("shop.py", body(look), *TESTS), Passed)


async def test_exit_handlers_and_left_threads_do_not_hold_the_verdict_up(shop: Yard) -> None:
    code = """
import atexit, threading, time
atexit.register(time.sleep, 60)
threading.Thread(target=time.sleep, args=(60,)).start()
return amount - amount * percent / 100
"""
    started = time.monotonic()
    verdict = await shop.try_text("shop.py", body(code), *TESTS, seconds=15)
    assert isinstance(verdict, Passed)
    assert time.monotonic() - started < 8
