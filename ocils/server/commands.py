"""The commands: what ``workspace/executeCommand`` leads to. Each starts something and returns at once.

``flows`` is imported when the first one needs it: the loop behind it would cost every start 0.1 s.

Not covered: what runs then (``flows.py``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from lsprotocol import types

from ocils import __version__
from ocils.domain.errors import TargetNotFound, UsageError
from ocils.domain.judging import TestId
from ocils.domain.target import EditTarget, Task
from ocils.server import protocol
from ocils.server.boundary import Boundary
from ocils.server.desk import Desk, key
from ocils.server.documents import OpenDocument
from ocils.server.explorer import split_id
from ocils.server.memory import Offer
from ocils.server.protocol import (
    CancelParams,
    CommandName,
    FeedbackParams,
    OfferParams,
    PullParams,
    Started,
    StatusParams,
    TargetParams,
)
from ocils.server.runs import Run
from ocils.source.target import locate, locate_name

if TYPE_CHECKING:
    from ocils.server.flows import GoOn


class Commands:
    """One client's commands. None of them raises; null is the answer where something was wrong."""

    def __init__(self, desk: Desk, boundary: Boundary) -> None:
        self._desk = desk
        self.boundary = boundary

    def refine(self, *arguments: object) -> object:
        """Answer ``ocils.refineUntilGreen``."""
        with self.boundary("starting to refine"):
            params = protocol.unpack(CommandName.REFINE, arguments, TargetParams)
            if params.test is not None:
                return self._refine_test(params.test, replace=params.replace)
            return self._refine(params, "Refining", "repair")
        return None

    def generate(self, *arguments: object) -> object:
        """Answer ``ocils.generate``."""
        with self.boundary("starting to generate"):
            params = protocol.unpack(CommandName.GENERATE, arguments, TargetParams)
            return self._refine(params, "Generating", "implement")
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

    def apply(self, *arguments: object) -> object:
        """Answer ``ocils.apply``."""
        with self.boundary("applying a proposal"):
            from ocils.server.offering import start_applying

            params = protocol.unpack(CommandName.APPLY, arguments, OfferParams)
            made = self._desk.offers.get(params.proposal)
            run = start_applying(self._desk, made)
            return protocol.pack(Started(run.id, made.found.proposal.target.name))
        return None

    def apply_kept(self, *arguments: object) -> object:
        """Answer ``ocils.applyKept``."""
        with self.boundary("applying a proposal"):
            from ocils.server.offering import start_applying

            params = protocol.unpack(CommandName.APPLY_KEPT, arguments, TargetParams)
            target = self._target(params)
            made = self._desk.offers.of(key(target.path, target.name))
            if made is None:
                raise UsageError(
                    f"no edit of `{target.name}` is kept", mend="refine it until green first"
                )
            run = start_applying(self._desk, made)
            return protocol.pack(Started(run.id, target.name))
        return None

    def reject(self, *arguments: object) -> object:
        """Answer ``ocils.reject``; with a reason the session goes on."""
        with self.boundary("rejecting a proposal"):
            params = protocol.unpack(CommandName.REJECT, arguments, OfferParams)
            made = self._desk.offers.get(params.proposal)
            return self._rejected(made, params.reason.strip())
        return None

    def reject_kept(self, *arguments: object) -> object:
        """Answer ``ocils.rejectKept``: the same by the target, for code actions."""
        with self.boundary("rejecting a proposal"):
            params = protocol.unpack(CommandName.REJECT_KEPT, arguments, TargetParams)
            target = self._target(params)
            made = self._desk.offers.of(key(target.path, target.name))
            if made is None:
                raise UsageError(f"no edit of `{target.name}` waits", mend="refine it first")
            return self._rejected(made, "")
        return None

    def feedback(self, *arguments: object) -> object:
        """Answer ``ocils.feedback``: a session goes on with a person's hint."""
        with self.boundary("going on with a session"):
            from ocils.server.flows import GoOn

            params = protocol.unpack(CommandName.FEEDBACK, arguments, FeedbackParams)
            if not params.text.strip():
                raise UsageError("the hint is empty", mend="say what the search should know")
            live = self._desk.sessions.find(params.session)
            session = live.session if live else self._desk.house.recorded_session(params.session)
            return self._go_on(GoOn(session, params.text.strip()), replace=params.replace)
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
            if params.uri is not None:
                workspace = self._desk.workspace_of(self._desk.documents.path(params.uri))
                self._desk.status.learn(self._desk.house.ports(workspace.root))
            status = self._desk.status.now()
            now = "; ".join(f"{r.target}: {r.message}" for r in status.running) or "idle"
            parts = (f"ocils {__version__}", now, status.model, status.judge)
            self._desk.say("; ".join(part for part in parts if part))
            return protocol.pack(status)
        return None

    def pull_model(self, *arguments: object) -> object:
        """Answer ``ocils.pullModel``: nothing else ever fetches a model."""
        with self.boundary("fetching a model"):
            from ocils.server.pulling import start_pulling

            params = protocol.unpack(CommandName.PULL_MODEL, arguments, PullParams)
            return protocol.pack(start_pulling(self._desk, params.name))
        return None

    def _refine(self, params: TargetParams, doing: str, task: Task) -> object:
        from ocils.server.flows import refine_target

        target = self._target(params)
        title = f"{doing} {'what ' if target.is_test else ''}{target.name}"
        title += " tests" if target.is_test else ""
        if sends := self._desk.house.settings.remote.sends:
            title += f" ({sends})"
        return self._start(
            params, title, target, lambda run: refine_target(self._desk, run, target, task)
        )

    def _refine_test(self, test_id: str, *, replace: bool) -> object:
        from ocils.server.flows import FailingTest, refine_target

        root, test = split_id(self._desk, test_id)
        if not test:
            raise UsageError(f"{test_id} is not a test", mend="choose a single test")
        wanted = FailingTest(root, TestId(test))
        run = self._desk.launch(
            test_id,
            f"Refining what {test.rpartition('::')[2]} tests",
            self._desk.documents.uri(f"{root}/{test.partition('::')[0]}"),
            lambda run: refine_target(self._desk, run, wanted, "repair"),
            replace=replace,
        )
        return protocol.pack(Started(run.id, ""))

    def _rejected(self, made: Offer, reason: str) -> object:
        from ocils.server.flows import GoOn
        from ocils.server.offering import drop

        proposal, session = made.found.proposal, made.found.session
        name = proposal.target.name
        drop(self._desk, made.owner, "rejected", f"`{name}`: rejected; nothing was changed")
        self._desk.note(f"{name}: the proposal was rejected{': ' if reason else ''}{reason}")
        if not reason or session is None:
            return protocol.pack(Started("", name))
        return self._go_on(GoOn(session, reason, proposal.candidate), replace=False)

    def _go_on(self, go_on: GoOn, *, replace: bool) -> object:
        from ocils.server.flows import refine_target

        target, task = go_on.session.target, go_on.session.task
        run = self._desk.launch(
            key(target.path, target.name),
            f"Refining {target.name} again",
            self._desk.documents.uri(target.path),
            lambda run: refine_target(self._desk, run, target, task, go_on),
            replace=replace,
        )
        return protocol.pack(Started(run.id, target.name))

    def _start(
        self,
        params: TargetParams,
        title: str,
        target: EditTarget | None,
        work: Callable[[Run], Awaitable[None]],
    ) -> object:
        opened = self._desk.documents.get(params.uri)

        owner = key(opened.document.path, target.name if target is not None else "")
        run = self._desk.launch(owner, title, opened.uri, work, replace=params.replace)
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
