"""Runs the agreement over all listed projects, resumes an interrupted run, and writes the report.

Not covered: what is compared, and how (``agreement``).
"""

from __future__ import annotations

import asyncio
import datetime
import platform
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path

import msgspec

from ocils.bench.agreement import Ground, Grounds, drawn
from ocils.bench.compared import Compared
from ocils.bench.figure import House
from ocils.bench.real import Project, place, prepare, projects
from ocils.domain.base import Value
from ocils.domain.cancel import CancelToken
from ocils.domain.errors import OcilsError, UsageError
from ocils.ports import Sandbox, Workspace

REPORT = Path("tests", "bench", "agreement.md")
NOTES = "\n## Notes\n"
"""What stands below it was written by a person, and stays when the report is written again."""


class Skipped(Value, frozen=True):
    """A project that could not be measured, and why."""

    project: str
    why: str


class Surveyed(Value, frozen=True):
    """A project before any mutant: ``apart`` are the tests that are not compared, each with why."""

    project: str
    apart: tuple[tuple[str, str], ...]


async def agreement(
    house: House,
    checkout: Path,
    cancel: CancelToken,
    *,
    each: int,
    only: str = "",
    journal: Path | None = None,
    jobs: int = 2,
    seed: int = 0,
) -> AsyncGenerator[Compared | Surveyed | Skipped, None]:
    """Yield comparisons of ``each`` mutants a project, ``jobs`` projects at a time, as they come.

    ``journal`` is a folder: what stands in it is taken from there, and what is new is added at
    once; a comparison that a time limit ended on one side only is made again, since a busy machine
    does that. The same seed draws the same mutants. Raises ``UsageError`` for an unknown project.
    """
    chosen = [p for p in projects(checkout) if only in ("", p.name)]
    if not chosen:
        raise UsageError(f"there is no project {only}", mend="see tests/bench/projects.toml")
    folder = journal or place() / "agreement"
    folder.mkdir(parents=True, exist_ok=True)
    gate = asyncio.Semaphore(jobs)
    found: asyncio.Queue[Compared | Surveyed | Skipped | None] = asyncio.Queue()

    async def run(project: Project) -> None:
        async with gate:
            try:
                one = _project(house, project, folder, cancel, each, seed)
                async with aclosing(one) as results:
                    async for result in results:
                        found.put_nowait(result)
            except OcilsError as problem:
                found.put_nowait(Skipped(project.name, str(problem)))

    async def everything() -> None:
        try:
            await asyncio.gather(*(run(project) for project in chosen))
        finally:
            found.put_nowait(None)

    task = asyncio.create_task(everything())
    try:
        while (result := await found.get()) is not None:
            yield result
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _project(
    house: House, project: Project, folder: Path, cancel: CancelToken, each: int, seed: int
) -> AsyncGenerator[Compared | Surveyed, None]:
    root = await prepare(project, place())
    workspace = house.workspace(str(root))
    sandbox = house.ports(workspace.root).sandbox
    ground = Ground(project, workspace, sandbox)
    grounds = await surveyed(project, workspace, sandbox, folder, cancel)
    yield Surveyed(project.name, grounds.apart)
    lines = folder / f"{project.name}.jsonl"
    known = read(lines)
    for one in known:
        yield one
    have = {one.mutant for one in known}
    # Some are passed over, since no cheap test file runs them: draw more than are wanted.
    left = each - len(known)
    if left <= 0:
        return
    offered = await asyncio.to_thread(drawn, await workspace.snapshot(), 3 * each, seed)
    waiting = [mutant for mutant in offered if mutant.id not in have]
    async with aclosing(ground.compare(waiting, grounds, cancel)) as results:
        async for result in results:
            with lines.open("ab") as file:
                file.write(msgspec.json.encode(result) + b"\n")
            yield result
            left -= 1
            if left == 0:
                return


async def surveyed(
    project: Project, workspace: Workspace, sandbox: Sandbox, folder: Path, cancel: CancelToken
) -> Grounds:
    """Return what is known of a project, from ``folder`` where it was surveyed before."""
    survey = folder / f"{project.name}.survey.json"
    try:
        return msgspec.json.decode(survey.read_bytes(), type=_Stored).grounds()
    except (OSError, msgspec.MsgspecError):
        grounds = await Ground(project, workspace, sandbox).survey(cancel)
    _keep(survey, grounds)
    return grounds


def _keep(survey: Path, grounds: Grounds) -> None:
    survey.parent.mkdir(parents=True, exist_ok=True)
    survey.write_bytes(msgspec.json.encode(_Stored.of(grounds)))


class _Stored(Value, frozen=True):
    """``Grounds`` as JSON can hold it, whose keys are texts."""

    files: tuple[tuple[str, int, str], ...]
    tests: dict[str, tuple[tuple[str, ...], float]]
    apart: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, grounds: Grounds) -> _Stored:
        files = tuple((path, line, test) for (path, line), test in grounds.files.items())
        tests = {file: (tuple(map(str, ids)), s) for file, (ids, s) in grounds.tests.items()}
        return cls(files, tests, grounds.apart)

    def grounds(self) -> Grounds:
        return msgspec.convert(
            {
                "files": {(path, line): test for path, line, test in self.files},
                "tests": self.tests,
                "apart": self.apart,
            },
            Grounds,
        )


def read(journal: Path) -> list[Compared]:
    """Read a journal; the last word on a mutant counts.

    A line that was cut short is left out, and so measured again; so is a time limit's disagreement.
    """
    found: dict[str, Compared] = {}
    for line in journal.read_bytes().splitlines() if journal.exists() else ():
        try:
            one = msgspec.json.decode(line, type=Compared)
        except msgspec.MsgspecError:
            continue
        found[one.mutant] = one
    return [one for one in found.values() if one.agrees or "timed out" not in (one.warm, one.host)]


def noted(text: str, before: str) -> str:
    """Return the report ``text`` with the notes of the one ``before``."""
    _, notes, rest = before.partition(NOTES)
    return text + notes + rest


def report(found: Sequence[Compared], surveyed: Sequence[Surveyed]) -> str:
    """Write the result as Markdown: a line a project, and every disagreement."""
    levels = Counter(each.level or "none" for each in found)
    lots = [each for each in found if each.drawn]
    bad = [each for each in found if not each.agrees and not each.drawn]
    told = ", ".join(f"{name} {count}" for name, count in sorted(levels.items()))
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    tests = sum(each.tests for each in found)
    rows = [
        "# Agreement of warm verdicts with plain runs",
        "",
        f"`make agreement`, {today}, Python {platform.python_version()}. Written by the",
        "command; what is compared, and how, says `ocils/bench/agreement.py`.",
        "",
        f"- mutants judged both ways: {len(found)}, outcomes compared: {tests}",
        f"- judged at: {told}",
        f"- false greens: {sum(each.false_green for each in found)}",
        f"- mutants with any disagreement: {len(bad)}",
        f"- mutants whose plain runs disagree among themselves: {len(lots)} (listed below)",
        f"- tests set apart beforehand: {sum(len(each.apart) for each in surveyed)} (listed below)",
        "",
        "| project | mutants | L2 | L1 | L0 | false greens | disagree | warm s, median | plain s, median |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in sorted({each.project for each in found}):
        mine = [each for each in found if each.project == name]
        by = Counter(each.level for each in mine)
        warm = sorted(each.warm_seconds for each in mine)[len(mine) // 2]
        host = sorted(each.host_seconds for each in mine)[len(mine) // 2]
        rows.append(
            f"| {name} | {len(mine)} | {by['L2']} | {by['L1']} | {by['L0']} "
            f"| {sum(each.false_green for each in mine)} "
            f"| {sum(each in bad for each in mine)} | {warm:.2f} | {host:.2f} |"
        )
    if bad:
        rows += ["", "## Disagreements", ""]
    for each in bad:
        first = "; ".join(
            f"{t}: warm {w or '-'}, plain {h or '-'}" for t, w, h in each.different[:3]
        )
        rows.append(
            f"- {each.project} {each.path} {each.function} ({each.operator}, {each.mutant}, "
            f"{each.level}): warm {each.warm}, plain {each.host}. {first}"
        )
    if lots:
        rows += ["", "## Plain runs that disagree among themselves", ""]
    for each in lots:
        rows.append(
            f"- {each.project} {each.path} {each.function} ({each.operator}, {each.mutant}, "
            f"{each.level}): warm {each.warm}, plain {', '.join(each.drawn)}"
        )
    if any(each.apart for each in surveyed):
        rows += ["", "## Set apart before any mutant", ""]
    for project in sorted(surveyed, key=lambda each: each.project):
        by_why = Counter(why for _, why in project.apart)
        for why, count in by_why.most_common():
            first = next(test for test, reason in project.apart if reason == why)
            rows.append(f"- {project.project}: {count} × {why}, `{first}` for one")
    return "\n".join(rows) + "\n"
