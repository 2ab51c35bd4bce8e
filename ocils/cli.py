"""The door: ``ocils refine | run | serve | serve-model | doctor | model | bench | demo``.

Exit codes: 0 confirmed green (or nothing to mend), 1 not green, 2 usage, 3 environment. Only
``refine --apply`` writes, at the very end, after checking that the file is still the one judged.

Not covered: how a run works (``refine/``), how it looks (``console.py``).
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path

import msgspec
from rich.console import Console

from ocils import __version__
from ocils.apply import write_edits
from ocils.cli_bench import add_commands
from ocils.cli_doctor import tell
from ocils.cli_models import add_models
from ocils.cli_packages import add_option, carried_on
from ocils.cli_place import located, split_target
from ocils.cli_serving import add_serve_model
from ocils.console import Narrator, difference, print_difference
from ocils.domain.cancel import CancelToken
from ocils.domain.errors import EnvironmentProblem, OcilsError, TargetNotFound
from ocils.domain.events import Event, Finished, ProposalReady
from ocils.domain.session import Proposal, Session
from ocils.domain.text import Snapshot
from ocils.settings import limits, load_user
from ocils.wiring import House, build, build_for_editor, checkup, tried

GREEN, NOT_GREEN, USAGE, ENVIRONMENT = 0, 1, 2, 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="ocils: %(message)s")
    try:
        code: int = arguments.command(arguments)
    except OcilsError as problem:
        print(f"ocils: {problem}", file=sys.stderr)
        return ENVIRONMENT if isinstance(problem, EnvironmentProblem) else USAGE
    except KeyboardInterrupt:
        print("ocils: interrupted; nothing was changed", file=sys.stderr)
        return NOT_GREEN
    except BrokenPipeError:
        # The reader of our output went away; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_GREEN
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ocils", description="Make failing tests pass, locally: propose, judge, confirm."
    )
    parser.add_argument("--version", action="version", version=f"ocils {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[..., int], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=command)
        return sub

    add_commands(lambda name, text: add(name, _job, text))
    add_serve_model(lambda name, text: add(name, _job, text))
    add_models(lambda name, text: add(name, _job, text))

    sub = add("refine", _refine, "search for an edit that turns a function's failing tests green")
    sub.add_argument("target", metavar="PATH[::NAME]", help="file.py::Class.method")
    _run_options(sub)
    how = sub.add_mutually_exclusive_group()
    how.add_argument("--apply", action="store_true", help="write the confirmed edit to the file")
    how.add_argument("--diff", action="store_true", help="print only the difference on stdout")
    sub.add_argument("--seed", type=int, default=0, help="seed of the sampling (default 0)")
    sub.add_argument("-v", "--verbose", action="store_true", help="tell every candidate's verdict")

    sub = add("run", _run, "run the workspace's tests and tell which reach a function")
    sub.add_argument("target", metavar="PATH[::NAME]")
    _run_options(sub)

    sub = add("serve", _serve, "serve the Language Server Protocol on stdin and stdout")
    sub.add_argument("--tcp", metavar="HOST:PORT", help="listen on a socket instead, to debug")

    sub = add("doctor", _doctor, "tell what works here, and what to do about what does not")
    text = "a file or folder of the workspace; file.py::function judges a candidate for it too"
    sub.add_argument("path", nargs="?", default=".", metavar="PATH[::NAME]", help=text)
    sub.add_argument("--json", action="store_true", help="print the findings as a JSON array")
    sub.set_defaults(line=None)
    return parser


def _job(arguments: argparse.Namespace) -> int:
    """Run a command that is given as a coroutine function of house, token and arguments."""
    return _async(lambda house, cancel: arguments.job(house, cancel, arguments))


def _run_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--line", type=int, help="the function at this line, instead of a name")
    sub.add_argument(
        "--tests", action="append", default=[], metavar="PATH", help="only these tests"
    )
    sub.add_argument("--json", action="store_true", help="print events as JSON lines on stdout")
    add_option(sub)


def _refine(arguments: argparse.Namespace) -> int:
    async def job(house: House, cancel: CancelToken) -> int:
        from ocils.refine.loop import refine
        from ocils.refine.resume import resumed

        target, snapshot = await located(house, arguments)
        if target is None:
            name = arguments.target
            raise TargetNotFound(
                f"no function is named in {name}", mend=f"say {name}::function, or --line N"
            )
        ports = house.ports(snapshot.root, target.path)
        if ports.engine.sends:
            print(f"ocils: {ports.engine.sends}", file=sys.stderr)
        workspace = house.workspace_settings(snapshot.root)
        session = Session(
            id=uuid.uuid4().hex[:12],
            task="repair",
            target=target,
            snapshot=snapshot.hash,
            model=ports.engine.identity,
            limits=limits(house.settings, workspace),
            seed=arguments.seed,
        )
        paths = tuple(arguments.tests) or workspace.tests
        quiet = arguments.diff or arguments.json
        started = time.monotonic()

        def start(held: Session | None) -> AsyncGenerator[Event, None]:
            new = resumed(held, target, snapshot.hash, "") if held else session
            return refine(new, snapshot, house.ports(snapshot.root, target.path), cancel, paths)

        narrate = partial(_narrated, arguments=arguments, quiet=quiet)
        end, proposal = await carried_on(house, snapshot.root, start, narrate, arguments, cancel)
        if proposal is not None:
            _deliver(snapshot, proposal, arguments, time.monotonic() - started)
        return _exit_code(end)

    return _async(job)


def _run(arguments: argparse.Namespace) -> int:
    async def job(house: House, cancel: CancelToken) -> int:
        from ocils.refine.loop import run_tests

        target, snapshot = await located(house, arguments)
        workspace = house.workspace_settings(snapshot.root)
        paths = tuple(arguments.tests) or workspace.tests
        path = str(split_target(arguments.target)[0])

        def start(_: Session | None) -> AsyncGenerator[Event, None]:
            return run_tests(target, snapshot, house.ports(snapshot.root, path), cancel, paths)

        narrate = partial(_narrated, arguments=arguments, quiet=arguments.json)
        end, _ = await carried_on(house, snapshot.root, start, narrate, arguments, cancel)
        return _exit_code(end)

    return _async(job)


def _serve(arguments: argparse.Namespace) -> int:
    from ocils.server.serving import serve_stdio, serve_tcp

    house = build_for_editor()
    if arguments.tcp:
        host, _, port = arguments.tcp.rpartition(":")
        if not port.isdigit():
            raise TargetNotFound(f"'{arguments.tcp}' is not HOST:PORT")
        serve_tcp(house, host or "127.0.0.1", int(port))
        return GREEN
    return serve_stdio(house)


def _doctor(arguments: argparse.Namespace) -> int:
    path, _, name = arguments.path.partition("::")
    checks = checkup(load_user(), str(Path(path).resolve()))
    if not name:
        return GREEN if tell(checks, as_json=arguments.json) else ENVIRONMENT

    async def job(house: House, cancel: CancelToken) -> int:
        arguments.target = arguments.path
        target, snapshot = await located(house, arguments)
        assert target is not None, "a function was named"
        sandbox = house.ports(snapshot.root, target.path).sandbox
        paths = house.workspace_settings(snapshot.root).tests
        check = await tried(sandbox, snapshot, target, paths, cancel)
        return GREEN if tell((*checks, check), as_json=arguments.json) else ENVIRONMENT

    return _async(job)


async def _narrated(
    events: AsyncGenerator[Event, None], arguments: argparse.Namespace, *, quiet: bool
) -> tuple[Event | None, Proposal | None]:
    """Show a run and return its last event and its proposal."""
    # What is meant for a program goes to stdout alone; people read the narration on stderr then.
    console = Console(stderr=quiet)
    last: Event | None = None
    proposal: Proposal | None = None
    verbose = getattr(arguments, "verbose", False)
    async with aclosing(events):
        with Narrator(console, verbose=verbose) as narrator:
            async for event in events:
                last = event
                if isinstance(event, ProposalReady):
                    proposal = event.proposal
                if arguments.json:
                    print(msgspec.json.encode(event).decode(), flush=True)
                else:
                    narrator.tell(event)
    return last, proposal


def _deliver(
    snapshot: Snapshot, proposal: Proposal, arguments: argparse.Namespace, seconds: float
) -> None:
    # Who said --apply had not seen it yet.
    write = arguments.apply and not proposal.suspicious
    if arguments.json:
        if write:
            write_edits(snapshot, proposal)
        return
    text = difference(snapshot, proposal)
    if arguments.diff:
        print(text, end="")
        return
    console = Console()
    print_difference(console, text)
    console.print(f"{seconds:.1f} s", style="dim", highlight=False)
    if proposal.rivals:
        console.print("other candidates were green too:", style="dim")
        for rival in proposal.rivals:
            told = f"  {rival.why.removeprefix('also green: ')}"
            console.print(told, style="dim", markup=False, highlight=False)
    if write:
        for path in write_edits(snapshot, proposal):
            console.print(f"applied to {path}", markup=False, highlight=False)
    elif proposal.suspicious:
        console.print("not applied; read it, and write it yourself if it is right", style="dim")
    else:
        console.print("not applied; say --apply to write it", style="dim")


def _exit_code(end: Event | None) -> int:
    match end:
        case Finished(outcome="green" | "already_green"):
            return GREEN
        case Finished(outcome="unjudged"):
            return ENVIRONMENT
        case _:
            return NOT_GREEN


def _async(job: Callable[[House, CancelToken], Coroutine[None, None, int]]) -> int:
    """Run a job with a house that is closed and a token that Ctrl+C flips."""

    async def run() -> int:
        cancel = CancelToken()
        loop = asyncio.get_running_loop()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(each, cancel.cancel)
        house = build()
        try:
            return await job(house, cancel)
        finally:
            await house.close()

    return asyncio.run(run())
