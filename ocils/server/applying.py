"""From a confirmed proposal to text in the editor, and never to the wrong text (decision 1).

Between the snapshot that was judged and the edit, the user has typed. So the target is found again
by name; if its own text changed, the proposal is kept and nothing is applied; if anything else
that was judged changed, it is confirmed again, on the present text. Versions alone do not protect:
every Neovim applies an edit with version 0 wherever it lands, and answers "applied" to edits that
it refused. So versions are compared here, right before, and the text afterwards.

Not covered: the search (``ocils.refine``), what the user is told (``flows.py``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeAlias

import msgspec
from lsprotocol import types

from ocils.domain.base import Value
from ocils.domain.cancel import CancelToken
from ocils.domain.session import Candidate, Proposal
from ocils.domain.target import EditTarget
from ocils.domain.text import Document, Edit, Snapshot, apply_edits
from ocils.ports import Ports, Workspace
from ocils.refine.confirm import Confirmation
from ocils.refine.green import Denied
from ocils.server.convert import annotated_edit, workspace_edit
from ocils.server.desk import Desk
from ocils.server.memory import Found
from ocils.server.moved import Moved
from ocils.server.telling import summary
from ocils.source.target import relocate
from ocils.source.tree import SourceTree

_ROUNDS = 4  # confirmations again, one for each time that the user typed on
_SETTLE = 0.3  # seconds in which an editor has sent what was typed (Neovim waits 0.15)
_ARRIVE = 3.0  # seconds until an applied edit must have come back as a change
_GLANCE = 0.2  # seconds between two looks at the text of a client that has not answered yet
_ANSWER = 60.0  # seconds a client has to answer; some ask their user first
_THINK = 3600.0  # seconds where we ourselves have asked it to ask its user


class Applied(Value, frozen=True):
    """The text in the editor is the one that was judged; ``again``: it was confirmed again."""

    target: EditTarget
    edits: tuple[Edit, ...]
    again: bool = False


class Kept(Value, frozen=True):
    """Nothing was applied; the proposal is kept. ``why`` is for the user."""

    why: str


class Doubtful(Value, frozen=True):
    """The editor applied something, and the text is not the one that was judged."""

    why: str


Answer: TypeAlias = Applied | Kept | Doubtful


async def apply(
    desk: Desk,
    found: Found,
    workspace: Workspace,
    ports: Ports,
    cancel: CancelToken,
    *,
    annotated: bool = False,
) -> Answer:
    """Bring a proposal into the editor; see the module's docstring.

    ``annotated``: the edit asks to be confirmed; the client must know change annotations.

    Raises ``OcilsError`` when the workspace cannot be read or no container can be had.
    """
    capabilities = desk.server.client_capabilities.workspace
    able = capabilities is not None and capabilities.apply_edit
    if not (able or desk.flags.apply_edit):
        return Kept("your editor does not take edits from a language server")
    confirmed = found.snapshot.hash
    for _ in range(_ROUNDS):
        buffers = desk.documents.buffers(workspace.root)
        present = await workspace.snapshot(buffers)
        moved = rebase(found, present.document)
        if isinstance(moved, Kept):
            return moved
        if present.hash != confirmed:
            denied = await _denied(found, moved.edits, present, ports, cancel)
            if cancel.cancelled:
                return Kept("cancelled")
            if denied:
                return Kept(f"it no longer holds on the present text: {denied}")
            confirmed = present.hash
            continue
        if any(document.version in (0, None) for document in _edited(desk, moved.edits, present)):
            # The first version protects nothing: give what was typed the time to arrive.
            await asyncio.sleep(_SETTLE)
        if desk.documents.buffers(workspace.root) != buffers:
            continue
        again = present.hash != found.snapshot.hash
        moved = msgspec.structs.replace(moved, again=again)
        answer = await _send(desk, moved, present, found.proposal if annotated else None)
        if not isinstance(answer, Kept) or desk.documents.buffers(workspace.root) == buffers:
            return answer
        # The user typed while the edit was on its way and the editor refused it: once more.
    return Kept("the text went on changing while the edit was being confirmed")


def rebase(found: Found, present: Callable[[str], Document | None]) -> Applied | Kept:
    """Return the proposal's edits for the present texts, or why they have no place there."""
    target = found.proposal.target
    edits: list[Edit] = []
    now = target
    for path in dict.fromkeys(edit.path for edit in found.proposal.edits):
        judged, document = found.snapshot.document(path), present(path)
        if judged is None or document is None:
            return Kept(f"{path.rpartition('/')[2]} is no longer there")
        mine = [edit for edit in found.proposal.edits if edit.path == path]
        if judged.data == document.data:
            edits += mine
            continue
        moved = Moved(judged.data, document.data)
        shift: int | None = None
        if path == target.path:
            there = relocate(SourceTree.of(document), target)
            if there is None:
                return Kept(f"`{target.name}` is no longer there")
            if there.hash != target.hash or there.indent != target.indent:
                return Kept(f"`{target.name}` was changed during the run")
            now, shift = there, there.span.start - target.span.start
        for edit in mine:
            span = moved.span(edit.span)
            if shift is not None and _inside(edit, target):
                start, end = edit.span.start + shift, edit.span.end + shift
                span = msgspec.structs.replace(edit.span, start=start, end=end)
            if span is None:
                line = judged.data.count(b"\n", 0, edit.span.start) + 1
                return Kept(f"line {line}, which it also changes, was changed during the run")
            edits.append(msgspec.structs.replace(edit, span=span))
    return Applied(now, tuple(edits))


def _inside(edit: Edit, target: EditTarget) -> bool:
    return target.span.contains(edit.span.start) and target.span.contains(edit.span.end)


async def _denied(
    found: Found,
    edits: tuple[Edit, ...],
    present: Snapshot,
    ports: Ports,
    cancel: CancelToken,
) -> str:
    """Confirm the moved edits on the present text; return why not, or ""."""
    proposal = found.proposal
    candidate: Candidate = msgspec.structs.replace(proposal.candidate, edits=edits)
    confirmation = Confirmation(
        present, found.baseline, proposal.mended, found.paths, ports.sandbox, cancel
    )
    try:
        answer = await confirmation.confirm(candidate)
    finally:
        await confirmation.close()
    return answer.why if isinstance(answer, Denied) else ""


def _edited(desk: Desk, edits: tuple[Edit, ...], present: Snapshot) -> list[Document]:
    """Return the documents to be edited: the buffer where there is one, else the file."""
    found: list[Document] = []
    for path in dict.fromkeys(edit.path for edit in edits):
        opened = desk.documents.at(path)
        document = opened.document if opened is not None else present.document(path)
        if document is not None:
            found.append(document)
    return found


async def _send(desk: Desk, applied: Applied, present: Snapshot, ask: Proposal | None) -> Answer:
    """Send the edit and look at what became of the text; ``ask``: let the client ask about it."""
    before = {document.path: document for document in _edited(desk, applied.edits, present)}
    for path, document in before.items():
        judged = present.document(path)
        if judged is None or judged.data != document.data:
            return Kept(f"{path.rpartition('/')[2]} in your editor is not the file that was judged")
    expected = {path: apply_edits(d, applied.edits).data for path, d in before.items()}
    edit = workspace_edit(
        applied.edits,
        before,
        {path: desk.documents.uri(path) for path in before},
        encoding=desk.documents.encoding,
    )
    if ask is not None:
        edit = annotated_edit(edit, f"ocils: {applied.target.name}", summary(ask))
    sent = desk.server.workspace_apply_edit_async(
        types.ApplyWorkspaceEditParams(edit, label=f"ocils: {applied.target.name}")
    )
    answer = asyncio.ensure_future(sent)
    deadline = time.monotonic() + (_THINK if ask is not None else _ANSWER)
    while not (await asyncio.wait({answer}, timeout=_GLANCE))[0]:
        if all(
            _state(desk, path, before[path], data) == "right" for path, data in expected.items()
        ):
            # Some editors do it and never say so.
            answer.cancel()
            return applied
        if time.monotonic() >= deadline:
            answer.cancel()
            return Kept("your editor did not answer")
    result = answer.result()
    if not result.applied:
        return Kept(f"your editor refused it{_because(result.failure_reason)}")
    return await _look(desk, applied, before, expected)


async def _look(
    desk: Desk, applied: Applied, before: dict[str, Document], expected: dict[str, bytes]
) -> Answer:
    """Wait for the changed text to come back, and compare it with what was judged."""
    deadline = time.monotonic() + _ARRIVE
    while True:
        states = {path: _state(desk, path, before[path], data) for path, data in expected.items()}
        if all(state == "right" for state in states.values()):
            return applied
        if time.monotonic() >= deadline:
            break
        await asyncio.sleep(0.02)
    if all(state in ("right", "unseen") for state in states.values()):
        return applied
    if all(_unmoved(desk, document) for document in before.values()):
        # It says yes, and nothing has come that says otherwise: eglot tells of changes when its user
        # does the next thing. Who refuses a stale edit and still says yes tells what made it stale.
        return applied
    target = applied.target
    present = _hash_in_editor(desk, target)
    if present == _hash_expected(desk, target, expected):
        # The user typed on elsewhere in the file.
        return applied
    if present == target.hash or all(state == "old" for state in states.values()):
        return Kept("your editor said that it applied the edit, and did not; the text had changed")
    return Doubtful(
        "the text in your editor is not the one that was judged: look at it, or undo once"
    )


def _state(desk: Desk, path: str, before: Document, expected: bytes) -> str:
    opened = desk.documents.at(path)
    if opened is None:
        return "unseen"
    if opened.document.data == expected:
        return "right"
    return "old" if opened.document.data == before.data else "other"


def _unmoved(desk: Desk, before: Document) -> bool:
    """Tell whether no change of an open document has come since."""
    opened = desk.documents.at(before.path)
    return opened is not None and opened.document.version == before.version


def _hash_in_editor(desk: Desk, target: EditTarget) -> str | None:
    opened = desk.documents.at(target.path)
    if opened is None or opened.tree is None:
        return None
    there = relocate(opened.tree, target)
    return there.hash if there is not None else None


def _hash_expected(desk: Desk, target: EditTarget, expected: dict[str, bytes]) -> str:
    opened = desk.documents.at(target.path)
    if opened is None or target.path not in expected:
        return target.hash
    document = msgspec.structs.replace(opened.document, data=expected[target.path])
    there = relocate(SourceTree.of(document), target)
    return there.hash if there is not None else ""


def _because(reason: str | None) -> str:
    return f": {reason}" if reason else ""
