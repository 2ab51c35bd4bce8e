"""What happens on each message: unpack, call one plain function, pack. And the one error boundary.

Not covered: which message leads here (``app.py``).
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable

from lsprotocol import types

from ocils import __version__
from ocils.domain.errors import InvalidSettings, OcilsError, TargetNotFound, UsageError
from ocils.domain.target import EditTarget
from ocils.server import protocol
from ocils.server.actions import code_actions, code_lenses
from ocils.server.convert import Encoding
from ocils.server.desk import Desk, key, log
from ocils.server.documents import OpenDocument
from ocils.server.flows import apply_kept, refine_target, run_target
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

_CLOSING = 5.0  # seconds for containers and the model at the end


class Boundary:
    """The one place where errors end.

    What the user can mend becomes one message and one line in the log. Anything else is a bug: its
    traceback goes to standard error, where editors keep their servers' logs, and the user hears of
    each bug once. The server lives on either way.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._heard: set[str] = set()

    def __call__(self, what: str) -> _Guard:
        """Guard a block; ``what`` was being done, for the message."""
        return _Guard(self, what)

    def end(self, error: BaseException | None, what: str) -> bool:
        """Take in what left a guarded block; tell whether it ends here."""
        if isinstance(error, OcilsError):
            text = str(error)
            self._desk.say(text[:1].upper() + text[1:], types.MessageType.Error)
            return True
        if not isinstance(error, Exception):
            # Nothing happened, or the loop is being cancelled or the process ended.
            return False
        log.error("a bug in ocils, while %s", what, exc_info=error)
        place = traceback.extract_tb(error.__traceback__)[-1]
        known = f"{type(error).__name__} {place.filename}:{place.lineno}"
        if known not in self._heard:
            self._heard.add(known)
            self._desk.say(
                f"A bug in ocils, while {what} ({type(error).__name__}: {error}); nothing was "
                "changed, and the server's log has the details",
                types.MessageType.Error,
            )
        return True


class _Guard:
    def __init__(self, boundary: Boundary, what: str) -> None:
        self._boundary = boundary
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        return self._boundary.end(error, self._what)


class Handlers:
    """One client's handlers. None of them raises."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.boundary = Boundary(desk)
        self._options: object = None
        self._closed = False

    # -- life ------------------------------------------------------------------------------------

    def initialize(self, params: types.InitializeParams) -> None:
        """Learn how the client counts, which folders it has opened, and the user's settings."""
        with self.boundary("starting"):
            chosen = self._desk.server.workspace.position_encoding
            self._desk.documents.encoding = _encoding(chosen)
            folders = [folder.uri for folder in params.workspace_folders or ()]
            if not folders and params.root_uri:
                folders = [params.root_uri]
            for uri in folders:
                self._desk.documents.add_folder(uri)
            self._options = params.initialization_options

    def initialized(self, _: types.InitializedParams) -> None:
        """Take over the settings that came with the start; only now may the client hear of typos."""
        with self.boundary("reading the settings"):
            self._configure(self._options)

    async def did_change_configuration(self, params: types.DidChangeConfigurationParams) -> None:
        """Take over changed settings; ask for them when the client sends none."""
        with self.boundary("reading the settings"):
            settings: object = params.settings
            capabilities = self._desk.server.client_capabilities.workspace
            if not settings and capabilities is not None and capabilities.configuration:
                item = types.ConfigurationItem(section=protocol.SOURCE)
                answer = await self._desk.server.workspace_configuration_async(
                    types.ConfigurationParams([item])
                )
                settings = answer[0] if answer else None
            self._configure(settings)

    def did_change_folders(self, params: types.DidChangeWorkspaceFoldersParams) -> None:
        """Follow the folders that the client opens and closes."""
        with self.boundary("following the folders"):
            for folder in params.event.removed:
                self._desk.documents.remove_folder(folder.uri)
            for folder in params.event.added:
                self._desk.documents.add_folder(folder.uri)

    async def close(self) -> None:
        """Cancel what runs, end the containers, release the model; the second call does nothing."""
        if self._closed:
            return
        self._closed = True
        with self.boundary("stopping"):
            await self._desk.runs.close()
            await asyncio.wait_for(self._desk.house.close(), _CLOSING)

    # -- documents -------------------------------------------------------------------------------

    def did_open(self, params: types.DidOpenTextDocumentParams) -> None:
        """Take over a document."""
        with self.boundary("opening a document"):
            self._desk.documents.open(params.text_document)

    def did_change(self, params: types.DidChangeTextDocumentParams) -> None:
        """Follow a document's text, and drop the findings that it makes stale."""
        with self.boundary("following your changes"):
            opened = self._desk.documents.find(params.text_document.uri)
            if opened is not None:
                version = params.text_document.version
                self._desk.findings.edited(opened.change(version, params.content_changes))

    def did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        """Forget a document."""
        with self.boundary("closing a document"):
            self._desk.documents.close(params.text_document.uri)

    def code_actions(self, params: types.CodeActionParams) -> list[types.CodeAction]:
        """Answer ``textDocument/codeAction``."""
        with self.boundary("listing code actions"):
            opened = self._desk.documents.find(params.text_document.uri)
            if opened is None:
                return []
            path = opened.document.path
            kept = frozenset(
                found.proposal.target.name
                for found in self._desk.kept.values()
                if found.proposal.target.path == path
            )
            findings = self._desk.findings.at(path)
            return code_actions(opened, params, findings, kept=kept, tags=self._knows_tags())
        return []

    def code_lenses(self, params: types.CodeLensParams) -> list[types.CodeLens]:
        """Answer ``textDocument/codeLens``."""
        with self.boundary("listing code lenses"):
            opened = self._desk.documents.find(params.text_document.uri)
            if opened is None:
                return []
            return code_lenses(opened, self._desk.findings.about(opened.document.path, opened.uri))
        return []

    # -- commands --------------------------------------------------------------------------------

    def refine(self, *arguments: object) -> object:
        """Answer ``ocils.refineUntilGreen``."""
        with self.boundary("starting to refine"):
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
            params = protocol.unpack(CommandName.RUN_TESTS, arguments, TargetParams)
            whole = params.name is None and params.position is None
            target = None if whole else self._target(params)
            path = self._desk.documents.get(params.uri).document.path
            title = "Running all tests"
            if target is not None:
                title = f"Running {'' if target.is_test else 'tests of '}{target.name}"
            return self._start(
                params, title, target, lambda run: run_target(self._desk, run, target, path)
            )
        return None

    def apply_kept(self, *arguments: object) -> object:
        """Answer ``ocils.applyKept``."""
        with self.boundary("applying a kept edit"):
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

    # -- plain parts -----------------------------------------------------------------------------

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

    def _configure(self, settings: object) -> None:
        if isinstance(settings, dict) and set(settings) == {protocol.SOURCE}:
            settings = settings[protocol.SOURCE]
        if settings is None or settings == {} or settings == []:
            return
        if not isinstance(settings, dict):
            raise InvalidSettings(
                "the editor's settings for ocils are not an object",
                mend='pass {"model": ..., "sandbox": ..., "refine": ...}',
            )
        self._desk.house.configure(settings)

    def _knows_tags(self) -> bool:
        documents = self._desk.server.client_capabilities.text_document
        actions = documents.code_action if documents is not None else None
        return actions is not None and actions.tag_support is not None


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


def _encoding(chosen: object) -> Encoding:
    text = str(chosen.value if isinstance(chosen, types.PositionEncodingKind) else chosen)
    if text == "utf-8":
        return "utf-8"
    return "utf-32" if text == "utf-32" else "utf-16"
