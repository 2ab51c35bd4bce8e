"""What the doctor says of the levels at which a workspace's candidates were judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.judging import Level, Plan, TestId
from ocils.domain.text import Edit, Span
from ocils.sandbox.levels import Levels
from ocils.wiring import build


def test_nothing_is_said_before_the_first_candidate() -> None:
    assert Levels().told() == ""
    assert Levels().reasons() == ()


def test_levels_are_counted_and_the_commonest_reasons_come_first() -> None:
    levels = Levels()
    noted: tuple[tuple[Level, str], ...] = (
        ("L1", "b"),
        ("L2", ""),
        ("L1", "a"),
        ("L2", ""),
        ("L1", "a"),
    )
    for level, why in noted:
        levels.note(level, why)
    assert levels.told() == "2 in a collected suite (L2), 3 with pytest loaded (L1)"
    assert levels.reasons() == ("2 not at L2: a", "1 not at L2: b")
    assert levels.why_not_l2 == "a"


@pytest.mark.docker
async def test_the_doctor_says_why_a_workspace_is_not_judged_at_the_fastest(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    (tmp_path / "m.py").write_text("def f(n):\n    return n\nTABLE = [f(1)]\n")
    (tmp_path / "test_m.py").write_text("import m\n\ndef test_f():\n    assert m.f(2) == 2\n")
    house = build()
    try:
        assert "judging" not in [each.name for each in house.checkup(str(tmp_path))]
        workspace = house.workspace(str(tmp_path))
        clean = await workspace.snapshot()
        sandbox = house.ports(workspace.root).sandbox
        edits = (Edit(f"{clean.root}/m.py", Span(14, 22), "return 0 + n"),)
        plan = Plan(tests=(TestId("test_m.py::test_f"),))
        for _ in range(2 * sandbox.width):
            await sandbox.judge(clean, edits, plan, CancelToken())
        (found,) = [each for each in house.checkup(str(tmp_path)) if each.name == "judging"]
        assert "with pytest loaded (L1)" in found.detail
        assert "it ran while tests were collected" in "".join(found.notes)
    finally:
        await house.close()
