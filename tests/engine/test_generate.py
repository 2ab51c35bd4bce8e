"""Generation on real CTranslate2: rows, stops, cancel, a loop that keeps turning."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing
from pathlib import Path

import ctranslate2  # type: ignore[import-untyped]
import numpy as np
import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import EnvironmentProblem, UsageError
from ocils.domain.model import Chat, Infill, Message, Prompt, Reply, Sampling
from ocils.engine.ct2 import CTranslate2Engine
from ocils.engine.models.store import ModelFolder, find

from .small_model import build_model

HOLE = Infill("\ndef f(a):\n    b = a", "\n    return b", "\n    b += 1")


async def replies(
    engine: CTranslate2Engine, prompt: Prompt, sampling: Sampling, cancel: CancelToken | None = None
) -> list[Reply]:
    found = [r async for r in engine.generate(prompt, sampling, cancel or CancelToken())]
    return sorted(found, key=lambda reply: reply.row)


async def test_every_row_is_yielded_once(engine: CTranslate2Engine) -> None:
    found = await replies(engine, HOLE, Sampling(8, 12))
    assert [reply.row for reply in found] == list(range(8))
    assert all(reply.finish in ("stop", "length") for reply in found)
    assert all(1 <= reply.tokens <= 12 for reply in found)
    assert len({reply.text for reply in found}) > 1


async def test_rows_come_as_they_finish(engine: CTranslate2Engine) -> None:
    """A row that is done early does not wait for the slowest."""
    prompt = Infill(HOLE.prefix, HOLE.suffix, stop=("e", "a", "t", "o", " "))
    lengths = [r.tokens async for r in engine.generate(prompt, Sampling(16, 60), CancelToken())]
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1]


async def test_a_seed_draws_the_same_again(engine: CTranslate2Engine) -> None:
    first = await replies(engine, HOLE, Sampling(4, 10, seed=7))
    again = await replies(engine, HOLE, Sampling(4, 10, seed=7))
    other = await replies(engine, HOLE, Sampling(4, 10, seed=8))
    assert first == again
    assert [r.text for r in first] != [r.text for r in other]


async def test_greedy_text_and_logprob_are_the_librarys(
    engine: CTranslate2Engine, small_model: ModelFolder
) -> None:
    """Against a plain forward pass over prompt and reply: the end token counts as well."""
    generator = ctranslate2.Generator(str(small_model.folder), compute_type="auto")
    ended = 0
    for n in range(12):
        prompt = Infill(f"\nvalue_{n} = {n}", "\nreturn")
        (reply,) = await replies(engine, prompt, Sampling(1, 40, temperature=0))
        tokens = engine._tokens.encode(prompt)
        (drawn,) = generator.generate_batch(
            [tokens],
            include_prompt_in_result=False,
            return_end_token=True,
            max_length=40,
            end_token=["<end>", "<pre>", "<suf>", "<was>", "<mid>"],
        )
        row = [*tokens, *drawn.sequences[0]]
        numbers = [0] * len(tokens) + list(drawn.sequences_ids[0])
        logprobs = np.array(generator.forward_batch([row], return_log_probs=True))[0]
        total = sum(logprobs[i - 1, numbers[i]] for i in range(len(tokens), len(row)))
        # A character whose last bytes were never drawn is left out.
        assert reply.text == engine._tokens.decode(drawn.sequences_ids[0]).rstrip("\ufffd")
        assert reply.tokens == len(drawn.sequences_ids[0])
        assert reply.logprob == pytest.approx(total, abs=0.05)
        ended += reply.finish == "stop"
    assert ended < 12  # else nothing but immediate ends was compared


async def test_a_stop_string_ends_the_reply_and_is_left_out(engine: CTranslate2Engine) -> None:
    (whole,) = await replies(engine, HOLE, Sampling(1, 30, temperature=0))
    stop = whole.text[len(whole.text) // 2 :][:3]
    prompt = Infill(HOLE.prefix, HOLE.suffix, HOLE.was, stop=(stop,))
    (cut,) = await replies(engine, prompt, Sampling(1, 30, temperature=0))
    assert cut.text == whole.text[: whole.text.index(stop)]
    assert cut.finish == "stop"
    assert cut.tokens < whole.tokens


@pytest.mark.parametrize("lines", [1, 2])
async def test_max_lines_ends_a_reply(engine: CTranslate2Engine, lines: int) -> None:
    found = await replies(
        engine,
        Infill(HOLE.prefix, HOLE.suffix, max_lines=lines),
        Sampling(32, 120, temperature=2.0, top_k=0, top_p=1.0),
    )
    assert all(reply.text.count("\n") <= lines for reply in found)


async def test_a_flipped_token_yields_nothing(engine: CTranslate2Engine) -> None:
    cancel = CancelToken()
    cancel.cancel()
    assert await replies(engine, HOLE, Sampling(4, 12), cancel) == []
    assert await engine.score([(HOLE, "\n    pass")], cancel) == ()


async def test_cancel_ends_the_work_within_a_step(tmp_path: Path) -> None:
    """Far more tokens were asked for than can be drawn between cancel and the next answer."""
    model = find(str(build_model(tmp_path / "long", context=100_000)))
    engine = CTranslate2Engine(model, threads=1)
    try:
        await engine.load()
        cancel = CancelToken()
        prompt = Infill("\nx", "\ny", stop=("\n",))
        endless = asyncio.create_task(replies(engine, prompt, Sampling(4, 50_000), cancel))
        await asyncio.sleep(0.2)
        cancel.cancel()
        late = await asyncio.wait_for(endless, 60)
        assert all(reply.finish == "stop" for reply in late)
        # The thread is free again: a short request is answered.
        assert len(await asyncio.wait_for(replies(engine, prompt, Sampling(1, 2)), 60)) == 1
    finally:
        await engine.close()


async def test_closing_the_iterator_ends_the_work(tmp_path: Path) -> None:
    model = find(str(build_model(tmp_path / "long", context=100_000)))
    engine = CTranslate2Engine(model, threads=1)
    try:
        prompt = Infill("\nx", "\ny", stop=("e", "a"))
        async with aclosing(engine.generate(prompt, Sampling(64, 50_000), CancelToken())) as stream:
            async for _ in stream:
                break
        assert len(await asyncio.wait_for(replies(engine, prompt, Sampling(1, 2)), 60)) == 1
    finally:
        await engine.close()


async def test_many_at_once_get_their_own_replies(engine: CTranslate2Engine) -> None:
    prompts = [Infill(f"\nvalue_{n} = {n}", "\nreturn") for n in range(12)]
    alone = [await replies(engine, p, Sampling(3, 8, seed=1)) for p in prompts]
    together = await asyncio.gather(
        *(replies(engine, prompt, Sampling(3, 8, seed=1)) for prompt in prompts)
    )
    assert list(together) == alone


async def test_the_event_loop_turns_while_the_model_works(engine: CTranslate2Engine) -> None:
    working = asyncio.create_task(replies(engine, HOLE, Sampling(32, 150)))
    turns = 0
    while not working.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 20
    assert len(await working) == 32


async def test_a_prompt_beyond_the_context_is_refused(engine: CTranslate2Engine) -> None:
    long = Infill("\nx = 1" * 400, "")
    with pytest.raises(UsageError, match="does not fit the context of 256"):
        await replies(engine, long, Sampling(1, 1))
    with pytest.raises(UsageError, match="does not fit"):
        await engine.score([(HOLE, ""), (long, "\ny")], CancelToken())


async def test_a_reply_ends_where_the_context_does(engine: CTranslate2Engine) -> None:
    prompt = Infill("\nx = 1" * 30, "")
    room = 256 - len(engine._tokens.encode(prompt))
    found = await replies(engine, prompt, Sampling(4, 1000))
    assert max(reply.tokens for reply in found) <= room


async def test_chat_renders_the_models_template(engine: CTranslate2Engine) -> None:
    prompt = Chat((Message("user", "grüß 'dich'"),), opening="def f(")
    tokens = engine._tokens.encode(prompt)
    assert tokens[0] == "<pre>"
    assert "<mid>" in tokens
    text = "".join(tokens[tokens.index("<mid>") + 1 :]).replace("Ġ", " ")
    assert text == "def f("
    assert len(await replies(engine, prompt, Sampling(2, 5))) == 2


async def test_a_closed_engine_says_so(small_model: ModelFolder) -> None:
    engine = CTranslate2Engine(small_model, threads=1)
    assert len(await replies(engine, HOLE, Sampling(1, 2))) == 1
    await engine.close()
    with pytest.raises(EnvironmentProblem, match="closed"):
        await replies(engine, HOLE, Sampling(1, 2))
    await engine.close()


async def test_close_ends_what_is_under_way(tmp_path: Path) -> None:
    model = find(str(build_model(tmp_path / "long", context=100_000)))
    engine = CTranslate2Engine(model, threads=1)
    prompt = Infill("\nx", "\ny", stop=("\n",))
    work = [asyncio.create_task(replies(engine, prompt, Sampling(4, 50_000))) for _ in range(3)]
    await asyncio.sleep(0.2)
    await asyncio.wait_for(engine.close(), 60)
    await asyncio.wait_for(asyncio.gather(*work), 60)
    assert not [t for t in threading.enumerate() if t.name == "ocils-model"]


async def test_nonsense_is_a_bug(engine: CTranslate2Engine) -> None:
    for sampling in (Sampling(0, 1), Sampling(1, 0), Sampling(2, 1, temperature=0)):
        with pytest.raises(ValueError):
            await replies(engine, HOLE, sampling)
