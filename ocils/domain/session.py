"""Candidates, turns, sessions, proposals: the record of what was tried.

Not covered: writing it to disk (``record/``).
"""

from __future__ import annotations

from typing import Literal

from ocils.domain.base import Value
from ocils.domain.judging import TestId, Verdict
from ocils.domain.model import Prompt, StrategyName
from ocils.domain.target import EditTarget, Task
from ocils.domain.text import Edit


class Limits(Value, frozen=True):
    """How long to go on: turns, candidates judged, tokens a reply, seconds in all, MiB a candidate."""

    turns: int = 30
    candidates: int = 256
    tokens: int = 512
    seconds: float = 120.0
    memory: int = 2048


class Candidate(Value, frozen=True):
    """One generated change, not judged yet. ``note`` says in a few words what it does.

    ``logprob`` estimates the log-odds of its being the change that is wanted: the model's gain over
    the text that it replaces, less the rarity of such a change; so that candidates compare across
    places and strategies. ``packages`` are distributions that its reply said to install.
    """

    id: str
    edits: tuple[Edit, ...]
    logprob: float
    strategy: StrategyName
    finish: Literal["stop", "length", "cancelled"] = "stop"
    note: str = ""
    packages: tuple[str, ...] = ()


class Judged(Value, frozen=True):
    """A candidate and what came of it.

    ``suspicious`` says, of one that passed, what in it no honest repair needs: it is not green by
    itself.
    """

    candidate: Candidate
    verdict: Verdict
    suspicious: tuple[str, ...] = ()


class Feedback(Value, frozen=True):
    """Verdict text for the model."""

    text: str


class Turn(Value, frozen=True):
    """One generate–judge cycle. ``prompt`` is None for the *edit* strategy, which generates nothing."""

    number: int
    strategy: StrategyName
    prompt: Prompt | None
    judged: tuple[Judged, ...] = ()
    feedback: Feedback | None = None


class Session(Value, frozen=True):
    """All turns for one target."""

    id: str
    task: Task
    target: EditTarget
    snapshot: str
    model: str
    limits: Limits
    seed: int = 0
    turns: tuple[Turn, ...] = ()


class Rival(Value, frozen=True):
    """Another green candidate that behaves differently from the offered one."""

    candidate: Candidate
    why: str


class Proposal(Value, frozen=True):
    """The winning change, confirmed, not yet applied.

    ``documents`` maps each edited path to the hash of the bytes that the edits' spans refer to;
    ``snapshot`` is the hash of everything that was judged. ``unexecuted`` are the 1-based lines of
    the *new* text of the target that no test ran. ``flaky`` were set apart in the confirmation.
    ``suspicious`` are reasons, for people, not to believe that it is honest: such a proposal is made
    only when nothing else was found, and nobody applies it without having asked.
    """

    target: EditTarget
    edits: tuple[Edit, ...]
    snapshot: str
    documents: tuple[tuple[str, str], ...]
    verdict: Verdict
    candidate: Candidate
    mended: tuple[TestId, ...]
    flaky: tuple[TestId, ...] = ()
    unexecuted: tuple[int, ...] = ()
    rivals: tuple[Rival, ...] = ()
    suspicious: tuple[str, ...] = ()
