"""Examples that ran: a function, a bug that its package's own tests caught, and what they said.

    PYTHON models/tiny/verified.py WORK --each 200

Packages of the corpus that ship their tests are unpacked, and every bug of `mutate.edits` that is
drawn is judged by ocils' own sandbox, offline. Kept is what ran red with the bug in and green
without it, with the failing assertion and the lines of the function that the failing test executed.
(AIEV-Instruct and OSS-Instruct: a seed, a change of it, tests; nothing is kept that did not run.)
PYTHON is ocils' own environment: the judge is not part of the recipe's. A run that was stopped goes
on where it was.

It does not cover packages whose tests need compiled parts or a network, and bugs that hang.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import json
import random
import textwrap
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

from ocils.domain.cancel import CancelToken
from ocils.domain.judging import Failed, Passed, Plan, Probe, TestId
from ocils.domain.text import Document, Edit, Snapshot, Span
from ocils.ports import Sandbox
from ocils.wiring import build

from examples import choose
from mutate import edits, parses

PACKAGES = ("pyflakes", "simplejson", "mpmath")
SETTINGS = "[tool.pytest.ini_options]\naddopts = '-p no:cacheprovider'\n"
LONGEST = 45


def unpack(wheel: Path, folder: Path) -> Path:
    """Make a workspace of a wheel, once."""
    if not (folder / "pyproject.toml").exists():
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        (folder / "pyproject.toml").write_text(SETTINGS)
    return folder


def functions(source: str) -> list[tuple[int, str]]:
    """(line number from 0, text at column 0) of the functions that the recipe would train on."""
    lines, found = source.split("\n"), []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.end_lineno and not node.decorator_list:
            count = node.end_lineno - node.lineno + 1
            if 3 <= count <= LONGEST:
                block = "\n".join(lines[node.lineno - 1 : node.end_lineno])
                found.append((node.lineno - 1, textwrap.dedent(block)))
    return [(at, text) for at, text in found if text.isascii() and parses(text)]


def drawn(snapshot: Snapshot, chance: random.Random) -> list[tuple[Document, int, str]]:
    """Every function of the package itself, shuffled: its document, its place, its text."""
    found = []
    for entry in snapshot.entries:
        tests = any(part.startswith(("test", "_test")) for part in entry.path.split("/"))
        if entry.kind != "file" or not entry.path.endswith(".py") or tests:
            continue
        document = Document(f"{snapshot.root}/{entry.path}", entry.data)
        try:
            found += [(document, *each) for each in functions(entry.data.decode())]
        except (SyntaxError, UnicodeDecodeError):
            continue
    chance.shuffle(found)
    return found


def edit_of(document: Document, at: int, new: str) -> Edit:
    """Put `new` in the place of a file's line `at`, its indentation kept."""
    lines = document.data.split(b"\n")
    start = sum(len(line) + 1 for line in lines[:at])
    old = lines[at].decode()
    text = old[: len(old) - len(old.lstrip())] + new.lstrip()
    return Edit(document.path, Span(start, start + len(lines[at])), text)


async def green(sandbox: Sandbox, snapshot: Snapshot, cancel: CancelToken) -> tuple[TestId, ...]:
    """The tests that pass as the package is; what does not is left out."""
    await sandbox.warm(snapshot, cancel)
    verdict = await sandbox.judge(snapshot, (), Plan(seconds=300), cancel)
    cases = verdict.cases if isinstance(verdict, Passed | Failed) else ()
    return tuple(case.test for case in cases if case.passed and case.outcome != "skipped")


async def verified(
    sandbox: Sandbox, snapshot: Snapshot, cancel: CancelToken, seed: int
) -> AsyncIterator[dict[str, object]]:
    """Bugs that the tests catch, in the drawn order, each with what the first red test said."""
    chance = random.Random(seed)
    tests = await green(sandbox, snapshot, cancel)
    print(snapshot.root, len(tests), "tests pass", flush=True)
    for document, at, text in drawn(snapshot, chance) if tests else ():
        probe = Probe(document.path, at + 1, at + 1 + text.count("\n"))
        plan = Plan(tests=tests, seconds=120, probe=probe)
        clean = await sandbox.judge(snapshot, (), plan, cancel)
        if not isinstance(clean, Passed) or clean.coverage is None:
            continue
        reached = {each.test: each.lines for each in clean.coverage.tests if each.lines}
        executed = sorted({line - at - 1 for lines in reached.values() for line in lines})
        found = [e for e in edits(text) if text.count("\n", 0, e.start) in executed]
        for _ in range(3 if found else 0):
            edit = choose(found, chance)
            number = text.count("\n", 0, edit.start)
            line = edit.apply(text).split("\n")[number].rstrip()
            if line == text.split("\n")[number] or not parses(edit.apply(text)):
                continue
            change = edit_of(document, at + number, line)
            some = tuple(test for test in tests if test in reached)
            red = await sandbox.judge(
                snapshot, (change,), Plan(tests=some, seconds=30, stop_early=True), cancel
            )
            case = (
                next((c for c in red.cases if not c.passed), None)
                if isinstance(red, Failed)
                else None
            )
            if case is not None:
                yield {"text": text, "line": number, "was": line, "bug": edit.kind,
                       "hint": case.reason[:120], "executed": executed,
                       "test": str(case.test)}  # fmt: skip


async def run(work: Path, each: int) -> None:
    """Append to WORK/verified.jsonl until every package has given what was asked of it."""
    output = work / "verified.jsonl"
    rows = [json.loads(line) for line in output.open()] if output.exists() else []
    house, cancel = build(), CancelToken()
    try:
        for number, name in enumerate(PACKAGES):
            have = sum(row["package"] == name for row in rows)
            wheels = sorted((work / "dl").glob(f"{name}-*.whl"))
            if have >= each or not wheels:
                continue
            root = unpack(wheels[0], (work / "verified" / name).resolve())
            workspace = house.workspace(str(root))
            snapshot = await workspace.snapshot()
            ports = house.ports(workspace.root)
            seed = 100 * number + have  # another order than what is there already was drawn in
            with output.open("a") as file:
                async for row in verified(ports.sandbox, snapshot, cancel, seed):
                    file.write(json.dumps({"package": name, **row}) + "\n")
                    file.flush()
                    have += 1
                    if have >= each:
                        break
    finally:
        await house.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--each", type=int, default=200, help="examples of a package")
    got = parser.parse_args()
    asyncio.run(run(got.work, got.each))


if __name__ == "__main__":
    main()
