"""A workspace of one function, judged by calling it: the loop's tests need no container."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.events import Cancelled, Event, Finished
from ocils.domain.judging import (
    CaseResult,
    Coverage,
    Failed,
    Passed,
    Plan,
    TestId,
    TestLines,
    Verdict,
)
from ocils.domain.model import InfillFormat, Manifest
from ocils.domain.session import Limits, Session
from ocils.domain.text import Entry, Snapshot, snapshot_hash
from ocils.engine.scripted import ScriptedEngine
from ocils.ports import Ports
from ocils.record.off import NoSessions
from ocils.refine.loop import refine
from ocils.sandbox.scripted import ScriptedSandbox, Trial
from ocils.source.target import SourceTree, locate_name

ROOT = "/workspace"
PATH = f"{ROOT}/clamp.py"

BUGGY = (
    "def clamp(x, low, high):\n"
    "    if x < low:\n"
    "        return high\n"
    "    if x > high:\n"
    "        return high\n"
    "    return x\n"
)

RIGHT = BUGGY.replace("        return high\n    if", "        return low\n    if")

CASES: dict[str, tuple[tuple[int, int, int], int]] = {
    "t.py::below": ((-5, 0, 9), 0),
    "t.py::far_below": ((-5, -2, 9), -2),
    "t.py::above": ((15, 0, 9), 9),
    "t.py::inside": ((5, 0, 9), 5),
}

TINY = Manifest(
    "tiny", "llama", "Apache-2.0", 512, False, ("edit", "infill"),
    InfillFormat("<pre>", "<suf>", "<mid>", "<end>", "<was>", "lines"),
)  # fmt: skip
CHATTY = Manifest("chatty", "llama", "Apache-2.0", 4096, True, ("rewrite",))


def judged(text: str, plan: Plan) -> Verdict:
    """Call the function in ``text`` for each planned case, as a strict judge would."""
    scope: dict[str, Callable[..., object]] = {}
    exec(text, scope)
    ids = [str(test) for test in plan.tests] or list(CASES)
    cases = []
    for test in ids:
        given, expected = CASES[test]
        try:
            got = scope["clamp"](*given)
            said = "" if got == expected else f"assert {got} == {expected}"
            kind = "assertion" if said else ""
        except Exception as error:
            said, kind = repr(error), "runtime"
        outcome = "failed" if said else "passed"
        cases.append(CaseResult(TestId(test), outcome, 0.001, said, kind))  # type: ignore[arg-type]
        if plan.stop_early and outcome == "failed":
            break
    coverage = None
    if plan.probe:
        lines = {"below": (2, 3), "far_below": (2, 3), "above": (2, 4, 5), "inside": (2, 4, 6)}
        coverage = Coverage(tuple(TestLines(TestId(t), lines[t[6:]]) for t in ids))
    good = all(case.passed for case in cases)
    return (Passed if good else Failed)(tuple(cases), 0.01, coverage)


class Scene:
    """A snapshot, ports and a session around one buggy text."""

    def __init__(self, text: str = BUGGY) -> None:
        entries = (Entry("clamp.py", "file", 0o644, 1, text.encode()),)
        self.text = text
        self.snapshot = Snapshot(ROOT, entries, snapshot_hash(entries))
        document = self.snapshot.document(PATH)
        assert document is not None
        self.document = document
        self.target = locate_name(SourceTree.of(document), "clamp")
        self.limits = Limits(turns=8, candidates=200, seconds=30)
        self.engine = ScriptedEngine(TINY)
        self.sandbox = ScriptedSandbox(self.script, width=2)

    def script(self, trial: Trial) -> Verdict:
        return judged(trial.text or self.text, trial.plan)

    def replies(self, replies: Sequence[Sequence[str]], manifest: Manifest = TINY) -> None:
        self.engine = ScriptedEngine(manifest, replies)

    @property
    def ports(self) -> Ports:
        return Ports(self.engine, self.sandbox, NoSessions())

    @property
    def session(self) -> Session:
        identity = self.engine.identity
        return Session("s", "repair", self.target, self.snapshot.hash, identity, self.limits)


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def events_of(scene: Scene, cancel: CancelToken | None = None) -> list[Event]:
    run = refine(scene.session, scene.snapshot, scene.ports, cancel or CancelToken())
    return [event async for event in run]


def end_of(events: list[Event]) -> Finished:
    ends = [e for e in events if isinstance(e, Finished | Cancelled)]
    assert len(ends) == 1
    assert events[-1] is ends[0]
    assert isinstance(ends[0], Finished)
    return ends[0]
