"""Names and shapes that clients see: commands, code action kinds, parameters.

Not covered: what the commands do (``handlers.py``).
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
    APPLY_KEPT = "ocils.applyKept"
    CANCEL = "ocils.cancel"
    STATUS = "ocils.status"


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
    cancels what is already running on the same target and starts over.
    """

    uri: str
    position: Place | None = None
    name: str | None = None
    replace: bool = False


class CancelParams(Value, frozen=True, rename="camel"):
    """Which run to cancel: its id, or all of a document's, or (neither) all."""

    task: str | None = None
    uri: str | None = None


class StatusParams(Value, frozen=True, rename="camel"):
    """``uri``: a document of the workspace in question; none asks about the server alone."""

    uri: str | None = None


class Started(Value, frozen=True, rename="camel"):
    """The answer to a command that started something; ``task`` is for ``ocils.cancel``."""

    task: str
    target: str


class RunningStatus(Value, frozen=True, rename="camel"):
    """One run under way."""

    task: str
    target: str
    uri: str
    message: str


class Status(Value, frozen=True, rename="camel"):
    """The answer to ``ocils.status``. ``judge`` and ``model`` are empty where no uri was given."""

    version: str
    running: tuple[RunningStatus, ...]
    model: str = ""
    judge: str = ""


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
