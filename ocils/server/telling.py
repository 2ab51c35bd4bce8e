"""What the user is told at the end of a run, in one sentence. Pure.

Not covered: while it runs (``progress.py``), what is marked in the text (``verdicts.py``).
"""

from __future__ import annotations

from typing import NamedTuple

from lsprotocol import types

from ocils.domain.session import Judged, Proposal
from ocils.server.progress import outcome

_KIND = types.MessageType

SEVERITY = {
    "green": _KIND.Info,
    "suspicious": _KIND.Warning,
    "already_green": _KIND.Info,
    "no_tests": _KIND.Warning,
    "broken": _KIND.Error,
    "unjudged": _KIND.Warning,
    "timeout": _KIND.Warning,
    "exhausted": _KIND.Warning,
}


class Said(NamedTuple):
    """What the user is told, behind the progress's end, so that it stays to be read."""

    text: str
    kind: types.MessageType = _KIND.Info


def applied_message(proposal: Proposal, *, again: bool) -> str:
    """Say that a change is in the text; ``again``: it was confirmed on what was typed meanwhile."""
    text = (
        f"`{proposal.target.name}` mended{_note(proposal)}; {tests(len(proposal.mended))} now green"
    )
    text += ", confirmed afresh"
    if again:
        text += " and again on what you typed meanwhile"
    return text + _beware(proposal)


def summary(proposal: Proposal) -> str:
    """Say what a change that waits would do."""
    text = (
        f"`{proposal.target.name}`{_note(proposal)}: {tests(len(proposal.mended))} would be green"
    )
    return f"{text}, confirmed afresh{_beware(proposal)}"


def best_text(judged: Judged | None) -> str:
    """Say how far the best attempt came, as the end of a sentence."""
    if judged is None:
        return ""
    note = f" ({judged.candidate.note})" if judged.candidate.note else ""
    return f"; the best attempt{note}: {outcome(judged.verdict)}"


def tests(count: int) -> str:
    """Count tests."""
    return "1 test" if count == 1 else f"{count} tests"


def _note(proposal: Proposal) -> str:
    return f": {proposal.candidate.note}" if proposal.candidate.note else ""


def _beware(proposal: Proposal) -> str:
    text = ""
    if proposal.flaky:
        text += f"; {tests(len(proposal.flaky))} set apart as flaky"
    if proposal.rivals:
        text += "; others are green too, so read it"
    if proposal.suspicious:
        text += f"; look twice: it {'; '.join(proposal.suspicious)}"
    return text
