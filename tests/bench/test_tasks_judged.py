"""The whole command, judged by containers: tasks that delete, hang and eat memory among good ones."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

CHECK = "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(3) == 6\n    assert candidate(0) == 0\n"


def record(name: str, broken: str, before: str = "", right: str = "    return n + n\n") -> str:
    """One record in HumanEvalFix's form; ``before`` runs in front of the assertions."""
    check = CHECK.replace("(candidate):\n", f"(candidate):\n{before}", 1)
    found = {
        "task_id": name,
        "prompt": "def twice(n):\n",
        "entry_point": "twice",
        "canonical_solution": right,
        "buggy_solution": broken,
        "test": check,
    }
    return json.dumps(found)


DELETES = (
    "    import os, shutil\n"
    "    for each in os.listdir('.'):\n"
    "        shutil.rmtree(each, ignore_errors=True) if os.path.isdir(each) else None\n"
    "    for each in ('/tmp', os.path.expanduser('~')):\n"
    "        shutil.rmtree(each, ignore_errors=True)\n"
)
BENCHMARK = [
    record("plain", "    return n - n\n"),
    record("deletes", "    return n - n\n", DELETES),
    record("endless", "    while n == 2:\n        pass\n    return n + n\n"),
    record("hungry", "    return n + n if n != 3 else [b'x' * (1 << 28) for _ in range(64)]\n"),
    record("red", "    return n\n", right="    return n + 1\n"),
    record("quits", "    return n * n\n", right="    import os\n    os._exit(0)\n"),
    '{"task_id": "cut", "prompt": "def tw',
]


def bench(*words: str) -> tuple[int, dict[str, dict[str, object]], str]:
    """Run the command; give its code, the tasks' outcomes by name, and what it told people."""
    ran = subprocess.run(
        [sys.executable, "-m", "ocils", "bench", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    found = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    return ran.returncode, {each["task"]: each for each in found}, ran.stderr


@pytest.mark.docker
@pytest.mark.timeout(500)
def test_a_benchmark_with_every_kind_of_task_is_measured_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_bytes("\n".join(BENCHMARK).encode() + b'\n{"task_id": "\xff"}\n')
    words = ("tasks", str(path), "--model", "rules", "--candidates", "16", "--jobs", "2", "--json")
    out = tmp_path / "out"
    files = ("--journal", str(tmp_path / "journal"), "--out", str(out))
    code, found, told = bench(*words, *files)
    assert code == 0, told
    assert len(found) == 8
    assert found["plain"]["outcome"] == "green", found["plain"]
    assert found["plain"]["same"]
    assert "the run replaced" in str(found["deletes"]["why"])
    assert found["endless"]["type"] == found["hungry"]["type"] == "Solved"
    assert "its solution is red" in str(found["red"]["why"])
    assert "its solution cannot be judged" in str(found["quits"]["why"])
    reasons = [str(each["why"]) for each in found.values() if each["type"] == "Unusable"]
    assert any("cut short" in why for why in reasons)
    assert any("not UTF-8" in why for why in reasons)
    report = json.loads(out.with_suffix(".json").read_text())
    assert report["summary"]["tasks"] == 3
    assert len(report["unusable"]) == 5
    assert str(tmp_path) not in out.with_suffix(".json").read_text()
    assert out.with_suffix(".svg").read_text().startswith("<svg")
    assert "| tasks | 3 |" in out.with_suffix(".md").read_text()
    # The same again, from the journal: nothing is judged, and the report is the same.
    again, known, _ = bench(*words, *files)
    assert (again, known) == (0, found)
    two = json.loads(out.with_suffix(".json").read_text())
    assert two["results"] == report["results"]


def test_what_cannot_be_measured_is_a_usage_error(tmp_path: Path) -> None:
    code, _, told = bench("tasks", str(tmp_path))
    assert code == 2
    assert "say which it is by --format" in told
    code, _, told = bench("compare", str(tmp_path / "none.json"))
    assert code == 2
    assert "cannot be read" in told
