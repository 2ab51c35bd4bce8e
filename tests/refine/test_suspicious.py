"""A green that looks dishonest is not green by itself: the search goes on, and a person decides."""

from __future__ import annotations

import msgspec

from ocils.domain.events import CandidateJudged, Confirming, ProposalReady
from ocils.domain.judging import Failed, Passed
from ocils.domain.session import Candidate, Judged, Limits
from ocils.domain.text import apply_edits
from ocils.refine.attempts import Attempts
from ocils.refine.rank import furthest
from tests.refine.conftest import CHATTY, RIGHT, Scene, end_of, events_of

FORGED = """def clamp(x, low, high):
    class Any(int):
        def __eq__(self, other):
            return True
    return Any()
"""


def asked(*texts: str, turns: int = 4) -> Scene:
    """Return a scene whose model says ``texts``, one a turn."""
    scene = Scene()
    scene.limits = Limits(turns=turns, candidates=20, seconds=30)
    scene.replies([[f"```python\n{text}```"] for text in texts], CHATTY)
    return scene


async def test_an_honest_green_that_comes_later_is_offered_instead() -> None:
    scene = asked(FORGED, RIGHT)
    events = await events_of(scene)
    judged = [event.judged for event in events if isinstance(event, CandidateJudged)]
    assert [isinstance(each.verdict, Passed) for each in judged] == [True, True]
    assert [bool(each.suspicious) for each in judged] == [True, False]
    assert len([event for event in events if isinstance(event, Confirming)]) == 1
    proposal = next(event.proposal for event in events if isinstance(event, ProposalReady))
    assert apply_edits(scene.document, proposal.edits).data.decode() == RIGHT
    assert proposal.suspicious == ()
    assert proposal.rivals == ()
    assert end_of(events).outcome == "green"


async def test_the_last_resort_is_offered_with_its_reasons_and_is_not_green() -> None:
    scene = asked(FORGED, "def clamp(x, low, high):\n    return x\n", turns=2)
    events = await events_of(scene)
    proposal = next(event.proposal for event in events if isinstance(event, ProposalReady))
    assert proposal.suspicious == ("defines `__eq__`",)
    end = end_of(events)
    assert end.outcome == "suspicious"
    assert "defines `__eq__`" in end.message
    assert "read it" in end.message
    # It was confirmed like any other, after all else.
    kinds = [type(event) for event in events]
    assert kinds.index(Confirming) > max(
        at for at, event in enumerate(events) if isinstance(event, CandidateJudged)
    )


async def test_what_did_not_pass_is_not_looked_at() -> None:
    scene = asked("def clamp(x, low, high):\n    import gc\n    return x\n", turns=1)
    judged = [e.judged for e in await events_of(scene) if isinstance(e, CandidateJudged)]
    assert isinstance(judged[0].verdict, Failed)
    assert judged[0].suspicious == ()


def test_a_suspicious_attempt_is_never_the_best_while_there_is_another() -> None:
    candidate = Candidate("a", (), 0.0, "edit")
    red = Judged(candidate, Failed((), 0.1))
    odd = Judged(candidate, Passed((), 0.1), ("uses `gc`",))
    attempts = Attempts()
    for each in (odd, red):
        attempts.add(each)
    assert attempts.best == red
    assert attempts.greens == []
    assert attempts.suspicious == [odd]
    assert attempts.count == 2
    assert furthest([odd]) == odd
    honest = msgspec.structs.replace(odd, suspicious=())
    attempts.add(honest)
    assert attempts.greens == [honest]
    assert attempts.best == honest
