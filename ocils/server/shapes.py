"""The shapes that we send to clients, plain JSON once packed.

Every field name is camelCase on the wire. Ranges are in the encoding that was negotiated.

Not covered: filling them in (``showing.py``, ``explorer.py``, ``commands.py``); what clients send
(``protocol.py``).
"""

from __future__ import annotations

from typing import Literal

from ocils.domain.base import Value


class RunningStatus(Value, frozen=True, rename="camel"):
    """One run under way."""

    task: str
    target: str
    uri: str
    message: str


class ModelStateShape(Value, frozen=True, rename="camel", omit_defaults=False):
    """Where the model stands; ``words`` say all of it: "downloading 40 %".

    ``fraction`` 0..1 is of downloading and loading, ``mend`` of what failed.
    """

    kind: Literal["absent", "downloading", "loading", "ready", "unloaded", "failed"]
    words: str
    fraction: float = 0.0
    mend: str = ""


class Status(Value, frozen=True, rename="camel", omit_defaults=False):
    """``ocils/status``, and the answer to ``ocils.status``.

    ``model`` and ``judge`` are what is known: before the first run the model's configured name, and
    nothing of the judge. ``problem`` is why the last run could not be, ``mend`` what to do.
    ``model_state`` is null where there is nothing to say: a model on a server, or none at all.
    """

    state: Literal["starting", "idle", "busy", "error"]
    version: str
    running: tuple[RunningStatus, ...]
    model: str = ""
    judge: str = ""
    problem: str = ""
    mend: str = ""
    model_state: ModelStateShape | None = None


class Spot(Value, frozen=True, rename="camel"):
    """A position."""

    line: int
    character: int


class Stretch(Value, frozen=True, rename="camel"):
    """A range."""

    start: Spot
    end: Spot


class TextChange(Value, frozen=True, rename="camel"):
    """A text edit."""

    range: Stretch
    new_text: str


class VerdictShape(Value, frozen=True, rename="camel", omit_defaults=False):
    """A verdict in short; ``level`` is how it was had (L0, L1, L2, or empty)."""

    outcome: Literal["passed", "failed", "broken", "timedOut", "killed", "unjudged"]
    passed: int
    total: int
    seconds: float
    level: str
    message: str


class FileChange(Value, frozen=True, rename="camel", omit_defaults=False):
    """One file before and after; ``version`` is the buffer's, null for a file that is not open."""

    uri: str
    before: str
    after: str
    edits: tuple[TextChange, ...]
    version: int | None = None


class RivalShape(Value, frozen=True, rename="camel", omit_defaults=False):
    """Another green change."""

    note: str
    why: str
    files: tuple[FileChange, ...]


class ProposalShape(Value, frozen=True, rename="camel", omit_defaults=False):
    """``ocils/proposal``: a confirmed change that waits for a yes or a no.

    ``unexecuted`` are 0-based lines of the target's file as it would become; ``suspicious`` are
    reasons to look twice; ``again`` says that it was shown before.
    """

    proposal: str
    session: str
    task: str
    target: str
    uri: str
    title: str
    note: str
    summary: str
    files: tuple[FileChange, ...]
    verdict: VerdictShape
    mended: tuple[str, ...]
    flaky: tuple[str, ...]
    unexecuted: tuple[int, ...]
    rivals: tuple[RivalShape, ...]
    suspicious: tuple[str, ...]
    again: bool = False


class ProposalEnded(Value, frozen=True, rename="camel", omit_defaults=False):
    """``ocils/proposalEnded``; a proposal that was kept can still be applied or rejected."""

    proposal: str
    outcome: Literal["applied", "kept", "doubtful", "rejected", "replaced"]
    message: str


class Attempt(Value, frozen=True, rename="camel", omit_defaults=False):
    """One judged candidate; ``diff`` is unified, empty where the text is no longer known."""

    turn: int
    strategy: str
    candidate: str
    note: str
    verdict: VerdictShape
    failing: tuple[str, ...]
    diff: str
    feedback: str = ""


class SessionEvent(Value, frozen=True, rename="camel", omit_defaults=False):
    """``ocils/session``: a session started, judged an attempt, refuted a green one, or ended."""

    kind: Literal["started", "judged", "refuted", "ended"]
    session: str
    task: str
    uri: str
    target: str
    model: str
    message: str = ""
    outcome: str = ""
    turn: int = 0
    strategy: str = ""
    candidate: str = ""
    note: str = ""
    count: int = 0
    limit: int = 0
    verdict: VerdictShape | None = None
    failing: tuple[str, ...] = ()
    diff: str = ""


class SessionShape(Value, frozen=True, rename="camel", omit_defaults=False):
    """A session in one line; ``started`` is in seconds since 1970, 0 when it is not known."""

    session: str
    uri: str
    target: str
    task: str
    model: str
    turns: int
    candidates: int
    outcome: str
    best: str
    started: float = 0.0


class Sessions(Value, frozen=True, rename="camel"):
    """The answer to ``ocils/sessions``."""

    sessions: tuple[SessionShape, ...]


class Attempts(Value, frozen=True, rename="camel"):
    """The answer to ``ocils/attempts``."""

    session: SessionShape
    attempts: tuple[Attempt, ...]


class CheckShape(Value, frozen=True, rename="camel", omit_defaults=False):
    """One finding of the doctor."""

    name: str
    ok: bool
    detail: str
    mend: str


class Checks(Value, frozen=True, rename="camel"):
    """The answer to ``ocils/doctor``."""

    checks: tuple[CheckShape, ...]


class ModelShape(Value, frozen=True, rename="camel", omit_defaults=False):
    """A model that can be chosen by its name.

    ``bytes`` is 0 where its files are not there: ``ocils.pullModel`` fetches them. ``parameters`` is
    0 where nobody said how many there are.
    """

    name: str
    family: str
    licence: str
    bundled: bool
    chat: bool
    strategies: tuple[str, ...]
    context: int
    bytes: int
    parameters: int


class Models(Value, frozen=True, rename="camel"):
    """The answer to ``ocils/models``."""

    current: str
    models: tuple[ModelShape, ...]
