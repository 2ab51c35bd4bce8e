"""What judges a candidate is chosen by proof: the level is as expected, and so is the truth."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ocils.domain.judging import Failed, Passed, Verdict

from .traps import KEPT_BACK, SWAPPED, Trap
from .yard import Yard

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]

FILES = {
    "traps/__init__.py": "",
    "pytest.ini": "[pytest]\n",
    **{path: text for trap in (*SWAPPED, *KEPT_BACK) for path, text in trap.files.items()},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def traps(tmp_path_factory: pytest.TempPathFactory, environment: str) -> AsyncIterator[Yard]:
    """Give all the traps in one workspace and one slot."""
    yard = await Yard.of(tmp_path_factory.mktemp("traps"), FILES, environment)
    await yard.judge()
    yield yard
    await yard.sandbox.close()


async def spring(yard: Yard, trap: Trap) -> Verdict:
    """Judge until the suite is collected, if it ever is."""
    first = await yard.try_text(trap.path, trap.text, *trap.tests)
    assert isinstance(first, Passed | Failed), first
    assert first.level == "L1"
    assert isinstance(first, Passed) == trap.passed, first
    return await yard.try_text(trap.path, trap.text, *trap.tests)


@pytest.mark.parametrize("trap", SWAPPED, ids=lambda trap: trap.name)
async def test_a_swap_tells_the_truth(traps: Yard, trap: Trap) -> None:
    verdict = await spring(traps, trap)
    assert isinstance(verdict, Passed | Failed), verdict
    assert verdict.level == "L2", traps.sandbox.why_not_l2
    assert isinstance(verdict, Passed) == trap.passed, verdict


@pytest.mark.parametrize("trap", KEPT_BACK, ids=lambda trap: trap.name)
async def test_what_a_swap_would_get_wrong_is_imported_anew(traps: Yard, trap: Trap) -> None:
    verdict = await spring(traps, trap)
    assert isinstance(verdict, Passed | Failed), verdict
    assert verdict.level == "L1"
    assert trap.why in traps.sandbox.why_not_l2
    assert traps.sandbox.why_not_l2
    assert isinstance(verdict, Passed) == trap.passed, verdict
