"""The engine that plays back behaves as the port says."""

from __future__ import annotations

import asyncio

import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.model import Infill, Manifest, Reply, Sampling
from ocils.engine.ct2 import CTranslate2Engine
from ocils.engine.models.store import ModelFolder
from ocils.engine.scripted import ScriptedEngine
from ocils.ports import Engine

MANIFEST = Manifest("fake", "none", "none", 100, False, ("infill",))
HOLE = Infill("\na", "\nb")


async def played(
    engine: Engine, sampling: Sampling, cancel: CancelToken | None = None
) -> list[Reply]:
    return [r async for r in engine.generate(HOLE, sampling, cancel or CancelToken())]


def test_both_engines_are_engines(small_model: ModelFolder) -> None:
    engines: list[Engine] = [
        ScriptedEngine(MANIFEST),
        CTranslate2Engine(small_model, threads=1),
    ]
    assert [each.manifest.name for each in engines] == ["fake", "small"]
    assert engines[0].identity == "fake@scripted"


async def test_each_call_plays_its_own_replies() -> None:
    engine = ScriptedEngine(MANIFEST, [["one", "two", "three"], ["four"]])
    await engine.load()
    assert [r.text for r in await played(engine, Sampling(2, 9))] == ["one", "two"]
    assert [r.text for r in await played(engine, Sampling(2, 9))] == ["four"]
    assert await played(engine, Sampling(2, 9)) == []
    assert engine.asked == (HOLE, HOLE, HOLE)
    await engine.close()
    assert engine.closed


async def test_long_replies_are_cut() -> None:
    engine = ScriptedEngine(MANIFEST, [["12345678ü", "x"]])
    cut, whole = await played(engine, Sampling(2, 2))
    assert (cut.text, cut.finish, cut.tokens) == ("12345678", "length", 2)
    assert (whole.text, whole.finish, whole.logprob) == ("x", "stop", -1.0)


async def test_scores_come_from_a_function_a_table_or_the_length() -> None:
    asked = [(HOLE, "aa"), (HOLE, "b")]
    cancel = CancelToken()
    assert await ScriptedEngine(MANIFEST).score(asked, cancel) == (-2.0, -1.0)
    table = ScriptedEngine(MANIFEST, likelihood={"aa": -0.5})
    assert await table.score(asked, cancel) == (-0.5, -1000.0)
    function = ScriptedEngine(MANIFEST, likelihood=lambda prompt, middle: float(len(prompt.suffix)))
    assert await function.score(asked, cancel) == (2.0, 2.0)


@pytest.mark.parametrize("seconds", [0.0, 3600.0])
async def test_cancel_is_honoured(seconds: float) -> None:
    engine = ScriptedEngine(MANIFEST, [["a"] * 5] * 2, seconds=seconds)
    cancel = CancelToken()
    waiting = asyncio.create_task(played(engine, Sampling(5, 5), cancel))
    scoring = asyncio.create_task(engine.score([(HOLE, "a")], cancel))
    if not seconds:
        cancel.cancel()
    await asyncio.sleep(0.01)
    cancel.cancel()
    assert await asyncio.wait_for(waiting, 60) == []
    assert await asyncio.wait_for(scoring, 60) == ()
