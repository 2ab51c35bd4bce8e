"""Workspaces of many shapes: judged test by test as a plain run of pytest on this machine.

The ten that were promised: conftest at several levels (scopes), src and flat, namespace packages
(namespaces), async, unittest (units), doctests, parametrised (ids), plugins of the workspace's own
(plugins; from packages: ``test_plugins.py``); editable installs by finder and by ``.pth`` with absolute
paths are in ``test_plugins.py`` too. And marks, patterns, folders below, and files that do not load.
"""

from __future__ import annotations

import pytest

from ocils.domain.judging import Failed, Passed, Plan, TestId

from .conftest import Maker
from .plain import agrees
from .shapes import SHAPES
from .suites import BROKEN, DOCTESTS, IDS, PLUGINS, SUITES, Suite
from .yard import replace

pytestmark = pytest.mark.docker


@pytest.mark.parametrize("suite", [*SUITES.values(), *SHAPES.values()], ids=[*SUITES, *SHAPES])
async def test_judged_as_a_plain_run_does(make: Maker, environment: str, suite: Suite) -> None:
    yard = await make(suite.files)
    await agrees(yard, environment, suite.before, below=suite.below)
    edits = replace(yard.snapshot, suite.path, suite.text)
    levels = await agrees(yard, environment, suite.after, edits=edits, below=suite.below)
    assert ("L2" in levels) == suite.swapped, yard.sandbox.why_not_l2


@pytest.mark.parametrize("suite", [IDS, DOCTESTS, PLUGINS], ids=["ids", "doctests", "plugins"])
async def test_every_test_can_be_asked_for_by_its_id(make: Maker, suite: Suite) -> None:
    yard = await make(suite.files)
    verdict = await yard.judge()
    assert isinstance(verdict, Passed), verdict
    ids = tuple(reversed([each.test for each in verdict.cases]))
    for fresh in (False, True):
        asked = await yard.judge((), Plan(tests=ids, fresh=fresh, seconds=30))
        assert isinstance(asked, Passed), asked
        assert tuple(each.test for each in asked.cases) == ids


async def test_a_file_that_cannot_be_collected_does_not_hide_tests_of_others(make: Maker) -> None:
    yard = await make(BROKEN.files)
    plan = Plan(tests=(TestId("test_good.py::test_one"),), seconds=30)
    assert isinstance(await yard.judge((), plan), Passed)
    edits = replace(yard.snapshot, BROKEN.path, BROKEN.text)
    assert isinstance(await yard.judge(edits, plan), Failed)
