"""CTranslate2 itself: which device, how many threads, making and dropping a generator.

Not covered: memory against what is free, falling back on out-of-memory.
"""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Protocol, cast

from ocils.domain.base import Value
from ocils.domain.errors import ModelDamaged
from ocils.engine.hardware import cuda_devices

_SMALL = 64 * 1024 * 1024
_M_MMAP_MAX = -4
_M_TRIM_THRESHOLD = -1


class Step(Protocol):
    """One drawn token, as CTranslate2 hands it to a callback; ``hypothesis_id`` is its row."""

    hypothesis_id: int
    token: str
    token_id: int
    log_prob: float
    is_last: bool


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
        self, start_tokens: list[list[str]], *, callback: Callable[[Step], bool], **options: object
    ) -> object:
        """Draw replies; ``callback`` is called for each token and ends its row with True."""
        ...

    def score_batch(self, tokens: list[list[str]], **options: object) -> Sequence[Scored]:
        """Score rows of tokens, in order."""
        ...


class Layout(Value, frozen=True):
    """Where and how a model runs; ``replicas`` × ``threads`` CPU threads share one set of weights."""

    device: Literal["cpu", "cuda"]
    replicas: int
    threads: int


def choose_layout(weights: int, gpus: int, threads: int) -> Layout:
    """Choose for a model of ``weights`` bytes; ``threads`` is what the user allows.

    A small model's matrices are too small to be shared out: two replicas of one thread scored 13,700
    tokens in 0.30 s where one replica of two threads took 0.60 s (8.8 M parameters, two cores), and
    such a model answers before a GPU is warm.
    """
    if weights <= _SMALL:
        return Layout("cpu", max(1, threads), 1)
    return Layout("cuda" if gpus else "cpu", 1, max(1, threads))


class Native:
    """Makes and drops the generator of the model in ``folder``. Use it from one thread only."""

    def __init__(self, folder: Path, threads: int) -> None:
        self._folder = folder
        self._threads = threads
        self._generator: Generator | None = None
        self._libc: ctypes.CDLL | None = None

    @property
    def loaded(self) -> bool:
        """Whether weights are in memory."""
        return self._generator is not None

    @property
    def small(self) -> bool:
        """Whether making a generator costs next to nothing (milliseconds)."""
        return _weights(self._folder) <= _SMALL

    @property
    def width(self) -> int:
        """How many batches are worth handing over at once."""
        return self._layout().replicas

    def generator(self) -> Generator:
        """Return the generator, made if need be. Raises ``ModelDamaged``."""
        if self._generator is None:
            self._generator = self._make()
        return self._generator

    def seeded(self, seed: int) -> Generator:
        """Return a generator whose draws depend on ``seed`` alone, where that is cheap.

        A seed counts only for generators made after it was set, so this makes a new one of a small
        model; a large one goes on drawing where it was.
        """
        _library().set_random_seed(seed & 0x7FFFFFFF)
        if self.small:
            self.drop()
        return self.generator()

    def drop(self) -> None:
        """Release the weights once nothing runs any more: anything else aborts the process."""
        self.settle()
        self._generator = None
        self.trim()

    def settle(self) -> None:
        """Wait until no batch is under way."""
        while self._generator is not None and self._generator.num_active_batches:
            time.sleep(0.001)

    def trim(self) -> None:
        """Give memory that is free back to the system."""
        if self._libc is not None:
            self._libc.malloc_trim(0)

    def _layout(self) -> Layout:
        return choose_layout(_weights(self._folder), cuda_devices(), self._threads)

    def _make(self) -> Generator:
        if self._libc is None:
            self._libc = _tuned_libc()
        layout = self._layout()
        try:
            return _library().Generator(
                str(self._folder),
                device=layout.device,
                compute_type="auto",
                inter_threads=layout.replicas,
                intra_threads=layout.threads,
            )
        except (RuntimeError, ValueError) as error:
            raise ModelDamaged(
                f"CTranslate2 cannot load the model in {self._folder}: {error}",
                mend="get the model's files again, or choose another model in your settings",
            ) from error


class _Library(Protocol):
    def set_random_seed(self, seed: int) -> None: ...
    def Generator(self, model_path: str, **options: object) -> Generator: ...  # noqa: N802


def _library() -> _Library:
    """Import CTranslate2, which takes a fraction of a second, when it is first needed."""
    import ctranslate2  # type: ignore[import-untyped]  # it ships no types

    return cast(_Library, ctranslate2)


def _weights(folder: Path) -> int:
    try:
        return (folder / "model.bin").stat().st_size
    except OSError:
        return 0


def _tuned_libc() -> ctypes.CDLL | None:
    """Keep large buffers on the heap: glibc would map and unmap them at every step (4 × slower)."""
    if sys.platform != "linux":
        return None
    try:
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        libc.malloc_trim  # noqa: B018 (musl has none; asking for it raises AttributeError)
    except (OSError, AttributeError):
        return None
    return libc
