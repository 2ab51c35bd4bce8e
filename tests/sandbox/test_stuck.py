"""A workspace whose own code never ends, fills the memory or ends the process: the other tests are heard."""

from __future__ import annotations

import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.judging import Baseline
from ocils.refine.baseline import judge_original
from ocils.source.target import SourceTree, locate_name

from .conftest import Maker

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

SHOP = """
    import os

    def total(prices):
        at, found = 0, []
        while at < len(prices):
            found.append(b"x" * 50_000_000)
            %s
        return found

    def other():
        return 1
"""

TESTS = """
    from shop import other, total

    def test_before():
        assert other() == 1

    def test_total():
        assert len(total([1, 2])) == 2

    def test_nothing():
        assert total([]) == []

    def test_behind():
        assert other() == 2
"""


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("pass", "memory"),
        ("found.clear()", "timeout"),
        ("os._exit(0)", "killed"),
        ("os.kill(os.getpid(), 11)", "killed"),
    ],
)
async def test_one_test_is_stuck(make: Maker, what: str, kind: str) -> None:
    files = {"shop.py": SHOP % what, "test_shop.py": TESTS}
    yard = await make(files)
    document = yard.snapshot.document("shop.py")
    assert document is not None
    target = locate_name(SourceTree.of(document), "total")
    baseline = None
    steps = judge_original(yard.snapshot, target, yard.sandbox, CancelToken())
    async for found in steps:
        baseline = found
    assert isinstance(baseline, Baseline), baseline
    names = {case.test.rpartition("::")[2]: case for case in baseline.cases}
    assert {name: case.outcome for name, case in names.items()} == {
        "test_before": "passed",
        "test_total": "failed",
        "test_nothing": "passed",
        "test_behind": "failed",
    }
    assert names["test_total"].kind == kind
    assert baseline.stuck == (names["test_total"].test,)
    assert set(baseline.reaching) == {names["test_total"].test, names["test_nothing"].test}
    ran = {each.test: each.lines for each in baseline.coverage.tests}
    assert ran[names["test_total"].test] == (4, 5, 6, 7)
