"""Names that clients see (commands, requests, notifications), and the shapes that they send us.

``editors/PROTOCOL.md`` describes them for who writes a client; a test keeps the two equal.

Not covered: the shapes that we send (``shapes.py``), what the commands do (``commands.py``).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypeVar

import msgspec

from ocils.domain.base import Value
from ocils.domain.errors import UsageError

SOURCE: Final = "ocils"
"""The ``source`` of every diagnostic that ocils publishes, and its settings' section."""

_P = TypeVar("_P", bound=Value)


class CommandName(StrEnum):
    """Everything that ``workspace/executeCommand`` understands."""

    REFINE = "ocils.refineUntilGreen"
    GENERATE = "ocils.generate"
    RUN_TESTS = "ocils.runTests"
    APPLY = "ocils.apply"
    REJECT = "ocils.reject"
    REJECT_KEPT = "ocils.rejectKept"
    FEEDBACK = "ocils.feedback"
    APPLY_KEPT = "ocils.applyKept"
    CANCEL = "ocils.cancel"
    STATUS = "ocils.status"
    PULL_MODEL = "ocils.pullModel"


class RequestName(StrEnum):
    """The requests beside the protocol's own that we answer; ``ABORT`` is a notification to us."""

    DOCTOR = "ocils/doctor"
    MODELS = "ocils/models"
    SESSIONS = "ocils/sessions"
    ATTEMPTS = "ocils/attempts"
    DISCOVER = "ocils/discoverTests"
    RUN_TESTS = "ocils/runTests"
    ABORT = "ocils/abortRunTest"


class NotificationName(StrEnum):
    """The notifications beside the protocol's own that we send to clients who asked for them."""

    STATUS = "ocils/status"
    PROPOSAL = "ocils/proposal"
    PROPOSAL_ENDED = "ocils/proposalEnded"
    SESSION = "ocils/session"
    DISCOVERED = "ocils/discoveredTests"
    STATE = "ocils/changeTestState"
    OUTPUT = "ocils/appendOutputToRunTest"
    END = "ocils/endRunTests"


class ClientFlags(Value, frozen=True, rename="camel"):
    """What a client draws by itself: ``initializationOptions.client``.

    ``proposal_view``: a view of a proposal, answered by ``ocils.apply`` and ``ocils.reject``.
    ``status``, ``test_explorer``, ``sessions``: it wants to hear of these. ``apply_edit``: it carries
    out ``workspace/applyEdit``, though its capabilities do not say so.
    """

    proposal_view: bool = False
    status: bool = False
    test_explorer: bool = False
    sessions: bool = False
    apply_edit: bool = False


class Place(Value, frozen=True, rename="camel"):
    """A position as the client counts it, 0-based."""

    line: int
    character: int = 0

    def __post_init__(self) -> None:
        if self.line < 0 or self.character < 0:
            raise ValueError("a position is never negative")


class TargetParams(Value, frozen=True, rename="camel"):
    """What to work on: a document, and a position in it or a qualified name ("Class.method").

    Neither of the two means the whole document, which only ``ocils.runTests`` accepts. ``replace``
    cancels what is already running on the same target and starts over. ``test`` is a test's id in
    the test explorer: ``ocils.refineUntilGreen`` finds what makes it fail, and needs no ``uri``.
    """

    uri: str = ""
    position: Place | None = None
    name: str | None = None
    replace: bool = False
    test: str | None = None

    def __post_init__(self) -> None:
        if not self.uri and self.test is None:
            raise ValueError("missing required field `uri`")


class OfferParams(Value, frozen=True, rename="camel"):
    """``proposal``: the id of an ``ocils/proposal``; ``reason``: what is wrong with it, for a new try."""

    proposal: str
    reason: str = ""


class FeedbackParams(Value, frozen=True, rename="camel"):
    """Go on with ``session``, with a person's hint ``text``; ``replace`` as elsewhere."""

    session: str
    text: str
    replace: bool = False


class PlaceParams(Value, frozen=True, rename="camel"):
    """``uri``: a document or folder of the workspace in question; the first opened one without."""

    uri: str | None = None


class ModelsParams(Value, frozen=True, rename="camel"):
    """Nothing to say."""


class SessionsParams(Value, frozen=True, rename="camel"):
    """How many sessions to list, the newest first."""

    count: int = 50


class AttemptsParams(Value, frozen=True, rename="camel"):
    """Which session's attempts to tell."""

    session: str


class DiscoverParams(Value, frozen=True, rename="camel"):
    """What to look below; without it all opened folders."""

    test_id: str | None = None


class RunTestsParams(Value, frozen=True, rename="camel"):
    """The tests, classes, files and workspaces to run (all when absent), and which of them not to."""

    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] | None = None


class AbortParams(Value, frozen=True, rename="camel"):
    """Which run of the test explorer to end; all of them without."""

    run: str | None = None


class CancelParams(Value, frozen=True, rename="camel"):
    """Which run to cancel: its id, or all of a document's, or (neither) all."""

    task: str | None = None
    uri: str | None = None


class StatusParams(Value, frozen=True, rename="camel"):
    """``uri``: a document of the workspace in question; none asks about the server alone."""

    uri: str | None = None


class PullParams(Value, frozen=True, rename="camel"):
    """Which model to fetch, by its name."""

    name: str


class Started(Value, frozen=True, rename="camel"):
    """The answer to a command that started something; ``task`` is for ``ocils.cancel``."""

    task: str
    target: str


def unpack(command: str, arguments: tuple[object, ...], kind: type[_P]) -> _P:
    """Turn a command's arguments into its parameters.

    One object is expected; none at all counts as an empty one. Raises ``UsageError`` that names
    the command and what is wrong with the arguments.
    """
    if len(arguments) > 1:
        raise UsageError(
            f"{command} takes one argument, got {len(arguments)}", mend=f"pass {_shape(kind)}"
        )
    given = arguments[0] if arguments and arguments[0] is not None else {}
    try:
        return msgspec.convert(given, kind, str_keys=True)
    except msgspec.ValidationError as problem:
        text = str(problem)
        raise UsageError(
            f"{command}: {text[:1].lower()}{text[1:]}", mend=f"pass {_shape(kind)}"
        ) from problem


def pack(value: Value) -> object:
    """Turn an answer into plain JSON values."""
    return msgspec.to_builtins(value)


def _shape(kind: type[Value]) -> str:
    fields = msgspec.structs.fields(kind)
    names = [f.encode_name if f.required else f"{f.encode_name}?" for f in fields]
    return "{" + ", ".join(names) + "}"
