"""Reports fed by hand: records in a few words, and the verdict that they come to."""

from __future__ import annotations

import json
from typing import Any

from ocils.domain.judging import CaseResult, Plan, Probe, TestId, Verdict
from ocils.sandbox.report import End, Report

NONCE = "f" * 32
A, B = TestId("t.py::a"), TestId("t.py::b")
C = TestId("t.py::c")
EVERYTHING = Plan()
PROBE = Probe("/w/m.py", 1, 9)
MINE = [["/w/t.py", 8, "test", "f()"], ["/w/m.py", 3, "f", "g()"]]
THEIRS = [["/w/m.py", 3, "f", "g()"], ["/w/t.py", 8, "test", "f()"]]

Record = dict[str, Any]


def collected(*ids: str) -> Record:
    return {"t": "collected", "ids": list(ids), "lines": []}


def case(test: str, outcome: str = "passed", **more: Any) -> list[Record]:
    return [{"t": "start", "id": test}, {"t": "case", "id": test, "outcome": outcome, **more}]


def done(code: int = 0) -> Record:
    return {"t": "done", "code": code}


def lines(records: list[Record], nonce: str = NONCE) -> bytes:
    return b"".join(
        json.dumps({**record, "n": nonce, "i": number}).encode() + b"\n"
        for number, record in enumerate(records)
    )


def chain(*names: str, number: int | None = None, module: str = "", text: str = "") -> Record:
    return {"chain": [[list(names), number, module, "", text]], "message": text}


def reported(
    records: list[Record], plan: Plan = EVERYTHING, edited: tuple[str, ...] = ("/w/m.py",)
) -> Report:
    report = Report(NONCE, plan, edited)
    report.feed(lines(records))
    return report


def judge(
    records: list[Record],
    plan: Plan = EVERYTHING,
    *,
    status: int | None = 0,
    ended_for: str = "",
    output: str = "",
    tampered: tuple[str, ...] = (),
    edited: tuple[str, ...] = ("/w/m.py",),
) -> Verdict:
    end = End(status, ended_for, 1.5, output, tampered)
    return reported(records, plan, edited).verdict(end)


def passed(*tests: TestId) -> tuple[CaseResult, ...]:
    return tuple(CaseResult(each, "passed") for each in tests)


def on(*tests: TestId) -> list[Record]:
    """The first of three tests has passed, the second is on."""
    return [collected(A, B, C), *case(A), {"t": "start", "id": B}]
