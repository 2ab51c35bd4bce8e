"""The scripted sandbox keeps the port's promises."""

from __future__ import annotations

import asyncio
import time

import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import SandboxUnavailable, StaleTarget
from ocils.domain.judging import CaseResult, Failed, Killed, Passed, Plan, TestId
from ocils.domain.text import Edit, Entry, Snapshot, Span, snapshot_hash
from ocils.ports import Sandbox
from ocils.sandbox.scripted import ScriptedSandbox, Trial

ENTRIES = (Entry("a.py", "file", 0o644, 0, b"one\n"),)
SNAPSHOT = Snapshot("/w", ENTRIES, snapshot_hash(ENTRIES))
GREEN = Passed((CaseResult(TestId("t::a"), "passed"), CaseResult(TestId("t::b"), "passed")), 0.1)
RED = Failed((CaseResult(TestId("t::a"), "failed"),), 0.1)
TWO = (Edit("/w/a.py", Span(0, 3), "two"),)


async def test_a_table_answers_by_the_applied_text() -> None:
    box: Sandbox = ScriptedSandbox.of_table({"two\n": GREEN}, RED)
    cancel = CancelToken()
    assert await box.judge(SNAPSHOT, TWO, Plan(), cancel) == GREEN
    assert await box.judge(SNAPSHOT, (), Plan(), cancel) == RED


async def test_a_script_sees_the_plan_and_cases_are_played() -> None:
    def script(trial: Trial) -> Passed | Failed:
        return GREEN if trial.plan.fresh else RED

    box = ScriptedSandbox(script)
    seen: list[CaseResult] = []
    assert await box.judge(SNAPSHOT, TWO, Plan(fresh=True), CancelToken(), seen.append) == GREEN
    assert tuple(seen) == GREEN.cases
    assert box.trials[0].changed == (("a.py", "two\n"),)
    assert box.trials[0].snapshot == SNAPSHOT.hash


async def test_a_cancel_is_felt_at_once() -> None:
    box = ScriptedSandbox(lambda trial: GREEN, seconds=60)
    cancel = CancelToken()
    seen: list[CaseResult] = []
    task = asyncio.create_task(box.judge(SNAPSHOT, TWO, Plan(), cancel, seen.append))
    await asyncio.sleep(0.05)
    started = time.monotonic()
    cancel.cancel()
    assert await task == Killed("cancelled")
    assert time.monotonic() - started < 1
    assert not seen


async def test_width_is_kept() -> None:
    box = ScriptedSandbox(lambda trial: RED, width=2, seconds=0.1)
    started = time.monotonic()
    await asyncio.gather(*(box.judge(SNAPSHOT, (), Plan(), CancelToken()) for _ in range(4)))
    assert time.monotonic() - started >= 0.2


async def test_unavailable_and_stale_are_raised() -> None:
    box = ScriptedSandbox(lambda trial: RED, unavailable=SandboxUnavailable("no", mend="yes"))
    with pytest.raises(SandboxUnavailable):
        await box.warm(SNAPSHOT, CancelToken())
    with pytest.raises(SandboxUnavailable):
        await box.judge(SNAPSHOT, (), Plan(), CancelToken())
    with pytest.raises(StaleTarget):
        await ScriptedSandbox(lambda trial: RED).judge(
            SNAPSHOT, (Edit("/w/a.py", Span(0, 99), ""),), Plan(), CancelToken()
        )


async def test_life_is_noted() -> None:
    box = ScriptedSandbox(lambda trial: RED)
    await box.warm(SNAPSHOT, CancelToken())
    await box.close()
    assert box.warmed == [SNAPSHOT.hash]
    assert box.closed
