"""What the server remembers of its sessions and proposals while it runs.

Sessions on disk (``record/``) have no text to show a difference against; those of this run do, and
can be gone on with. The newest ones are kept.

Not covered: deciding what becomes of a proposal (``offering.py``).
"""

from __future__ import annotations

import time
from uuid import uuid4

from ocils.domain.base import Value
from ocils.domain.errors import UsageError
from ocils.domain.judging import Baseline
from ocils.domain.session import Judged, Proposal, Session
from ocils.domain.text import Document, Snapshot

_SESSIONS = 40


class Found(Value, frozen=True):
    """A confirmed proposal and what it was judged against."""

    proposal: Proposal
    baseline: Baseline
    snapshot: Snapshot
    paths: tuple[str, ...]
    session: Session | None = None


class Offer:
    """A proposal that waits for a yes or a no. ``id`` is how clients name it."""

    __slots__ = ("found", "id", "owner", "shown")

    def __init__(self, owner: str, found: Found) -> None:
        self.id = uuid4().hex[:12]
        self.owner = owner
        self.found = found
        self.shown = False


class Offers:
    """The proposals that wait, one a target at most."""

    def __init__(self) -> None:
        self._by_owner: dict[str, Offer] = {}

    def put(self, owner: str, found: Found) -> Offer:
        """Keep a proposal, in place of an earlier one on the same target."""
        offer = Offer(owner, found)
        self._by_owner[owner] = offer
        return offer

    def of(self, owner: str) -> Offer | None:
        """Return the proposal on a target."""
        return self._by_owner.get(owner)

    def get(self, offer_id: str) -> Offer:
        """Return the proposal of that id. Raises ``UsageError``."""
        for offer in self._by_owner.values():
            if offer.id == offer_id:
                return offer
        raise UsageError(
            "that proposal is no longer there: it was applied, rejected or replaced",
            mend="refine again",
        )

    def drop(self, owner: str) -> Offer | None:
        """Forget the proposal on a target and return it."""
        return self._by_owner.pop(owner, None)

    def names(self, path: str) -> frozenset[str]:
        """Return the names of a file's targets that have one."""
        targets = [offer.found.proposal.target for offer in self._by_owner.values()]
        return frozenset(target.name for target in targets if target.path == path)


class Remembered:
    """One session of this run: as far as it has come, and the text that it is about."""

    __slots__ = ("best", "document", "outcome", "root", "session", "started")

    def __init__(self, session: Session, document: Document, root: str) -> None:
        self.session = session
        self.document = document
        self.root = root
        self.outcome = "running"
        self.best: Judged | None = None
        self.started = time.time()


class Sessions:
    """The sessions of this run, the newest last."""

    def __init__(self) -> None:
        self._known: dict[str, Remembered] = {}

    def begin(self, session: Session, document: Document, root: str) -> Remembered:
        """Remember a session that starts or goes on; the oldest are forgotten."""
        self._known.pop(session.id, None)
        self._known[session.id] = Remembered(session, document, root)
        for old in list(self._known)[:-_SESSIONS]:
            del self._known[old]
        return self._known[session.id]

    def find(self, session_id: str) -> Remembered | None:
        """Return a session of this run, or None."""
        return self._known.get(session_id)

    def all(self) -> tuple[Remembered, ...]:
        """Return all of them, the newest first."""
        return tuple(reversed(self._known.values()))
