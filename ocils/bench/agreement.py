"""``make agreement``: does a warm verdict say what a plain, fresh run of the user's pytest says?

Bugs are planted in real projects; each is judged warm by the sandbox, and once more by a plain
``python -m pytest`` on the host with the file changed on disk; then test by test compared. Tests
that are not the same in plain runs of the original, and those that the sandbox says to be red only
for its isolation, are set apart *before* any mutant is judged, and listed.

Not covered: edits that are no mutants of one function; tests that a plan does not ask for.
"""

from __future__ import annotations

import ast
import contextlib
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from ocils.bench.compared import GOOD, Compared, different, name_of, plain_name
from ocils.bench.mutants import Mutant, mutants_of, spread
from ocils.bench.plain.run import Plain, plain
from ocils.bench.real import Project
from ocils.domain.base import Value
from ocils.domain.cancel import CancelToken
from ocils.domain.errors import UsageError
from ocils.domain.judging import Failed, Passed, Plan, TestId, TimedOut, Verdict
from ocils.domain.python import parse_python
from ocils.domain.text import Document, Edit, Snapshot, apply_edits
from ocils.ports import Sandbox, Workspace

CHEAP = 30.0
"""Seconds that a test file may take to be used: there are thousands of runs. A busy machine needs
several times as long as a quiet one, and a function is tried by the cheapest of its files anyway."""

PATIENCE = 5.0
FLOOR = 12.0
LONGER = 8.0
"""Where one of the two runs did not end and the other did, it is made again with so many times the
limit: pytest's own account of a failure, or hypothesis's smallest example, can take longer than the
tests, and a busy machine may give a container little of its time."""


class Grounds(Value, frozen=True):
    """What is known of a project before any mutant: which test file to use for what, and what flickers.

    ``files`` maps (path, first line of a function) to the cheapest test file that runs it; ``tests``
    a test file to the ids that are compared, in order, and its plain run's seconds. ``apart`` are
    the tests set apart, each with the reason.
    """

    files: dict[tuple[str, int], str]
    tests: dict[str, tuple[tuple[TestId, ...], float]]
    apart: tuple[tuple[str, str], ...]


class Ground:
    """A project, ready to be judged both ways; not for two at a time, since files change on disk."""

    def __init__(
        self,
        project: Project,
        workspace: Workspace,
        sandbox: Sandbox,
        *,
        floor: float = FLOOR,
        longer: float = LONGER,
    ) -> None:
        """``floor``: seconds that any run may take; ``longer``: see ``LONGER``."""
        self._floor = floor
        self._longer = longer
        self._project = project
        self._workspace = workspace
        self._sandbox = sandbox
        self._root = Path(workspace.root)
        self._python = str(self._root / ".venv" / "bin" / "python")

    async def survey(self, cancel: CancelToken) -> Grounds:
        """Run the original three times plainly and once per test file in the sandbox.

        Raises ``UsageError`` when the project's own suite does not run.
        """
        left_out = [f"--ignore={each}" for each in self._project.leave_out]
        runs = [
            await plain(self._root, self._python, left_out, 900, follow=n == 0) for n in range(3)
        ]
        if any(run.status not in (0, 1) for run in runs):
            raise UsageError(f"the suite of {self._project.name} does not run here")
        apart = {
            test: "differs between plain runs"
            for test in runs[0].collected
            if len({run.outcomes.get(test) for run in runs}) > 1
        }
        durations: dict[str, float] = defaultdict(float)
        for test, seconds in runs[1].durations.items():
            durations[_file(test)] += seconds
        by_file: dict[str, list[TestId]] = defaultdict(list)
        for test in runs[0].collected:
            by_file[_file(test)].append(TestId(test))
        clean = await self._workspace.snapshot()
        tests = {}
        for file, ids in by_file.items():
            if durations[file] > CHEAP:
                continue
            plan = Plan(tests=tuple(ids), seconds=120)
            verdict = await self._sandbox.judge(clean, (), plan, cancel)
            found = {case.test: case for case in verdict.cases}
            for test in ids:
                case = found.get(test)
                outcome = case.outcome if case else ""
                if test not in apart and outcome != runs[1].outcomes.get(test):
                    why = (case.kind or outcome) if case else name_of(verdict)
                    apart[test] = f"the original is {why} in the sandbox"
                elif runs[1].outcomes.get(test) not in GOOD:
                    apart.setdefault(test, f"{runs[1].outcomes.get(test)} on the original")
            kept = tuple(test for test in ids if test not in apart)
            if kept:
                tests[file] = (kept, durations[file])
        return Grounds(_cheapest(runs[0], tests), tests, tuple(sorted(apart.items())))

    async def compare(
        self, mutants: Iterable[Mutant], grounds: Grounds, cancel: CancelToken
    ) -> AsyncGenerator[Compared, None]:
        """Yield each mutant's comparison; one that no cheap test file runs is passed over."""
        clean = await self._workspace.snapshot()
        lines: dict[str, Mapping[str, int]] = {}
        for mutant in mutants:
            if cancel.cancelled:
                return
            document = clean.document(mutant.path)
            if document is None:
                continue
            relative = clean.relative(mutant.path)
            if relative not in lines:
                lines[relative] = first_lines(document)
            file = grounds.files.get((relative, lines[relative].get(mutant.function, 0)))
            if file is None:
                continue
            compared = await self._both(mutant, clean, document, file, grounds, cancel)
            if compared is None:
                return
            yield compared

    async def _both(
        self,
        mutant: Mutant,
        clean: Snapshot,
        document: Document,
        file: str,
        grounds: Grounds,
        cancel: CancelToken,
    ) -> Compared | None:
        ids, usual = grounds.tests[file]
        limit = max(self._floor, PATIENCE * usual)
        plan = Plan(tests=ids, seconds=limit)
        verdict = await self._sandbox.judge(clean, (mutant.edit,), plan, cancel)
        run = await self._plainly(document, mutant.edit, file, limit)
        if run.timed_out and isinstance(verdict, Passed | Failed):
            limit *= self._longer
            run = await self._plainly(document, mutant.edit, file, limit)
        elif isinstance(verdict, TimedOut) and not run.timed_out:
            limit *= self._longer
            plan = Plan(tests=ids, seconds=limit)
            verdict = await self._sandbox.judge(clean, (mutant.edit,), plan, cancel)
        if cancel.cancelled:
            return None  # a verdict that was broken off says nothing
        compared = self._compared(mutant, clean, verdict, run, ids)
        if compared.agrees:
            return compared
        again = [await self._plainly(document, mutant.edit, file, limit) for _ in range(2)]
        names = tuple(plain_name(each, ids) for each in (run, *again))
        alike = all(each.outcomes == run.outcomes for each in again) and len(set(names)) == 1
        return compared if alike else msgspec.structs.replace(compared, drawn=names)

    def _compared(
        self, mutant: Mutant, clean: Snapshot, verdict: Verdict, run: Plain, ids: tuple[TestId, ...]
    ) -> Compared:
        return Compared(
            self._project.name,
            mutant.id,
            clean.relative(mutant.path),
            mutant.function,
            mutant.operator,
            len(ids),
            getattr(verdict, "level", ""),
            name_of(verdict),
            plain_name(run, ids),
            round(getattr(verdict, "seconds", 0.0), 3),
            round(run.seconds, 3),
            different(verdict, run, ids),
        )

    async def _plainly(self, document: Document, edit: Edit, file: str, limit: float) -> Plain:
        with _on_disk(document, edit):
            return await plain(self._root, self._python, [file], limit)


@contextlib.contextmanager
def _on_disk(document: Document, edit: Edit) -> Iterator[None]:
    path = Path(document.path)
    path.write_bytes(apply_edits(document, (edit,)).data)
    try:
        yield
    finally:
        path.write_bytes(document.data)


def drawn(snapshot: Snapshot, limit: int, seed: int = 0) -> tuple[Mutant, ...]:
    """Draw ``limit`` mutants of a workspace, evenly over functions; those of a function together."""
    chosen = spread(mutants_of(snapshot, seed), limit, seed)
    place = {mutant: (mutant.path, mutant.function) for mutant in chosen}
    return tuple(sorted(chosen, key=lambda mutant: place[mutant]))


def first_lines(document: Document) -> dict[str, int]:
    """Map each function's qualified name to the line its code object starts on, decorators included."""
    found: dict[str, int] = {}

    def walk(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = [child.lineno, *(each.lineno for each in child.decorator_list)]
                found[prefix + child.name] = min(lines)
                walk(child, f"{prefix}{child.name}.")
            elif isinstance(child, ast.ClassDef):
                walk(child, f"{prefix}{child.name}.")
            else:
                walk(child, prefix)

    walk(parse_python(document.data), "")
    return found


def _cheapest(
    run: Plain, tests: Mapping[str, tuple[tuple[TestId, ...], float]]
) -> dict[tuple[str, int], str]:
    """The cheapest test file for each function; for what only collection runs, the cheapest of all."""
    order = sorted(tests, key=lambda file: tests[file][1])
    found: dict[tuple[str, int], str] = {}
    for file in [*order, ""]:
        for place in run.entered.get(file, ()):
            if order:
                found.setdefault(place, file or order[0])
    return found


def _file(test: str) -> str:
    return test.partition("::")[0]
