"""The two searches that run in the background: refining and running tests.

Each takes a target to its end: freeze the workspace, listen to the loop, show how it goes, leave
findings, and put what came of it to the user.

Not covered: starting and cancelling (``runs.py``), what becomes of a proposal (``offering.py``),
errors (``boundary.py``).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import NamedTuple
from uuid import uuid4

from ocils.domain.errors import StaleTarget
from ocils.domain.events import (
    BaselineJudged,
    Blocked,
    Cancelled,
    Event,
    Finished,
    ProposalReady,
)
from ocils.domain.judging import Baseline, TestId
from ocils.domain.session import Candidate, Proposal, Session
from ocils.domain.target import EditTarget, Task
from ocils.domain.text import Snapshot
from ocils.ports import Ports, Workspace
from ocils.refine.loop import refine, run_tests
from ocils.refine.resume import resumed
from ocils.server.aiming import aim
from ocils.server.attempts import Narrator
from ocils.server.desk import Desk, key
from ocils.server.memory import Found, Offer
from ocils.server.offering import deliver, drop, offer, way_of
from ocils.server.packages import settle
from ocils.server.progress import ProgressBar, Story
from ocils.server.runs import Run
from ocils.server.telling import SEVERITY, Said, best_text
from ocils.server.verdicts import Sketch, test_key
from ocils.settings import limits
from ocils.source.target import relocate
from ocils.source.tree import SourceTree


class FailingTest(NamedTuple):
    """A test whose failure is to be mended; which function that takes is found out first."""

    root: str
    test: TestId


class GoOn(NamedTuple):
    """A session to go on with, and what a person says of it (or of one of its candidates)."""

    session: Session
    words: str
    rejected: Candidate | None = None


@asynccontextmanager
async def progress(desk: Desk, run: Run) -> AsyncIterator[ProgressBar]:
    """Show a run's progress; its end is sent whatever happens."""
    bar = ProgressBar(desk.server, f"ocils-{run.id}", run.cancel)
    await bar.open(run.title)
    end = "failed"
    try:
        yield bar
        end = "done"
    finally:
        bar.close("cancelled" if run.token.cancelled else end)


async def refine_target(
    desk: Desk,
    run: Run,
    wanted: EditTarget | FailingTest,
    task: Task,
    go_on: GoOn | None = None,
) -> None:
    """Search for an edit that turns the target's tests green, and put it to the user."""
    said: Said | None = None
    made: Offer | None = None
    resume: Callable[[], None] | None = None
    async with progress(desk, run) as bar:
        path = wanted.root if isinstance(wanted, FailingTest) else wanted.path
        workspace, snapshot, ports = await prepare(desk, run, path)
        target = await _aimed(desk, run, bar, wanted, snapshot, ports)
        if target is None:
            return
        owner = key(target.path, target.name)
        desk.runs.claim(run, owner)
        desk.findings.clear(owner)
        drop(desk, owner, "replaced", f"`{target.name}` is being refined again")
        session = _session(desk, workspace, snapshot, ports, target, task, go_on)
        heard = await _search(desk, run, bar, session, snapshot, workspace, ports)
        paths = desk.house.workspace_settings(workspace.root).tests
        if heard.proposal is not None and heard.baseline is not None and not run.token.cancelled:
            found = Found(heard.proposal, heard.baseline, snapshot, paths, heard.session or session)
            made = desk.offers.put(owner, found)
            if way_of(desk, heard.proposal) == "apply":
                said = await deliver(desk, run, made, workspace, ports, annotated=False)
                made = None
        else:
            sketch = Sketch(snapshot, desk.documents, target)
            said = _conclude(desk, run, heard, sketch, owner)
            if isinstance(heard.last, Blocked):
                held = GoOn(heard.last.session or session, "")
                again = partial(refine_target, desk, wanted=target, task=task, go_on=held)
                resume = partial(settle, desk, run, workspace.root, heard.last, again)
    _say(desk, said)
    if made is not None:
        desk.runs.leave(run)
        offer(desk, run, made)
    if resume is not None:
        resume()


async def run_target(desk: Desk, run: Run, target: EditTarget | None, path: str) -> None:
    """Run the tests that concern a target, a test, or (without a target) a whole workspace."""
    async with progress(desk, run) as bar:
        workspace, snapshot, ports = await prepare(desk, run, path)
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
    if isinstance(heard.last, Blocked):
        again = partial(run_target, desk, target=target, path=path)
        settle(desk, run, workspace.root, heard.last, again)


def _say(desk: Desk, said: Said | None) -> None:
    if said is not None:
        desk.say(said.text, said.kind)
    desk.refresh_lenses()


class _Heard:
    """What a loop said that matters after its end. Mutable while it is being listened to."""

    def __init__(self) -> None:
        self.baseline: Baseline | None = None
        self.proposal: Proposal | None = None
        self.session: Session | None = None
        self.last: Finished | Blocked | Cancelled | None = None


async def _search(
    desk: Desk,
    run: Run,
    bar: ProgressBar,
    session: Session,
    snapshot: Snapshot,
    workspace: Workspace,
    ports: Ports,
) -> _Heard:
    """Refine a session, telling and remembering how it goes."""
    target = session.target
    document = snapshot.document(target.path)
    assert document is not None, "prepare and relocate have seen to it"
    remembered = desk.sessions.begin(session, document, snapshot.root)
    narrator = Narrator(desk, run, remembered)
    sketch = Sketch(snapshot, desk.documents, target)
    owner = key(target.path, target.name)
    paths = desk.house.workspace_settings(workspace.root).tests
    events = refine(session, snapshot, ports, run.token, paths)
    message = "it could not be ended"
    try:
        heard = await _listen(desk, run, bar, events, snapshot, sketch, owner, narrator)
        message = heard.last.message if isinstance(heard.last, Finished) else "cancelled"
    finally:
        narrator.end(message)
    heard.session = remembered.session
    return heard


async def _listen(
    desk: Desk,
    run: Run,
    bar: ProgressBar,
    events: AsyncIterator[Event],
    snapshot: Snapshot,
    sketch: Sketch,
    owner: str,
    narrator: Narrator | None = None,
) -> _Heard:
    heard = _Heard()
    story = Story(snapshot)
    async with aclosing(events):  # type: ignore[type-var]  # the loop's iterators are generators
        async for event in events:
            if story.hear(event):
                run.say(story.message)
                bar.report(story.message, story.percentage)
            if narrator is not None:
                narrator.hear(event)
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
    return heard


async def prepare(desk: Desk, run: Run, path: str) -> tuple[Workspace, Snapshot, Ports]:
    """Freeze the workspace of a file (or a root) with every open buffer in it.

    Raises ``StaleTarget`` for a file that is not part of it.
    """
    workspace = desk.workspace_of(path)
    desk.documents.unambiguous(workspace.root)
    ports = await desk.ports(workspace.root, path)
    snapshot = await workspace.snapshot(desk.documents.buffers(workspace.root))
    if path != workspace.root and snapshot.document(path) is None:
        relative = snapshot.relative(path)
        left = next((each for each in snapshot.left_out if each.startswith(relative)), "")
        raise StaleTarget(
            f"{path} is not part of the workspace {workspace.root}"
            + (f" ({left})" if left else ""),
            mend="open the folder that holds the project",
        )
    run.say("starting")
    return workspace, snapshot, ports


async def _aimed(
    desk: Desk,
    run: Run,
    bar: ProgressBar,
    wanted: EditTarget | FailingTest,
    snapshot: Snapshot,
    ports: Ports,
) -> EditTarget | None:
    """Return the function to work on as the snapshot has it; None when the user chose none."""
    if isinstance(wanted, FailingTest):
        return await aim(desk, run, bar, wanted.test, snapshot, ports)
    document = snapshot.document(wanted.path)
    assert document is not None, "prepare has seen to it"
    present = relocate(SourceTree.of(document), wanted)
    if present is None:
        raise StaleTarget(f"`{wanted.name}` is no longer there", mend="try again")
    if not present.is_test:
        return present
    test = "::".join([snapshot.relative(present.path), *present.name.split(".")])
    return await aim(desk, run, bar, TestId(test), snapshot, ports)


def _session(
    desk: Desk,
    workspace: Workspace,
    snapshot: Snapshot,
    ports: Ports,
    target: EditTarget,
    task: Task,
    go_on: GoOn | None,
) -> Session:
    """Return a new session, or the one that goes on."""
    if go_on is not None:
        return resumed(go_on.session, target, snapshot.hash, go_on.words, go_on.rejected)
    settings = desk.house.workspace_settings(workspace.root)
    return Session(
        id=uuid4().hex,
        task=task,
        target=target,
        snapshot=snapshot.hash,
        model=ports.engine.identity,
        limits=limits(desk.house.settings, settings),
    )


def _conclude(desk: Desk, run: Run, heard: _Heard, sketch: Sketch, owner: str) -> Said | None:
    """Leave what is to be seen of a run without an edit; return why it ended."""
    last = heard.last
    if run.token.cancelled or last is None or isinstance(last, Cancelled):
        best = last.best if isinstance(last, Cancelled) else None
        desk.note(f"{run.title}: cancelled{best_text(best)}")
        return None
    if isinstance(last, Blocked):
        if last.verdict is not None:
            desk.findings.add(owner, sketch.broken(last.verdict))
        return None  # it is asked about
    message = last.message + best_text(last.best)
    if last.outcome == "exhausted" and last.session is not None:
        desk.findings.add(owner, sketch.exhausted(message))
    if last.verdict is not None:
        desk.findings.add(owner, sketch.broken(last.verdict))
    return Said(message[:1].upper() + message[1:], SEVERITY[last.outcome])
