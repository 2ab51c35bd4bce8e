"""The types of what is used of CTranslate2, which ships none, and its import when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, cast


class Step(Protocol):
    """One drawn token, as CTranslate2 hands it to a callback; ``hypothesis_id`` is its row."""

    hypothesis_id: int
    token: str
    token_id: int
    log_prob: float
    is_last: bool


class Drawn(Protocol):
    """What was drawn for one row; ``logits`` has, by reply and step, one number a token."""

    @property
    def logits(self) -> Sequence[Sequence[object]]:
        """The raw output of every step."""
        ...


class Whole(Drawn, Protocol):
    """A result that is there; ``sequences_ids`` has the token numbers of every reply."""

    @property
    def sequences_ids(self) -> Sequence[Sequence[int]]:
        """The replies."""
        ...


class Pending(Protocol):
    """The result of one row that may not be there yet."""

    def result(self) -> Drawn:
        """Wait for it; the interpreter's lock is released meanwhile."""
        ...


class Scored(Protocol):
    """What one row of tokens scored; ``log_probs`` has one entry less than the row has tokens."""

    @property
    def log_probs(self) -> Sequence[float]:
        """The natural logarithms."""
        ...


class Generator(Protocol):
    """The part of ``ctranslate2.Generator`` that is used here; the library has no types."""

    @property
    def num_active_batches(self) -> int:
        """How many batches are queued or running."""
        ...

    def generate_batch(
        self,
        start_tokens: list[list[str]],
        *,
        callback: Callable[[Step], bool] | None = None,
        **options: object,
    ) -> Sequence[Pending]:
        """Draw replies; ``callback`` is called for each token and ends its row with True.

        What is returned is pending only with ``asynchronous=True``, and not used otherwise.
        """
        ...

    def score_batch(self, tokens: list[list[str]], **options: object) -> Sequence[Scored]:
        """Score rows of tokens, in order."""
        ...

    def forward_batch(self, inputs: list[list[str]], *, return_log_probs: bool) -> object:
        """Return what follows every token of every row: rows × tokens × vocabulary, padded."""
        ...


class Library(Protocol):
    """The part of the ``ctranslate2`` module that is used here."""

    def set_random_seed(self, seed: int) -> None:
        """Seed the generators that are made from now on."""
        ...

    def Generator(self, model_path: str, **options: object) -> Generator:  # noqa: N802 (its name)
        """Load a model."""
        ...


def library() -> Library:
    """Import CTranslate2, which takes a fraction of a second, when it is first needed."""
    import ctranslate2  # type: ignore[import-untyped]  # it ships no types

    return cast(Library, ctranslate2)
