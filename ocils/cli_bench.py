"""``ocils demo`` and ``ocils bench``: the commands that show and measure.

The benches are imported when one is asked for, so that a server does not wait for them.

Not covered: how anything is measured (``bench/``).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import UsageError
from ocils.wiring import House

if TYPE_CHECKING:
    from ocils.bench.mend import Mended

_PROJECT = Path("tests", "workspaces", "kitty")
_RECORD = Path("tests", "bench", "mended.json")


def add_commands(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Add ``demo`` and ``bench``; ``add`` makes a sub-command from its name and help."""
    sub = add("demo", "plant a bug in a small project and mend it, live (from a checkout)")
    sub.set_defaults(job=_demo)
    sub.add_argument("--seed", type=int, help="which bug; drawn from the clock when not given")
    bench = add("bench", "measure")
    kinds = bench.add_subparsers(required=True, metavar="WHAT")
    sub = kinds.add_parser("mutants", help="plant bugs in any workspace, mend them, count")
    sub.set_defaults(job=_mutants)
    sub.add_argument("path", type=Path, help="a file or folder of the workspace")
    _measuring(sub, limit=100)
    sub = kinds.add_parser("projects", help="the same in outside projects, which are fetched")
    sub.set_defaults(job=_projects)
    sub.add_argument("--each", type=int, default=20, help="bugs a project (default 20)")
    sub.add_argument("--project", default="", help="only the projects of these names, by commas")
    _measuring(sub)
    sub = kinds.add_parser("record", help="plant bugs in a workspace, and write the demo's record")
    sub.set_defaults(job=_recorded)
    sub.add_argument("path", help="a file or folder of the workspace")
    sub.add_argument("--limit", type=int, default=100, help="how many bugs (default 100)")
    sub.add_argument("--seed", type=int, default=0)
    sub.add_argument("--candidates", type=int, default=256)
    sub.add_argument("--seconds", type=float, default=60.0, help="for each bug")
    sub.add_argument("--model", help="another model; `none` and `rules` measure edits without one")
    sub.add_argument("--journal", type=Path, help="resume from, and append to, this file")
    sub.add_argument("--record", type=Path, help="write the whole measurement to this file")
    sub.add_argument("--json", action="store_true", help="one JSON object a bug on stdout")
    sub = kinds.add_parser("speeds", help="how fast models of true shapes are on this machine")
    sub.set_defaults(job=_speeds)
    sub.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    sub.add_argument("--models", default="0.5B,1.5B,7B", help="shapes, separated by commas")
    sub.add_argument("--rows", default="1,2,4,8,16,32", help="candidates at once")
    sub.add_argument("--prompt", type=int, default=512, help="tokens")
    sub.add_argument("--new", type=int, default=128, help="tokens")
    sub.add_argument("--rounds", type=int, default=3)
    sub.add_argument("--seconds", type=float, default=540, help="begin nothing after so long")
    sub.add_argument("--rival", default="", help="a Python that has torch and transformers")
    sub.add_argument("--journal", type=Path, required=True, help="resume from, and append to")
    sub = kinds.add_parser("figures", help="the figures of `make bench`, as JSON lines")
    sub.set_defaults(job=_figures)
    sub.add_argument("--only", default="", help="only the figure of this name")
    sub = kinds.add_parser(
        "agreement", help="compare warm verdicts with plain runs, on real projects"
    )
    sub.set_defaults(job=_agreement)
    sub.add_argument("--each", type=int, default=190, help="mutants a project (default 190)")
    sub.add_argument("--only", default="", help="only the project of this name")
    sub.add_argument("--journal", type=Path, help="a folder to resume from and to append to")
    sub.add_argument("--report", type=Path, help="write the result there, as Markdown")
    sub = kinds.add_parser("tasks", help="measure on a benchmark that you have")
    sub.set_defaults(job=_tasks)
    sub.add_argument(
        "path",
        type=Path,
        help="a file or folder of HumanEval, HumanEvalFix, MBPP, QuixBugs, exercism, or BugsInPy",
    )
    sub.add_argument("--format", default="", help="told by the data when not given")
    sub.add_argument("--clones", type=Path, help="BugsInPy: the folder of the projects' clones")
    sub.add_argument(
        "--environments", type=Path, help="BugsInPy: a folder of the projects' environments"
    )
    _measuring(sub)
    sub = kinds.add_parser(
        "compare",
        help="set measurements of the same tasks side by side; several sets are taken together",
    )
    sub.set_defaults(job=_compare)
    sub.add_argument("reports", nargs="+", type=Path, metavar="REPORT.json")
    sub.add_argument("--out", type=Path, help="write OUT.md and OUT.svg")


def _measuring(sub: argparse.ArgumentParser, limit: int = 0) -> None:
    """Add what every measurement of tasks takes."""
    sub.add_argument(
        "--model",
        default="bundled",
        help="a name or folder (default `bundled`); `none` and `rules` are edits without a model",
    )
    add = sub.add_argument
    add("--candidates", type=int, default=256, help="for each task (default 256)")
    add("--turns", type=int, default=30, help="for each task (default 30; 1 is a single turn)")
    add("--seconds", type=float, default=120.0, help="for each task (default 120)")
    add("--seed", type=int, default=0, help="of the sampling and of the visible half (default 0)")
    add("--jobs", type=int, default=1, help="tasks at a time (default 1, as users have it; 0: a core each)")  # fmt: skip
    add("--python", default="", help="the interpreter that the tasks' tests run with")
    add("--limit", type=int, default=limit, help="only so many tasks, evenly drawn")
    add("--only", default="", help="only the tasks of these names, separated by commas")
    add("--journal", type=Path, help="a folder to resume from and to append to")
    add("--out", type=Path, help="write OUT.json, OUT.md and OUT.svg")
    add("--json", action="store_true", help="one JSON object a task on stdout")


async def _demo(house: House, cancel: CancelToken, arguments: argparse.Namespace) -> int:
    from ocils.bench.demo import demo
    from ocils.bench.mend import read_record

    root = _checkout() / _PROJECT
    workspace = house.workspace(str(root))
    seed = arguments.seed if arguments.seed is not None else time.time_ns() % 100_000
    mended = await demo(
        workspace,
        house.ports(workspace.root),
        cancel,
        Console(),
        seed=seed,
        record=read_record(_checkout() / _RECORD),
    )
    return 0 if mended else 1


async def _recorded(house: House, cancel: CancelToken, arguments: argparse.Namespace) -> int:
    from ocils.bench.caught import Caught
    from ocils.bench.demo import LIMITS
    from ocils.bench.measure import bench_mutants

    if arguments.model:
        house.choose(arguments.model)
    workspace = house.workspace(_resolved(arguments.path))
    console = Console(stderr=True)
    limits = msgspec.structs.replace(
        LIMITS, candidates=arguments.candidates, seconds=arguments.seconds
    )
    run = bench_mutants(
        workspace,
        house.ports(workspace.root),
        cancel,
        limit=arguments.limit,
        limits=limits,
        seed=arguments.seed,
        journal=arguments.journal,
        record=arguments.record,
    )
    caught = done = mended = 0
    async with aclosing(run) as outcomes:
        with console.status("planting bugs") as status:
            async for each in outcomes:
                if isinstance(each, Caught):
                    caught += 1
                    status.update(f"{caught} bugs that the tests catch")
                    continue
                done += 1
                mended += each.outcome == "mended"
                status.update(f"mended {mended} of {done}, {caught} in all")
                _tell(each, console, as_json=arguments.json)
    if done:
        console.print(f"mended {mended} of {done} ({mended / done:.0%})", highlight=False)
    return 0


async def _mutants(house: House, cancel: CancelToken, arguments: argparse.Namespace) -> int:
    from ocils.bench.commands import mutants

    return await mutants(house, cancel, arguments)


async def _projects(house: House, cancel: CancelToken, arguments: argparse.Namespace) -> int:
    from ocils.bench.commands import projects

    return await projects(house, _checkout(), cancel, arguments)


async def _tasks(house: House, cancel: CancelToken, arguments: argparse.Namespace) -> int:
    from ocils.bench.commands import tasks

    return await tasks(house, cancel, arguments)


async def _compare(_house: House, _cancel: CancelToken, arguments: argparse.Namespace) -> int:
    from ocils.bench.commands import compare

    return compare(arguments)


async def _agreement(house: House, cancel: CancelToken, arguments: argparse.Namespace) -> int:
    from ocils.bench.agreement_run import Surveyed, agreement, noted, report
    from ocils.bench.compared import Compared

    console = Console(stderr=True)
    found: list[Compared] = []
    surveyed: list[Surveyed] = []
    code = 0
    run = agreement(
        house,
        _checkout(),
        cancel,
        each=arguments.each,
        only=arguments.only,
        journal=arguments.journal,
    )
    with console.status("preparing the projects") as status:
        async with aclosing(run) as results:
            async for each in results:
                if isinstance(each, Surveyed):
                    surveyed.append(each)
                    continue
                if not isinstance(each, Compared):
                    print(f"ocils: {each.project} cannot be measured: {each.why}", file=sys.stderr)
                    code = 3
                    continue
                found.append(each)
                bad = sum(not one.agrees for one in found)
                status.update(f"{len(found)} mutants judged both ways, {bad} disagree")
    text = report(found, surveyed)
    if arguments.report and not cancel.cancelled:
        old = arguments.report.read_text() if arguments.report.exists() else ""
        arguments.report.write_text(noted(text, old))
    else:
        print(text)
    return 1 if any(each.false_green for each in found) else code


def _tell(each: Mended, console: Console, *, as_json: bool) -> None:
    if as_json:
        print(msgspec.json.encode(each).decode(), flush=True)
        return
    line = (
        f"{each.outcome:>10}  {each.candidates:>3} candidates {each.seconds:>5.1f} s  {each.mutant}"
    )
    console.print(line, markup=False, highlight=False, soft_wrap=True)


async def _speeds(_house: House, _cancel: CancelToken, arguments: argparse.Namespace) -> int:
    from ocils.bench.speeds import Plan, Unfinished, speeds

    plan = Plan(
        arguments.device,
        tuple(arguments.models.split(",")),
        tuple(map(int, arguments.rows.split(","))),
        arguments.prompt,
        arguments.new,
        arguments.rounds,
        arguments.seconds,
        arguments.rival,
    )
    async with aclosing(speeds(plan, arguments.journal, _checkout())) as found:
        async for each in found:
            if isinstance(each, Unfinished):
                print(f"ocils: {each.left} measures are left: run it again", file=sys.stderr)
                return 3
            print(msgspec.json.encode(each).decode(), flush=True)
    return 0


async def _figures(house: House, _cancel: CancelToken, arguments: argparse.Namespace) -> int:
    from ocils.bench.figures import Unmeasured, figures

    code = 0
    async with aclosing(figures(house, _checkout(), arguments.only)) as found:
        async for each in found:
            if isinstance(each, Unmeasured):
                print(f"ocils: {each.name} cannot be measured: {each.why}", file=sys.stderr)
                code = 3
            else:
                print(msgspec.json.encode(each).decode(), flush=True)
    return code


def _checkout() -> Path:
    """Return the checkout that this package is run from. Raises ``UsageError`` outside of one."""
    root = Path(__file__).resolve().parent.parent
    if not (root / _PROJECT).is_dir():
        raise UsageError(
            "the demo and the figures need a checkout of ocils", mend="run `make demo` in one"
        )
    return root


def _resolved(path: str) -> str:
    return str(Path(path).resolve())
