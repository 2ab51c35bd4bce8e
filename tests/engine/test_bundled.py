"""The model that ships with ocils, through the engine: it is whole, and it has learned something."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ocils.domain.cancel import CancelToken
from ocils.domain.model import Infill, Sampling
from ocils.engine.ct2 import CTranslate2Engine
from ocils.engine.models.store import find, verify

pytestmark = pytest.mark.model

CODE = '''def find_ranges(values, limit):
    """Return the start and end of every run of values that are at most limit."""
    ranges = []
    start = None
    for index, value in enumerate(values):
        if value <= limit:
            if start is None:
                start = index
        elif start is not None:
            ranges.append((start, index))
            start = None
    if start is not None:
        ranges.append((start, len(values)))
    return ranges'''.splitlines()


@pytest_asyncio.fixture
async def bundled() -> AsyncIterator[CTranslate2Engine]:
    engine = CTranslate2Engine(find("ocils-tiny"), threads=2)
    yield engine
    await engine.close()


def hole(line: int, was: str = "") -> Infill:
    """The code with one line taken out (0-based)."""
    return Infill(
        "".join(f"\n{text}" for text in CODE[:line]),
        "".join(f"\n{text}" for text in CODE[line + 1 :]),
        was,
    )


def test_it_is_whole_and_small() -> None:
    model = find("ocils-tiny")
    verify(model)
    assert set(model.manifest.files) >= {"model.bin", "tokenizer.json", "config.json"}
    assert sum(path.stat().st_size for path in model.folder.iterdir()) < 20_000_000


async def test_every_text_survives_its_tokenizer(bundled: CTranslate2Engine) -> None:
    text = "\n\tx = 'grüß 日本 👩‍👩‍👧 <mid> \\' \r\n    é\u0301 #\x00\x7f   "
    tokens = bundled._tokens.encode(Infill(text, text, text))
    controls = ("<pre>", "<suf>", "<was>", "<mid>")
    assert [token for token in tokens if token in controls] == list(controls)
    numbers = [bundled._tokens.vocabulary[token] for token in tokens if token not in controls]
    assert bundled._tokens.decode(numbers) == text * 3


async def test_it_writes_whole_lines(bundled: CTranslate2Engine) -> None:
    prompt = Infill(hole(9).prefix, hole(9).suffix, max_lines=2)
    found = [r async for r in bundled.generate(prompt, Sampling(32, 60), CancelToken())]
    assert len(found) == 32
    assert sum(reply.text.startswith("\n    ") for reply in found) >= 24
    assert sum(reply.finish == "stop" for reply in found) >= 16
    assert all(reply.text.count("\n") <= 2 for reply in found)


async def test_it_prefers_code_to_its_words_in_disorder(bundled: CTranslate2Engine) -> None:
    """Same words, same length; an untrained model prefers the right one in half of the cases."""
    better = 0
    for line, text in enumerate(CODE):
        indent = text[: len(text) - len(text.lstrip())]
        disorder = indent + " ".join(reversed(text.split()))
        right, wrong = await bundled.score(
            [(hole(line), f"\n{text}"), (hole(line), f"\n{disorder}")], CancelToken()
        )
        better += right > wrong
    assert better >= 11
