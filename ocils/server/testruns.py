"""Running tests for the test explorer, each result told as it comes, by the judge of the loop.

Not covered: finding the tests (``explorer.py``); drawing them, which is the client's.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import aclosing
from typing import TYPE_CHECKING

from ocils.domain.base import Value
from ocils.domain.events import CaseFinished, Preparing
from ocils.domain.judging import Baseline, Broken, CaseResult, TestId, Verdict
from ocils.domain.text import Snapshot
from ocils.refine import outcome
from ocils.refine.baseline import judge_original
from ocils.server.explorer import roots, split_id
from ocils.server.protocol import NotificationName
from ocils.server.runs import Run
from ocils.server.showing import stretch
from ocils.server.testing import (
    FrameShape,
    LocationShape,
    Output,
    RunEnded,
    StateChange,
    Tag,
    TestItems,
    TestState,
)
from ocils.server.verdicts import Sketch, test_key

if TYPE_CHECKING:
    from ocils.server.desk import Desk

_TAGS: dict[str, Tag] = {
    "passed": "passed",
    "xfailed": "passed",
    "xpassed": "passed",
    "failed": "failed",
    "error": "errored",
    "skipped": "skipped",
}


class Selection(Value, frozen=True):
    """What to run in one workspace: ids without the root ("" for all of it), and what not to."""

    root: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]

    def holds(self, test: str) -> bool:
        """Tell whether a test (an id without the root) is to be run."""
        return any(_under(test, each) for each in self.include) and not any(
            _under(test, each) for each in self.exclude
        )


def select(
    desk: Desk, include: Iterable[str] | None, exclude: Iterable[str] | None
) -> tuple[Selection, ...]:
    """Return what to run, by workspace. Raises ``UsageError`` for an id that is no test."""
    wanted: dict[str, list[str]] = {}
    unwanted: dict[str, list[str]] = {}
    for each in include if include is not None else roots(desk):
        root, rest = split_id(desk, each)
        wanted.setdefault(root, []).append(rest)
    for each in exclude or ():
        root, rest = split_id(desk, each)
        unwanted.setdefault(root, []).append(rest)
    return tuple(
        Selection(root, tuple(ids), tuple(unwanted.get(root, ()))) for root, ids in wanted.items()
    )


async def run_selected(desk: Desk, run: Run, selections: tuple[Selection, ...]) -> None:
    """Run what was selected, workspace by workspace, and tell how each test fares."""
    teller = _Teller(desk, run)
    end, message = "failed", "it could not be ended"
    try:
        for selection in selections:
            await _run_one(desk, run, selection, teller)
            if run.token.cancelled:
                break
        end, message = teller.conclusion()
    finally:
        teller.close()
        if run.token.cancelled:
            end, message = "cancelled", "cancelled"
        desk.tell(NotificationName.END, RunEnded(run.id, end, message))
        desk.refresh_lenses()


async def _run_one(desk: Desk, run: Run, selection: Selection, teller: _Teller) -> None:
    from ocils.server.flows import prepare

    items = await desk.explorer.discover(selection.root)
    known = [item.id for item in items.tests if item.kind == "test"]
    prefix = f"{selection.root}/"
    ids = [each.removeprefix(prefix) for each in known]
    chosen = [each for each in ids if selection.holds(each)]
    parents = {each.partition("[")[0] for each in chosen if "[" in each}
    teller.begin(selection, [each for each in chosen if each not in parents])
    _, snapshot, ports = await prepare(desk, run, selection.root)
    teller.say("starting a container")
    await ports.sandbox.warm(snapshot, run.token)
    settings = desk.house.workspace_settings(selection.root)
    teller.started()
    whole = "" in selection.include and not selection.exclude
    named = all("::" in each for each in selection.include)
    tests: tuple[TestId, ...] = ()
    paths = settings.tests if "" in selection.include else _files(selection.include)
    if not whole and (named or selection.exclude):
        tests = tuple(TestId(each) for each in chosen if each not in parents)
        tests = tests or tuple(TestId(each) for each in selection.include if "::" in each)
    baseline = await _judge(desk, run, snapshot, tests, paths, teller)
    if isinstance(baseline, Broken) and tests and baseline.kind == "collection":
        # A test with parameters has no id of its own before it has been run once.
        baseline = await _judge(desk, run, snapshot, (), _files(tests), teller)
    if run.token.cancelled:
        return
    if not isinstance(baseline, Baseline):
        teller.unusable(outcome.unusable(baseline).message)
        return
    sketch = Sketch(snapshot, desk.documents, None)
    run_now = {test_key(snapshot.root, c.test) for c in baseline.cases}
    desk.findings.clear_tests(frozenset(run_now))
    desk.findings.put(f"{snapshot.root}::explorer", sketch.baseline(baseline))


async def _judge(
    desk: Desk,
    run: Run,
    snapshot: Snapshot,
    tests: tuple[TestId, ...],
    paths: tuple[str, ...],
    teller: _Teller,
) -> Baseline | Verdict:
    ports = await desk.ports(snapshot.root)
    sketch = Sketch(snapshot, desk.documents, None)
    steps = judge_original(snapshot, None, ports.sandbox, run.token, paths=paths, tests=tests)
    last: Baseline | Verdict | None = None
    async with aclosing(steps):
        async for step in steps:
            if isinstance(step, CaseFinished):
                teller.case(step.case, sketch)
                run.say(f"{step.done}{f'/{step.total}' if step.total > step.done else ''} tests")
            elif isinstance(step, Preparing):
                teller.say(step.stage)
            elif isinstance(step, Baseline | Verdict):
                last = step
    assert last is not None, "a baseline or a verdict always comes last"
    return last


class _Teller:
    """Tells one run's states; remembers which tests still wait for one. Used by one task."""

    def __init__(self, desk: Desk, run: Run) -> None:
        self._desk = desk
        self._run = run
        self._waiting: dict[str, None] = {}
        self._known: set[str] = set()
        self._selection = Selection("", (), ())
        self._count = 0
        self._red = 0
        self._problem = ""

    def begin(self, selection: Selection, tests: list[str]) -> None:
        """The tests of one workspace (ids without the root) are about to be run."""
        self._selection = selection
        for test in tests:
            self._waiting[f"{selection.root}/{test}"] = None
            self._known.add(f"{selection.root}/{test}".partition("[")[0])
            self._state(f"{selection.root}/{test}", TestState("enqueued"))

    def started(self) -> None:
        """The judge begins."""
        for test in self._waiting:
            self._state(test, TestState("started"))

    def say(self, text: str) -> None:
        """Say what is being waited for."""
        self._run.say(text)
        self._output(f"{text}\n")

    def case(self, case: CaseResult, sketch: Sketch) -> None:
        """Tell one result; a case that was not known is announced first."""
        if not self._selection.holds(case.test):
            return
        root = self._selection.root
        test_id = f"{root}/{case.test}"
        function = test_id.partition("[")[0]
        known = function in self._known
        if self._desk.explorer.learn(test_id) and (not known or function != test_id):
            items = tuple(self._desk.explorer.item_of_case(root, test_id))
            self._desk.tell(
                NotificationName.DISCOVERED, TestItems(items[-1:] if known else items, ())
            )
            self._known.add(function)
        self._waiting.pop(test_id, None)
        self._waiting.pop(function, None)
        self._count += 1
        self._red += not case.passed and case.outcome != "skipped"
        if text := "\n".join(filter(None, [case.report, case.output])):
            self._output(text.rstrip("\n") + "\n", test_id)
        self._state(test_id, _state_of(case, sketch, root))

    def unusable(self, why: str) -> None:
        """The tests of this workspace could not be judged."""
        self._problem = why
        self._output(why + "\n")
        for test in self._waiting:
            self._state(test, TestState("errored", why))
        self._waiting.clear()

    def close(self) -> None:
        """What still waits was not run: it was cancelled, or is not there any more."""
        for test in self._waiting:
            self._state(test, TestState("skipped"))
        self._waiting.clear()

    def conclusion(self) -> tuple[str, str]:
        """Return the run's outcome and what to say of it."""
        if self._problem:
            return "broken", self._problem
        if not self._count:
            return "no_tests", "no tests were run"
        if self._red:
            return "failed", f"{self._red} of {self._count} tests fail"
        return "passed", f"all {self._count} tests pass"

    def _state(self, test_id: str, state: TestState) -> None:
        self._desk.tell(NotificationName.STATE, StateChange(self._run.id, test_id, state))

    def _output(self, text: str, test_id: str | None = None) -> None:
        self._desk.tell(NotificationName.OUTPUT, Output(self._run.id, text, test_id))


def _state_of(case: CaseResult, sketch: Sketch, root: str) -> TestState:
    frames = [(frame, sketch.location(frame)) for frame in case.frames[-10:]]
    placed = [(frame, where) for frame, where in frames if where is not None]
    own = f"{root}/{case.test.partition('::')[0]}"
    inside = [where for frame, where in placed if frame.path == own]
    location = None
    if inside and not case.passed:
        location = LocationShape(inside[-1].uri, stretch(inside[-1].range))
    return TestState(
        tag=_TAGS[case.outcome],
        message="" if case.passed else (case.message or case.outcome),
        location=location,
        frames=tuple(
            FrameShape(where.uri, stretch(where.range), f"in {frame.function}")
            for frame, where in placed
        ),
        duration_ms=round(case.seconds * 1000, 3),
    )


def _files(tests: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(test.partition("::")[0] for test in tests))


def _under(test: str, above: str) -> bool:
    """Tell whether a test is ``above`` or below it; both without the root."""
    if above in ("", test):
        return True
    return any(test.startswith(above + separator) for separator in ("::", "[", "/"))
