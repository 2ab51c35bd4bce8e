"""``editors/PROTOCOL.md`` and the protocol, name by name and field by field."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from ocils.domain.base import Value
from ocils.server import protocol, shapes, testing
from ocils.server.protocol import CommandName, NotificationName, RequestName

PAGE = Path(__file__).parents[2].joinpath("editors/PROTOCOL.md").read_text()
NAMES = {each.value for kind in (CommandName, NotificationName, RequestName) for each in kind}

ROWS: list[tuple[str, tuple[type[Value], ...]]] = [
    ("ocils.refineUntilGreen", (protocol.TargetParams, protocol.Started)),
    ("ocils.reject", (protocol.OfferParams,)),
    ("ocils.feedback", (protocol.FeedbackParams,)),
    ("ocils.cancel", (protocol.CancelParams,)),
    ("ocils.status", (protocol.StatusParams,)),
    ("ocils.pullModel", (protocol.PullParams,)),
    ("ocils/status", (shapes.Status, shapes.RunningStatus, shapes.ModelStateShape)),
    ("ocils/proposal", (shapes.ProposalShape, shapes.FileChange, shapes.TextChange)),
    ("ocils/proposal", (shapes.RivalShape,)),
    ("ocils/proposalEnded", (shapes.ProposalEnded,)),
    ("ocils/session", (shapes.SessionEvent,)),
    ("ocils/discoveredTests", (testing.TestItems,)),
    ("ocils/changeTestState", (testing.StateChange, testing.TestState, testing.FrameShape)),
    ("ocils/appendOutputToRunTest", (testing.Output,)),
    ("ocils/endRunTests", (testing.RunEnded,)),
    ("ocils/doctor", (protocol.PlaceParams, shapes.Checks, shapes.CheckShape)),
    ("ocils/models", (shapes.Models, shapes.ModelShape)),
    ("ocils/sessions", (protocol.SessionsParams, shapes.Sessions, shapes.SessionShape)),
    ("ocils/attempts", (protocol.AttemptsParams, shapes.Attempts, shapes.Attempt)),
    ("ocils/discoverTests", (protocol.DiscoverParams, testing.TestItems)),
    ("ocils/runTests", (protocol.RunTestsParams, testing.RunStarted)),
    ("ocils/abortRunTest", (protocol.AbortParams,)),
]


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]*)`", text))))


def row_of(name: str) -> str:
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")]
    return row


def fields(kind: type[Value]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(kind)}


def test_every_name_has_its_row_and_every_row_its_name() -> None:
    rows = set(re.findall(r"^\| `(ocils[./]\w+)` \|", PAGE, re.MULTILINE))
    assert rows == NAMES
    # What is mentioned anywhere else exists too.
    assert set(re.findall(r"`(ocils[./]\w+)`", PAGE)) <= NAMES | {"ocils/server"}


@pytest.mark.parametrize(("name", "kinds"), ROWS)
def test_every_field_is_in_its_row(name: str, kinds: tuple[type[Value], ...]) -> None:
    known = words(row_of(name))
    for kind in kinds:
        assert fields(kind) <= known, kind


def test_the_shapes_that_are_described_in_prose() -> None:
    for kind in (protocol.ClientFlags, shapes.VerdictShape, testing.TestItem):
        assert fields(kind) <= words(PAGE) | set(re.findall(r'"(\w+)":', PAGE)), kind


def test_no_row_names_a_field_that_is_not_there() -> None:
    """What stands in a row is a field, a value of one, or another name."""
    values = {"starting", "idle", "busy", "error", "started", "judged", "refuted", "ended"}
    values |= {"applied", "kept", "doubtful", "rejected", "replaced", "uri", "ocils"}
    values |= {"enqueued", "passed", "failed", "skipped", "errored", "broken", "no_tests"}
    values |= {"cancelled", "model", "name"}
    values |= {"absent", "downloading", "loading", "ready", "unloaded"}
    names = {part for name in NAMES for part in re.findall(r"\w+", name)}
    for name, _ in ROWS:
        kinds = [kind for each, known in ROWS if each == name for kind in known]
        allowed = set().union(*(fields(kind) for kind in kinds)) | values | names
        allowed |= fields(protocol.Started) | fields(testing.LocationShape)
        assert words(row_of(name)) <= allowed, name
