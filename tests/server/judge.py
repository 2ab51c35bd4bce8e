"""A judge for tests that runs a workspace's tests in this very process, one candidate at a time.

Only for the workspaces of these tests, whose code is ours. ``gate`` lets a test stop the judge at
any of its calls, look, type, cancel, and let it go on.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
import types
from collections.abc import Awaitable, Callable

from ocils.domain.cancel import CancelToken
from ocils.domain.judging import (
    Broken,
    CaseResult,
    Coverage,
    Failed,
    Frame,
    Killed,
    Passed,
    Plan,
    TestId,
    TestLines,
    Verdict,
)
from ocils.domain.text import Edit, Snapshot, apply_edits

Gate = Callable[[Plan, tuple[Edit, ...]], Awaitable[None]]


async def _open(_: Plan, __: tuple[Edit, ...]) -> None:
    await asyncio.sleep(0)


class InProcessJudge:
    """The ``Sandbox`` port over ``exec``. ``code`` and ``tests`` are the two files it knows."""

    def __init__(
        self,
        code: str = "shop/pricing.py",
        tests: str = "tests/test_pricing.py",
        gate: Gate = _open,
    ) -> None:
        self._code = code
        self._tests = tests
        self.gate = gate
        self.calls: list[tuple[Plan, tuple[Edit, ...]]] = []
        self.answer: Callable[[Plan, tuple[Edit, ...]], Verdict | None] = lambda _, __: None
        self.closed = False

    @property
    def width(self) -> int:
        return 1

    @property
    def isolation(self) -> str:
        return "none (a test)"

    async def warm(self, snapshot: Snapshot, cancel: CancelToken) -> None:
        await asyncio.sleep(0)

    async def close(self) -> None:
        self.closed = True

    async def judge(
        self,
        snapshot: Snapshot,
        edits: tuple[Edit, ...],
        plan: Plan,
        cancel: CancelToken,
        seen: Callable[[CaseResult], None] | None = None,
    ) -> Verdict:
        self.calls.append((plan, edits))
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()

        def stop_it() -> None:
            loop.call_soon_threadsafe(stopped.set)

        with cancel.watch(stop_it):
            waiting = asyncio.ensure_future(self.gate(plan, edits))
            stop = asyncio.ensure_future(stopped.wait())
            try:
                await asyncio.wait([waiting, stop], return_when=asyncio.FIRST_COMPLETED)
            finally:
                waiting.cancel()
                stop.cancel()
        if cancel.cancelled:
            return Killed("cancelled")
        given = self.answer(plan, edits)
        if given is not None and seen is not None:
            # A verdict made up by a test tells the cases that the test wants told.
            for case in given.cases if isinstance(given, Passed | Failed) else ():
                seen(case)
        return given if given is not None else self._judge(snapshot, edits, plan, seen)

    def _judge(
        self,
        snapshot: Snapshot,
        edits: tuple[Edit, ...],
        plan: Plan,
        seen: Callable[[CaseResult], None] | None,
    ) -> Verdict:
        texts = {}
        for name in (self._code, self._tests):
            document = snapshot.document(f"{snapshot.root}/{name}")
            assert document is not None
            texts[name] = apply_edits(document, edits).data
        try:
            code = self._module(snapshot.root, self._code, texts[self._code])
            package = self._code.rpartition("/")[0].replace("/", ".")
            sys.modules.setdefault(package, types.ModuleType(package))
            sys.modules[self._code.removesuffix(".py").replace("/", ".")] = code
            tests = self._module(snapshot.root, self._tests, texts[self._tests])
        except SyntaxError as error:
            frame = Frame(f"{snapshot.root}/{self._code}", error.lineno or 1, "<module>")
            return Broken(f"SyntaxError: {error.msg}", "syntax", (frame,))
        cases: list[CaseResult] = []
        lines: list[TestLines] = []
        for name, test in list(vars(tests).items()):
            if not name.startswith("test_"):
                continue
            test_id = TestId(f"{self._tests}::{name}")
            if plan.tests and test_id not in plan.tests:
                continue
            case, ran = self._run(snapshot.root, test_id, test, plan)
            cases.append(case)
            lines.append(TestLines(test_id, ran))
            if seen is not None:
                seen(case)
        coverage = Coverage(tuple(lines)) if plan.probe else None
        kind = Passed if all(case.passed for case in cases) else Failed
        return kind(tuple(cases), 0.01, coverage)

    def _module(self, root: str, name: str, data: bytes) -> types.ModuleType:
        module = types.ModuleType(name)
        exec(compile(data, f"{root}/{name}", "exec"), module.__dict__)
        return module

    def _run(
        self, root: str, test_id: TestId, test: Callable[[], None], plan: Plan
    ) -> tuple[CaseResult, tuple[int, ...]]:
        probe = plan.probe
        ran: set[int] = set()

        def trace(frame: types.FrameType, event: str, _: object) -> object:
            if probe and frame.f_code.co_filename == probe.path and event == "line":
                ran.add(frame.f_lineno)
            return trace

        before = sys.gettrace()
        sys.settrace(trace)  # type: ignore[arg-type]
        try:
            test()
        except Exception as error:
            found = traceback.extract_tb(error.__traceback__)
            frames = tuple(
                Frame(f.filename, f.lineno or 1, f.name)
                for f in found
                if f.filename.startswith(root)
            )
            reason = str(error) or type(error).__name__
            case = CaseResult(test_id, "failed", 0.001, reason, "assertion", frames)
        else:
            case = CaseResult(test_id, "passed", 0.001)
        finally:
            sys.settrace(before)
        inside = sorted(n for n in ran if probe and probe.first <= n <= probe.last)
        return case, tuple(inside)
