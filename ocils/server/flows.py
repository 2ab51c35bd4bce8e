"""The three things that run in the background: refining, running tests, applying what was kept.

Each takes a target in an open document to its end: freeze the workspace, listen to the loop, show
how it goes, leave findings, and say once what came of it.

Not covered: starting and cancelling (``runs.py``), errors (``handlers.py``).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import NamedTuple, assert_never
from uuid import uuid4

from lsprotocol import types

from ocils.domain.errors import StaleTarget, TargetNotFound
from ocils.domain.events import (
    BaselineJudged,
    Blocked,
    Cancelled,
    Event,
    Finished,
    ProposalReady,
)
from ocils.domain.judging import Baseline
from ocils.domain.session import Judged, Proposal, Session
from ocils.domain.target import EditTarget, Task
from ocils.domain.text import Snapshot
from ocils.ports import Ports, Workspace
from ocils.refine.loop import refine, run_tests
from ocils.server.applying import Applied, Doubtful, Kept, apply
from ocils.server.desk import Desk, Found, key
from ocils.server.progress import ProgressBar, Story, outcome
from ocils.server.runs import Run
from ocils.server.tested import called_by
from ocils.server.verdicts import Sketch, test_key
from ocils.settings import limits
from ocils.source.target import relocate
from ocils.source.tree import SourceTree

_KIND = types.MessageType


@asynccontextmanager
async def _progress(desk: Desk, run: Run) -> AsyncIterator[ProgressBar]:
    bar = ProgressBar(desk.server, f"ocils-{run.id}", run.cancel)
    await bar.open(run.title)
    end = "failed"
    try:
        yield bar
        end = "done"
    finally:
        bar.close("cancelled" if run.token.cancelled else end)


async def refine_target(desk: Desk, run: Run, target: EditTarget, task: Task) -> None:
    """Search for an edit that turns the target's tests green, and bring it into the editor."""
    async with _progress(desk, run) as bar:
        workspace, snapshot, ports = await _prepare(desk, run, target)
        target = await _meant(desk, run, target, snapshot)
        owner = key(target.path, target.name)
        desk.findings.clear(owner)
        desk.kept.pop(owner, None)
        settings = desk.house.workspace_settings(workspace.root)
        session = Session(
            id=uuid4().hex,
            task=task,
            target=target,
            snapshot=snapshot.hash,
            model=ports.engine.identity,
            limits=limits(desk.house.settings, settings),
        )
        sketch = Sketch(snapshot, desk.documents, target)
        events = refine(session, snapshot, ports, run.token, settings.tests)
        heard = await _listen(desk, run, bar, events, snapshot, sketch, owner)
        if heard.proposal is not None and heard.baseline is not None and not run.token.cancelled:
            found = Found(heard.proposal, heard.baseline, snapshot, settings.tests)
            if heard.proposal.suspicious:
                # Only a person who has read it brings it into the editor.
                desk.kept[owner] = found
                said: _Said | None = _warning(found.proposal)
            else:
                said = await _deliver(desk, run, found, workspace, ports)
        else:
            said = _conclude(desk, run, heard, sketch, owner)
    _say(desk, said)


async def run_target(desk: Desk, run: Run, target: EditTarget | None, path: str) -> None:
    """Run the tests that concern a target, a test, or (without a target) a whole file."""
    async with _progress(desk, run) as bar:
        workspace, snapshot, ports = await _prepare(desk, run, target, path)
        owner = key(path, target.name if target is not None else "")
        desk.findings.clear(owner)
        paths = desk.house.workspace_settings(workspace.root).tests
        if target is not None and target.is_test:
            paths = (snapshot.relative(target.path),)
        sketch = Sketch(snapshot, desk.documents, target)
        events = run_tests(target, snapshot, ports, run.token, paths)
        heard = await _listen(desk, run, bar, events, snapshot, sketch, owner)
        said = _conclude(desk, run, heard, sketch, owner)
    _say(desk, said)


async def apply_kept(desk: Desk, run: Run, found: Found) -> None:
    """Try again to bring a kept proposal into the editor."""
    async with _progress(desk, run) as bar:
        bar.report("confirming on the present text", 90)
        workspace = desk.workspace_of(found.proposal.target.path)
        ports = await desk.ports(workspace.root)
        said = await _deliver(desk, run, found, workspace, ports)
    _say(desk, said)


class _Said(NamedTuple):
    """What the user is told at the end, behind the progress's end, so that it stays to be read."""

    text: str
    kind: types.MessageType = _KIND.Info


def _say(desk: Desk, said: _Said | None) -> None:
    if said is not None:
        desk.say(said.text, said.kind)
    desk.refresh_lenses()


class _Heard:
    """What a loop said that matters after its end. Mutable while it is being listened to."""

    def __init__(self) -> None:
        self.baseline: Baseline | None = None
        self.proposal: Proposal | None = None
        self.last: Finished | Blocked | Cancelled | None = None
        self.judged = 0


async def _listen(
    desk: Desk,
    run: Run,
    bar: ProgressBar,
    events: AsyncIterator[Event],
    snapshot: Snapshot,
    sketch: Sketch,
    owner: str,
) -> _Heard:
    heard = _Heard()
    story = Story(snapshot)
    async with aclosing(events):  # type: ignore[type-var]  # the loop's iterators are generators
        async for event in events:
            if story.hear(event):
                run.message = story.message
                bar.report(story.message, story.percentage)
            if isinstance(event, BaselineJudged):
                heard.baseline = event.baseline
                run_now = {test_key(snapshot.root, c.test) for c in event.baseline.cases}
                desk.findings.clear_tests(frozenset(run_now))
                desk.findings.put(owner, sketch.baseline(event.baseline))
                desk.refresh_lenses()
            elif isinstance(event, ProposalReady):
                heard.proposal = event.proposal
            elif isinstance(event, Finished | Blocked | Cancelled):
                heard.last = event
    heard.judged = story.judged
    return heard


async def _prepare(
    desk: Desk, run: Run, target: EditTarget | None, path: str = ""
) -> tuple[Workspace, Snapshot, Ports]:
    """Freeze the workspace with every open buffer in it. Raises ``StaleTarget``."""
    path = target.path if target is not None else path
    workspace = desk.workspace_of(path)
    ports = await desk.ports(workspace.root)
    snapshot = await workspace.snapshot(desk.documents.buffers(workspace.root))
    document = snapshot.document(path)
    if document is None:
        relative = snapshot.relative(path)
        left = next((each for each in snapshot.left_out if each.startswith(relative)), "")
        raise StaleTarget(
            f"{path} is not part of the workspace {workspace.root}"
            + (f" ({left})" if left else ""),
            mend="open the folder that holds the project",
        )
    run.message = "starting"
    return workspace, snapshot, ports


async def _meant(desk: Desk, run: Run, target: EditTarget, snapshot: Snapshot) -> EditTarget:
    """Return the target as the snapshot has it; for a test, the function that it tests."""
    document = snapshot.document(target.path)
    assert document is not None
    present = relocate(SourceTree.of(document), target)
    if present is None:
        raise StaleTarget(f"`{target.name}` is no longer there", mend="try again")
    if not present.is_test:
        return present
    choices = called_by(present, document, snapshot)
    if not choices:
        raise TargetNotFound(
            f"{present.name} calls no function of this workspace by name",
            mend="put the cursor into the function that should change",
        )
    if len(choices) == 1:
        return choices[0]
    names = {f"{t.name} ({snapshot.relative(t.path)})": t for t in choices}
    answer = await desk.server.window_show_message_request_async(
        types.ShowMessageRequestParams(
            _KIND.Info,
            f"{present.name} calls several functions. Which one should change?",
            actions=[types.MessageActionItem(name) for name in names],
        )
    )
    if answer is None or answer.title not in names:
        run.cancel()
        return choices[0]
    return names[answer.title]


async def _deliver(desk: Desk, run: Run, found: Found, workspace: Workspace, ports: Ports) -> _Said:
    """Bring a confirmed proposal into the editor; return what came of it."""
    proposal = found.proposal
    target = proposal.target
    owner = key(target.path, target.name)
    run.message = "applying the edit"
    answer = await apply(desk, found, workspace, ports, run.token)
    match answer:
        case Applied():
            desk.kept.pop(owner, None)
            desk.findings.clear(owner)
            mended = {test_key(found.snapshot.root, test) for test in proposal.mended}
            desk.findings.clear_tests(frozenset(mended))
            now = relocate_in_editor(desk, target) or answer.target
            sketch = Sketch(found.snapshot, desk.documents, target)
            desk.findings.put(owner, sketch.unexecuted(proposal, now))
            return _Said(_applied_message(proposal, answer))
        case Kept(why=why):
            desk.kept[owner] = found
            return _Said(
                f"`{target.name}`: an edit that turns {_tests(len(proposal.mended))} green was "
                f"found, and was not applied: {why}. It is kept: use the code action "
                '"Apply the verified edit" or refine again',
                _KIND.Warning,
            )
        case Doubtful(why=why):
            desk.kept[owner] = found
            return _Said(f"`{target.name}`: {why}", _KIND.Error)
        case _:
            assert_never(answer)


def _warning(proposal: Proposal) -> _Said:
    """Say of a suspicious proposal why it is not brought into the editor."""
    return _Said(
        f"`{proposal.target.name}`: an edit that turns {_tests(len(proposal.mended))} green was "
        f"found, but it {'; '.join(proposal.suspicious)}. It is kept: read it, and if you believe it "
        'use the code action "Apply the verified edit"',
        _KIND.Warning,
    )


def relocate_in_editor(desk: Desk, target: EditTarget) -> EditTarget | None:
    """Return the target as it stands in the editor now."""
    opened = desk.documents.at(target.path)
    return relocate(opened.tree, target) if opened is not None and opened.tree else None


def _conclude(desk: Desk, run: Run, heard: _Heard, sketch: Sketch, owner: str) -> _Said | None:
    """Leave what is to be seen of a run without an edit; return why it ended."""
    last = heard.last
    if run.token.cancelled or last is None or isinstance(last, Cancelled):
        best = last.best if isinstance(last, Cancelled) else None
        desk.note(f"{run.title}: cancelled{_best(best)}")
        return None
    if isinstance(last, Blocked):
        return _Said(f"{run.title}: stopped, it needs {last.need.what}", _KIND.Warning)
    message = last.message + _best(last.best)
    if last.outcome == "exhausted" and last.session is not None:
        desk.findings.add(owner, sketch.exhausted(message))
    if last.verdict is not None:
        desk.findings.add(owner, sketch.broken(last.verdict))
    return _Said(message[:1].upper() + message[1:], _SEVERITY[last.outcome])


_SEVERITY = {
    "green": _KIND.Info,
    "suspicious": _KIND.Warning,
    "already_green": _KIND.Info,
    "no_tests": _KIND.Warning,
    "broken": _KIND.Error,
    "unjudged": _KIND.Warning,
    "timeout": _KIND.Warning,
    "exhausted": _KIND.Warning,
}


def _applied_message(proposal: Proposal, applied: Applied) -> str:
    note = f": {proposal.candidate.note}" if proposal.candidate.note else ""
    text = f"`{proposal.target.name}` mended{note}; {_tests(len(proposal.mended))} now green"
    text += ", confirmed afresh"
    if applied.again:
        text += " and again on what you typed meanwhile"
    if proposal.flaky:
        text += f"; {_tests(len(proposal.flaky))} set apart as flaky"
    if proposal.rivals:
        text += "; others are green too, so read it"
    return text


def _best(judged: Judged | None) -> str:
    if judged is None:
        return ""
    note = f" ({judged.candidate.note})" if judged.candidate.note else ""
    return f"; the best attempt{note}: {outcome(judged.verdict)}"


def _tests(count: int) -> str:
    return "1 test" if count == 1 else f"{count} tests"
