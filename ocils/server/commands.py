"""The commands: what ``workspace/executeCommand`` leads to. Each starts something and returns at once.

``flows`` is imported when the first one needs it: the loop behind it would cost every start 0.1 s.

Not covered: what runs then (``flows.py``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from lsprotocol import types

from ocils import __version__
from ocils.domain.errors import TargetNotFound, UsageError
from ocils.domain.target import EditTarget
from ocils.server import protocol
from ocils.server.boundary import Boundary
from ocils.server.desk import Desk, key
from ocils.server.documents import OpenDocument
from ocils.server.protocol import (
    CancelParams,
    CommandName,
    RunningStatus,
    Started,
    Status,
    StatusParams,
    TargetParams,
)
from ocils.server.runs import Run
from ocils.source.target import locate, locate_name


class Commands:
    """One client's commands. None of them raises; null is the answer where something was wrong."""

    def __init__(self, desk: Desk, boundary: Boundary) -> None:
        self._desk = desk
        self.boundary = boundary

    def refine(self, *arguments: object) -> object:
        """Answer ``ocils.refineUntilGreen``."""
        with self.boundary("starting to refine"):
            from ocils.server.flows import refine_target

            params = protocol.unpack(CommandName.REFINE, arguments, TargetParams)
            target = self._target(params)
            return self._start(
                params,
                f"Refining {target.name}",
                target,
                lambda run: refine_target(self._desk, run, target, "repair"),
            )
        return None

    def generate(self, *arguments: object) -> object:
        """Answer ``ocils.generate``."""
        with self.boundary("starting to generate"):
            from ocils.server.flows import refine_target

            params = protocol.unpack(CommandName.GENERATE, arguments, TargetParams)
            target = self._target(params)
            return self._start(
                params,
                f"Generating {target.name}",
                target,
                lambda run: refine_target(self._desk, run, target, "implement"),
            )
        return None

    def run_tests(self, *arguments: object) -> object:
        """Answer ``ocils.runTests``; without a position or a name for the whole workspace."""
        with self.boundary("starting to run tests"):
            from ocils.server.flows import run_target

            params = protocol.unpack(CommandName.RUN_TESTS, arguments, TargetParams)
            whole = params.name is None and params.position is None
            target = None if whole else self._target(params)
            path = self._desk.documents.get(params.uri).document.path
            title = "Running all tests"
            if target is not None:
                title = f"Running {'' if target.is_test else 'tests of '}{target.name}"
            return self._start(
                params,
                title,
                target,
                lambda run: run_target(self._desk, run, target, path),
            )
        return None

    def apply_kept(self, *arguments: object) -> object:
        """Answer ``ocils.applyKept``."""
        with self.boundary("applying a kept edit"):
            from ocils.server.flows import apply_kept

            params = protocol.unpack(CommandName.APPLY_KEPT, arguments, TargetParams)
            target = self._target(params)
            found = self._desk.kept.get(key(target.path, target.name))
            if found is None:
                raise UsageError(
                    f"no edit of `{target.name}` is kept", mend="refine it until green first"
                )
            return self._start(
                params,
                f"Applying the edit of {target.name}",
                target,
                lambda run: apply_kept(self._desk, run, found),
            )
        return None

    def cancel(self, *arguments: object) -> object:
        """Answer ``ocils.cancel`` with the number of runs that were cancelled."""
        with self.boundary("cancelling"):
            params = protocol.unpack(CommandName.CANCEL, arguments, CancelParams)
            uri = params.uri
            if uri is not None:
                opened = self._desk.documents.find(uri)
                uri = opened.uri if opened is not None else uri
            count = self._desk.runs.cancel(params.task, uri)
            if not count:
                self._desk.say("Nothing is running")
            return count
        return None

    def status(self, *arguments: object) -> object:
        """Answer ``ocils.status``, and say it in one line."""
        with self.boundary("looking at the status"):
            params = protocol.unpack(CommandName.STATUS, arguments, StatusParams)
            running = tuple(
                RunningStatus(run.id, run.title, run.uri, run.message)
                for run in self._desk.runs.all()
            )
            model = judge = ""
            if params.uri is not None:
                workspace = self._desk.workspace_of(self._desk.documents.path(params.uri))
                ports = self._desk.house.ports(workspace.root)
                model, judge = ports.engine.identity, ports.sandbox.isolation
            now = "; ".join(f"{r.target}: {r.message}" for r in running) or "idle"
            parts = (f"ocils {__version__}", now, model, judge)
            self._desk.say("; ".join(part for part in parts if part))
            return protocol.pack(Status(__version__, running, model, judge))
        return None

    def _start(
        self,
        params: TargetParams,
        title: str,
        target: EditTarget | None,
        work: Callable[[Run], Awaitable[None]],
    ) -> object:
        opened = self._desk.documents.get(params.uri)

        async def guarded(run: Run) -> None:
            with self.boundary(f"{title[:1].lower()}{title[1:]}"):
                await work(run)

        owner = key(opened.document.path, target.name if target is not None else "")
        run = self._desk.runs.start(owner, title, opened.uri, guarded, replace=params.replace)
        return protocol.pack(Started(run.id, target.name if target is not None else ""))

    def _target(self, params: TargetParams) -> EditTarget:
        """Return what the parameters mean. Raises ``UsageError``."""
        opened = self._desk.documents.get(params.uri)
        return find_target(opened, params)


def find_target(opened: OpenDocument, params: TargetParams) -> EditTarget:
    """Return the function at a position, or of a name; the position counts when both agree.

    Raises ``UsageError`` (``TargetNotFound``, ``SyntaxBroken``) with a message for the user.
    """
    if opened.tree is None:
        raise UsageError(
            f"{opened.document.path} is not a Python file", mend="only Python is supported so far"
        )
    if params.position is None and params.name is None:
        raise TargetNotFound("no position and no name were given", mend="pass one of the two")
    if params.position is not None:
        place = types.Position(params.position.line, params.position.character)
        try:
            target = locate(opened.tree, opened.lines.offset(place))
        except UsageError:
            # The text may have moved since the menu was opened; then the name decides.
            if params.name is None:
                raise
        else:
            if params.name is None or target.name == params.name:
                return target
    assert params.name is not None
    return locate_name(opened.tree, params.name)
