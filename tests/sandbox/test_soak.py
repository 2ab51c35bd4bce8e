"""The soak, short: thirty candidates while things are killed. ``make soak`` makes it five hundred."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .soak import faults, soak

pytestmark = pytest.mark.docker


async def test_no_verdict_is_lost_or_mixed_up_while_things_are_killed(
    tmp_path: Path, environment: str
) -> None:
    came: dict[str, Any] = await soak(tmp_path, environment, 30)
    assert came["mixed up"] == []
    assert came["lost"] == 0
    assert came["orphans"] == 0
    assert came["killed"], "nothing was killed"
    assert came["right"] >= 15


CLEAN: dict[str, Any] = {
    "candidates": 100, "right": 96, "unjudged": 4, "lost": 0, "mixed up": [], "orphans": 0,
    "memory grew by MiB": 3.0, "descriptors grew by": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("lost", 1),
        ("mixed up", ["right 3: Failed"]),
        ("orphans", 1),
        ("unavailable", 1),
        ("unjudged", 6),
        ("memory grew by MiB", 17.0),
        ("descriptors grew by", 10),
        ("right", 49),
    ],
)
def test_a_soak_with_a_fault_says_so(what: str, value: object) -> None:
    assert faults(CLEAN) == []
    assert faults({**CLEAN, what: value}) == [what]
