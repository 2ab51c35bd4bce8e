"""Large buffers that come and go: paid for once, in every thread, and given back on request."""

from __future__ import annotations

import platform
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="other C libraries have no such trap"
)

BUFFERS = """
    import ctypes, resource, threading
    from ocils.engine.machine.allocator import tuned_heap

    {settings}
    libc = ctypes.CDLL(None)
    libc.malloc.argtypes, libc.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]

    def ten():
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for size in range({size} << 20, ({size} << 20) + 10):
            block = libc.malloc(size)
            ctypes.memset(block, 1, size)
            libc.free(block)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

    thread = threading.Thread(target=ten)
    thread.start()
    thread.join()
"""


def told(program: str, **values: object) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program).format(**values)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.parametrize("size", [40, 100], ids=["MiB below a thread's heap", "MiB above"])
def test_a_buffer_is_paid_for_once_in_whatever_thread(size: int) -> None:
    pages = size * 256
    tuned = int(told(BUFFERS, settings="tuned_heap()", size=size))
    assert tuned < 2 * pages
    # As it comes, every one of the ten is mapped anew: else nothing was shown. Pages may be large.
    plain = int(told(BUFFERS, settings="", size=size))
    assert plain >= min(10 * pages, 10 * size // 2)


def test_a_widened_heap_asks_for_large_pages_takes_nothing_and_goes_back() -> None:
    program = """
        import ctypes
        from pathlib import Path
        from ocils.engine.machine.allocator import tuned_heap

        def size(field):
            return int(Path("/proc/self/statm").read_text().split()[field]) >> 8  # MiB

        heap = tuned_heap()
        before = size(0), size(1)
        heap.widen(512 << 20)
        asked = " hg" in Path("/proc/self/smaps").read_text()
        print(size(0) - before[0], size(1) - before[1], asked)
        heap.trim()
        print(size(0) - before[0])
        heap.widen(1 << 60)
        print("as before")
    """
    grown, back, too_much = told(program).splitlines()
    virtual, resident, asked = grown.split()
    assert int(virtual) >= 512
    assert int(resident) < 16
    # A kernel that was built without large pages knows no such wish.
    assert asked == str(Path("/sys/kernel/mm/transparent_hugepage").is_dir())
    assert int(back) < 16
    assert too_much == "as before"


def test_one_heap_alone_changes_nothing_but_where_threads_take_memory_from() -> None:
    program = """
        import ctypes, threading
        from ocils.engine.machine.allocator import one_heap

        libc = ctypes.CDLL(None)
        libc.malloc.argtypes, libc.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
        libc.free.argtypes = [ctypes.c_void_p]
        libc.sbrk.restype = ctypes.c_void_p

        one_heap()

        def take():
            small, large = libc.malloc(20_000), libc.malloc(64 << 20)
            print(small < libc.sbrk(0), large < libc.sbrk(0))
            libc.free(large)

        thread = threading.Thread(target=take)
        thread.start()
        thread.join()
    """
    # A large buffer is still mapped by itself, and so goes back as soon as it is freed.
    assert told(program).split() == ["True", "False"]
