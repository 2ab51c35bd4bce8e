"""CTranslate2 itself: which device, how many threads, making and dropping a generator.

Not covered: memory against what is free, falling back on out-of-memory.
"""

from __future__ import annotations

import ctypes
import logging
import sys
import time
from pathlib import Path
from typing import Literal

from ocils.domain.base import Value
from ocils.domain.errors import ModelDamaged
from ocils.engine.hardware import cuda_devices
from ocils.engine.library import Generator, library

_SMALL = 64 * 1024 * 1024
_M_MMAP_MAX = -4
_M_TRIM_THRESHOLD = -1

_log = logging.getLogger(__name__)


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
    """Makes and drops the generator of the model in ``folder``. Use it from one thread only.

    ``layout`` is chosen from the machine when none is given; a GPU that turns out not to work (its
    libraries may be missing) is given up for the CPU, which is logged.
    """

    def __init__(self, folder: Path, threads: int, layout: Layout | None = None) -> None:
        self._folder = folder
        self._threads = threads
        self._chosen = layout
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
    def layout(self) -> Layout:
        """Where and how the model runs, or would."""
        if self._chosen is None:
            self._chosen = choose_layout(_weights(self._folder), cuda_devices(), self._threads)
        return self._chosen

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
        library().set_random_seed(seed & 0x7FFFFFFF)
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

    def _make(self) -> Generator:
        if self._libc is None:
            self._libc = _tuned_libc()
        if self.layout.device == "cuda":
            try:
                generator = self._open(self.layout)
                # The GPU's libraries are only looked for when they are first needed.
                generator.score_batch([["", ""]])
            except (RuntimeError, ValueError) as error:
                _log.warning("the GPU cannot be used, so the model runs on the CPU: %s", error)
                self._chosen = choose_layout(_weights(self._folder), 0, self._threads)
            else:
                return generator
        try:
            return self._open(self.layout)
        except (RuntimeError, ValueError) as error:
            raise ModelDamaged(
                f"CTranslate2 cannot load the model in {self._folder}: {error}",
                mend="get the model's files again, or choose another model in your settings",
            ) from error

    def _open(self, layout: Layout) -> Generator:
        return library().Generator(
            str(self._folder),
            device=layout.device,
            compute_type="auto",
            inter_threads=layout.replicas,
            intra_threads=layout.threads,
        )


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
