"""A model's time with somebody else's words: real replies in number, length and moment, other texts.

A random model draws as fast as a real one of its shape and writes nonsense, of which nothing would
ever be judged. Dubbed, its replies are candidates like any other.

Not covered: likelihoods; the inner engine's ones are of its own words.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

import msgspec

from ocils.bench.delegating import Delegating
from ocils.domain.cancel import CancelToken
from ocils.domain.model import Chat, Infill, Prompt, Reply, Sampling
from ocils.ports import Engine

_BYTES = 4  # of code a token, roughly, in models that are none of random words


class Dubbed(Delegating):
    """Another engine, whose replies say ``texts``, in order.

    Replies that no text is left for keep their own. ``generating`` is for how many seconds the
    model drew: from the request to its last reply, whether or not anybody waited for it.
    """

    def __init__(self, inner: Engine, texts: Iterator[str]) -> None:
        super().__init__(inner)
        self.generating = 0.0
        self.replies = 0
        self._texts = texts

    def count_tokens(self, text: str) -> int:
        """Count the tokens of ``text``, four bytes each: a random model has a token a byte."""
        return -(-len(text.encode()) // _BYTES)

    async def generate(
        self, prompt: Prompt, sampling: Sampling, cancel: CancelToken
    ) -> AsyncGenerator[Reply, None]:
        """Yield the inner replies when they come, with other words, to a prompt as long in tokens."""
        arrived: asyncio.Queue[Reply | None] = asyncio.Queue()

        async def draw() -> None:
            started = last = time.perf_counter()
            try:
                async with aclosing(
                    self._inner.generate(_shorter(prompt), sampling, cancel)
                ) as replies:
                    async for reply in replies:
                        last = time.perf_counter()
                        arrived.put_nowait(reply)
            finally:
                self.generating += last - started
                arrived.put_nowait(None)

        work = asyncio.create_task(draw())
        try:
            while (reply := await arrived.get()) is not None:
                self.replies += 1
                text = next(self._texts, reply.text)
                yield msgspec.structs.replace(reply, text=text, finish="stop")
            await work
        finally:
            work.cancel()
            await asyncio.wait([work])


def _shorter(prompt: Prompt) -> Prompt:
    """Return a prompt that has as many tokens in a random model as this one has in a real one."""
    if isinstance(prompt, Infill):
        return msgspec.structs.replace(
            prompt,
            prefix=prompt.prefix[: len(prompt.prefix) // _BYTES],
            suffix=prompt.suffix[: len(prompt.suffix) // _BYTES],
        )
    messages = tuple(
        msgspec.structs.replace(each, content=each.content[: len(each.content) // _BYTES])
        for each in prompt.messages
    )
    return Chat(messages)
