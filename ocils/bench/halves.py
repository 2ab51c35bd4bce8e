"""Which tests a search may see: half of them by lot, or all that a benchmark calls visible.

Not covered: hiding the others (``blinkers``).
"""

from __future__ import annotations

import random
from collections.abc import Collection

from ocils.bench.proof import Proof
from ocils.domain.judging import TestId

_HANGING = 2  # visible tests that never end: each costs a search several seconds, and says the same


def visible(
    proof: Proof, seed: int, held_out: str = "", shown: Collection[TestId] = ()
) -> tuple[TestId, ...]:
    """Return the tests that a search is shown, in their own order; at least one of them is red.

    Half of the red ones and half of the others, rounded up, drawn by ``seed`` and the task's name.
    With ``held_out``, instead, all whose function's name does not begin with it; where none of
    these is red there is nothing to search by, and half are drawn after all. Tests that are
    ``shown`` and red are visible in any case.
    """
    if held_out:
        first = tuple(test for test in proof.tests if not _function(test).startswith(held_out))
        if set(first) & set(proof.red):
            return first
    drawing = random.Random(f"{seed} {proof.task}")  # noqa: S311 - a drawing, not a secret
    hung = set(proof.hung)
    ending = [test for test in proof.red if test not in hung]
    named = [test for test in proof.red if test in shown]
    red = named or drawing.sample(proof.red, -(-len(proof.red) // 2))
    if ending and not set(red) - hung:
        red.append(drawing.choice(ending))
    kept = [test for test in red if test in hung][:_HANGING]
    red = [test for test in red if test not in hung] + kept
    others = [test for test in proof.tests if test not in set(proof.red)]
    chosen = {*red, *drawing.sample(others, -(-len(others) // 2))}
    return tuple(test for test in proof.tests if test in chosen)


def _function(test: TestId) -> str:
    return test.partition("[")[0].rpartition("::")[2]
