"""The soak, short: thirty candidates while things are killed. ``make soak`` makes it five hundred."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .soak import soak

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
