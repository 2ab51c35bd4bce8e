"""What a verdict costs on real projects, at whichever level was proved.

For each project of ``projects.toml`` one function and one test file that runs it were drawn by lot.
A candidate is a new text of that function that does the same (one more local name), so that both
arms run the file's tests to the end: ours in a warm slot with guard, line coverage of the function
and restoring, the host's as a plain ``python -m pytest -q FILE``, in turn.

Not covered: candidates that turn tests red, of which a search has more; they end sooner.
"""

from __future__ import annotations

import ast
import asyncio
import statistics
import time
from collections import Counter
from pathlib import Path

from ocils.bench.figure import Bench, Figure
from ocils.bench.real import Project, Sample, place, prepare, projects
from ocils.domain.base import Value
from ocils.domain.cancel import CancelToken
from ocils.domain.errors import UsageError
from ocils.domain.judging import Passed, Plan, Probe, TestId
from ocils.domain.python import parse_python
from ocils.domain.text import Document, Edit, Snapshot, Span, apply_edits
from ocils.ports import Sandbox

GOOD = ("passed", "xfailed", "xpassed")
WARM_UP = 3
SETTLE_SECONDS = 0.5
LIMIT = 120.0


class Spot(Value, frozen=True):
    """Where a function's first statement begins: a byte offset and its indentation; and its lines."""

    at: int
    indent: str
    first: int
    last: int


class Measured(Value, frozen=True):
    """One project: medians in seconds, the level that was proved and why no better one."""

    project: str
    level: str
    why_not_l2: str
    tests: int
    verdict: float
    host: float

    @property
    def ratio(self) -> float:
        """The verdict over the plain run."""
        return self.verdict / self.host


async def verdict_real_geomean(bench: Bench, rounds: int = 20, only: str = "") -> Figure:
    """One candidate on one test file of real projects, over a plain pytest; the geometric mean."""
    found = [
        await measured(bench, project, project.sample, rounds)
        for project in projects(bench.checkout)
        if project.sample is not None and only in ("", project.name)
    ]
    if not found:
        raise UsageError(f"there is no project {only}", mend="see tests/bench/projects.toml")
    conditions: dict[str, object] = {
        "rounds": rounds,
        "arms": "in turn",
        "projects": {
            each.project: {
                "ratio": round(each.ratio, 3),
                "verdict_ms": round(each.verdict * 1000, 1),
                "host_pytest_ms": round(each.host * 1000, 1),
                "level": each.level,
                "why_not_l2": each.why_not_l2,
                "tests": each.tests,
            }
            for each in found
        },
    }
    value = statistics.geometric_mean(each.ratio for each in found)
    return Figure("verdict_real_geomean", round(value, 3), "ratio", "lower", conditions)


async def measured(bench: Bench, project: Project, sample: Sample, rounds: int) -> Measured:
    """Measure one project. Raises ``UsageError`` when its candidate is not green."""
    root = await prepare(project, place())
    workspace, ports = bench.at(root)
    clean = await workspace.snapshot()
    document = clean.document(f"{clean.root}/{sample.path}")
    if document is None:
        raise UsageError(f"{project.name} has no {sample.path}")
    arms = _Arms(clean, document, sample, ports.sandbox)
    try:
        await arms.settle()
        ours, plain = [], []
        for _ in range(rounds):
            edit = arms.edit()
            ours.append(await arms.judge(edit))
            plain.append(await arms.host(edit))
    finally:
        await ports.sandbox.close()
    ((level, _),) = Counter(arms.levels[-rounds:]).most_common(1)
    one, two = statistics.median(ours), statistics.median(plain)
    return Measured(project.name, level, _why(ports.sandbox), len(arms.ids), one, two)


class _Arms:
    """Both ways to judge one project's candidate."""

    def __init__(
        self, clean: Snapshot, document: Document, sample: Sample, sandbox: Sandbox
    ) -> None:
        self.ids: tuple[TestId, ...] = ()
        self.levels: list[str] = []
        self._clean = clean
        self._document = document
        self._sample = sample
        self._sandbox = sandbox
        self._spot = find_spot(document.data, sample.function)
        self._python = str(Path(clean.root) / ".venv" / "bin" / "python")
        self._round = 0
        self._status = 0

    async def settle(self) -> None:
        """Warm both arms up, and ask the original which tests are to pass."""
        await self._sandbox.warm(self._clean, CancelToken())
        plan = Plan(paths=(self._sample.tests,), seconds=LIMIT)
        original = await self._sandbox.judge(self._clean, (), plan, CancelToken())
        self.ids = tuple(case.test for case in original.cases if case.outcome in GOOD)
        for _ in range(WARM_UP):
            await asyncio.sleep(SETTLE_SECONDS)
            edits = [self.edit() for _ in range(self._sandbox.width)]
            await asyncio.gather(*(self.judge(each) for each in edits))
        self._status = await self._run()

    def edit(self) -> Edit:
        """Return an edit that changes nothing, whose text is new."""
        self._round += 1
        spot = self._spot
        text = f"ocils_round = {self._round}\n{spot.indent}"
        return Edit(self._document.path, Span(spot.at, spot.at), text)

    async def judge(self, edit: Edit) -> float:
        """Return the seconds until the verdict, which must be green."""
        probe = Probe(self._document.path, self._spot.first, self._spot.last + 1)
        plan = Plan(tests=self.ids, seconds=LIMIT, probe=probe)
        started = time.perf_counter()
        verdict = await self._sandbox.judge(self._clean, (edit,), plan, CancelToken())
        seconds = time.perf_counter() - started
        if not isinstance(verdict, Passed):
            raise UsageError(f"a candidate that changes nothing was judged {str(verdict)[:300]}")
        self.levels.append(verdict.level)
        return seconds

    async def host(self, edit: Edit) -> float:
        """Return the seconds of a plain run with the edit on disk; the file is put back."""
        _write(self._document.path, apply_edits(self._document, (edit,)).data)
        try:
            started = time.perf_counter()
            status = await self._run()
            seconds = time.perf_counter() - started
        finally:
            _write(self._document.path, self._document.data)
        if status != self._status:
            raise UsageError("a candidate that changes nothing ends otherwise on the host")
        return seconds

    async def _run(self) -> int:
        run = await asyncio.create_subprocess_exec(
            self._python, "-m", "pytest", "-q", self._sample.tests,
            cwd=self._clean.root,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            return await asyncio.wait_for(run.wait(), LIMIT)
        except TimeoutError:
            run.kill()
            await run.wait()
            raise UsageError("the plain run does not end") from None


def find_spot(data: bytes, function: str) -> Spot:
    """Find where ``function``, a qualified name, begins to do something.

    Raises ``UsageError`` when there is none, or its body stands on the line of its name.
    """
    body: list[ast.stmt] = parse_python(data).body
    node: ast.stmt | None = None
    for part in function.split("."):
        kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        node = next((n for n in body if isinstance(n, kinds) and n.name == part), None)
        body = node.body if isinstance(node, kinds) else []
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        raise UsageError(f"there is no function {function}")
    statement = node.body[min(len(node.body) - 1, ast.get_docstring(node) is not None)]
    if statement.lineno == node.lineno:
        raise UsageError(f"{function} stands on one line")
    lines = data.splitlines(keepends=True)
    indent = lines[statement.lineno - 1][: statement.col_offset]
    at = sum(len(line) for line in lines[: statement.lineno - 1]) + statement.col_offset
    return Spot(at, indent.decode(), node.lineno, node.end_lineno or node.lineno)


def _write(path: str, data: bytes) -> None:
    Path(path).write_bytes(data)


def _why(sandbox: Sandbox) -> str:
    """What the sandbox says of the last candidate's level, where it says anything."""
    return str(getattr(sandbox, "why_not_l2", ""))
