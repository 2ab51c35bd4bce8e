"""``ocils bench mutants``: plants bugs in a workspace, keeps what its tests catch, mends each.

Not covered: what is printed of it (``cli``).
"""

from __future__ import annotations

import datetime
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from ocils.bench.caught import Caught, keep_caught
from ocils.bench.mend import Conditions, Mended, Record, mend_all, write_record
from ocils.bench.mutants import mutants_of, spread
from ocils.domain.cancel import CancelToken
from ocils.domain.session import Limits
from ocils.ports import Ports, Workspace


async def bench_mutants(
    workspace: Workspace,
    ports: Ports,
    cancel: CancelToken,
    *,
    limit: int,
    limits: Limits,
    seed: int = 0,
    journal: Path | None = None,
    record: Path | None = None,
) -> AsyncGenerator[Caught | Mended, None]:
    """Yield ``limit`` caught mutants as they are found, then the outcome of each.

    The set depends on the workspace's bytes, ``limit`` and ``seed`` alone. ``journal`` is appended
    to after each mutant, and read first, so that an interrupted measurement goes on; ``record``
    is written at the end of a whole one.
    """
    clean = await workspace.snapshot()
    # The drawing is even over functions; asking for all of it keeps that order when some escape.
    everything = mutants_of(clean)
    offered = spread(everything, len(everything), seed)
    caught: list[Caught] = []
    async with aclosing(keep_caught(offered, clean, ports.sandbox, cancel)) as found:
        async for each in found:
            caught.append(each)
            yield each
            if len(caught) == limit:
                break
    outcomes = []
    run = mend_all(caught, clean, workspace, ports, limits, cancel, seed, journal)
    async with aclosing(run) as results:
        async for outcome in results:
            outcomes.append(outcome)
            yield outcome
    if record is not None and not cancel.cancelled:
        conditions = Conditions(ports.engine.identity, limits, seed, ports.sandbox.isolation)
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        write_record(record, Record(today, conditions, tuple(outcomes)))
