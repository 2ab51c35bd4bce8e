"""The test explorer's shapes, after rust-analyzer's, and its ids.

An id is the workspace's root, the file and the names in it: ``/w/tests/test_a.py::TestX::test_y[1]``.
Ids alone repeat from workspace to workspace; roots do not.

Not covered: finding tests (``explorer.py``) and running them (``testruns.py``).
"""

from __future__ import annotations

from typing import Literal

from ocils.domain.base import Value
from ocils.server.shapes import Stretch

Tag = Literal["enqueued", "started", "passed", "failed", "skipped", "errored"]


class UriShape(Value, frozen=True, rename="camel"):
    """A text document's name."""

    uri: str


class LocationShape(Value, frozen=True, rename="camel"):
    """A place in a file."""

    uri: str
    range: Stretch


class FrameShape(Value, frozen=True, rename="camel"):
    """A frame of a traceback."""

    uri: str
    range: Stretch
    text: str


class TestItem(Value, frozen=True, rename="camel"):
    """A node of the tree: a workspace ("package"), a file or a class ("module"), a test."""

    __test__ = False

    id: str
    label: str
    kind: Literal["package", "module", "test"]
    can_resolve_children: bool = False
    parent: str | None = None
    text_document: UriShape | None = None
    range: Stretch | None = None


class TestItems(Value, frozen=True, rename="camel", omit_defaults=False):
    """What stands below ``scope`` now: ``ocils/discoveredTests``, and the answer to a discovery."""

    __test__ = False

    tests: tuple[TestItem, ...]
    scope: tuple[str, ...]


class RunStarted(Value, frozen=True, rename="camel"):
    """The answer to ``ocils/runTests``; the id is also a task for ``ocils.cancel``."""

    run: str


class TestState(Value, frozen=True, rename="camel"):
    """How a test fares; ``duration_ms`` is the test's own time in milliseconds."""

    __test__ = False

    tag: Tag
    message: str = ""
    location: LocationShape | None = None
    frames: tuple[FrameShape, ...] = ()
    duration_ms: float | None = None
    flaky: bool = False


class StateChange(Value, frozen=True, rename="camel"):
    """``ocils/changeTestState``."""

    run: str
    test_id: str
    state: TestState


class Output(Value, frozen=True, rename="camel"):
    """``ocils/appendOutputToRunTest``."""

    run: str
    output: str
    test_id: str | None = None


class RunEnded(Value, frozen=True, rename="camel", omit_defaults=False):
    """``ocils/endRunTests``."""

    run: str
    outcome: str
    message: str
