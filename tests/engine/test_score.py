"""Likelihoods against an independent computation, order, cancel."""

from __future__ import annotations

import asyncio
import random
from typing import NoReturn

import ctranslate2  # type: ignore[import-untyped]
import numpy as np
import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import Unsupported
from ocils.domain.model import Infill
from ocils.engine.ct2 import CTranslate2Engine
from ocils.engine.models.store import ModelFolder
from ocils.engine.scoring import score_rows
from ocils.engine.shared import Group, group_rows, pieces, score_groups

LINES = [f"\n    name_{n} = call({n}, 'ä{n}')" for n in range(12)]


def pairs(count: int) -> list[tuple[Infill, str]]:
    draw = random.Random(count)
    made = []
    for _ in range(count):
        at = draw.randrange(len(LINES))
        prompt = Infill("".join(LINES[:at]), "".join(LINES[at + 1 :]), LINES[at])
        made.append((prompt, draw.choice([*LINES, "", "\n", "\n    return\n    pass"])))
    return made


@pytest.mark.parametrize("count", [20, 200])
async def test_equals_a_forward_pass(
    engine: CTranslate2Engine, small_model: ModelFolder, count: int
) -> None:
    """Prompt and middle laid out by hand, log-softmax in numpy, one row at a time, no padding.

    Of 20 pairs each is scored by itself, of 200 those with one prompt share its computation.
    """
    asked = pairs(count)
    groups = group_rows([engine._tokens.encode_pair(*pair) for pair in asked])
    assert any(group.worthwhile for group in groups) == (count == 200)
    scores = await engine.score(asked, CancelToken())
    generator = ctranslate2.Generator(str(small_model.folder), compute_type="auto")
    plain = engine._tokens._plain

    def encode(text: str) -> list[str]:
        return list(plain.encode(text, add_special_tokens=False).tokens)

    for (prompt, middle), score in zip(asked, scores, strict=True):
        head = ["<pre>", *encode(prompt.prefix), "<suf>", *encode(prompt.suffix)]
        head += ["<was>", *encode(prompt.was), "<mid>"]
        row = [*head, *encode(middle), "<end>"]
        logits = np.array(generator.forward_batch([row]))[0].astype("float64")
        logits -= logits.max(axis=1, keepdims=True)
        logprobs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        total = sum(logprobs[i - 1, plain.token_to_id(row[i])] for i in range(len(head), len(row)))
        assert score == pytest.approx(total, abs=0.05)


async def test_an_empty_middle_scores_its_end_alone(engine: CTranslate2Engine) -> None:
    prompt = Infill("\nx", "\ny")
    (nothing,) = await engine.score([(prompt, "")], CancelToken())
    assert nothing < 0
    assert await engine.score([], CancelToken()) == ()


async def test_order_and_company_do_not_matter(engine: CTranslate2Engine) -> None:
    """Rows of all lengths share batches, padded: each must score as it does alone."""
    asked = pairs(40)
    together = await engine.score(asked, CancelToken())
    backwards = await engine.score(asked[::-1], CancelToken())
    alone = [(await engine.score([each], CancelToken()))[0] for each in asked]
    assert together == pytest.approx(backwards[::-1], abs=0.05)
    assert together == pytest.approx(alone, abs=0.05)


async def test_sharing_a_prompt_changes_nothing(
    engine: CTranslate2Engine, small_model: ModelFolder
) -> None:
    """Continuations of every length, the shortest possible prompt, one piece or several."""
    await engine.load()
    native = engine._thread._native
    tokens = engine._tokens
    rows = [tokens.encode_pair(prompt, middle) for prompt, middle in pairs(60)]
    rows += [tokens.encode_pair(Infill("", ""), middle) for middle in ("", "\n", LINES[3] * 4)]
    groups = group_rows(rows)
    assert sorted(n for group in groups for n in group.rows) == list(range(len(rows)))
    alone = score_rows(native.generator(), rows, 1, 600, lambda: False)
    for width in (1, 2):
        shared = score_groups(
            native.generator(), groups, width, tokens.vocabulary, "<pre>", lambda: False
        )
        assert [shared[n] for n in range(len(rows))] == pytest.approx(alone, abs=0.05)
    calls = iter(range(1000))
    some = score_groups(
        native.generator(), groups, 1, tokens.vocabulary, "<pre>", lambda: next(calls) > 4
    )
    assert 0 < len(some) < len(rows)


def test_a_large_group_is_split_by_its_memory() -> None:
    group = Group(("a", "b"), (("c",) * 20,) * 100, tuple(range(100)))
    parts = pieces(group, 150_000)
    assert [row for part in parts for row in part.rows] == list(range(100))
    assert all(len(part.rows) * 20 * 150_000 <= 16 << 20 for part in parts)
    assert pieces(group, 600) == [group]


async def test_cancel_is_looked_at_between_calls(engine: CTranslate2Engine) -> None:
    """After the token flips no further batch is computed."""
    await engine.load()
    calls = 0

    class Counting:
        num_active_batches = 0

        def generate_batch(self, *_: object, **__: object) -> NoReturn:
            raise NotImplementedError

        def score_batch(self, tokens: list[list[str]], **_: object) -> list[Counted]:
            nonlocal calls
            calls += 1
            return [Counted(len(row) - 1) for row in tokens]

        def forward_batch(self, *_: object, **__: object) -> NoReturn:
            raise NotImplementedError

    class Counted:
        def __init__(self, count: int) -> None:
            self.log_probs = [-1.0] * count

    rows = [(["a"] * 200, 100)] * 500
    assert score_rows(Counting(), rows, 1, 1000, lambda: calls >= 2) == ()
    assert calls == 2
    assert score_rows(Counting(), rows, 1, 1000, lambda: False) == (-100.0,) * 500


async def test_cancel_releases_the_waiter_at_once(engine: CTranslate2Engine) -> None:
    cancel = CancelToken()
    waiting = asyncio.create_task(engine.score(pairs(2000), cancel))
    await asyncio.sleep(0.05)
    cancel.cancel()
    assert await asyncio.wait_for(waiting, 60) == ()


async def test_a_model_without_infill_says_so(small_model: ModelFolder) -> None:
    from msgspec.structs import replace

    model = replace(small_model, manifest=replace(small_model.manifest, infill=None))
    engine = CTranslate2Engine(model, threads=1)
    try:
        with pytest.raises(Unsupported, match="does not fill in the middle"):
            await engine.score(pairs(1), CancelToken())
    finally:
        await engine.close()
