"""No model at all: what the search does by itself, to measure a model against.

``none`` proposes small edits in a random order, ``rules`` orders them by the rarity of the slip and
the suspicion of the line. Whoever has no model at hand can use them too.

Not covered: text; nothing is ever generated.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from ocils.domain.cancel import CancelToken
from ocils.domain.model import Infill, Manifest, Prompt, Reply, Sampling

MANIFESTS = {
    "none": Manifest("none", "none", "Apache-2.0", 4096, False, ("guess",)),
    "rules": Manifest("rules", "none", "Apache-2.0", 4096, False, ("edit",)),
}
"""The manifests by name."""


class NoModel:
    """The ``Engine`` port without a model behind it."""

    sends: str = ""
    """Nothing leaves this process."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest

    @property
    def manifest(self) -> Manifest:
        """One of ``MANIFESTS``."""
        return self._manifest

    @property
    def identity(self) -> str:
        """The manifest's name: there are no files to hash."""
        return self._manifest.name

    async def load(self) -> None:
        """Do nothing: there is nothing to load."""

    def count_tokens(self, text: str) -> int:
        """Take four characters for a token."""
        return -(-len(text) // 4)

    async def generate(
        self,
        prompt: Prompt,  # noqa: ARG002 - the port's signature
        sampling: Sampling,  # noqa: ARG002
        cancel: CancelToken,  # noqa: ARG002
    ) -> AsyncGenerator[Reply, None]:
        """Yield nothing."""
        nothing: tuple[Reply, ...] = ()
        for reply in nothing:
            yield reply

    async def score(
        self,
        prompts: Sequence[tuple[Infill, str]],
        cancel: CancelToken,  # noqa: ARG002
    ) -> tuple[float, ...]:
        """Find everything equally likely."""
        return (0.0,) * len(prompts)

    async def screen(
        self,
        prompts: Sequence[tuple[Infill, str]],  # noqa: ARG002
        cancel: CancelToken,  # noqa: ARG002
    ) -> tuple[float, ...]:
        """Guess nothing."""
        return ()

    async def close(self) -> None:
        """Do nothing."""
