"""In which order a search takes its turns, and which holes it fills. Pure.

Not covered: what a turn proposes (``strategies.py``).
"""

from __future__ import annotations

from ocils.domain.model import StrategyName
from ocils.domain.target import Context, Hole, Task
from ocils.refine.localize import Suspect, body_line


def schedule(
    strategies: tuple[StrategyName, ...], task: Task, *, learnt: bool
) -> tuple[StrategyName, ...]:
    """Order the turns: a model that chats begins there; nothing is edited in an empty body.

    A model that did not learn the language writes nothing in it.
    """
    order: list[StrategyName] = ["rewrite"] if "rewrite" in strategies and learnt else []
    if {"edit", "guess"} & set(strategies) and task != "implement":
        order.append("edit")
    if "infill" in strategies and learnt:
        order += ["infill", "infill", "infill"]
    if "extend" in strategies and learnt:
        order.append("extend")
    return tuple(order)


def prompted_holes(
    suspects: tuple[Suspect, ...], task: Task, context: Context
) -> list[tuple[Hole, bool]]:
    """List the holes to fill, and whether to show their old text, the most suspicious first.

    With the old text shown the bundled model repairs a line some ten times as often as without, so
    every statement has that turn first; then come insertions before the most suspicious ones, for
    a line that is missing. To implement a function its whole body is one hole.
    """
    if task == "implement":
        body = Hole(body_line(context.source, context.target), context.target.last_line)
        return [(body, False)] * 4
    shown = [(suspect.hole, True) for suspect in suspects]
    anew = [(suspect.hole, False) for suspect in suspects]
    starts = [s.hole.first for s in suspects[:4] if s.hole.first > context.target.first_line]
    return shown + [(Hole(first, first - 1), False) for first in starts] + anew
