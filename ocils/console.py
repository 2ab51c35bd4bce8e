"""Events on a terminal: progress and colour where there is one, plain lines in a pipe.

Not covered: JSON (``cli``), editors (``server/``).
"""

from __future__ import annotations

import difflib

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from ocils.domain.events import (
    BaselineJudged,
    Blocked,
    Cancelled,
    CandidateJudged,
    CandidateStarted,
    CaseFinished,
    Confirming,
    Event,
    Finished,
    Preparing,
    ProposalReady,
    Refuted,
    TestsDiscovered,
    TurnStarted,
)
from ocils.domain.judging import Broken, Failed, Killed, Passed, TimedOut, Unjudged, Verdict
from ocils.domain.session import Proposal
from ocils.domain.text import Snapshot, apply_edits


class Narrator:
    """Tells a run on a console. ``verbose`` prints every candidate; else only what matters.

    Use as a context manager: a spinner runs while a terminal waits.
    """

    def __init__(self, console: Console, *, verbose: bool = False) -> None:
        self._console = console
        self._verbose = verbose
        self._status: Status | None = None

    def __enter__(self) -> Narrator:
        if self._console.is_terminal:
            self._status = self._console.status("starting")
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def tell(self, event: Event) -> None:
        """Print or show one event."""
        match event:
            case Preparing(stage=stage):
                self._wait(stage)
            case CaseFinished(done=done, total=total):
                self._wait(f"running the tests as they are: {done} of {total}")
            case TestsDiscovered(count=count):
                self._wait(f"{count} tests")
            case BaselineJudged(baseline=b):
                self._line(
                    f"baseline: {len(b.cases)} tests, [red]{len(b.red)} red[/red], "
                    f"{len(b.reaching)} reach the function"
                )
                by_id = {case.test: case for case in b.cases}
                for test in b.red[:5]:
                    self._line(f"  [red]✗[/red] {escape(test)}: {escape(by_id[test].reason[:120])}")
            case TurnStarted(number=number, strategy=strategy, hole=hole):
                where = f" at line {hole.first}" if hole else ""
                self._line(f"turn {number}: {strategy}{where}")
            case CandidateStarted(candidate=candidate):
                self._wait(f"judging {candidate.id}")
            case CandidateJudged(judged=judged, count=count, limit=limit):
                said = phrase(judged.verdict)
                if judged.suspicious:
                    said += f", but it {'; '.join(judged.suspicious)}"
                self._wait(f"judged {count} of at most {limit}: {said}")
                if self._verbose or isinstance(judged.verdict, Passed):
                    note = escape(judged.candidate.note)
                    self._line(
                        f"  {count:>3}/{limit} {mark(judged.verdict)} {note}: {escape(said)}"
                    )
            case Confirming(candidate=candidate):
                note = escape(candidate.note)
                self._line(f"confirming in fresh containers, two hash seeds: {note}")
            case Refuted(why=why):
                self._line(f"  [yellow]not confirmed[/yellow]: {escape(why)}")
            case ProposalReady(proposal=proposal):
                self._line(f"[green]confirmed[/green]: {escape(proposal.candidate.note)}")
                for reason in proposal.suspicious:
                    self._line(f"  [red]suspicious[/red]: it {escape(reason)}")
            case Finished(outcome=outcome, message=message):
                colour = "green" if outcome in ("green", "already_green") else "yellow"
                self._line(f"[{colour}]{escape(message)}[/{colour}]")
            case Blocked(need=need):
                self._line(f"[yellow]needs you: {escape(need.what)}[/yellow]")
            case Cancelled():
                self._line("cancelled; nothing was changed")

    def _line(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)

    def _wait(self, text: str) -> None:
        if self._status is not None:
            self._status.update(escape(text))


def phrase(verdict: Verdict) -> str:
    """Say a verdict in a few words."""
    match verdict:
        case Passed(cases=cases):
            return f"all {len(cases)} pass"
        case Failed(cases=cases):
            red = next((c for c in cases if not c.passed), None)
            return red.reason[:100] if red else "failed"
        case Broken(why=why):
            return f"cannot be collected: {why}"[:100]
        case TimedOut(seconds=seconds):
            return f"not done after {seconds:.1f} s"
        case Killed(why=why):
            return f"ended: {why}"
        case Unjudged(why=why):
            return f"not judged: {why}"


def mark(verdict: Verdict) -> str:
    """Return a verdict's coloured mark."""
    return "[green]✓[/green]" if isinstance(verdict, Passed) else "[red]✗[/red]"


def difference(snapshot: Snapshot, proposal: Proposal) -> str:
    """Return the proposal as a unified difference, with paths relative to the workspace."""
    pieces: list[str] = []
    for path in sorted({edit.path for edit in proposal.edits}):
        document = snapshot.document(path)
        if document is None:
            continue
        new = apply_edits(document, proposal.edits)
        name = snapshot.relative(path)
        pieces += difflib.unified_diff(
            document.data.decode(document.encoding, "replace").splitlines(keepends=True),
            new.data.decode(document.encoding, "replace").splitlines(keepends=True),
            f"a/{name}",
            f"b/{name}",
        )
    return "".join(piece if piece.endswith("\n") else piece + "\n" for piece in pieces)


def print_difference(console: Console, text: str) -> None:
    """Print a difference, coloured on a terminal."""
    colours = {"+": "green", "-": "red", "@": "cyan"}
    for line in text.splitlines():
        console.print(
            line, style=colours.get(line[:1], ""), markup=False, highlight=False, soft_wrap=True
        )
