"""CTranslate2 on a machine with little memory: for tests and rehearsals of running out of it.

Real generators on the CPU behind it, whatever device they are said to be on; only the running out is
played, with the words that CTranslate2 itself uses.

Not covered: how much memory anything would really take.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from ocils.engine.library import Generator, Library, Pending, Scored, Step, library

Room = Mapping[tuple[str, str], int]
"""By device and compute type: how many candidates fit at once; what is not in it cannot be loaded."""

_CUDA = "CUDA failed with error out of memory"
_CPU = "std::bad_alloc"


class ScarceLibrary:
    """The ``Library`` in which only so much fits. ``opened`` lists what was loaded, in order."""

    def __init__(self, room: Room, when: Literal["first", "midway"] = "first") -> None:
        self._room = room
        self._when = when
        self._real: Library = library()
        self.opened: list[tuple[str, str]] = []

    def set_random_seed(self, seed: int) -> None:
        """Pass the seed on."""
        self._real.set_random_seed(seed)

    def Generator(self, model_path: str, **options: object) -> Generator:  # noqa: N802 (its name)
        """Load the model on the CPU, if its device and type have room. Raises ``RuntimeError``."""
        place = (str(options["device"]), str(options["compute_type"]))
        if place not in self._room:
            raise RuntimeError(_CUDA if place[0] == "cuda" else _CPU)
        self.opened.append(place)
        real = self._real.Generator(model_path, device="cpu")
        return _Scarce(real, self._room[place], self._when, _CUDA if place[0] == "cuda" else _CPU)


class _Scarce:
    """A generator that draws no more than ``rows`` at once."""

    def __init__(self, real: Generator, rows: int, when: str, words: str) -> None:
        self._real = real
        self._rows = rows
        self._when = when
        self._words = words

    @property
    def num_active_batches(self) -> int:
        """How many batches are queued or running."""
        return self._real.num_active_batches

    def generate_batch(
        self,
        start_tokens: list[list[str]],
        *,
        callback: Callable[[Step], bool] | None = None,
        **options: object,
    ) -> Sequence[Pending]:
        """Draw replies, or run out of memory: before the first token, or when a reply is done."""
        if int(str(options.get("num_hypotheses", 1))) <= self._rows:
            return self._real.generate_batch(start_tokens, callback=callback, **options)
        if self._when == "midway" and callback is not None:
            told = callback

            def until_one_is_done(step: Step) -> bool:
                if told(step):
                    raise RuntimeError(self._words)
                return False

            return self._real.generate_batch(start_tokens, callback=until_one_is_done, **options)
        raise RuntimeError(self._words)

    def score_batch(self, tokens: list[list[str]], **options: object) -> Sequence[Scored]:
        """Score rows of tokens, in order."""
        return self._real.score_batch(tokens, **options)

    def forward_batch(self, inputs: list[list[str]], *, return_log_probs: bool) -> object:
        """Run rows of tokens through the model."""
        return self._real.forward_batch(inputs, return_log_probs=return_log_probs)
