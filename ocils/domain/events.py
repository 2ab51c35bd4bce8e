"""What a running loop tells its listener: tagged values, matched with ``match``.

The order of a full run: Preparing* TestsDiscovered BaselineJudged (TurnStarted (CandidateStarted |
CandidateJudged)*)* Confirming* ProposalReady? Finished. Exactly one of Finished, Blocked and
Cancelled comes, and it comes last.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from ocils.domain.base import Value
from ocils.domain.judging import Baseline, CaseResult, Verdict
from ocils.domain.model import StrategyName
from ocils.domain.session import Candidate, Judged, Proposal, Session
from ocils.domain.target import Hole


class Preparing(Value, frozen=True, tag=True):
    """A wait, explained: "starting a container", "loading the model". ``fraction`` is 0..1 or None."""

    stage: str
    fraction: float | None = None


class TestsDiscovered(Value, frozen=True, tag=True):
    """How many tests the workspace has."""

    __test__ = False

    count: int


class CaseFinished(Value, frozen=True, tag=True):
    """One test of the baseline or of a confirmation ended."""

    case: CaseResult
    done: int
    total: int


class BaselineJudged(Value, frozen=True, tag=True):
    """How the original fares."""

    baseline: Baseline


class TurnStarted(Value, frozen=True, tag=True):
    """A turn began; ``hole`` are the lines in question, None for the whole target."""

    number: int
    strategy: StrategyName
    hole: Hole | None = None
    total: int = 0


class CandidateStarted(Value, frozen=True, tag=True):
    """A candidate went to the judge."""

    candidate: Candidate


class CandidateJudged(Value, frozen=True, tag=True):
    """A candidate's verdict; ``count`` candidates have been judged so far, at most ``limit`` will be."""

    judged: Judged
    count: int
    limit: int


class Confirming(Value, frozen=True, tag=True):
    """A green candidate is being run again, in fresh containers, against the whole suite."""

    candidate: Candidate


class Refuted(Value, frozen=True, tag=True):
    """The confirmation did not agree; the search goes on."""

    candidate: Candidate
    why: str


class ProposalReady(Value, frozen=True, tag=True):
    """A confirmed change."""

    proposal: Proposal


class Need(Value, frozen=True):
    """What would let a session go on: "package" (a module is missing), "feedback", "consent".

    ``modules`` are the names that could not be imported; ``names`` are distributions that the model
    itself said to install.
    """

    kind: Literal["package", "feedback", "consent"]
    what: str
    modules: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


class Blocked(Value, frozen=True, tag=True):
    """The loop ended because it needs the user; an extended session resumes it.

    A plain test run has no session: it is run again. ``verdict`` is the baseline's when that was why.
    """

    need: Need
    session: Session | None
    verdict: Verdict | None = None


class Cancelled(Value, frozen=True, tag=True):
    """Someone asked to stop; ``best`` is the attempt that came furthest."""

    best: Judged | None
    session: Session | None


class Finished(Value, frozen=True, tag=True):
    """The loop ended by itself.

    ``outcome``: "green" (a proposal came before), "suspicious" (a proposal came before, and should be
    read before it is believed), "already_green", "no_tests" (nothing reaches the
    target, or nothing was collected), "broken" (tests cannot be collected), "unjudged" (the sandbox
    or isolation), "timeout" (the baseline hangs), "exhausted" (limits reached or no idea left).
    ``message`` is one sentence for the user; ``verdict`` the baseline's when that was the reason.
    """

    outcome: Literal[
        "green",
        "suspicious",
        "already_green",
        "no_tests",
        "broken",
        "unjudged",
        "timeout",
        "exhausted",
    ]
    message: str
    session: Session | None = None
    best: Judged | None = None
    verdict: Verdict | None = None


Event: TypeAlias = (
    Preparing
    | TestsDiscovered
    | CaseFinished
    | BaselineJudged
    | TurnStarted
    | CandidateStarted
    | CandidateJudged
    | Confirming
    | Refuted
    | ProposalReady
    | Blocked
    | Cancelled
    | Finished
)
