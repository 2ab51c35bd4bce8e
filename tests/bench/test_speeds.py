"""Speeds on this machine: tried out on the CPU with a model of a million weights."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from ocils.bench.arms import arm, ours, random_model
from ocils.bench.figures_model import ratio
from ocils.bench.speeds import Plan, Speed, Unfinished, read_journal, speeds
from ocils.domain.errors import EnvironmentProblem

ROOT = Path(__file__).parent.parent.parent
PLAN = Plan("cpu", ("1M",), (1, 4), prompt=24, new=6, rounds=1)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


async def run(plan: Plan, journal: Path) -> tuple[list[Speed], int]:
    found = [each async for each in speeds(plan, journal, ROOT)]
    left = [each.left for each in found if isinstance(each, Unfinished)]
    return [each for each in found if isinstance(each, Speed)], sum(left)


async def test_each_is_measured_once_and_kept(tmp_path: Path) -> None:
    journal = tmp_path / "speeds.jsonl"
    found, left = await run(PLAN, journal)
    assert [(s.type, s.rows) for s in found] == [
        ("int8", 1),
        ("int8", 4),
        ("float32", 1),
        ("float32", 4),
    ]
    assert left == 0
    assert all(speed.tokens_s > 0 and not speed.problem for speed in found)
    assert await run(PLAN, journal) == (found, 0)


async def test_when_the_time_is_over_the_rest_is_for_the_next_call(tmp_path: Path) -> None:
    journal = tmp_path / "speeds.jsonl"
    assert await run(msgspec.structs.replace(PLAN, seconds=0), journal) == ([], 4)
    one = msgspec.structs.replace(PLAN, rows=(4,))
    first, _ = await run(one, journal)
    journal.write_bytes(journal.read_bytes() + b'{"model":"1M","progr')
    found, left = await run(PLAN, journal)
    assert (len(found), left) == (4, 0)
    assert set(first) < set(found)


async def test_what_cannot_be_had_says_why_and_is_tried_again(tmp_path: Path) -> None:
    journal = tmp_path / "speeds.jsonl"
    plan = msgspec.structs.replace(PLAN, rows=(1,), rival="/no/such/python")
    found, _ = await run(plan, journal)
    rival = [speed for speed in found if speed.program == "transformers"]
    assert rival
    assert all("/no/such/python" in speed.problem for speed in rival)
    assert {speed.program for speed in read_journal(journal).values()} == {"ocils"}


async def test_an_arm_says_what_went_wrong_and_goes_on() -> None:
    async with arm("ocils", ours(await random_model("1M"))) as own:
        with pytest.raises(EnvironmentProblem, match="the arm ocils failed: KeyError"):
            await own.ask("fly")
        assert await own.speed("raw", prompt=16, rows=2, new=4) > 0
        turns = await own.ask("turns", prompt=64, rows=2, new=16)
        assert set(turns) == {"first", "second"}
        cancelled = await own.ask("cancel", prompt=16, rows=2, new=64)
        assert float(str(cancelled["silence"])) > 0
        late = await own.ask("loop", prompt=16, rows=2, new=64)
        assert late["late"]
    with pytest.raises(EnvironmentProblem, match="ended by itself"):
        await own.ask("raw")


async def test_a_bare_arm_draws_as_well() -> None:
    async with arm("bare", ours(await random_model("1M"), "--bare")) as bare:
        assert (await bare.ask("raw", prompt=16, rows=2, new=4))["tokens"] == 8


def test_a_ratio_is_of_medians() -> None:
    figure = ratio("x", [1.0, 4.0, 100.0], [2.0, 2.0, 0.1], rows=8)
    assert (figure.value, figure.conditions["rows"]) == (2.0, 8)
