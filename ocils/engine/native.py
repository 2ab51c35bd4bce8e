"""CTranslate2 itself: making and dropping a generator, and what to do when memory runs out.

Not covered: which device and compute type (``machine/layout.py``), what is generated (``ct2.py``).
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from ocils.domain.errors import EnvironmentProblem, ModelDamaged, OcilsError
from ocils.domain.model_state import Failed, Loading, ModelState, Ready, Unloaded
from ocils.engine.library import Generator, Library, library
from ocils.engine.machine import cuda
from ocils.engine.machine.allocator import Heap, tuned_heap
from ocils.engine.machine.growth import watch_growth
from ocils.engine.machine.hardware import Hardware, cpu_free, read_hardware
from ocils.engine.machine.layout import (
    SMALL,
    Layout,
    after_out_of_memory,
    choose,
    rows_that_fit,
    without_gpu,
)
from ocils.engine.machine.memory import RESERVE, Want, cache_in, out_of_memory, weights_in
from ocils.engine.models.store import ModelFolder

_PREFIXES = 512 * 1024 * 1024
"""What cached prefixes may take; one that is larger has it for itself."""
_PREFIX_SHARE = 8  # one prefix takes no more than this part of the free memory

_log = logging.getLogger(__name__)


class Native:
    """Makes and drops the generator of ``model``. Use it from one thread only.

    ``layout`` is chosen from the machine when none is given. A GPU that does not work is given up for
    the CPU, and memory that runs out means less at once: both are logged, and told to ``report`` with
    the model's state, from the thread that uses this. ``prefixes``: bytes kept prefixes may take.
    """

    def __init__(
        self,
        model: ModelFolder,
        want: Want,
        *,
        layout: Layout | None = None,
        report: Callable[[ModelState], None] | None = None,
        hardware: Callable[[], Hardware] = read_hardware,
        library: Callable[[], Library] = library,
        prefixes: int = _PREFIXES,
    ) -> None:
        self._folder = model.folder
        self._manifest = model.manifest
        self._want = fitted(want, model)
        self._given = self._chosen = layout
        self._report = report or (lambda _: None)
        self._read = hardware
        self._hardware: Hardware | None = None
        self._library = library
        self._generator: Generator | None = None
        self._prefixes: dict[tuple[str, ...], int] = {}
        self._prefix_cap = prefixes
        self._heap: Heap | None = None
        self._note, self._most = "", sys.maxsize

    @property
    def loaded(self) -> bool:
        """Whether weights are in memory."""
        return self._generator is not None

    @property
    def small(self) -> bool:
        """Whether making a generator costs next to nothing (milliseconds)."""
        return self._want.weights <= SMALL

    @property
    def hardware(self) -> Hardware:
        """The machine, read once."""
        if self._hardware is None:
            self._hardware = self._read()
        return self._hardware

    @property
    def layout(self) -> Layout:
        """Where and how the model runs, or would."""
        if self._chosen is None:
            self._chosen = choose(self.hardware, self._manifest, self._want)
        return self._chosen

    def generator(self) -> Generator:
        """Return the generator, made if need be. Raises ``ModelDamaged``, ``EnvironmentProblem``."""
        if self._generator is None:
            try:
                self._generator = self._make()
            except OcilsError as problem:
                self._report(Failed(problem.message, problem.mend))
                raise
            self._report(Ready(self._note))
        return self._generator

    def seeded(self, seed: int) -> Generator:
        """Return a generator whose draws depend on ``seed`` alone, where that is cheap.

        A seed counts only for generators made after it, so a small model's is made anew; a large one
        goes on drawing where it was.
        """
        self._library().set_random_seed(seed & 0x7FFFFFFF)
        if self.small and self._generator is not None:
            self._forget()
            self._generator = self._open(self.layout)
        return self.generator()

    def rows_for(self, tokens: int, rows: int) -> int:
        """Return how many of ``rows`` candidates of ``tokens`` fit into memory at once; at least one."""
        layout = self.layout
        fit = self._most
        if layout.device == "cuda":
            # The runtime keeps what it once took, so what the driver calls free says little.
            fit = min(fit, layout.room // max(1, tokens)) if layout.room else fit
        elif not self.small:
            fit = min(fit, self._fit(tokens))
            if fit < rows:
                # What the last turn left is still ours.
                self.settle()
                self.trim()
                fit = min(self._most, self._fit(tokens))
        return max(1, min(rows, fit))

    def make_room(self, tokens: int, rows: int) -> None:
        """Prepare memory for ``rows`` candidates of ``tokens``; nothing where that is little."""
        row = tokens * cache_in(self._manifest, self._want, self.layout.compute_type, "cpu")
        self._widen((rows + 1) * row + RESERVE["cpu"] // 2)

    def _widen(self, size: int) -> None:
        if self._heap is not None and not self.small and self.layout.device == "cpu":
            self._heap.widen(size * 5 // 4)

    def _fit(self, tokens: int) -> int:
        if not (free := cpu_free()):
            return sys.maxsize
        want = msgspec.structs.replace(self._want, tokens=tokens)
        return rows_that_fit(free, self._manifest, want, self.layout)

    def keeps(self, prefix: Sequence[str]) -> bool:
        """Say whether the state behind ``prefix`` is worth keeping, and make room for it.

        CTranslate2 forgets kept states only with the generator, so at the cap it is made anew. On
        several GPUs it would hand the state in one's memory to another, so there nothing is kept.
        """
        if self.small or len(prefix) < 2 or len(self.layout.index) > 1:
            return False
        key = tuple(prefix)
        size = len(key) * cache_in(
            self._manifest, self._want, self.layout.compute_type, self.layout.device
        )
        if key not in self._prefixes:
            if self.layout.device == "cpu" and size > cpu_free() // _PREFIX_SHARE > 0:
                return False
            if self._prefixes and self.kept + size > self._prefix_cap:
                self._forget()
                self._generator = self._make()
            self._prefixes[key] = size
        return True

    @property
    def kept(self) -> int:
        """The bytes that kept prefixes take."""
        return sum(self._prefixes.values())

    def step_down(self, error: Exception, tried: int = 0) -> bool:
        """After a failure for want of memory, ask for less; False when it was something else, or all.

        ``tried`` is how many candidates were drawn at once.
        """
        if not out_of_memory(error):
            return False
        layout = msgspec.structs.replace(self.layout, rows=tried or self.layout.rows)
        lower = after_out_of_memory(
            layout, self.hardware, self._manifest, self._want, loading=not self.loaded
        )
        if lower is None:
            return False
        self._lower(lower)
        return True

    def drop(self) -> None:
        """Release the weights once nothing runs any more: anything else aborts the process."""
        if self._generator is not None:
            self._forget()
            self._report(Unloaded())
        self._afresh()
        self.trim()

    def settle(self) -> None:
        """Wait until no batch is under way."""
        while self._generator is not None and self._generator.num_active_batches:
            time.sleep(0.001)

    def trim(self) -> None:
        """Give memory that is free back to the system."""
        if self._heap is not None:
            self._heap.trim()

    def _afresh(self) -> None:
        """Look at the machine again before the next load: what was taken may be free by then."""
        self._hardware, self._chosen = None, self._given
        self._note, self._most = "", sys.maxsize

    def _forget(self) -> None:
        self.settle()
        self._generator = None
        self._prefixes.clear()

    def _lower(self, layout: Layout) -> None:
        _log.warning("%s", layout.news)
        old, self._chosen, self._note = self.layout, layout, layout.news
        if (old.device, old.compute_type) != (layout.device, layout.compute_type):
            self._most = sys.maxsize
            self._forget()
            self.trim()
        else:
            self._most = layout.rows
            if self._generator is not None:
                self._report(Ready(self._note))

    def _make(self) -> Generator:
        if self._heap is None:
            self._heap = tuned_heap()
        if self.layout.rows < 1:
            why = self.layout.why[0]
            self._afresh()
            raise EnvironmentProblem(
                f"there is not enough memory: {why}",
                mend="choose a smaller model, or a server that has room for it",
            )
        self._report(Loading(0.0))
        self._widen(weights_in(self._manifest, self._want, self.layout.compute_type))
        with watch_growth(self._want.weights, lambda share: self._report(Loading(share))):
            while True:
                try:
                    return self._tried(self.layout)
                except (RuntimeError, ValueError, IndexError, MemoryError, OSError) as error:
                    if self.step_down(error):
                        continue
                    if self.layout.device == "cuda":
                        said = f"the GPU cannot be used, so the model runs on the CPU: {error}"
                        lower = without_gpu(self.hardware, self._manifest, self._want, said)
                        self._lower(lower)
                        continue
                    raise _failure(self._folder, error) from error

    def _tried(self, layout: Layout) -> Generator:
        if layout.device == "cuda":
            cuda.preload(cuda.find_cublas(os.environ))
        generator = self._open(layout)
        if layout.device == "cuda":
            # The GPU's libraries are only looked for when they are first needed; by each GPU's turn.
            generator.score_batch([["", ""]] * len(layout.index), max_batch_size=1)
        return generator

    def _open(self, layout: Layout) -> Generator:
        cuda_only = {"device_index": list(layout.index)} if layout.device == "cuda" else {}
        return self._library().Generator(
            str(self._folder),
            device=layout.device,
            compute_type=layout.compute_type,
            inter_threads=1 if cuda_only else layout.replicas,
            intra_threads=layout.threads,
            **cuda_only,
        )


def fitted(want: Want, model: ModelFolder) -> Want:
    """Return ``want`` with what is known of the model: its size, and a context it has."""
    file = model.folder / "model.bin"
    weights = file.stat().st_size if file.is_file() else 0
    tokens = min(want.tokens, model.manifest.context)
    return msgspec.structs.replace(want, tokens=tokens, weights=weights)


def _failure(folder: Path, error: Exception) -> OcilsError:
    if out_of_memory(error):
        return EnvironmentProblem(
            f"there is not enough memory for the model in {folder}",
            mend="close other programs, or choose a smaller model",
        )
    return ModelDamaged(
        f"CTranslate2 cannot load the model in {folder}: {error}",
        mend="get the model's files again, or choose another model in your settings",
    )
