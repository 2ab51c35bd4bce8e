"""What a reader gave: a task, or why there is none; and the task's tests, run for real."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ocils.bench.task import Source, Task, Unusable

ROOT = "/bench"


def the_task(source: Source, name: str = "") -> Task:
    item = source.item(name or source.ids[0])
    assert isinstance(item, Task), item
    return item


def why(source: Source, name: str = "") -> str:
    item = source.item(name or source.ids[0])
    assert isinstance(item, Unusable), item
    return item.why


def passes(task: Task, folder: Path, *, solution: bool) -> dict[str, bool]:
    """Run a task's tests for real, on the original or the solution."""
    snapshot = task.solution if solution else task.original
    assert snapshot is not None
    for entry in snapshot.entries:
        path = folder / entry.path
        if entry.kind == "file":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(entry.data)
    options = ("-q", "-rA", "-p", "no:cacheprovider", "-p", "no:randomly", "--tb=no", *task.tests)
    ran = subprocess.run(
        [sys.executable, "-B", "-m", "pytest", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    told = [line.split(maxsplit=1) for line in ran.stdout.splitlines()]
    found = {
        words[1].partition(" - ")[0]: words[0] == "PASSED"
        for words in told
        if len(words) == 2 and words[0] in ("PASSED", "FAILED")
    }
    assert found, ran.stdout + ran.stderr
    return found


def check(task: Task, folder: Path, tests: int) -> None:
    """The original is red somewhere, the solution nowhere, on so many tests."""
    (folder / "one").mkdir()
    (folder / "two").mkdir()
    before = passes(task, folder / "one", solution=False)
    after = passes(task, folder / "two", solution=True)
    assert len(after) == len(before) == tests
    assert all(after.values())
    assert not all(before.values())
