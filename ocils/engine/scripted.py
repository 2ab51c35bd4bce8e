"""An engine that plays back: for tests, demonstrations without a model, and reproducing reports.

Not covered: anything that needs real tokens; a token is taken to be four bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import suppress

from ocils.domain.cancel import CancelToken
from ocils.domain.model import Infill, Manifest, Prompt, Reply, Sampling

_BYTES_A_TOKEN = 4


class ScriptedEngine:
    """The ``Engine`` port, playing ``replies``: one sequence of texts for each call of ``generate``.

    A call beyond the script yields nothing, and no call yields more than it asked for. ``likelihood``
    is a function of prompt and middle, or a table by middle (what is not in it scores -1000); without
    it shorter middles are likelier. Every reply, and every scoring, takes ``seconds``. ``asked`` are
    the prompts so far.
    """

    sends: str = ""
    """Nothing leaves this process."""

    def __init__(
        self,
        manifest: Manifest,
        replies: Sequence[Sequence[str]] = (),
        likelihood: Callable[[Infill, str], float] | Mapping[str, float] | None = None,
        seconds: float = 0.0,
    ) -> None:
        self._manifest = manifest
        self._replies = [tuple(each) for each in replies]
        self._likelihood = likelihood
        self._seconds = seconds
        self._asked: list[Prompt] = []
        self._closed = False

    @property
    def manifest(self) -> Manifest:
        """The description it was given."""
        return self._manifest

    @property
    def identity(self) -> str:
        """The name, and that it is no real model."""
        return f"{self._manifest.name}@scripted"

    @property
    def asked(self) -> tuple[Prompt, ...]:
        """Every prompt that ``generate`` was called with, in order."""
        return tuple(self._asked)

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closed

    async def load(self) -> None:
        """Do nothing: there is nothing to load."""

    def count_tokens(self, text: str) -> int:
        """Count four bytes as a token."""
        return -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES_A_TOKEN)

    async def generate(
        self, prompt: Prompt, sampling: Sampling, cancel: CancelToken
    ) -> AsyncGenerator[Reply, None]:
        """Yield the next scripted replies, cut to ``sampling.tokens``; less when cancelled."""
        call = len(self._asked)
        self._asked.append(prompt)
        texts = self._replies[call] if call < len(self._replies) else ()
        for row, text in enumerate(texts[: sampling.n]):
            if not await self._pause(cancel):
                return
            cut = text.encode()[: sampling.tokens * _BYTES_A_TOKEN].decode("utf-8", "ignore")
            yield Reply(
                row,
                cut,
                -float(row),
                self.count_tokens(cut),
                "stop" if cut == text else "length",
            )

    async def score(
        self, prompts: Sequence[tuple[Infill, str]], cancel: CancelToken
    ) -> tuple[float, ...]:
        """Return what the function or table says; () when cancelled."""
        if not await self._pause(cancel):
            return ()
        return tuple(self._score(prompt, middle) for prompt, middle in prompts)

    async def screen(
        self, prompts: Sequence[tuple[Infill, str]], cancel: CancelToken
    ) -> tuple[float, ...]:
        """Return the true gains, where a likelihood was given; () without one or when cancelled."""
        if self._likelihood is None or not await self._pause(cancel):
            return ()
        return tuple(self._score(p, middle) - self._score(p, p.was) for p, middle in prompts)

    async def close(self) -> None:
        """Remember that it was closed."""
        self._closed = True

    def _score(self, prompt: Infill, middle: str) -> float:
        likelihood = self._likelihood
        if likelihood is None:
            return -float(len(middle))
        if isinstance(likelihood, Mapping):
            return likelihood.get(middle, -1000.0)
        return likelihood(prompt, middle)

    async def _pause(self, cancel: CancelToken) -> bool:
        """Wait as long as a reply takes; False as soon as it is cancelled."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop may be closed by then, with no one waiting
                loop.call_soon_threadsafe(stop.set)

        with cancel.watch(wake):
            if self._seconds > 0 and not cancel.cancelled:
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), self._seconds)
            else:
                await asyncio.sleep(0)
        return not cancel.cancelled
