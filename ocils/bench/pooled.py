"""Measurements of several data sets taken together, arm by arm: one table over all their tasks.

Every task counts the same, so a large set weighs more than a small one. Not covered: sets that were
measured with other limits or seeds; they are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from ocils.bench import report
from ocils.bench.report import Report
from ocils.bench.solve import Solved
from ocils.bench.task import Unusable, digest_of
from ocils.domain.errors import UsageError

_Outcome = TypeVar("_Outcome", Solved, Unusable)


def pooled(reports: Sequence[Report]) -> list[Report]:
    """Return one report an arm; reports of one data set alone come back as they are.

    Raises ``UsageError`` where an arm lacks a set that another one has, or measured it otherwise.
    """
    if len({each.conditions.comparable for each in reports}) == 1:
        return list(reports)
    arms = list(dict.fromkeys(each.conditions.arm for each in reports))
    sets = [[each for each in reports if each.conditions.arm == arm] for arm in arms]
    whole = [each.conditions.comparable for each in sets[0]]
    for arm, own in zip(arms, sets, strict=True):
        found = [each.conditions.comparable for each in own]
        if len(set(found)) < len(found):
            raise UsageError(f"{arm} is named twice on the same data")
        if set(found) != set(whole):
            raise UsageError(
                f"{arm} measured something else than {arms[0]}",
                mend="compare measurements of the same data, seed and limits",
            )
        if len({(each.conditions.limits, each.conditions.seed) for each in own}) > 1:
            raise UsageError("sets are taken together only with the same limits and seed")
    return [_together(own) for own in sets]


def _together(reports: Sequence[Report]) -> Report:
    first = reports[0].conditions
    told = [each.conditions for each in reports]
    names = dict.fromkeys(name for each in told for name in each.versions)
    conditions = msgspec.structs.replace(
        first,
        format=", ".join(each.format for each in told),
        data=", ".join(each.data for each in told),
        digest=digest_of(each.digest.encode() for each in sorted(told, key=lambda c: c.digest)),
        count=sum(each.count for each in told),
        versions={name: _several(each.versions.get(name, "–") for each in told) for name in names},
    )
    results = [_named(each, one.conditions.format) for one in reports for each in one.results]
    unusable = [_named(each, one.conditions.format) for one in reports for each in one.unusable]
    return report.made(max(each.date for each in reports), conditions, results, unusable)


def _several(values: Iterable[str]) -> str:
    """Return all different values: sets may have been measured with different code."""
    return " and ".join(dict.fromkeys(values))


def _named(outcome: _Outcome, part: str) -> _Outcome:
    """Return ``outcome`` under a name that no other set's task has."""
    return msgspec.structs.replace(outcome, task=f"{part}: {outcome.task}")
