"""One record of a test → its ``CaseResult``. Pure.

Not covered: whether the record may be believed (``report.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any, cast, get_args

from ocils.domain.judging import CaseResult, FailureClass, Frame, Outcome, TestId
from ocils.sandbox.blame import failure_class

Record = Mapping[str, Any]

OUTCOMES = frozenset(get_args(Outcome))


def case_of(record: Record, edited: Set[str]) -> CaseResult:
    """Return what a test did; ``edited`` are the files that the candidate changed."""
    outcome = cast(Outcome, record["outcome"] if record["outcome"] in OUTCOMES else "error")
    message = str(record.get("message", ""))
    frames = frames_of(record)
    from_edit = bool(frames) and frames[-1].path in edited
    if outcome == "xfailed" and not record.get("marked", True) and from_edit:
        # The candidate itself declared the failure to be expected.
        outcome, message = "failed", f"the changed code called xfail: {message}"
    kind: FailureClass = ""
    if outcome in ("failed", "error"):
        kind = failure_class(record, from_edit=from_edit)
    return CaseResult(
        TestId(str(record["id"])),
        outcome,
        seconds=float(record.get("seconds", 0.0)),
        message=message,
        kind=kind,
        frames=frames,
        report=str(record.get("report", "")),
        output=str(record.get("output", "")),
        warnings=tuple(str(each) for each in record.get("warnings", ())),
    )


def frames_of(record: Record) -> tuple[Frame, ...]:
    """Return the frames inside the workspace, the deepest last."""
    return tuple(
        Frame(str(path), int(line), str(function), str(text))
        for path, line, function, text in record.get("frames", ())
    )
