"""A package that the tests lack, put to the user: install it, never here, or show what that means.

A run that needs a package has ended; the answer starts a run that installs, and behind it the same
one again. Where settings or earlier answers decide, nobody is asked. No answer leaves everything as
it is, and the next run asks again.

Not covered: which distribution it is and installing it (the ``Packages`` port).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from ocils.domain.events import Blocked, Need
from ocils.domain.packages import PackageOffer
from ocils.server.attempts import show_text
from ocils.server.desk import Desk
from ocils.server.runs import Run

_WARNING = types.MessageType.Warning
_INSTALL, _NEVER, _DETAILS = "Install", "Never here", "Show details"


class Wish(NamedTuple):
    """What a run needs to go on, and how it goes on then."""

    root: str
    need: Need
    owner: str
    title: str
    uri: str
    again: Callable[[Run], Awaitable[None]]


def settle(
    desk: Desk, run: Run, root: str, last: Blocked, again: Callable[[Run], Awaitable[None]]
) -> None:
    """See to what ``run`` ended for, behind its back; ``again`` is how it goes on then."""
    if last.need.kind != "package":
        desk.say(f"{run.title}: stopped, it needs {last.need.what}", types.MessageType.Warning)
        return
    desk.runs.leave(run)
    wish = Wish(root, last.need, run.owner, run.title, run.uri, again)
    desk.spawn("asking about a package", _settle(desk, wish))


async def _settle(desk: Desk, wish: Wish) -> None:
    """Find out what would help and what the user says to it; then install and go on."""
    packages = desk.house.packages(wish.root)
    offer = await packages.look_up(wish.need)
    if offer.answer == "no":
        text = f"{wish.title}: stopped, the tests lack {wish.need.what}; {offer.why}"
        desk.say(text, types.MessageType.Warning)
        return
    if offer.answer == "ask" and not await _agreed(desk, wish, offer):
        return
    desk.launch(
        wish.owner,
        f"Installing {offer.names}",
        wish.uri,
        lambda run: _install(desk, run, wish, offer),
    )


async def _agreed(desk: Desk, wish: Wish, offer: PackageOffer) -> bool:
    """Ask with buttons; tell whether the answer was a yes."""
    kind = types.MessageType.Warning if offer.doubtful else types.MessageType.Info
    while True:
        question = types.ShowMessageRequestParams(
            kind,
            offer.question,
            actions=[types.MessageActionItem(title) for title in (_INSTALL, _NEVER, _DETAILS)],
        )
        try:
            answer = await desk.server.window_show_message_request_async(question)
        except JsonRpcException:
            answer = None
        title = answer.title if answer is not None else ""
        if title == _DETAILS:
            if not await show_text(desk, "package.txt", offer.details):
                desk.note(offer.details)
            continue
        if title == _NEVER:
            await desk.house.packages(wish.root).refuse(offer)
        if title == _NEVER:
            desk.note(f"{wish.title}: stopped, {offer.names} was not installed")
        elif title != _INSTALL:
            # No answer may mean that the client cannot ask: then this is all that is seen.
            text = f"{wish.title}: stopped, the tests lack {wish.need.what} ({offer.names})"
            desk.say(f"{text}; install it, or run again to be asked again", _WARNING)
        return title == _INSTALL


async def _install(desk: Desk, run: Run, wish: Wish, offer: PackageOffer) -> None:
    from ocils.server.flows import progress

    async with progress(desk, run) as bar:
        async for step in desk.house.packages(wish.root).install(offer, run.token):
            run.say(step.stage)
            bar.report(step.stage, 0)
    if run.token.cancelled:
        desk.note(f"{run.title}: cancelled; nothing was installed")
        return
    desk.house.renew(wish.root)
    desk.note(f"{offer.names} is there now; the environment itself is unchanged")
    desk.runs.leave(run)
    desk.launch(wish.owner, wish.title, wish.uri, wish.again)
