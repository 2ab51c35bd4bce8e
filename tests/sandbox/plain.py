"""A plain run of pytest on this machine, and the one comparison of a judged workspace with it."""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from ocils.domain.judging import Broken, Failed, Passed, Plan, TestId, Unjudged, Verdict
from ocils.domain.text import Edit

from .yard import Yard

ASKED = 3

RECORDER = """
    import json, os
    import pytest
    from _pytest.reports import TestReport  # public from pytest 7 on

    KINDS = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(config):
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None or hasattr(config, "workerinput"):
            return
        found = []
        for kind in KINDS:
            found += [
                [each.nodeid, kind]
                for each in reporter.stats.get(kind, ())
                # A file that is skipped as a whole has no tests.
                if kind != "skipped" or isinstance(each, TestReport)
            ]
        with open(os.environ["RECORDED"], "w") as file:
            json.dump(found, file)
"""
"""Pytest's own words for what came of each test; it shares nothing with the reporter that is tried."""


def plain_run(
    root: Path, python: str, scratch: Path, arguments: tuple[str, ...] = ()
) -> tuple[int, dict[str, str]]:
    """Run ``python -m pytest`` in ``root``; returns its exit code and each test's outcome.

    Where a test is told twice (a sub-test, a failure and an error in tear-down) the worst counts.
    """
    scratch.mkdir(exist_ok=True)
    (scratch / "plain_recorder.py").write_text(textwrap.dedent(RECORDER))
    recorded = scratch / "recorded.json"
    recorded.unlink(missing_ok=True)
    environ = {
        k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COV_", "PYTHON"))
    }
    environ |= {
        "PYTHONPATH": str(scratch),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "RECORDED": str(recorded),
    }
    cache = f"cache_dir={scratch}/cache"
    done = subprocess.run(
        [python, "-m", "pytest", "-p", "plain_recorder", "-o", cache, "--maxfail=0", *arguments],
        cwd=root,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert recorded.exists(), f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    order = ("passed", "xpassed", "xfailed", "skipped", "error", "failed")
    worst: dict[str, str] = {}
    for test, kind in json.loads(recorded.read_text()):
        worst[test] = max(kind, worst.get(test, kind), key=order.index)
    return done.returncode, worst


def _save(edits: tuple[Edit, ...]) -> None:
    for edit in edits:
        path = Path(edit.path)
        data = path.read_bytes() if path.exists() else b""
        path.write_bytes(data[: edit.span.start] + edit.text.encode() + data[edit.span.end :])


async def agrees(
    yard: Yard,
    python: str,
    counts: dict[str, int],
    *,
    edits: tuple[Edit, ...] = (),
    fresh: bool = False,
    below: str = "",
) -> set[str]:
    """Judge the workspace as the plain run does: the same tests, the same outcomes, as many as said.

    ``edits`` are judged, and stand on disk for the plain run; their tests are then asked for by
    their ids as well, often enough for every level to be tried. ``below`` is a folder with a
    configuration of its own, whose tests the plain run names from there. ``fresh`` judges both in a
    warm slot and afresh. Returns the levels that judged.
    """
    _save(edits)
    arguments = (below,) if below else ()
    code, expected = plain_run(yard.root, python, yard.root.parent / "plain", arguments)
    if below:
        expected = {f"{below}/{test}": kind for test, kind in expected.items()}
    assert counts
    assert Counter(expected.values()) == counts, f"the plain run is not as foreseen: {expected}"
    levels: set[str] = set()
    for new in (False, True)[: 1 + fresh]:
        verdict = await yard.judge(edits, Plan(paths=arguments, seconds=60, fresh=new))
        if code == 2:
            assert isinstance(verdict, Broken), verdict
            return {verdict.level}
        assert isinstance(verdict, Passed if code == 0 else Failed), (code, verdict)
        levels.add(_same(verdict, expected))
    asked = Plan(tests=tuple(TestId(each) for each in expected), seconds=60)
    for _ in range(ASKED if edits else 0):
        levels.add(_same(await yard.judge(edits, asked), expected))
    return levels


def _same(verdict: Verdict, expected: Mapping[str, str]) -> str:
    found = {each.test: each.outcome for each in verdict.cases}
    differ = set(found.items()) ^ set(expected.items())
    assert not differ, f"{sorted(differ)} at {verdict}; plain: {expected}"
    return "" if isinstance(verdict, Unjudged) else verdict.level
