"""The target's calls, recorded by a real run."""

from __future__ import annotations

import pytest

from ocils.domain.judging import Call, Passed, Plan, Probe, TestId

from .conftest import Maker

pytestmark = pytest.mark.docker

SHOP = {
    "shop.py": """
        def total(items, *, rate=0):
            def one(item):
                return item * 2

            if not items:
                raise ValueError("nothing")
            items.sort()
            return sum(one(item) for item in items) + rate
    """,
    "test_shop.py": """
        import pytest
        from shop import total

        def test_total():
            assert total([3, 1], rate=1) == 9
            assert total([2]) == 4

        def test_nothing():
            with pytest.raises(ValueError):
                total([])

        def test_elsewhere():
            assert True
    """,
}


async def test_calls_are_recorded_with_what_they_were_given_and_gave(make: Maker) -> None:
    yard = await make(SHOP)
    probe = Probe(f"{yard.root}/shop.py", 1, 8, calls=True)
    verdict = await yard.judge((), Plan(seconds=20, probe=probe))
    assert isinstance(verdict, Passed)
    total, nothing = TestId("test_shop.py::test_total"), TestId("test_shop.py::test_nothing")
    assert verdict.calls == (
        Call(total, "items=[3, 1], rate=1", "returns 9, and leaves items=[1, 3], rate=1"),
        Call(total, "items=[2], rate=0", "returns 4"),
        Call(nothing, "items=[], rate=0", "raises ValueError: ValueError('nothing')"),
    )


async def test_nothing_is_recorded_unless_asked(make: Maker) -> None:
    yard = await make(SHOP)
    verdict = await yard.judge((), Plan(seconds=20, probe=Probe(f"{yard.root}/shop.py", 1, 8)))
    assert isinstance(verdict, Passed)
    assert verdict.calls == ()
