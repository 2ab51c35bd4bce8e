"""Whoever gave up isolation reads it in every message."""

from __future__ import annotations

from ocils.domain.events import Finished, Preparing, TestsDiscovered
from ocils.ports import UNISOLATED
from ocils.refine.unisolated import told

WARNING = f"{UNISOLATED}: candidates run with your rights"


def test_it_is_said_where_people_read() -> None:
    assert told(Preparing("starting"), WARNING) == Preparing(f"starting ({WARNING})")
    end = Finished("green", "confirmed")
    assert told(end, WARNING) == Finished("green", f"confirmed ({WARNING})")


def test_nothing_is_said_of_a_container() -> None:
    for event in (Preparing("starting"), Finished("green", "confirmed"), TestsDiscovered(3)):
        assert told(event, "container (host runtime)") is event
    assert told(TestsDiscovered(3), WARNING) == TestsDiscovered(3)
