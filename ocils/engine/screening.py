"""A cheap guess of how much likelier other lines are than the old ones: one pass a prompt.

The prompt is run once with its old text as the middle. That tells the log-probability of every
token that may follow each beginning of the old text; an other middle is worth that of its first
different token less that of the old token in the same place. What comes behind that token counts as
certain for both. On 81 bugs in functions that the bundled model never saw, the right edit's mean
rank (geometric) was 8.1 of some 800 by this guess and 8.6 by full scores, with one pass for all edits of
a statement.

Not covered: what is inserted into an empty place (it has no old text, and the guess is 0), and the
rest of a long change, which only a full score looks at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from ocils.domain.base import Value
from ocils.engine.library import Generator

if TYPE_CHECKING:
    import numpy as np

_LOGITS = 8 * 1024 * 1024  # numbers in memory at once, for each replica


class Screened(Value, frozen=True):
    """A prompt's tokens, its old text's behind it, and the middles to guess at; ends included."""

    head: tuple[str, ...]
    was: tuple[str, ...]
    middles: tuple[tuple[str, ...], ...]


def screen(
    generator: Generator,
    asked: Sequence[Screened],
    replicas: int,
    vocabulary: dict[str, int],
    stopped: Callable[[], bool],
) -> tuple[tuple[float, ...], ...]:
    """Return the guesses for each prompt's middles, natural logarithms; () once ``stopped``.

    ``replicas`` prompts are run at once.
    """
    order = sorted(range(len(asked)), key=lambda n: len(asked[n].head) + len(asked[n].was))
    batches = [order[at : at + size] for at, size in _cuts(order, asked, len(vocabulary))]

    def guess(batch: Sequence[int]) -> list[tuple[int, tuple[float, ...]]]:
        if stopped():
            return []
        tables = _tables(generator, [asked[n] for n in batch])
        return [
            (n, _guesses(asked[n], table, vocabulary))
            for n, table in zip(batch, tables, strict=True)
        ]

    with ThreadPoolExecutor(max(1, replicas)) as pool:
        found = dict(pair for batch in pool.map(guess, batches) for pair in batch)
    return () if stopped() else tuple(found[n] for n in range(len(asked)))


def _cuts(
    order: Sequence[int], asked: Sequence[Screened], vocabulary: int
) -> list[tuple[int, int]]:
    """Return where each batch starts and how many prompts, the longest last, it holds."""
    cuts, at = [], 0
    while at < len(order):
        size = 1
        while at + size < len(order):
            longest = asked[order[at + size]]
            width = len(longest.head) + len(longest.was)
            if (size + 1) * width * vocabulary > _LOGITS:
                break
            size += 1
        cuts.append((at, size))
        at += size
    return cuts


def _tables(generator: Generator, batch: Sequence[Screened]) -> list[np.ndarray]:
    """Return, for each prompt, the log-probabilities at each place of its old text."""
    import numpy as np

    rows = [[*each.head, *each.was] for each in batch]
    output = generator.forward_batch(rows, return_log_probs=True)
    scores: np.ndarray = np.asarray(on_cpu(output))
    return [
        scores[number, len(each.head) - 1 : len(each.head) + len(each.was) - 1].copy()
        for number, each in enumerate(batch)
    ]


def on_cpu(output: object) -> object:
    """Return an output of CTranslate2 as numpy can read it: 32-bit, in the host's memory."""
    import ctranslate2  # type: ignore[import-untyped]  # it ships no types

    if not isinstance(output, ctranslate2.StorageView):
        return output
    view: Any = output
    view = view.to(ctranslate2.DataType.float32)
    return view if view.device == "cpu" else view.to_device(ctranslate2.Device.cpu)


def _guesses(asked: Screened, table: np.ndarray, vocabulary: dict[str, int]) -> tuple[float, ...]:
    if len(asked.was) < 2:
        return (0.0,) * len(asked.middles)
    found = []
    for middle in asked.middles:
        pairs = enumerate(zip(middle, asked.was, strict=False))
        at = next((at for at, (new, old) in pairs if new != old), None)
        found.append(
            0.0
            if at is None
            else float(table[at, vocabulary[middle[at]]] - table[at, vocabulary[asked.was[at]]])
        )
    return tuple(found)
