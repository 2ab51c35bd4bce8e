"""From domain values to the shapes that clients see: verdicts, attempts, proposals, sessions.

Pure. Not covered: sending them (``desk.py``), diagnostics (``verdicts.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import assert_never

from lsprotocol import types

from ocils.domain.errors import OcilsError
from ocils.domain.judging import (
    Broken,
    Failed,
    Killed,
    Passed,
    TimedOut,
    Unjudged,
    Verdict,
)
from ocils.domain.session import Judged, Proposal, Session, Turn
from ocils.domain.target import EditTarget
from ocils.domain.text import Document, Edit, Snapshot, apply_edits
from ocils.server.convert import Encoding, Lines
from ocils.server.diffs import diff_of
from ocils.server.progress import outcome
from ocils.server.shapes import (
    Attempt,
    FileChange,
    RivalShape,
    SessionShape,
    Spot,
    Stretch,
    TextChange,
    VerdictShape,
)


def stretch(place: types.Range) -> Stretch:
    """Return a range in our own shape."""
    return Stretch(
        Spot(place.start.line, place.start.character), Spot(place.end.line, place.end.character)
    )


def verdict_shape(verdict: Verdict) -> VerdictShape:
    """Return a verdict in short."""
    cases = verdict.cases
    passed, message = sum(case.passed for case in cases), outcome(verdict)
    level = "" if isinstance(verdict, Unjudged) else verdict.level
    match verdict:
        case Passed(seconds=seconds):
            return VerdictShape("passed", passed, len(cases), seconds, level, message)
        case Failed(seconds=seconds):
            red = next((case for case in cases if not case.passed), None)
            why = f"{message}; {red.reason}" if red is not None and red.message else message
            return VerdictShape("failed", passed, len(cases), seconds, level, why)
        case TimedOut(seconds=seconds):
            return VerdictShape("timedOut", passed, len(cases), seconds, level, message)
        case Broken(why=why):
            return VerdictShape("broken", passed, len(cases), 0.0, level, why)
        case Killed():
            return VerdictShape("killed", passed, len(cases), 0.0, level, message)
        case Unjudged(why=why, detail=detail):
            text = f"{why}: {detail}" if detail else why
            return VerdictShape("unjudged", passed, len(cases), 0.0, level, text)
        case _:
            assert_never(verdict)


def failing(verdict: Verdict) -> tuple[str, ...]:
    """Return the tests that a verdict reports as not passed."""
    return tuple(case.test for case in verdict.cases if not case.passed)


def attempt_shape(
    judged: Judged, turn: Turn, documents: Mapping[str, Document], root: str
) -> Attempt:
    """Return one attempt of a session."""
    candidate = judged.candidate
    return Attempt(
        turn.number,
        candidate.strategy,
        candidate.id,
        candidate.note,
        verdict_shape(judged.verdict),
        failing(judged.verdict),
        diff_of(candidate.edits, documents, root),
        turn.feedback.text if turn.feedback else "",
    )


def session_shape(
    session: Session, uri: str, outcome: str, best: Judged | None, started: float
) -> SessionShape:
    """Return a session in one line."""
    count = sum(len(turn.judged) for turn in session.turns)
    said = verdict_shape(best.verdict).message if best is not None else ""
    note = best.candidate.note if best is not None else ""
    return SessionShape(
        session=session.id,
        uri=uri,
        target=session.target.name,
        task=session.task,
        model=session.model,
        turns=len(session.turns),
        candidates=count,
        outcome=outcome,
        best=f"{note}: {said}" if note and said else said,
        started=started,
    )


def file_changes(
    edits: tuple[Edit, ...],
    documents: Mapping[str, Document],
    uri_of: Callable[[str], str],
    encoding: Encoding,
) -> tuple[FileChange, ...]:
    """Return what edits make of their files; a file whose text does not fit them is left out."""
    found: list[FileChange] = []
    for path in dict.fromkeys(edit.path for edit in edits):
        document = documents.get(path)
        if document is None:
            continue
        mine = sorted((e for e in edits if e.path == path), key=lambda e: e.span.start)
        try:
            after = apply_edits(document, tuple(mine))
        except OcilsError:
            continue
        lines = Lines(document, encoding)
        changes = tuple(TextChange(stretch(lines.range(e.span)), e.text) for e in mine)
        found.append(
            FileChange(uri_of(path), _text(document), _text(after), changes, document.version)
        )
    return tuple(found)


def rival_shapes(
    proposal: Proposal,
    documents: Mapping[str, Document],
    uri_of: Callable[[str], str],
    encoding: Encoding,
) -> tuple[RivalShape, ...]:
    """Return the other green changes."""
    return tuple(
        RivalShape(
            rival.candidate.note,
            rival.why,
            file_changes(rival.candidate.edits, documents, uri_of, encoding),
        )
        for rival in proposal.rivals
    )


def documents_of(snapshot: Snapshot, edits: tuple[Edit, ...]) -> dict[str, Document]:
    """Return the texts that were judged, of the files that ``edits`` change."""
    paths = dict.fromkeys(edit.path for edit in edits)
    found = {path: snapshot.document(path) for path in paths}
    return {path: document for path, document in found.items() if document is not None}


def new_lines(proposal: Proposal, now: EditTarget) -> tuple[int, ...]:
    """Return the 0-based lines that no test runs, in the target's file as it will be.

    ``proposal.unexecuted`` counts as if nothing were put above the target; what is, shifts them.
    """
    above = [
        edit
        for edit in proposal.edits
        if edit.path == proposal.target.path and edit.span.end <= proposal.target.span.start
    ]
    added = sum(edit.text.count("\n") for edit in above)
    shift = now.first_line - proposal.target.first_line + added - 1
    return tuple(line + shift for line in proposal.unexecuted)


def _text(document: Document) -> str:
    return document.data.decode(document.encoding, "replace")
