"""Going on with a session: what a person says of it becomes a turn, and nothing is tried twice.

A loop takes no messages while it runs. A person's word ends it, and the same session, longer by
that word, is refined again (OpenCodeInterpreter's human feedback). What was judged is brought along
to where the target stands now; where the target's own text has changed, only the words are kept.

Not covered: recorded sessions whose text was redacted, which would be brought along with the gaps.
"""

from __future__ import annotations

import msgspec

from ocils.domain.session import Candidate, Feedback, Judged, Session, Turn
from ocils.domain.target import EditTarget
from ocils.domain.text import Edit, Span
from ocils.prompt import templates
from ocils.refine.rank import furthest

HUMAN = templates.HUMAN
"""How a person's feedback begins; verdicts' feedback never does."""


def resumed(
    session: Session,
    target: EditTarget,
    snapshot: str,
    words: str,
    rejected: Candidate | None = None,
) -> Session:
    """Return ``session`` on ``target`` as it stands in ``snapshot``, with ``words`` as its last turn.

    ``rejected`` is the candidate that the words are about, None when they are a hint in general.
    Without words (a missing package is there now) no turn is added, and the same seed is kept.
    """
    same = target.hash == session.target.hash and target.indent == session.target.indent
    shift = target.span.start - session.target.span.start
    turns = tuple(
        msgspec.structs.replace(turn, judged=_moved(turn.judged, session.target, shift, same))
        for turn in session.turns
    )
    if not words:
        return msgspec.structs.replace(session, target=target, snapshot=snapshot, turns=turns)
    about = [j for t in turns for j in t.judged if rejected and j.candidate.id == rejected.id]
    judged = tuple(about[-1:])
    text = f"{HUMAN} and rejects it: {words}" if rejected else f"{HUMAN} and says: {words}"
    said = Turn(len(turns) + 1, "rewrite", None, judged, Feedback(text))
    return msgspec.structs.replace(
        session, target=target, snapshot=snapshot, turns=(*turns, said), seed=session.seed + 1
    )


def said_by_people(session: Session) -> tuple[Turn, ...]:
    """Return the turns that are a person's words, in order."""
    return tuple(
        turn
        for turn in session.turns
        if turn.prompt is None and turn.feedback and turn.feedback.text.startswith(HUMAN)
    )


def tried(session: Session) -> tuple[Judged, ...]:
    """Return everything that the session judged so far."""
    return tuple(judged for turn in session.turns for judged in turn.judged)


def best_so_far(session: Session) -> Judged | None:
    """Return the attempt that came furthest, None of none."""
    return furthest(tried(session))


def _moved(
    judged: tuple[Judged, ...], before: EditTarget, shift: int, same: bool
) -> tuple[Judged, ...]:
    """Move attempts along with their target; those that reach beyond it are let go."""
    if not same:
        return ()
    found = []
    for each in judged:
        edits = each.candidate.edits
        if shift and not all(_inside(edit, before) for edit in edits):
            continue
        moved = tuple(
            msgspec.structs.replace(edit, span=Span(edit.span.start + shift, edit.span.end + shift))
            for edit in edits
        )
        candidate = msgspec.structs.replace(each.candidate, edits=moved)
        found.append(msgspec.structs.replace(each, candidate=candidate))
    return tuple(found)


def _inside(edit: Edit, target: EditTarget) -> bool:
    return edit.path == target.path and target.span.contains(edit.span.start)
