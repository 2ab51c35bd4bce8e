"""The figures of the engine can be measured: with a model of a million weights, so values say nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from ocils.bench.dubbed import Dubbed
from ocils.bench.figure import Bench, Figure
from ocils.bench.figures_model import (
    allocator_gain,
    cancel_silence_ms,
    gpu_roofline_b1,
    loop_delay_p99_ms,
    tokens_over_raw_b1,
    tokens_over_raw_b8,
    turn2_first_token,
)
from ocils.bench.figures_rivals import transformers_arm
from ocils.bench.figures_share import judging_share
from ocils.domain.cancel import CancelToken
from ocils.domain.errors import EnvironmentProblem
from ocils.domain.model import Chat, Manifest, Message, Sampling
from ocils.engine.machine.hardware import read_hardware
from ocils.engine.scripted import ScriptedEngine
from ocils.wiring import House, build

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def house() -> House:
    return build()


@pytest.fixture
def bench(house: House, tmp_path: Path) -> Bench:
    return Bench(house, ROOT, tmp_path)


@pytest.mark.parametrize(
    "measure",
    [tokens_over_raw_b1, tokens_over_raw_b8, allocator_gain, turn2_first_token, cancel_silence_ms],
)
async def test_each_is_measured(bench: Bench, measure: Callable[..., Awaitable[Figure]]) -> None:
    figure = await measure(bench, 1, model="1M")
    assert figure.name == measure.__name__
    assert figure.value > 0
    assert figure.conditions["model"] == "1M"


async def test_the_loops_delay_is_measured(bench: Bench) -> None:
    figure = await loop_delay_p99_ms(bench, 32, model="1M")
    assert figure.value > 0
    assert int(str(figure.conditions["looks"])) > 0


@pytest.mark.skipif(bool(read_hardware().gpus), reason="there is a GPU here")
async def test_without_a_gpu_there_is_no_roofline(bench: Bench) -> None:
    with pytest.raises(EnvironmentProblem, match="there is no GPU here"):
        await gpu_roofline_b1(bench, 1, model="1M")


def test_without_transformers_there_is_no_comparison(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="not installed; run setup"):
        transformers_arm(tmp_path, tmp_path)


@pytest.mark.docker
@pytest.mark.timeout(400)  # a whole search; on a busy machine minutes
async def test_the_share_of_judging_is_measured(bench: Bench, house: House) -> None:
    before = house.settings
    try:
        figure = await judging_share(bench, turns=1, tokens=16, model="1M")
    finally:
        await house.close()
    assert figure.conditions["replies"] == 8
    assert int(str(figure.conditions["judged"])) > 0
    assert house.settings == before


async def test_dubbed_replies_keep_number_and_moment() -> None:
    manifest = Manifest("m", "f", "none", 4096, True, ("rewrite",))
    inner = ScriptedEngine(manifest, [("one", "two", "three")], seconds=0.02)
    dubbed = Dubbed(inner, iter(("eins", "zwei")))
    prompt = Chat((Message("user", "abcdefgh"),))
    replies = [r async for r in dubbed.generate(prompt, Sampling(3, 9), CancelToken())]
    assert [r.text for r in replies] == ["eins", "zwei", "three"]
    assert dubbed.replies == 3
    assert dubbed.generating >= 0.06
    assert inner.asked == (Chat((Message("user", "ab"),)),)
