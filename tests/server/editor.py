"""An editor for tests: pygls' own client, with buffers that behave as real editors' do.

``manner`` says how it takes edits: "strict" refuses a stale one (VS Code), "sly" refuses it and
answers that it was applied (Neovim), except with version 0, where it applies whatever comes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from lsprotocol import types
from pygls.lsp.client import LanguageClient
from pygls.protocol import LanguageServerProtocol

from ocils.server.convert import Encoding, path_of, uri_of
from ocils.server.protocol import NotificationName

from .naive import naive_offset


class _Protocol(LanguageServerProtocol):
    """lsprotocol reads a CodeAction that carries a command as a Command: leave those as they come."""

    def get_result_type(self, method: str) -> Any:  # type: ignore[override]  # it is cached there
        if method in (types.TEXT_DOCUMENT_CODE_ACTION, types.TEXT_DOCUMENT_CODE_LENS):
            return None
        return super().get_result_type(method)


class Buffer:
    """One open document."""

    def __init__(self, text: str, version: int) -> None:
        self.text = text
        self.version = version


class Editor:
    """A client and its buffers."""

    def __init__(
        self, *, encoding: Encoding = "utf-16", manner: Literal["strict", "sly"] = "strict"
    ) -> None:
        self.client = LanguageClient("test editor", "1", protocol_cls=_Protocol)
        self.encoding = encoding
        self.manner = manner
        self.patience = 30.0
        self.buffers: dict[str, Buffer] = {}
        self.messages: list[tuple[types.MessageType, str]] = []
        self.logged: list[str] = []
        self.progress: list[tuple[str, Any]] = []
        self.diagnostics: dict[str, types.PublishDiagnosticsParams] = {}
        self.edits: list[types.ApplyWorkspaceEditParams] = []
        self.lens_refreshes = 0
        self.choice: str | None = "Apply"
        self.choices: list[str] = []  # taken first, one a question
        self.confirms = True
        self.answers = asyncio.Event()  # cleared: it carries edits out, and never says so
        self.answers.set()
        self.shown: list[types.ShowDocumentParams] = []
        self.heard: list[tuple[str, Any]] = []
        self.registered: list[str] = []
        self.asked: list[types.ShowMessageRequestParams] = []
        self.settings: object = None
        self.before_edit: Callable[[], None] = lambda: None
        self.after_edit: Callable[[], None] = lambda: None
        self._changed = asyncio.Event()
        self._register()

    def _register(self) -> None:
        self._on(types.WINDOW_SHOW_MESSAGE, self._on_show)
        self._on(types.WINDOW_LOG_MESSAGE, self._on_log)
        self._on(types.WINDOW_SHOW_MESSAGE_REQUEST, self._on_ask)
        self._on(types.WINDOW_WORK_DONE_PROGRESS_CREATE, self._on_create)
        self._on(types.PROGRESS, self._on_progress)
        self._on(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS, self._on_publish)
        self._on(types.WORKSPACE_CODE_LENS_REFRESH, self._on_refresh)
        self._on(types.WORKSPACE_CONFIGURATION, self._on_configuration)
        self.client.feature(types.WORKSPACE_APPLY_EDIT)(self._answering_apply())
        self._on(types.WINDOW_SHOW_DOCUMENT, self._on_document)
        self._on(types.CLIENT_REGISTER_CAPABILITY, self._on_register)
        for name in NotificationName:
            self._on(name.value, self._hearing(name.value))

    def _on(self, method: str, handler: Callable[[Any], Any]) -> None:
        # pygls marks what it registers, which a bound method does not allow.
        def call(params: Any) -> Any:
            return handler(params)

        self.client.feature(method)(call)

    def _answering_apply(self) -> Callable[[Any], Any]:
        async def apply(params: Any) -> Any:
            answer = self._on_apply(params)
            await self.answers.wait()
            return answer

        return apply

    def _hearing(self, name: str) -> Callable[[Any], None]:
        def hear(params: Any) -> None:
            self.heard.append((name, plain(params)))
            self._changed.set()

        return hear

    def _on_document(self, params: types.ShowDocumentParams) -> types.ShowDocumentResult:
        self.shown.append(params)
        self._changed.set()
        return types.ShowDocumentResult(success=True)

    def _on_register(self, params: types.RegistrationParams) -> None:
        self.registered += [each.method for each in params.registrations]

    def _on_show(self, params: types.ShowMessageParams) -> None:
        self.messages.append((types.MessageType(params.type), params.message))
        self._changed.set()

    def _on_log(self, params: types.LogMessageParams) -> None:
        self.logged.append(params.message)
        self._changed.set()

    def _on_ask(self, params: types.ShowMessageRequestParams) -> types.MessageActionItem | None:
        self.asked.append(params)
        self._changed.set()
        titles = [action.title for action in params.actions or ()]
        if self.choices:
            return types.MessageActionItem(self.choices.pop(0))
        for title in (self.choice, "Apply"):
            if self.choice is not None and title in titles:
                return types.MessageActionItem(title)
        return None

    def _on_create(self, params: types.WorkDoneProgressCreateParams) -> None:
        self.progress.append(("create", params.token))

    def _on_progress(self, params: types.ProgressParams) -> None:
        value = params.value
        kind = value["kind"] if isinstance(value, dict) else getattr(value, "kind", "?")
        self.progress.append((kind, params))
        self._changed.set()

    def _on_publish(self, params: types.PublishDiagnosticsParams) -> None:
        self.diagnostics[params.uri] = params
        self._changed.set()

    def _on_refresh(self, _: Any) -> None:
        self.lens_refreshes += 1

    def _on_configuration(self, _: types.ConfigurationParams) -> list[Any]:
        return [self.settings]

    def _on_apply(self, params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
        self.before_edit()
        self.edits.append(params)
        asks = any(a.needs_confirmation for a in (params.edit.change_annotations or {}).values())
        applied = self._apply(params.edit) if self.confirms or not asks else False
        self.after_edit()
        self._changed.set()
        return types.ApplyWorkspaceEditResult(applied=applied)

    async def start(
        self,
        root: str | None,
        *,
        options: object = None,
        progress: bool = True,
        apply_edit: bool = True,
        annotations: bool = False,
        dynamic: bool = False,
        show: bool = False,
        folders: list[str] | None = None,
    ) -> types.InitializeResult:
        """Introduce ourselves; the server must be connected."""
        roots = folders if folders is not None else ([root] if root else [])
        result = await self.client.initialize_async(
            types.InitializeParams(
                capabilities=types.ClientCapabilities(
                    general=types.GeneralClientCapabilities(
                        position_encodings=[types.PositionEncodingKind(self.encoding)]
                    ),
                    window=types.WindowClientCapabilities(
                        work_done_progress=progress,
                        show_document=types.ShowDocumentClientCapabilities(show) if show else None,
                    ),
                    workspace=types.WorkspaceClientCapabilities(
                        apply_edit=apply_edit,
                        configuration=True,
                        workspace_edit=types.WorkspaceEditClientCapabilities(
                            document_changes=True,
                            change_annotation_support=(
                                types.ChangeAnnotationsSupportOptions() if annotations else None
                            ),
                        ),
                        did_change_watched_files=types.DidChangeWatchedFilesClientCapabilities(
                            dynamic_registration=dynamic
                        ),
                        did_change_configuration=types.DidChangeConfigurationClientCapabilities(
                            dynamic_registration=dynamic
                        ),
                        code_lens=types.CodeLensWorkspaceClientCapabilities(refresh_support=True),
                    ),
                    text_document=types.TextDocumentClientCapabilities(
                        code_action=types.CodeActionClientCapabilities(
                            tag_support=types.CodeActionTagOptions(
                                value_set=[types.CodeActionTag.LlmGenerated]
                            )
                        )
                    ),
                ),
                workspace_folders=[types.WorkspaceFolder(uri_of(r), r) for r in roots],
                initialization_options=options,
            )
        )
        self.client.initialized(types.InitializedParams())
        return result

    def open(self, path: str, text: str | None = None, version: int = 1) -> str:
        """Open a file as a buffer; return its URI."""
        uri = path if ":" in path else uri_of(path)
        if text is None:
            text = Path(path).read_bytes().decode()
        self.buffers[uri] = Buffer(text, version)
        language = "python" if path.endswith(".py") or ":" in path else "plaintext"
        self.client.text_document_did_open(
            types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, language, version, text))
        )
        return uri

    def close(self, uri: str) -> None:
        """Close a buffer."""
        del self.buffers[uri]
        self.client.text_document_did_close(
            types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri))
        )

    def type(self, uri: str, line: int, character: int, text: str, *, cut: int = 0) -> None:
        """Type ``text`` at a position, over ``cut`` code units."""
        place = types.Range(types.Position(line, character), types.Position(line, character + cut))
        self._change(uri, place, text)

    def change(self, uri: str, start: tuple[int, int], end: tuple[int, int], text: str) -> None:
        """Replace what stands between two positions."""
        self._change(uri, types.Range(types.Position(*start), types.Position(*end)), text)

    def replace(self, uri: str, old: str, new: str) -> None:
        """Replace the first ``old`` in the buffer, with the smallest change message."""
        at = self.buffers[uri].text.index(old)
        self._change(uri, types.Range(self.place(uri, at), self.place(uri, at + len(old))), new)

    def _change(self, uri: str, place: types.Range, text: str) -> None:
        buffer = self.buffers[uri]
        buffer.text = self._spliced(buffer.text, place, text)
        buffer.version += 1
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(buffer.version, uri),
                [types.TextDocumentContentChangePartial(place, text)],
            )
        )

    def place(self, uri: str, at: int) -> types.Position:
        """Return the position before the character at index ``at``."""
        text = self.buffers[uri].text
        line = text.count("\n", 0, at)
        row = text[text.rfind("\n", 0, at) + 1 : at]
        width = {"utf-8": 1, "utf-16": 2, "utf-32": 4}[self.encoding]
        codec = self.encoding + ("" if self.encoding == "utf-8" else "-le")
        return types.Position(line, len(row.encode(codec)) // width)

    def at(self, uri: str, text: str) -> types.Position:
        """Return the position of the first ``text`` in a buffer."""
        return self.place(uri, self.buffers[uri].text.index(text))

    async def actions(self, uri: str, position: types.Position, **context: Any) -> list[Any]:
        """Ask for code actions at a position."""
        here = types.Range(position, position)
        params = types.CodeActionParams(
            types.TextDocumentIdentifier(uri),
            here,
            types.CodeActionContext(context.pop("diagnostics", []), **context),
        )
        answer = await self.ask(types.TEXT_DOCUMENT_CODE_ACTION, params)
        return [plain(each) for each in answer or []]

    async def lenses(self, uri: str) -> list[Any]:
        """Ask for code lenses."""
        params = types.CodeLensParams(types.TextDocumentIdentifier(uri))
        answer = await self.ask(types.TEXT_DOCUMENT_CODE_LENS, params)
        return [plain(each) for each in answer or []]

    async def run(self, command: str, *arguments: object) -> Any:
        """Execute a command."""
        params = types.ExecuteCommandParams(command, list(arguments))
        return await self.ask(types.WORKSPACE_EXECUTE_COMMAND, params)

    async def ask(self, method: str, params: object) -> Any:
        """Send a request and wait for its answer."""
        sent = self.client.protocol.send_request_async(method, params)
        return await asyncio.wait_for(sent, self.patience)

    def cancel_progress(self) -> None:
        """Press the button of the latest progress."""
        token = next(what for kind, what in reversed(self.progress) if kind == "create")
        self.client.window_work_done_progress_cancel(types.WorkDoneProgressCancelParams(token))

    async def until(self, holds: Callable[[], object], what: str = "") -> Any:
        """Wait until ``holds()`` is true."""
        end = time.monotonic() + self.patience
        while not (found := holds()):
            if time.monotonic() > end:
                raise AssertionError(
                    f"never: {what}\nmessages: {self.messages}\nlog: {self.logged}\n"
                    f"progress: {[kind for kind, _ in self.progress]}"
                )
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), 0.05)
            except TimeoutError:
                continue
        return found

    async def ended(self, count: int = 1) -> None:
        """Wait for the end of ``count`` progresses."""
        await self.until(lambda: self.kinds().count("end") >= count, f"{count} progress ends")

    def kinds(self) -> list[str]:
        """Return the kinds of progress so far."""
        return [kind for kind, _ in self.progress]

    def said(self, text: str) -> bool:
        """Tell whether a message contains ``text``, whatever the case."""
        return any(text.lower() in message.lower() for _, message in self.messages)

    def told(self, name: str) -> list[Any]:
        """Return what our own notifications of one name said."""
        return [params for each, params in self.heard if each == name]

    def latest(self, name: str) -> dict[str, Any]:
        """Return the last notification of that name, or nothing when none came yet."""
        told: list[dict[str, Any]] = self.told(name)
        return told[-1] if told else {}

    def marks(self, uri: str) -> list[tuple[int, str]]:
        """Return line (1-based) and message of a document's diagnostics."""
        found = self.diagnostics.get(uri)
        return [(d.range.start.line + 1, d.message) for d in found.diagnostics] if found else []

    def _apply(self, edit: types.WorkspaceEdit) -> bool:
        for change in edit.document_changes or ():
            assert isinstance(change, types.TextDocumentEdit)
            if change.text_document.uri not in self.buffers:
                # As editors do: the file is opened, and the edit is of its buffer.
                assert change.text_document.version is None
                self.open(path_of(change.text_document.uri))
                change.text_document.version = 1
            buffer = self.buffers[change.text_document.uri]
            version = change.text_document.version
            if self.manner == "sly":
                if version and version < buffer.version:
                    return True
            elif version != buffer.version:
                return False
            for each in sorted(change.edits, key=_start, reverse=True):
                assert isinstance(each, types.TextEdit | types.AnnotatedTextEdit)
                self._change(change.text_document.uri, each.range, each.new_text)
        return True

    def _spliced(self, text: str, place: types.Range, new: str) -> str:
        start = naive_offset(text, place.start.line, place.start.character, self.encoding)
        end = naive_offset(text, place.end.line, place.end.character, self.encoding)
        return text[:start] + new + text[end:]


def _start(edit: Any) -> tuple[int, int]:
    return edit.range.start.line, edit.range.start.character


def plain(value: Any) -> Any:
    """Turn what cattrs made of an unknown answer into dictionaries."""
    if hasattr(value, "_asdict"):
        return {k: plain(v) for k, v in value._asdict().items()}
    if hasattr(value, "__dict__") and not isinstance(value, type):
        return {k: plain(v) for k, v in vars(value).items()}
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value
