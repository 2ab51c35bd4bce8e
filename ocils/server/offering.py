"""How a proposal is put to the user, by what their editor can do, and what becomes of it.

Best first: the editor's own view of it (``ocils/proposal``), an edit that asks to be confirmed
(change annotations), a question with buttons. Only who set ``editor.proposal`` to "apply" gets the
edit at once. Whatever the way, the proposal also waits as a code action until it is decided.

Not covered: bringing the edit into the text (``applying.py``).
"""

from __future__ import annotations

from typing import Literal, assert_never

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from ocils.domain.session import Proposal
from ocils.domain.text import Edit
from ocils.ports import Ports, Workspace
from ocils.server.applying import Applied, Doubtful, Kept, apply, rebase
from ocils.server.attempts import show_attempts
from ocils.server.desk import Desk
from ocils.server.memory import Offer
from ocils.server.protocol import NotificationName
from ocils.server.runs import Run
from ocils.server.shapes import ProposalEnded, ProposalShape
from ocils.server.showing import (
    documents_of,
    file_changes,
    new_lines,
    rival_shapes,
    verdict_shape,
)
from ocils.server.telling import Said, applied_message, summary, tests
from ocils.server.verdicts import Sketch, test_key
from ocils.source.target import relocate

Way = Literal["view", "annotate", "ask", "apply"]

_APPLY, _SHOW, _REJECT = "Apply", "Show attempts", "Reject"


def way_of(desk: Desk, proposal: Proposal) -> Way:
    """Return how a proposal is put to this client; a suspicious one is never just applied."""
    if desk.house.settings.editor.proposal == "apply" and not proposal.suspicious:
        return "apply"
    if desk.flags.proposal_view:
        return "view"
    workspace = desk.server.client_capabilities.workspace
    edit = workspace.workspace_edit if workspace is not None else None
    annotates = edit is not None and edit.change_annotation_support is not None
    return "annotate" if annotates else "ask"


def offer(desk: Desk, run: Run, made: Offer) -> None:
    """Put a proposal to the user and return; the run that found it has ended by then."""
    match way_of(desk, made.found.proposal):
        case "view":
            show(desk, run, made)
        case "annotate":
            start_applying(desk, made, annotated=True)
        case "ask":
            desk.spawn("asking about a proposal", _ask(desk, made))
        case "apply":
            start_applying(desk, made)


def show(desk: Desk, run: Run, made: Offer) -> None:
    """Send a proposal to a client that draws it by itself."""
    proposal, found = made.found.proposal, made.found
    documents = documents_of(found.snapshot, proposal.edits)
    edits, target = proposal.edits, proposal.target
    # The user may have typed elsewhere: what is shown is what applying would do now.
    present = {p: o.document for p in documents if (o := desk.documents.at(p)) is not None}
    moved = rebase(found, {**documents, **present}.get)
    if isinstance(moved, Applied):
        documents, edits, target = {**documents, **present}, moved.edits, moved.target
    encoding, uri_of = desk.documents.encoding, desk.documents.uri
    shape = ProposalShape(
        proposal=made.id,
        session=found.session.id if found.session is not None else "",
        task=run.id,
        target=target.name,
        uri=uri_of(target.path),
        title=f"{target.name}: {proposal.candidate.note or 'a new text'}",
        note=proposal.candidate.note,
        summary=summary(proposal),
        files=file_changes(edits, documents, uri_of, encoding),
        verdict=verdict_shape(proposal.verdict),
        mended=proposal.mended,
        flaky=proposal.flaky,
        unexecuted=new_lines(proposal, target),
        rivals=rival_shapes(
            proposal, documents_of(found.snapshot, _all(proposal)), uri_of, encoding
        ),
        suspicious=proposal.suspicious,
        again=made.shown,
    )
    made.shown = True
    desk.tell(NotificationName.PROPOSAL, shape)


def start_applying(desk: Desk, made: Offer, *, annotated: bool = False) -> Run:
    """Start the run that brings a proposal into the editor. Raises ``UsageError``: it runs already."""
    target = made.found.proposal.target
    return desk.launch(
        made.owner,
        f"Applying the edit of {target.name}",
        desk.documents.uri(target.path),
        lambda run: _applying(desk, run, made, annotated),
    )


def drop(desk: Desk, owner: str, outcome: Literal["rejected", "replaced"], message: str) -> None:
    """Forget the proposal on a target, if there is one, and tell a client that shows it."""
    made = desk.offers.drop(owner)
    if made is not None:
        _ended(desk, made, outcome, message)


async def deliver(
    desk: Desk, run: Run, made: Offer, workspace: Workspace, ports: Ports, *, annotated: bool
) -> Said:
    """Bring a proposal into the editor; return what came of it."""
    found = made.found
    proposal = found.proposal
    target = proposal.target
    run.say("applying the edit")
    answer = await apply(desk, found, workspace, ports, run.token, annotated=annotated)
    match answer:
        case Applied():
            desk.offers.drop(made.owner)
            desk.findings.clear(made.owner)
            mended = {test_key(found.snapshot.root, test) for test in proposal.mended}
            desk.findings.clear_tests(frozenset(mended))
            opened = desk.documents.at(target.path)
            there = relocate(opened.tree, target) if opened is not None and opened.tree else None
            sketch = Sketch(found.snapshot, desk.documents, target)
            desk.findings.put(made.owner, sketch.unexecuted(proposal, there or answer.target))
            text = applied_message(proposal, again=answer.again)
            _ended(desk, made, "applied", text)
            return Said(text)
        case Kept(why=why):
            text = (
                f"`{target.name}`: an edit that turns {tests(len(proposal.mended))} green was "
                f"found, and was not applied: {why}. It is kept: use the code action "
                f'"Apply the verified edit of {target.name}" or refine again'
            )
            _ended(desk, made, "kept", text)
            return Said(text, types.MessageType.Warning)
        case Doubtful(why=why):
            text = f"`{target.name}`: {why}"
            _ended(desk, made, "doubtful", text)
            return Said(text, types.MessageType.Error)
        case _:
            assert_never(answer)


async def _applying(desk: Desk, run: Run, made: Offer, annotated: bool) -> None:
    from ocils.server.flows import progress

    async with progress(desk, run) as bar:
        bar.report("looking at the present text", 90)
        workspace = desk.workspace_of(made.found.proposal.target.path)
        ports = await desk.ports(workspace.root, made.found.proposal.target.path)
        said = await deliver(desk, run, made, workspace, ports, annotated=annotated)
    # Who has shown the proposal shows what became of it, with its own buttons.
    tell = desk.note if made.shown else desk.say
    tell(said.text, said.kind)
    desk.refresh_lenses()


async def _ask(desk: Desk, made: Offer) -> None:
    """Ask with buttons; an answer that does not come leaves the code action."""
    proposal = made.found.proposal
    name = proposal.target.name
    while desk.offers.of(made.owner) is made:
        question = types.ShowMessageRequestParams(
            types.MessageType.Info,
            f"{summary(proposal)}. Apply it?",
            actions=[types.MessageActionItem(title) for title in (_APPLY, _SHOW, _REJECT)],
        )
        try:
            answer = await desk.server.window_show_message_request_async(question)
        except JsonRpcException:
            answer = None
        if desk.offers.of(made.owner) is not made:
            return
        title = answer.title if answer is not None else ""
        if title == _APPLY:
            start_applying(desk, made)
            return
        if title == _REJECT:
            drop(desk, made.owner, "rejected", f"`{name}`: rejected; nothing was changed")
            desk.note(f"{name}: the proposal was rejected")
            return
        if title != _SHOW:
            text = (
                f'{summary(proposal)}; the code action "Apply the verified edit of {name}" has it'
            )
            desk.say(text)
            return
        session = made.found.session
        if session is not None:
            await show_attempts(desk, session.id)


def _ended(
    desk: Desk,
    made: Offer,
    outcome: Literal["applied", "kept", "doubtful", "rejected", "replaced"],
    message: str,
) -> None:
    if desk.flags.proposal_view:
        desk.tell(NotificationName.PROPOSAL_ENDED, ProposalEnded(made.id, outcome, message))


def _all(proposal: Proposal) -> tuple[Edit, ...]:
    return tuple(edit for rival in proposal.rivals for edit in rival.candidate.edits)
