"""A measurement as JSON and as a table: exact conditions, every outcome, and what they amount to.

Not covered: the plot (``plot``).
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

import ocils
from ocils.bench.score import Share, Summary, difference, summary
from ocils.bench.solve import Solved
from ocils.bench.task import Unusable, digest_of
from ocils.domain.base import Value
from ocils.domain.errors import UsageError
from ocils.domain.session import Limits

_SHOWN = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_COMPARED = (16, 64, 1 << 20)  # the last means: as many as were allowed
_ROOMS = ("bench", "domain", "engine", "prompt", "refine", "sandbox", "source")
_LIBRARIES = ("ocils", "ctranslate2", "pytest")

_Cell: TypeAlias = Callable[[Summary], str]


class Conditions(Value, frozen=True, omit_defaults=False):
    """What a measurement was made with. Two with equal ``comparable`` may be set side by side.

    ``arm`` is the model as it was asked for, ``model`` its name and hash. ``data`` is the name of
    what was read, ``digest`` the SHA-256 of its bytes, ``count`` how many tasks were drawn from it.
    """

    arm: str
    model: str
    format: str
    data: str
    digest: str
    count: int
    seed: int
    limits: Limits
    jobs: int
    isolation: str
    versions: dict[str, str]
    machine: str
    cores: int

    @property
    def comparable(self) -> tuple[object, ...]:
        """What must be equal for figures to be of the same thing."""
        return (self.format, self.digest, self.count, self.seed, self.limits)


class Report(Value, frozen=True, omit_defaults=False):
    """A whole measurement. ``unusable`` tasks are reported and not counted."""

    date: str
    conditions: Conditions
    summary: Summary
    results: tuple[Solved, ...]
    unusable: tuple[Unusable, ...]


def versions() -> dict[str, str]:
    """Return the versions of what a measurement depends on; ``code`` is a hash of our own."""
    found = {"python": platform.python_version(), "code": code()}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def code(package: Path | None = None) -> str:
    """Return a short hash of the code that decides what is proposed and how it is judged."""
    folder = package or Path(ocils.__file__).parent
    paths = sorted(path for room in _ROOMS for path in (folder / room).rglob("*.py"))
    named = ((str(path.relative_to(folder)).encode(), path.read_bytes()) for path in paths)
    return digest_of(piece for pair in named for piece in pair)[:12]


def machine() -> tuple[str, int]:
    """Return the platform, without the machine's name, and how many cores may be used."""
    told = f"{platform.system()} {platform.machine()}, {sys.implementation.name}"
    return told, len(os.sched_getaffinity(0))


def made(
    date: str,
    conditions: Conditions,
    results: Sequence[Solved],
    unusable: Sequence[Unusable],
) -> Report:
    """Put a report together, its outcomes in the order of their names."""
    ordered = tuple(sorted(results, key=lambda each: each.task))
    counted = summary(ordered, conditions.limits.candidates)
    return Report(
        date, conditions, counted, ordered, tuple(sorted(unusable, key=lambda each: each.task))
    )


def write(report: Report, path: Path) -> None:
    """Write a report as JSON, one outcome a line, so that two can be compared by eye."""
    rest = msgspec.structs.replace(report, results=(), unusable=())
    table = msgspec.to_builtins(rest, str_keys=True)
    head = ",\n".join(
        f"{msgspec.json.encode(key).decode()}:{msgspec.json.encode(value).decode()}"
        for key, value in table.items()
        if key not in ("results", "unusable")
    )
    path.write_text(
        f'{{{head},\n"results":[\n{_lines(report.results)}\n],\n'
        f'"unusable":[\n{_lines(report.unusable)}\n]}}\n'
    )


def read(path: Path) -> Report:
    """Read a report. Raises ``UsageError``."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Report)
    except OSError as problem:
        raise UsageError(f"{path} cannot be read: {problem.strerror}") from problem
    except msgspec.MsgspecError as problem:
        raise UsageError(f"{path} is no measurement: {problem}") from problem


def markdown(reports: Sequence[Report]) -> str:
    """Write one or more measurements of the same tasks side by side."""
    first = reports[0]
    names = [each.conditions.arm for each in reports]
    rows = [(title, [cell(each.summary) for each in reports]) for title, cell in _rows(reports)]
    lines = [f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    lines += [f"| {title} | {' | '.join(cells)} |" for title, cells in rows]
    lines += ["", *_conditions(reports)]
    for each in reports[1:]:
        for within in sorted({min(k, max(each.summary.within)) for k in _COMPARED}):
            found = difference(first.results, each.results, within)
            lines.append(
                f"- {first.conditions.arm} against {each.conditions.arm} within {within}: "
                f"{found.value:+.1%} ({found.low:+.1%} to {found.high:+.1%}) of {found.of} tasks, "
                f"{found.won} only by the first, {found.lost} only by the second"
            )
    for each in reports:
        lines += _apart(each)
    return "\n".join(lines) + "\n"


def _rows(reports: Sequence[Report]) -> list[tuple[str, _Cell]]:
    every = sorted({k for each in reports for k in each.summary.within})
    rows: list[tuple[str, _Cell]] = [("tasks", lambda s: str(s.tasks))]
    rows += [(f"green within {k}", _within(k)) for k in every if k in _SHOWN or k == every[-1]]
    rows += [
        ("pass@1", lambda s: told(s.pass_at_1)),
        ("green in a single turn", lambda s: told(s.turns[1])),
        ("green with all turns", lambda s: told(s.green)),
        ("green by the visible tests", lambda s: told(s.visible)),
        ("of these, rejected by all tests", lambda s: told(s.plausible)),
        ("the known solution itself", lambda s: str(s.same)),
        ("green within 20 s", lambda s: told(s.seconds[20])),
        ("median seconds to green", lambda s: _maybe(s.median_seconds_to_green)),
        ("judging_share", lambda s: _maybe(s.judging_share)),
        ("candidates judged", lambda s: str(s.judged)),
    ]
    return rows


def _within(k: int) -> _Cell:
    return lambda s: told(s.within[k]) if k in s.within else "–"


def told(each: Share) -> str:
    """Write a share with its interval."""
    if not each.of:
        return "–"
    return f"{each.count} of {each.of}, {each.value:.0%} ({each.low:.0%}–{each.high:.0%})"


def _maybe(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


def _conditions(reports: Sequence[Report]) -> list[str]:
    lines = []
    for each in reports:
        made_with = each.conditions
        told_versions = ", ".join(f"{name} {v}" for name, v in made_with.versions.items())
        limits = made_with.limits
        lines.append(
            f"- {made_with.arm}: {made_with.model}; {made_with.format} {made_with.data} "
            f"({made_with.digest[:12]}), {made_with.count} tasks, seed {made_with.seed}, "
            f"{limits.candidates} candidates, {limits.turns} turns, {limits.seconds:g} s at most; "
            f"{made_with.jobs} at a time on {made_with.cores} cores, {made_with.isolation}; "
            f"{told_versions}; {made_with.machine}; {each.date}"
        )
    return lines


def _apart(report: Report) -> list[str]:
    counted = report.summary
    lines = []
    if counted.one_test:
        lines.append(f"- {report.conditions.arm}: {counted.one_test} tasks have one test only: nothing was held out of them")  # fmt: skip
    if counted.unjudged:
        lines.append(f"- {report.conditions.arm}: {counted.unjudged} tasks could not be searched, and count as red")  # fmt: skip
    if report.unusable:
        names = ", ".join(f"{each.task} ({each.why})" for each in report.unusable[:10])
        more = f", and {len(report.unusable) - 10} more" if len(report.unusable) > 10 else ""
        lines.append(f"- {report.conditions.arm}: not counted: {names}{more}")
    return lines


def line(value: Value) -> str:
    """Write one outcome as a line of JSON."""
    return msgspec.json.encode(value).decode()


def _lines(values: Sequence[Value]) -> str:
    return ",\n".join(line(each) for each in values)
