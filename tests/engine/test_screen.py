"""The cheap guess against an independent computation, places without old text, cancel."""

from __future__ import annotations

import ctranslate2  # type: ignore[import-untyped]
import numpy as np
import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.model import Infill
from ocils.engine.ct2 import CTranslate2Engine
from ocils.engine.models.store import ModelFolder

LINES = [f"\n    name_{n} = call({n}, 'ä{n}')" for n in range(8)]


async def test_a_guess_is_the_first_different_token_against_the_old_one(
    engine: CTranslate2Engine, small_model: ModelFolder
) -> None:
    """Prompts of several lengths together, each middle's guess worked out from one row alone."""
    asked = [
        (Infill("".join(LINES[:at]), "".join(LINES[at + 1 :]), LINES[at]), middle)
        for at in (1, 6, 3)
        for middle in (LINES[0], LINES[7] * 2, "", LINES[at], LINES[at] + LINES[2])
    ]
    guesses = await engine.screen(asked, CancelToken())
    assert len(guesses) == len(asked)
    generator = ctranslate2.Generator(str(small_model.folder), compute_type="auto")
    numbers = engine._tokens.vocabulary
    for (prompt, middle), guess in zip(asked, guesses, strict=True):
        old, head = engine._tokens.encode_pair(prompt, prompt.was)
        new, _ = engine._tokens.encode_pair(prompt, middle)
        at = next(
            (n for n, pair in enumerate(zip(new, old, strict=False)) if len(set(pair)) > 1), 0
        )
        if not at:
            assert guess == 0
            continue
        assert at >= head
        table = np.array(generator.forward_batch([old]))[0, at - 1].astype("float64")
        assert guess == pytest.approx(table[numbers[new[at]]] - table[numbers[old[at]]], abs=0.05)
    assert len({round(guess, 3) for guess in guesses}) > 6


async def test_a_place_without_old_text_tells_nothing(engine: CTranslate2Engine) -> None:
    assert await engine.screen([(Infill("\nx", "\ny"), LINES[0])], CancelToken()) == (0.0,)
    assert await engine.screen([], CancelToken()) == ()


async def test_a_cancelled_guess_is_none(engine: CTranslate2Engine) -> None:
    cancel = CancelToken()
    cancel.cancel()
    assert await engine.screen([(Infill("\nx", "\ny", LINES[1]), LINES[0])], cancel) == ()
