"""A package that the tests lack, on the command line: asked about on a terminal, else never installed.

``--install`` says it beforehand: "ask", "never", or "allow", which is a yes to names that the workspace
declares or that are well known. A guess needs a person, or ``packages.allow`` in the user's settings.

Not covered: going on afterwards (``cli.py``), installing (the ``Packages`` port).
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable

from rich.console import Console

from ocils.domain.cancel import CancelToken
from ocils.domain.events import Blocked, Event, Preparing
from ocils.domain.packages import PackageOffer
from ocils.domain.session import Proposal, Session
from ocils.wiring import House

_ANSWERS = {"y": "yes", "yes": "yes", "never": "never"}

Narrate = Callable[
    [AsyncGenerator[Event, None] | AsyncGenerator[Preparing, None]],
    Awaitable[tuple[Event | None, Proposal | None]],
]


def add_option(sub: argparse.ArgumentParser) -> None:
    """Add ``--install``."""
    sub.add_argument(
        "--install",
        choices=["ask", "never", "allow"],
        default="ask",
        help="what to do about packages that the tests lack (default: ask, on a terminal)",
    )


async def carried_on(
    house: House,
    root: str,
    start: Callable[[Session | None], AsyncGenerator[Event, None]],
    narrate: Narrate,
    arguments: argparse.Namespace,
    cancel: CancelToken,
) -> tuple[Event | None, Proposal | None]:
    """Run what ``start`` gives, and again whenever a package was installed that it had ended for.

    ``start`` takes the session to go on with, None the first time. Raises ``OcilsError``.
    """
    held: Session | None = None
    while True:
        end, proposal = await narrate(start(held))
        if not isinstance(end, Blocked) or end.need.kind != "package":
            return end, proposal
        if not await _installed(house, root, end, narrate, arguments, cancel):
            return end, proposal
        held = end.session


async def _installed(
    house: House,
    root: str,
    end: Blocked,
    narrate: Narrate,
    arguments: argparse.Namespace,
    cancel: CancelToken,
) -> bool:
    """Install what a run ended for, if that is agreed to; tell whether it was."""
    # Standard output may be meant for a program; then nobody is there to be asked.
    quiet = arguments.json or getattr(arguments, "diff", False)
    console = Console(stderr=quiet)
    packages = house.packages(root)
    offer = await packages.look_up(end.need)
    asking = not quiet and sys.stdin.isatty() and console.is_terminal
    why = _refusal(offer, arguments.install, asking=asking)
    answer = "no" if why else "yes"
    if not why and offer.answer == "ask" and arguments.install == "ask":
        answer = _asked(console, offer, cancel)
        why = "as you say"
    if answer == "never":
        await packages.refuse(offer)
    if answer != "yes":
        text = f"not installed: {offer.names or end.need.what}; {why}"
        console.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)
        return False
    await narrate(packages.install(offer, cancel))
    if cancel.cancelled:
        return False
    house.renew(root)
    return True


def _refusal(offer: PackageOffer, install: str, *, asking: bool) -> str:
    """Say why nothing is installed and nobody is asked; empty when that is open."""
    if offer.answer == "no":
        return offer.why
    if install == "never":
        return "--install never"
    if offer.answer == "yes":
        return ""
    if install == "allow" and offer.doubtful:
        return f"{offer.packages[0].why}; name it in packages.allow of your settings if it is right"
    if install == "ask" and not asking:
        return "nobody can be asked without a terminal; say --install allow"
    return ""


def _asked(console: Console, offer: PackageOffer, cancel: CancelToken) -> str:
    """Ask on the terminal: "yes", "no" or "never"."""
    loop = asyncio.get_running_loop()
    # Nothing else runs meanwhile; Ctrl+C is to end the question and not to wait for its answer.
    loop.remove_signal_handler(signal.SIGINT)
    try:
        while True:
            console.print(offer.question, markup=False, highlight=False, soft_wrap=True)
            try:
                said = input("yes, no, never (in this workspace), details [no]: ")
            except EOFError:
                return "no"
            said = said.strip().lower()
            if not said or not "details".startswith(said):
                return _ANSWERS.get(said, "no")
            console.print(offer.details, markup=False, highlight=False)
    finally:
        loop.add_signal_handler(signal.SIGINT, cancel.cancel)
