"""Examples that ran: a function, a bug that its package's own tests caught, and what they said.

    PYTHON models/tiny/verified.py WORK --each 150

The packages of `suites.toml` are unpacked with their tests, and every bug of `mutate.edits` that is
drawn is judged by ocils' own sandbox, offline. Kept is what ran red with the bug in and green
without it, with the failing assertion and the lines of the function that its tests executed.
(AIEV-Instruct and OSS-Instruct: a seed, a change of it, tests; nothing is kept that did not run.)
PYTHON is ocils' own environment: the judge is not part of the recipe's. A package that gave
examples is not asked again. Functions near a benchmark or a measured
project, and those that the recipe holds out, are left out as they are in the corpus.

It does not cover packages whose tests need compiled parts or a network, and bugs that hang.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import json
import random
import textwrap
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path

from ocils.domain.cancel import CancelToken
from ocils.domain.judging import Failed, Passed, Plan, Probe, TestId
from ocils.domain.text import Document, Edit, Snapshot, Span
from ocils.ports import Sandbox
from ocils.wiring import build

from contamination import Judge, without_docstring
from corpus import MAX_LINES, MIN_LINES, acceptable
from examples import choose
from mutate import edits, parses
from suites import Suite, prepare, python_of, suites

DRAWS = 4  # bugs a function, at most
ASKED = 12  # tests that judge a bug, at most
SLOW = 20.0  # seconds of a clean run of one or two test files, at most


@dataclass(frozen=True)
class Place:
    """A function: its file, the line from 0 on which it starts, its name, and its text at column 0."""

    document: Document
    at: int
    name: str
    text: str


def functions(document: Document) -> list[Place]:
    """The functions of a file that the recipe would train on; its text may not be Python."""
    try:
        source = document.data.decode()
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    lines, found = source.split("\n"), []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.end_lineno and not node.decorator_list:
            count = node.end_lineno - node.lineno + 1
            text = textwrap.dedent("\n".join(lines[node.lineno - 1 : node.end_lineno]))
            if MIN_LINES <= count <= MAX_LINES and acceptable(text, count) and parses(text):
                found.append(Place(document, node.lineno - 1, node.name, text))
    return found


def documents(snapshot: Snapshot) -> list[Document]:
    """The package's own files, tests left out."""
    found = []
    for entry in snapshot.entries:
        tests = any(part.startswith(("test", "_test")) for part in entry.path.split("/"))
        tests = tests or entry.path.endswith(("_test.py", "setup.py", "conftest.py"))
        if entry.kind == "file" and entry.path.endswith(".py") and not tests:
            found.append(Document(f"{snapshot.root}/{entry.path}", entry.data))
    return found


def edit_of(place: Place, number: int, new: str) -> Edit:
    """Put `new` in the place of a function's line, its indentation kept."""
    lines = place.document.data.split(b"\n")
    at = place.at + number
    start = sum(len(line) + 1 for line in lines[:at])
    old = lines[at].decode()
    text = old[: len(old) - len(old.lstrip())] + new.lstrip()
    return Edit(place.document.path, Span(start, start + len(lines[at])), text)


def likely(root: Path, suite: Suite, document: Document, chance: random.Random) -> tuple[str, ...]:
    """Test files that may run a file: two of those named like it, else any six; small ones first."""
    found = [path for place in suite.tests for path in sorted((root / place).rglob("*test*.py"))]
    found = [path for path in found if path.name != "conftest.py"]
    found.sort(key=lambda path: path.stat().st_size)
    stem = Path(document.path).stem.strip("_")
    named = [path for path in found if stem in path.stem] if stem != "init" else []
    some = named[:2] or sorted(chance.sample(found, min(6, len(found))))
    return tuple(str(path.relative_to(root)) for path in some)


async def reached(
    sandbox: Sandbox, snapshot: Snapshot, document: Document, paths: tuple[str, ...],
    cancel: CancelToken,
) -> dict[int, list[TestId]]:  # fmt: skip
    """Which tests of some test files pass as the package is, by the lines (from 0) that they run."""
    probe = Probe(document.path, 1, document.data.count(b"\n") + 1)
    plan = Plan(paths=paths, seconds=SLOW, probe=probe)
    verdict = await sandbox.judge(snapshot, (), plan, cancel)
    found: dict[int, list[TestId]] = defaultdict(list)
    if isinstance(verdict, Passed | Failed) and verdict.coverage is not None:
        good = {case.test for case in verdict.cases if case.outcome == "passed"}
        for each in verdict.coverage.tests:
            for line in each.lines if each.test in good else ():
                found[line - 1].append(each.test)
    return found


async def bugs(
    sandbox: Sandbox, snapshot: Snapshot, place: Place, lines: dict[int, list[TestId]],
    cancel: CancelToken, chance: random.Random,
) -> AsyncIterator[dict[str, object]]:  # fmt: skip
    """Bugs of one function that its tests catch, each with what the first red test said."""
    count = place.text.count("\n") + 1
    executed = [n for n in range(count) if lines.get(place.at + n)]
    found = [e for e in edits(place.text) if place.text.count("\n", 0, e.start) in executed]
    done: set[str] = set()
    for _ in range(DRAWS if found else 0):
        edit = choose(found, chance)
        changed, number = edit.apply(place.text), place.text.count("\n", 0, edit.start)
        line = changed.split("\n")[number].rstrip()
        if line == place.text.split("\n")[number] or not parses(changed) or changed in done:
            continue
        done.add(changed)
        known = lines[place.at + number]
        tests = tuple(chance.sample(known, min(ASKED, len(known))))
        plan = Plan(tests=tests, seconds=15, stop_early=True, quiet=4)
        red = await sandbox.judge(snapshot, (edit_of(place, number, line),), plan, cancel)
        if isinstance(red, Failed) and (case := next((c for c in red.cases if not c.passed), None)):
            yield {"text": place.text, "line": number, "was": line, "bug": edit.kind,
                   "hint": case.reason[:120], "executed": executed, "test": str(case.test)}  # fmt: skip


async def verified(
    sandbox: Sandbox, snapshot: Snapshot, suite: Suite, allowed: Allowed, most: int, seconds: float
) -> AsyncIterator[dict[str, object]]:
    """Up to `most` caught bugs of a package, spread over its files, for so many seconds."""
    chance, cancel, end = random.Random(suite.name), CancelToken(), time.monotonic() + seconds
    own = [found for each in documents(snapshot) if (found := functions(each))]
    chance.shuffle(own)
    have = 0
    for number, places in enumerate(own):
        # A file that gave little leaves more to the next ones.
        until = min(most, have + 3 * ((most - have) // (len(own) - number) + 1))
        paths = likely(Path(snapshot.root), suite, places[0].document, chance)
        lines = await reached(sandbox, snapshot, places[0].document, paths, cancel)
        chance.shuffle(places)
        for place in places if lines else ():
            if have >= until or time.monotonic() > end:
                break
            if not allowed(place):
                continue
            async for row in bugs(sandbox, snapshot, place, lines, cancel, chance):
                yield row
                have += 1
        if have >= most or time.monotonic() > end:
            break


class Allowed:
    """Whether a function may be trained on."""

    def __init__(self, work: Path) -> None:
        measured = work / "measured"
        self.judge = Judge(measured if measured.exists() else None)
        rows = map(json.loads, (work / "functions.jsonl").open())
        self.kept = {bare(row["text"]) for row in rows if row["split"] == "held"}
        self.whole = False

    def __call__(self, place: Place) -> bool:
        """`whole` packages that are held out may have what is held out of them."""
        held = not self.whole and bare(place.text) in self.kept
        return not held and self.judge(place.name, place.text) is None


def bare(text: str) -> str:
    """A function without docstring and layout."""
    return "".join(without_docstring(text).split())


async def run(work: Path, each: int, seconds: float, chosen: Iterable[Suite]) -> None:
    """Append to WORK/verified.jsonl what every package gives."""
    output = work / "verified.jsonl"
    have = {json.loads(line)["package"] for line in output.open()} if output.exists() else set()
    allowed = Allowed(work)
    house = build()
    house.configure({"sandbox": {"python": str(python_of(work))}})
    try:
        for suite in chosen:
            root = None if suite.name in have else prepare(work, suite)
            if root is None:
                continue
            workspace = house.workspace(str(root.resolve()))
            sandbox = house.ports(workspace.root).sandbox
            allowed.whole = suite.held
            snapshot = await workspace.snapshot()
            rows = verified(sandbox, snapshot, suite, allowed, each, seconds)
            split, count = "held" if suite.held else "train", 0
            async for row in rows:
                with output.open("a") as file:
                    file.write(json.dumps({"package": suite.name, "split": split, **row}) + "\n")
                count += 1
            await sandbox.close()
            print(suite.name, count, "examples", flush=True)
    finally:
        await house.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--each", type=int, default=150, help="examples of a package, at most")
    parser.add_argument("--seconds", type=float, default=150, help="spent on a package, at most")
    parser.add_argument("--only", default="", help="these packages, by commas")
    got = parser.parse_args()
    names = set(filter(None, got.only.split(",")))
    chosen = [s for s in suites() if not names or s.name in names]
    asyncio.run(run(got.work, got.each, got.seconds, chosen))


if __name__ == "__main__":
    main()
