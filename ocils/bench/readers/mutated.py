"""Mutants of a workspace as tasks: bugs that are planted, of which its own tests catch some.

A mutant is judged by the tests that reach it where they are known, and scored by all.

Not covered: mutants that hang or keep the tests from being collected, as in ``caught``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from ocils.bench.mutants import Mutant, mutants_of, spread
from ocils.bench.task import Source, Task, digest_of, with_file
from ocils.domain.base import Value
from ocils.domain.cancel import CancelToken
from ocils.domain.errors import UsageError
from ocils.domain.judging import Failed, Passed, Plan, TestId
from ocils.domain.text import Snapshot, apply_edits
from ocils.ports import Sandbox

_PATIENCE = 5.0  # times the clean run's seconds


class Ground(Value, frozen=True):
    """A clean workspace: its snapshot, all tests that pass on it, and what a run of them takes."""

    name: str
    clean: Snapshot
    every: tuple[TestId, ...]
    seconds: float


async def ground_of(name: str, clean: Snapshot, sandbox: Sandbox, cancel: CancelToken) -> Ground:
    """Run the clean workspace's tests; those that do not pass are left aside.

    Raises ``UsageError`` when none passes.
    """
    verdict = await sandbox.judge(clean, (), Plan(seconds=900.0), cancel)
    passed = tuple(case.test for case in verdict.cases if case.outcome == "passed")
    if not passed or not isinstance(verdict, Passed | Failed):
        raise UsageError(f"no test of {clean.root} passes as it is", mend="make them pass first")
    return Ground(name, clean, passed, verdict.seconds)


async def mutants_as_tasks(
    ground: Ground,
    tests_of: Callable[[Mutant], tuple[TestId, ...]],
    sandbox: Sandbox,
    cancel: CancelToken,
    *,
    limit: int,
    seed: int,
    journal: Path | None = None,
) -> Source:
    """Return ``limit`` mutants that turn one of their tests red, evenly drawn over functions.

    ``tests_of`` gives the tests by which a mutant is judged; one without any is passed over. Which
    mutants were drawn is kept in the folder ``journal``.
    """
    key = digest_of([ground.clean.hash.encode(), f"{limit} {seed}".encode(), *map(str.encode, ground.every)])  # fmt: skip
    kept = journal / f"mutants-{ground.name}-{key[:12]}.json" if journal else None
    everything = mutants_of(ground.clean)
    if kept is not None and kept.is_file():
        chosen = set(msgspec.json.decode(kept.read_bytes(), type=list[str]))
        drawn = [mutant for mutant in everything if mutant.id in chosen]
    else:
        offered = spread(everything, len(everything), seed)
        drawn = await _caught(ground, offered, tests_of, sandbox, cancel, limit)
        if kept is not None and not cancel.cancelled:
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(msgspec.json.encode([mutant.id for mutant in drawn]))
    by_name = {_name(ground, mutant): mutant for mutant in drawn}

    def read(name: str) -> Task:
        return _task(name, by_name[name], ground, tests_of(by_name[name]))

    return Source("mutants", tuple(by_name), read, key)


async def _caught(
    ground: Ground,
    offered: Iterable[Mutant],
    tests_of: Callable[[Mutant], tuple[TestId, ...]],
    sandbox: Sandbox,
    cancel: CancelToken,
    limit: int,
) -> list[Mutant]:
    found: list[Mutant] = []
    seconds = max(5.0, _PATIENCE * ground.seconds)
    for mutant in offered:
        if len(found) == limit or cancel.cancelled:
            break
        if not (tests := tests_of(mutant)):
            continue
        plan = Plan(tests=tests, seconds=seconds, stop_early=True)
        verdict = await sandbox.judge(ground.clean, (mutant.edit,), plan, cancel)
        if isinstance(verdict, Failed):
            found.append(mutant)
    return found


def _name(ground: Ground, mutant: Mutant) -> str:
    return f"{ground.name}/{ground.clean.relative(mutant.path)}::{mutant.function}: {mutant.operator} {mutant.id[:6]}"  # fmt: skip


def _task(name: str, mutant: Mutant, ground: Ground, tests: tuple[TestId, ...]) -> Task:
    document = ground.clean.document(mutant.path)
    if document is None:
        raise UsageError(f"there is no {mutant.path}")
    path = ground.clean.relative(mutant.path)
    broken = apply_edits(document, (mutant.edit,)).data
    return Task(
        name,
        with_file(ground.clean, path, broken),
        path,
        mutant.function,
        "repair",
        ground.clean,
        strict=False,
        passing=tests,
        wider=ground.every,
    )
