"""What of a snapshot a slot is sent, and which files a plan's pytest is to collect; pure.

Not covered: sending it (``slot.py``).
"""

from __future__ import annotations

from collections.abc import Mapping

from ocils.domain.judging import Plan
from ocils.domain.text import Entry, Snapshot
from ocils.sandbox.runtime import Runtime


def is_wanted(entry: Entry, runtime: Runtime) -> bool:
    """Tell whether a slot has ``entry``: its environment is mounted, and bytecode is its own."""
    inside = runtime.environment_inside.removeprefix(runtime.root + "/")
    parts = entry.path.split("/")
    return "__pycache__" not in parts and not (
        inside and (entry.path + "/").startswith(inside + "/")
    )


def is_same(known: Entry | None, entry: Entry) -> bool:
    """Tell whether a slot that has ``known`` needs no ``entry``."""
    if known is None:
        return False
    return (known.kind, known.mode, known.link, known.data) == (
        entry.kind,
        entry.mode,
        entry.link,
        entry.data,
    )


def arguments(plan: Plan, snapshot: Snapshot | None, files: Mapping[str, bytes]) -> list[str]:
    """Return the files that hold the expected tests: collecting less is most of the gain."""
    if not plan.tests:
        return list(plan.paths)
    wanted = dict.fromkeys(each.partition("::")[0] for each in plan.tests)
    exists = [p for p in wanted if p in files or (snapshot and snapshot.find(p) is not None)]
    return exists or list(plan.paths)
