"""Attempts to leave the candidate's place: refused, or without effect; and what is left for the next."""

from __future__ import annotations

import pytest

from ocils.domain.judging import Failed, Killed, Passed, TimedOut, Unjudged

from .conftest import TESTS
from .yard import GOOD, Yard, assert_unhurt, body

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

BEFORE = """
import ctypes, errno, os, signal, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def refused(call, *arguments):
    try:
        return call(*arguments) == -1
    except (OSError, ValueError):
        return True
others = [int(n) for n in os.listdir("/proc") if n.isdigit() and int(n) != os.getpid()]
"""

REFUSED = {
    "tracing": "all(refused(libc.ptrace, 16, each, 0, 0) for each in others)",
    "memory of others": "all(refused(open, f'/proc/{each}/mem', 'r+b') for each in others)",
    "reading the memory of others": (
        "all(refused(libc.process_vm_readv, each, 0, 0, 0, 0, 0) or True for each in others)"
    ),
    "descriptors of others": "all(refused(os.listdir, f'/proc/{each}/fd') for each in others)",
    "environment of others": "all(refused(open, f'/proc/{each}/environ') for each in others)",
    "signals to others": "all(refused(os.kill, each, 0) for each in others)",
    "limits of others": (
        "all(refused(__import__('resource').prlimit, each, 7, (9, 9)) for each in others)"
    ),
    "mounting": "refused(libc.mount, b'none', b'/tmp', b'tmpfs', 0, 0)",
    "unmounting": "refused(libc.umount, b'/tmp')",
    "a user namespace": "refused(libc.unshare, 0x10000000)",
    "a mount namespace": "refused(libc.unshare, 0x00020000)",
    "keys": "refused(libc.syscall, 248, b'user', b'x', b'y', 1, -1)",
    "changing the root": "refused(os.chroot, '/tmp')",
    "a device": "refused(os.mknod, '/tmp/d', 0o60666, os.makedev(8, 0))",
    "a raw socket": "refused(socket.socket, socket.AF_INET, socket.SOCK_RAW, 1)",
    "a packet socket": "refused(socket.socket, socket.AF_PACKET, socket.SOCK_RAW)",
    "the network": "refused(socket.create_connection, ('10.0.0.1', 80), 0.5)",
    "another user": "refused(os.setuid, 0) and refused(os.setgid, 0) and refused(os.seteuid, 61001)",
    "the programs": "refused(open, '/runner/ocils_inside/child.py', 'a')",
    "the interpreter": "refused(open, os.__file__, 'a')",
    "the passwords": "refused(open, '/etc/passwd', 'a')",
    "the kernel": "refused(open, '/proc/sys/kernel/core_pattern', 'w')",
    "the control groups": "refused(os.mkdir, '/sys/fs/cgroup/memory/x')",
    "the host's sockets": "not any(os.path.exists(p) for p in ('/run/docker.sock', '/var/run/docker.sock'))",
    "the hard limits": (
        "refused(__import__('resource').setrlimit, 7, (1 << 20, 1 << 20))"
    ),
    "a set-uid program": (
        "os.system('cp /bin/sh /tmp/sh && chmod 4755 /tmp/sh') == 0"
        " and os.popen('/tmp/sh -c \"id -u\"').read().strip() == str(os.getuid())"
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
async def test_it_is_refused(shop: Yard, what: str) -> None:
    text = f"{BEFORE}\nassert others\nassert {REFUSED[what]}\n{GOOD}"
    verdict = await shop.try_text("shop.py", text, TESTS[0])
    assert isinstance(verdict, Passed), verdict


async def test_killing_everything_kills_the_candidate_only(shop: Yard) -> None:
    slots = await shop.try_text("shop.py", "import os\nos.kill(-1, 9)\n" + GOOD, TESTS[0])
    assert isinstance(slots, Passed), "kill(-1) spares the caller"
    code = "import os, signal\nfor each in range(1, 200):\n    try: os.kill(each, 9)\n    except OSError: pass\n"
    verdict = await shop.try_text("shop.py", body(code), TESTS[0])
    assert isinstance(verdict, Killed)
    await assert_unhurt(shop)


async def test_a_bomb_that_makes_itself_small_is_no_green_and_hurts_nobody(shop: Yard) -> None:
    code = "open('/proc/self/oom_score_adj', 'w').write('0')\nx = []\nwhile True: x.append(bytearray(1 << 24))"
    verdict = await shop.try_text("shop.py", body(code), TESTS[0])
    assert isinstance(verdict, Killed | Unjudged | Failed), verdict
    await assert_unhurt(shop)


async def test_a_bomb_of_many_processes_is_no_green(shop: Yard) -> None:
    code = """
import os
for _ in range(20):
    if os.fork() == 0:
        x = bytearray(256 << 20)
        for n in range(0, len(x), 4096):
            x[n] = 1
        os._exit(0)
while True:
    os.wait()
"""
    verdict = await shop.try_text("shop.py", body(code), TESTS[0], seconds=10)
    assert not isinstance(verdict, Passed), verdict
    await assert_unhurt(shop)


async def test_more_files_than_there_is_room_for_end_at_the_limit(shop: Yard) -> None:
    code = "import os\nn = 0\nwhile True:\n    n += 1\n    open(f'/tmp/{n}', 'w').close()"
    verdict = await shop.try_text("shop.py", body(code), TESTS[0], seconds=2)
    assert isinstance(verdict, TimedOut | Failed | Killed), verdict
    await assert_unhurt(shop)


LEFT = {
    "a daemon that writes into the tree later": """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        import time
        while True:
            try:
                open("late", "w").close()
            except OSError:
                pass
            time.sleep(0.001)
    os._exit(0)
""",
    "a daemon that waits for the tree to change": """
if os.fork() == 0:
    os.setsid()
    watch = libc.inotify_init()
    libc.inotify_add_watch(watch, b"tests", 0xfff)
    while True:
        os.read(watch, 4096)
        os.rename("tests/test_shop.py", "tests/x")
""",
    "a daemon that holds the report": """
if os.fork() == 0:
    os.setsid()
    import time
    while True:
        for n in range(3, 30):
            try:
                os.write(n, b"{}\\n")
            except OSError:
                pass
        time.sleep(0.01)
""",
    "a stopped child": "if os.fork() == 0:\n    os.kill(os.getpid(), signal.SIGSTOP)\n",
    "many zombies": "for _ in range(50):\n    if os.fork() == 0:\n        os._exit(0)\n",
    "a port": "s = socket.create_server(('127.0.0.1', 8123)); os.fork() or os.read(0, 1) or __import__('time').sleep(99)\n",
    "an abstract socket": "s = socket.socket(socket.AF_UNIX); s.bind(b'\\0ocils'); s.listen()\nif os.fork() == 0: __import__('time').sleep(99)\n",
    "shared memory": "open('/dev/shm/left', 'w').write('x'); libc.shmget(77, 100, 0o1666); libc.semget(77, 2, 0o1666); libc.msgget(77, 0o1666)\n",
    "a message queue": "ctypes.CDLL('librt.so.1').mq_open(b'/left', 0o102, 0o666, 0)\n",
    "a home": (
        "import site\np = os.path.expanduser('~/.local/lib/python%d.%d/site-packages' % sys.version_info[:2])\n"
        "os.makedirs(p); open(p + '/usercustomize.py', 'w').write('import os; os._exit(9)')\n"
        "open(p + '/x.pth', 'w').write('import os; os._exit(9)')\n"
        "open(os.path.expanduser('~/.pythonrc'), 'w').write('x')\n"
        "open(os.path.expanduser('~/.gitconfig'), 'w').write('x')\n"
    ),
    "a lock": "import fcntl; f = open('tests/data.txt', 'r+'); fcntl.lockf(f, fcntl.LOCK_EX)\nif os.fork() == 0: __import__('time').sleep(99)\n",
}  # fmt: skip

LOOK = """
import ctypes, fcntl, os, socket
assert sorted(os.listdir(".")) == ["__pycache__", "shop.py", "tests"], os.listdir(".")
socket.create_server(("127.0.0.1", 8123)).close()
s = socket.socket(socket.AF_UNIX); s.bind(b"\\0ocils"); s.close()
libc = ctypes.CDLL(None, use_errno=True)
assert [libc.shmget(77, 100, 0), libc.semget(77, 2, 0), libc.msgget(77, 0)] == [-1, -1, -1]
for place in ("/dev/shm", "/dev/mqueue", "/var/tmp", os.path.expanduser("~")):
    mine = [n for n in os.listdir(place) if os.access(os.path.join(place, n), os.W_OK)]
    assert mine == [], (place, mine)
f = open("tests/data.txt", "r+"); fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB); f.close()
"""


@pytest.mark.parametrize("what", LEFT)
async def test_what_was_left_outside_the_tree_is_gone(shop: Yard, what: str) -> None:
    await shop.try_text("shop.py", f"{BEFORE}\n{LEFT[what]}\n{GOOD}", TESTS[0], seconds=3)
    for fresh_process in (0, 1):  # a hash seed of its own means an interpreter of its own
        text = f"{LOOK}\n{GOOD}"
        verdict = await shop.try_text("shop.py", text, *TESTS, seed=fresh_process)
        assert isinstance(verdict, Passed), verdict


async def test_a_port_that_was_used_can_be_used_at_once(shop: Yard) -> None:
    """A connection closed by its server keeps the port for a minute, unless the slot is told not to."""
    code = """
import socket
server = socket.socket()
server.bind(("127.0.0.1", 8124))
server.listen()
client = socket.create_connection(("127.0.0.1", 8124))
there, _ = server.accept()
there.close()
client.close()
server.close()
"""
    for _ in range(2):
        assert isinstance(await shop.try_text("shop.py", code + GOOD, TESTS[0]), Passed)
