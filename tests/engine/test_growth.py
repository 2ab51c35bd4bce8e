"""Loading is seen from outside, by how much the process grows."""

from __future__ import annotations

import mmap
import sys
import threading
import time

import pytest

from ocils.engine.machine.growth import watch_growth

MIB = 1024 * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_what_is_read_is_told_in_steps() -> None:
    told: list[float] = []
    held = []
    with watch_growth(200 * MIB, told.append):
        for _ in range(4):
            # Straight from the system: the C library may have room left from earlier tests.
            block = mmap.mmap(-1, 40 * MIB)
            block.write(b"\1" * (40 * MIB))
            held.append(block)
            end = time.monotonic() + 20
            before = len(told)
            while len(told) == before and time.monotonic() < end:
                time.sleep(0.01)
    assert told == sorted(told)
    assert len(told) >= 3
    assert 0 < told[0] < told[-1] < 1
    assert not [thread for thread in threading.enumerate() if thread.name == "ocils-loading"]


def test_nothing_is_told_of_nothing() -> None:
    told: list[float] = []
    with watch_growth(0, told.append):
        pass
    with pytest.raises(KeyError), watch_growth(MIB, told.append):
        raise KeyError
    assert told == []
