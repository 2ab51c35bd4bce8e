"""Log-probabilities of given continuations, in pieces small enough to be cancelled between.

``Generator.score_batch`` returns, for a row of n tokens, n - 1 log-probabilities: entry i belongs to
token i + 1, given tokens 0 to i.

Not covered: how one prefill is shared between the continuations of a prompt (``shared.py``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ocils.engine.library import Generator
from ocils.engine.machine.layout import Layout
from ocils.engine.shared import group_rows, score_groups

_BATCH_TOKENS = 1024
_BATCH_LOGITS = 64 * 1024 * 1024
_CALL_SECONDS = (0.08, 0.2)


def score(
    generator: Generator,
    rows: Sequence[tuple[list[str], int]],
    layout: Layout,
    vocabulary: dict[str, int],
    unused: str,
    stopped: Callable[[], bool],
) -> tuple[float, ...]:
    """Return the summed log-probability of each row behind its head; () once ``stopped``.

    A row is its tokens and how many of them are only the condition (at least two). Rows of one
    condition share its computation where that pays. ``unused`` is a token that no row holds behind
    its head.
    """
    groups = group_rows(rows) if layout.device == "cpu" else ()
    sums = score_groups(
        generator,
        [group for group in groups if group.worthwhile],
        layout.replicas,
        vocabulary,
        unused,
        stopped,
    )
    rest = [number for number in range(len(rows)) if number not in sums]
    scores = score_rows(
        generator, [rows[number] for number in rest], layout.replicas, len(vocabulary), stopped
    )
    if stopped():
        return ()
    sums.update(zip(rest, scores, strict=True))
    return tuple(sums[number] for number in range(len(rows)))


def score_rows(
    generator: Generator,
    rows: Sequence[tuple[list[str], int]],
    width: int,
    vocabulary: int,
    stopped: Callable[[], bool],
) -> tuple[float, ...]:
    """Return the summed log-probability of each row behind its head; () once ``stopped``.

    A row is its tokens and how many of them are only the condition (at least one). ``width``
    batches run at once; ``vocabulary`` bounds a batch's memory.
    """
    batch = max(256, min(_BATCH_TOKENS, _BATCH_LOGITS // max(1, vocabulary)))
    order = sorted(range(len(rows)), key=lambda n: len(rows[n][0]))
    sums = [0.0] * len(rows)
    at, tokens = 0, batch * width
    while at < len(order):
        if stopped():
            return ()
        call = _next_call(order[at:], rows, tokens)
        started = time.perf_counter()
        scored = generator.score_batch(
            [rows[n][0] for n in call],
            max_batch_size=max(min(batch, tokens), len(rows[call[-1]][0])),
            batch_type="tokens",
            max_input_length=0,
        )
        for n, result in zip(call, scored, strict=True):
            sums[n] = sum(map(float, result.log_probs[rows[n][1] - 1 :]))
        at += len(call)
        # Calls take about as long as a cancel may take to be felt, on any model and machine.
        seconds = time.perf_counter() - started
        if seconds > _CALL_SECONDS[1]:
            tokens = max(1, tokens // 2)
        elif seconds < _CALL_SECONDS[0]:
            tokens *= 2
    return tuple(sums)


def _next_call(
    order: Sequence[int], rows: Sequence[tuple[list[str], int]], tokens: int
) -> Sequence[int]:
    """Return as many of ``order`` (by length) as fit in ``tokens`` when padded; at least one."""
    for count, n in enumerate(order):
        if count and (count + 1) * len(rows[n][0]) > tokens:
            return order[:count]
    return order
