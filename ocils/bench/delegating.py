"""An engine that is another one, for measures that change only a part of it.

Not covered: what is measured (``blinkers``, ``dubbed``).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from ocils.domain.cancel import CancelToken
from ocils.domain.model import Infill, Manifest, Prompt, Reply, Sampling
from ocils.ports import Engine


class Delegating:
    """The ``Engine`` port over ``inner``, which it leaves open."""

    def __init__(self, inner: Engine) -> None:
        self._inner = inner

    @property
    def manifest(self) -> Manifest:
        """The model's description."""
        return self._inner.manifest

    @property
    def identity(self) -> str:
        """The model's name and hash."""
        return self._inner.identity

    @property
    def sends(self) -> str:
        """Where the code goes that the model is shown."""
        return self._inner.sends

    async def load(self) -> None:
        """Load the model."""
        await self._inner.load()

    def count_tokens(self, text: str) -> int:
        """Count the tokens of ``text``."""
        return self._inner.count_tokens(text)

    def generate(
        self, prompt: Prompt, sampling: Sampling, cancel: CancelToken
    ) -> AsyncGenerator[Reply, None]:
        """Yield the other's replies."""
        return self._inner.generate(prompt, sampling, cancel)

    async def score(
        self, prompts: Sequence[tuple[Infill, str]], cancel: CancelToken
    ) -> tuple[float, ...]:
        """Return the other's scores."""
        return await self._inner.score(prompts, cancel)

    async def screen(
        self, prompts: Sequence[tuple[Infill, str]], cancel: CancelToken
    ) -> tuple[float, ...]:
        """Return the other's guesses."""
        return await self._inner.screen(prompts, cancel)

    async def close(self) -> None:
        """Do nothing."""
