"""What was tried: told as it happens, listed, and shown as one text.

Sessions of this run come with differences; those of earlier runs come from the user's records, and
are shown against the present file where its function is still the one that was refined.

Not covered: recording (``record/``).
"""

from __future__ import annotations

import asyncio

from lsprotocol import types

from ocils.domain.errors import OcilsError
from ocils.domain.events import (
    Blocked,
    Cancelled,
    CandidateJudged,
    Event,
    Finished,
    Refuted,
    TurnStarted,
)
from ocils.domain.session import Session
from ocils.domain.text import Document
from ocils.refine.resume import best_so_far
from ocils.server.convert import uri_of
from ocils.server.desk import Desk
from ocils.server.diffs import diff_of
from ocils.server.memory import Remembered
from ocils.server.protocol import NotificationName
from ocils.server.runs import Run
from ocils.server.shapes import Attempt, SessionEvent, SessionShape
from ocils.server.showing import attempt_shape, failing, session_shape, verdict_shape
from ocils.source.target import relocate
from ocils.source.tree import SourceTree


class Narrator:
    """Tells one session's events to a client that wants to hear, and remembers the session."""

    def __init__(self, desk: Desk, run: Run, remembered: Remembered) -> None:
        self._desk = desk
        self._run = run
        self._remembered = remembered
        self._turn = TurnStarted(0, "edit")
        self._tell(SessionEvent("started", *self._who()))

    def hear(self, event: Event) -> None:
        """Take in one event of the loop."""
        match event:
            case TurnStarted():
                self._turn = event
            case CandidateJudged(judged=judged, count=count, limit=limit):
                if not self._desk.flags.sessions:
                    return
                candidate, document = judged.candidate, self._remembered.document
                verdict = verdict_shape(judged.verdict)
                self._tell(
                    SessionEvent(
                        "judged",
                        *self._who(),
                        message=verdict.message,
                        turn=self._turn.number,
                        strategy=candidate.strategy,
                        candidate=candidate.id,
                        note=candidate.note,
                        count=count,
                        limit=limit,
                        verdict=verdict,
                        failing=failing(judged.verdict),
                        diff=diff_of(
                            candidate.edits, {document.path: document}, self._remembered.root
                        ),
                    )
                )
            case Refuted(candidate=candidate, why=why):
                self._tell(
                    SessionEvent("refuted", *self._who(), message=why, candidate=candidate.id)
                )
            case Finished(outcome=outcome, session=session, best=best):
                self._remembered.outcome = outcome
                self._keep(session)
                self._remembered.best = best
            case Cancelled(session=session, best=best):
                self._remembered.outcome = "cancelled"
                self._keep(session)
                self._remembered.best = best
            case Blocked(session=session):
                self._remembered.outcome = "blocked"
                self._keep(session)

    def end(self, message: str) -> None:
        """Tell the end; a session that ended without a word of the loop has failed."""
        remembered = self._remembered
        if remembered.outcome == "running":
            remembered.outcome = "cancelled" if self._run.token.cancelled else "failed"
        self._tell(SessionEvent("ended", *self._who(), message=message, outcome=remembered.outcome))

    def _keep(self, session: Session | None) -> None:
        if session is not None:
            self._remembered.session = session

    def _who(self) -> tuple[str, str, str, str, str]:
        session = self._remembered.session
        uri = self._desk.documents.uri(session.target.path)
        return session.id, self._run.id, uri, session.target.name, session.model

    def _tell(self, event: SessionEvent) -> None:
        if self._desk.flags.sessions:
            self._desk.tell(NotificationName.SESSION, event)


async def list_sessions(desk: Desk, count: int) -> tuple[SessionShape, ...]:
    """Return the newest sessions: of this run first, then those on record."""
    live = desk.sessions.all()
    known = {each.session.id for each in live}
    shapes = [_shape_of(desk, each) for each in live]
    for session, started in await asyncio.to_thread(desk.house.recorded, count):
        if session.id not in known:
            shapes.append(_recorded(desk, session, started))
    return tuple(shapes[:count])


async def list_attempts(desk: Desk, session_id: str) -> tuple[SessionShape, tuple[Attempt, ...]]:
    """Return a session's attempts in order. Raises ``UsageError``: there is no such session."""
    live = desk.sessions.find(session_id)
    if live is not None:
        session, root, shape = live.session, live.root, _shape_of(desk, live)
        documents = {live.document.path: live.document}
    else:
        session = await asyncio.to_thread(desk.house.recorded_session, session_id)
        shape = _recorded(desk, session, 0.0)
        present = await asyncio.to_thread(_present, desk, session)
        documents = {present.path: present} if present is not None else {}
        root = ""
    found = tuple(
        attempt_shape(judged, turn, documents, root)
        for turn in session.turns
        for judged in turn.judged
    )
    return shape, found


async def show_attempts(desk: Desk, session_id: str) -> None:
    """Show a session's attempts as one text, in the editor where it can, else in its log."""
    shape, attempts = await list_attempts(desk, session_id)
    text = as_text(shape, attempts)
    if await show_text(desk, f"{session_id}.diff", text):
        return
    desk.note(text)
    desk.say(f"{len(attempts)} attempts are in the log of your editor's language client")


async def show_text(desk: Desk, name: str, text: str) -> bool:
    """Show a text as a document of its own; tell whether the editor did."""
    window = desk.server.client_capabilities.window
    if window is None or window.show_document is None or not window.show_document.support:
        return False
    path = await asyncio.to_thread(desk.house.keep_text, name, text)
    shown = types.ShowDocumentParams(uri_of(path), take_focus=True)
    return (await desk.server.window_show_document_async(shown)).success


def as_text(shape: SessionShape, attempts: tuple[Attempt, ...]) -> str:
    """Return a session as a text that an editor colours as a difference."""
    lines = [
        f"# {shape.target}: {shape.outcome}, {shape.candidates} candidates in {shape.turns} turns",
        f"# {shape.model}",
    ]
    for number, each in enumerate(attempts, 1):
        how = f", {each.verdict.level}" if each.verdict.level else ""
        lines += [
            "",
            f"# {number}. {each.strategy}: {each.note}",
            f"#    {each.verdict.outcome}{how}: {' '.join(each.verdict.message.split())}",
            *(f"#    fails: {test}" for test in each.failing[:3]),
            each.diff.rstrip("\n"),
        ]
    return "\n".join(lines) + "\n"


def _shape_of(desk: Desk, each: Remembered) -> SessionShape:
    uri = desk.documents.uri(each.session.target.path)
    best = each.best or best_so_far(each.session)
    return session_shape(each.session, uri, each.outcome, best, each.started)


def _recorded(desk: Desk, session: Session, started: float) -> SessionShape:
    uri = desk.documents.uri(session.target.path)
    return session_shape(session, uri, "recorded", best_so_far(session), started)


def _present(desk: Desk, session: Session) -> Document | None:
    """Return the text that a recorded session's edits still fit, if there is one."""
    target = session.target
    try:
        opened = desk.documents.at(target.path)
        document = opened.document if opened is not None else desk.house.read(target.path)
    except OcilsError:
        return None
    there = relocate(SourceTree.of(document), target)
    fits = there is not None and there.hash == target.hash and there.span == target.span
    return document if fits else None
