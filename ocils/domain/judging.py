"""What the judge is asked and what it answers.

Not covered: comparing verdicts (``refine/``), drawing them (``server/convert.py``).
"""

from __future__ import annotations

from typing import Literal, NewType, TypeAlias

from ocils.domain.base import Value

TestId = NewType("TestId", str)
"""A test's id as its runner prints it, relative to the workspace's root: ``tests/test_a.py::test_b[1]``."""

Outcome: TypeAlias = Literal["passed", "failed", "error", "skipped", "xfailed", "xpassed"]
"""``error``: set-up or tear-down raised. ``xpassed`` is a strict xfail's opposite and counts as passed."""

FailureClass: TypeAlias = Literal[
    "", "assertion", "runtime", "syntax", "import", "isolation", "timeout", "memory", "killed"
]
"""What went wrong. ``timeout``, ``memory`` and ``killed`` also name the test that was on when the run was
ended for its time or its memory, or ended itself."""


Level: TypeAlias = Literal["", "L0", "L1", "L2"]
"""How a verdict was had: L2 a fork of the collected suite with the function's code swapped, L1 a fork
that imports the workspace anew, L0 a process of its own. Empty: not by a process of ours."""


class Frame(Value, frozen=True):
    """One frame of a traceback inside the workspace; ``path`` is absolute on the host, ``line`` 1-based."""

    path: str
    line: int
    function: str
    text: str = ""


class CaseResult(Value, frozen=True):
    """What one test did. ``message`` is why: a short first line ("assert 2 == 3"), then where its
    operands came from and how they differ, a dozen lines at most. ``output`` is captured text.

    ``report`` is the runner's own longer text, cut to its head and tail. ``warnings`` were raised
    during a test that did not pass: "DeprecationWarning: old (m.py:3)", ten at most.
    """

    test: TestId
    outcome: Outcome
    seconds: float = 0.0
    message: str = ""
    kind: FailureClass = ""
    frames: tuple[Frame, ...] = ()
    report: str = ""
    output: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """The first line of the message, or the outcome where there is none."""
        return self.message.partition("\n")[0] or self.outcome

    @property
    def passed(self) -> bool:
        """Whether this counts as passed; an expected failure that failed as expected does."""
        return self.outcome in ("passed", "xfailed", "xpassed")


class Probe(Value, frozen=True, omit_defaults=True):
    """Record which lines of ``path`` (absolute) from ``first`` to ``last`` (1-based, both included) run.

    With ``calls``, record instead what the outermost function there was given and gave back. With
    ``live``, tell each line when it first runs, so that a test that never ends has lines too (of the
    original only).
    """

    path: str
    first: int
    last: int
    calls: bool = False
    live: bool = False


class Call(Value, frozen=True):
    """One call of the probed function during ``test``, as texts: the arguments, what came of it."""

    test: TestId
    given: str
    outcome: str


class TestLines(Value, frozen=True):
    """The probed lines that one test executed, sorted, 1-based."""

    __test__ = False  # pytest would otherwise try to collect a class of this name

    test: TestId
    lines: tuple[int, ...]


class Coverage(Value, frozen=True):
    """Line coverage of the probed region: by test, and while modules were imported or collected."""

    tests: tuple[TestLines, ...]
    collection: tuple[int, ...] = ()

    def lines(self) -> frozenset[int]:
        """All lines that any test executed."""
        return frozenset(line for each in self.tests for line in each.lines)


class Plan(Value, frozen=True):
    """How to judge.

    ``tests``: the ids that must each be reported, judged in this order; empty means every test that
    the workspace's own configuration collects, restricted to ``paths`` (files or folders, relative)
    when there are any. ``seconds``: wall-clock limit of the whole run. ``fresh``: a new container
    and a plain process instead of a warm fork. ``seed``: PYTHONHASHSEED. ``stop_early``: stop at
    the first test that does not pass. ``probe``: record line coverage (slower: a few times).
    ``quiet``: end the run as timed out when no test ended for that many seconds; 0 is never.
    """

    tests: tuple[TestId, ...] = ()
    paths: tuple[str, ...] = ()
    seconds: float = 60.0
    fresh: bool = False
    seed: int = 0
    stop_early: bool = False
    probe: Probe | None = None
    quiet: float = 0.0


class Passed(Value, frozen=True, tag=True):
    """Every expected test was reported and passed (or was skipped or xfailed where no ids were asked)."""

    cases: tuple[CaseResult, ...]
    seconds: float
    coverage: Coverage | None = None
    level: Level = ""
    calls: tuple[Call, ...] = ()


class Failed(Value, frozen=True, tag=True):
    """At least one test did not pass; with ``stop_early`` the rest is missing from ``cases``."""

    cases: tuple[CaseResult, ...]
    seconds: float
    coverage: Coverage | None = None
    level: Level = ""
    calls: tuple[Call, ...] = ()


class Broken(Value, frozen=True, tag=True):
    """Tests could not be collected, or the report cannot be trusted; ``why`` says which.

    ``kind`` "syntax" | "import" | "collection" | "report" | "empty" (nothing was collected).
    """

    why: str
    kind: Literal["syntax", "import", "collection", "report", "empty"]
    frames: tuple[Frame, ...] = ()
    cases: tuple[CaseResult, ...] = ()
    missing_module: str = ""
    level: Level = ""


class TimedOut(Value, frozen=True, tag=True):
    """The run took longer than ``seconds``; ``running`` is the test that was on when it was ended.

    ``rest`` holds the collected tests that had not begun; ``coverage`` is that of the tests that
    ended, and with a live probe that of ``running`` too.
    """

    seconds: float
    running: TestId | None = None
    cases: tuple[CaseResult, ...] = ()
    rest: tuple[TestId, ...] = ()
    coverage: Coverage | None = None
    level: Level = ""


KilledFor: TypeAlias = Literal["memory", "output", "exit", "signal", "cancelled"]


class Killed(Value, frozen=True, tag=True):
    """The candidate was ended: "memory", "output", "exit" (it ended the process itself), "cancelled".

    ``running``, ``rest`` and ``coverage`` are as in ``TimedOut``.
    """

    why: KilledFor
    detail: str = ""
    cases: tuple[CaseResult, ...] = ()
    level: Level = ""
    running: TestId | None = None
    rest: tuple[TestId, ...] = ()
    coverage: Coverage | None = None


class Unjudged(Value, frozen=True, tag=True):
    """The sandbox could not judge: says nothing about the candidate. ``why`` is for people.

    "isolation": with ``stop_early``, what ended the run was red only for want of a network or a
    writable place; a run of everything is ``Failed`` instead, its cases marked by ``kind``.
    """

    why: str
    detail: str = ""
    cases: tuple[CaseResult, ...] = ()


Verdict: TypeAlias = Passed | Failed | Broken | TimedOut | Killed | Unjudged


class Baseline(Value, frozen=True):
    """How the original fares: its verdict, what is red, which tests reach the target, which flicker.

    ``stuck`` are the red ones that never end, or that end the run of all: no run of the original
    may hold them. ``unheard`` were collected, and not run since too many before them were stuck.
    """

    cases: tuple[CaseResult, ...]
    seconds: float
    red: tuple[TestId, ...]
    reaching: tuple[TestId, ...]
    coverage: Coverage
    flaky: tuple[TestId, ...] = ()
    stuck: tuple[TestId, ...] = ()
    unheard: tuple[TestId, ...] = ()
