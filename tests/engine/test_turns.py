"""What turns share: the start of their prompts, kept between them; one engine, by many sessions."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator

import ctranslate2  # type: ignore[import-untyped]
import pytest
import pytest_asyncio

from ocils.domain.cancel import CancelToken
from ocils.domain.model import Chat, Message, Reply, Sampling
from ocils.domain.shape import Shape
from ocils.engine.ct2 import CTranslate2Engine
from ocils.engine.machine.layout import Layout
from ocils.engine.machine.memory import Want
from ocils.engine.models.store import ModelFolder, find
from ocils.engine.native import Native
from ocils.engine.random_model import write_random_model
from ocils.engine.steady import steady_prefix
from ocils.engine.tokens import ModelTokens

WIDE = Shape(1, 256, 4, 2, 64, 90_000, 2048, tied=True, biases="qkv")
"""Just too large to count as small: prefixes are kept for such models only."""
A_TOKEN = 2 * 4 * 64 * 4


@pytest.fixture(scope="module")
def wide_model(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    folder = tmp_path_factory.mktemp("model") / "wide"
    return find(str(write_random_model("wide", folder, 1024, WIDE)))


def ask(text: str, *more: str) -> Chat:
    """A question, then replies and further questions by turns."""
    messages = [Message("user", text)]
    for number, each in enumerate(more):
        messages.append(Message("user" if number % 2 else "assistant", each))
    return Chat(tuple(messages))


async def draw(engine: CTranslate2Engine, prompt: Chat, sampling: Sampling) -> list[Reply]:
    found = [r async for r in engine.generate(prompt, sampling, CancelToken())]
    return sorted(found, key=lambda reply: reply.row)


GREEDY = Sampling(1, 12, temperature=0)


@pytest_asyncio.fixture
async def kept(wide_model: ModelFolder) -> AsyncIterator[tuple[CTranslate2Engine, Native]]:
    native = Native(wide_model, Want(threads=2), prefixes=400 * A_TOKEN)
    engine = CTranslate2Engine(wide_model, native=native)
    yield engine, native
    await engine.close()


def test_the_start_of_a_conversation_is_the_same_in_every_turn(wide_model: ModelFolder) -> None:
    tokens = ModelTokens(wide_model)
    first, second = ask("mend it: " + "x" * 50), ask("mend it: " + "x" * 50, "done", "no")
    prefix = steady_prefix(first, tokens.encode)
    assert prefix == steady_prefix(second, tokens.encode)
    for prompt in (first, second):
        assert tuple(tokens.encode(prompt)[: len(prefix)]) == prefix
    assert len(prefix) > 50
    assert prefix != steady_prefix(ask("mend that: " + "x" * 50), tokens.encode)
    assert steady_prefix(Chat((Message("system", "x"),)), tokens.encode) == ()


async def test_kept_or_not_the_reply_is_the_same(
    kept: tuple[CTranslate2Engine, Native], wide_model: ModelFolder
) -> None:
    engine, native = kept
    prompts = [ask("one " * 20), ask("one " * 20, "said", "no"), ask("one " * 20)]
    found = [await draw(engine, prompt, GREEDY) for prompt in prompts]
    assert native.kept > 0
    tokens = ModelTokens(wide_model)
    generator = ctranslate2.Generator(str(wide_model.folder), compute_type="int8")
    for prompt, (reply,) in zip(prompts, found, strict=True):
        (plain,) = generator.generate_batch(
            [tokens.encode(prompt)],
            include_prompt_in_result=False,
            max_length=GREEDY.tokens,
            return_scores=True,
        )
        assert reply.tokens == len(plain.sequences_ids[0])
        assert reply.logprob == pytest.approx(plain.scores[0] * reply.tokens, abs=0.02)
    assert abs(found[0][0].logprob - found[1][0].logprob) > 0.1  # else all prompts look alike
    assert found[0] == found[2]


async def test_what_is_kept_is_counted_and_capped(kept: tuple[CTranslate2Engine, Native]) -> None:
    engine, native = kept
    await draw(engine, ask("a" * 150), GREEDY)
    once = native.kept
    assert 150 * A_TOKEN < once < 200 * A_TOKEN
    await draw(engine, ask("a" * 150, "b", "c"), GREEDY)
    assert native.kept == once
    await draw(engine, ask("b" * 150), GREEDY)
    assert native.kept == 2 * once
    await draw(engine, ask("c" * 150), GREEDY)
    assert native.kept == once  # the generator was made anew: the others are gone
    await draw(engine, ask("d" * 500), GREEDY)
    assert native.kept > 500 * A_TOKEN  # larger than the cap, so it has the room for itself


@pytest.mark.parametrize(("index", "kept"), [((0,), True), ((0, 1), False)])
def test_on_several_gpus_nothing_is_kept(
    wide_model: ModelFolder, index: tuple[int, ...], kept: bool
) -> None:
    """CTranslate2's replicas share one store of states, whichever GPU's memory they lie in."""
    layout = Layout("cuda", len(index), 2, "int8_float16", index)
    native = Native(wide_model, Want(), layout=layout)
    assert native.keeps(("a", "b", "c")) is kept


async def test_unloading_forgets_what_was_kept(wide_model: ModelFolder) -> None:
    native = Native(wide_model, Want(threads=2))
    engine = CTranslate2Engine(wide_model, idle_seconds=0.05, native=native)
    try:
        await draw(engine, ask("a" * 50), GREEDY)
        for _ in range(200):
            if not native.loaded and not native.kept:  # one after the other, in its thread
                break
            await asyncio.sleep(0.05)
        assert (native.loaded, native.kept) == (False, 0)
        assert len(await draw(engine, ask("a" * 50), GREEDY)) == 1
    finally:
        await engine.close()


async def test_a_model_that_is_to_stay_stays(small_model: ModelFolder) -> None:
    engine = CTranslate2Engine(small_model, idle_seconds=None)
    try:
        await draw(engine, ask("a"), GREEDY)
        await asyncio.sleep(0.3)
        assert await asyncio.wrap_future(engine.thread.submit(lambda native: native.loaded))
    finally:
        await engine.close()


async def test_sessions_at_once_do_not_mix(kept: tuple[CTranslate2Engine, Native]) -> None:
    """Their prefixes do not fit together either: each turn of one may cost the other its own."""
    engine, _ = kept
    prompts = [ask(letter * 150) for letter in "abc"]
    alone = [await draw(engine, prompt, GREEDY) for prompt in prompts]

    async def session(number: int) -> None:
        for _ in range(2):
            assert await draw(engine, prompts[number], GREEDY) == alone[number]
            rows = await draw(engine, prompts[number], Sampling(6, 6))
            assert [reply.row for reply in rows] == list(range(6))

    await asyncio.gather(*(session(number) for number in range(3)))


async def test_one_session_ending_leaves_the_other_alone(
    kept: tuple[CTranslate2Engine, Native],
) -> None:
    engine, _ = kept
    stop = CancelToken()

    async def endless() -> list[Reply]:
        prompt = ask("z" * 100)
        return [r async for r in engine.generate(prompt, Sampling(4, 800), stop)]

    one = asyncio.create_task(endless())
    other = asyncio.create_task(draw(engine, ask("y" * 100), Sampling(4, 8)))
    await asyncio.sleep(0.2)
    stop.cancel()
    # A model that talks noise may end a row by itself before; that it ended all four is not to be.
    assert len(await asyncio.wait_for(one, 60)) < 4
    assert len(await asyncio.wait_for(other, 60)) == 4


async def test_drawing_goes_on_while_nobody_reads(
    kept: tuple[CTranslate2Engine, Native],
) -> None:
    """So judging the first reply does not hold up the others."""
    engine, _ = kept
    stream = engine.generate(ask("a" * 20), Sampling(6, 10), CancelToken())
    first = await anext(stream)
    await asyncio.wrap_future(engine.thread.submit(lambda _: None))  # behind the drawing
    rest = [each async for each in stream]
    assert sorted([first.row, *(each.row for each in rest)]) == list(range(6))


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
def test_memory_that_really_runs_out_costs_no_reply(wide_model: ModelFolder) -> None:
    """CTranslate2's own running out, not a played one: the process may grow by 60 MiB."""
    program = f"""
        import asyncio, resource
        from pathlib import Path
        from ocils.domain.cancel import CancelToken
        from ocils.domain.model import Chat, Message, Sampling
        from ocils.domain.model_state import in_words
        from ocils.engine.ct2 import CTranslate2Engine
        from ocils.engine.models.store import find

        async def main():
            told = []
            engine = CTranslate2Engine(
                find({str(wide_model.folder)!r}), threads=1, report=lambda s: told.append(in_words(s))
            )
            await engine.load()
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            most = pages * resource.getpagesize() + (60 << 20)
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
            prompt = Chat((Message("user", "x" * 9),))
            rows = [r async for r in engine.generate(prompt, Sampling(128, 2), CancelToken())]
            await engine.close()
            print(len(rows), *told, sep="; ")

        asyncio.run(main())
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("128; loading")
    assert "out of memory: 64 candidates at once instead of 128" in ended.stdout
