"""Hundreds of candidates while somebody kills at random: no verdict lost, none mixed up, nothing left.

``python -m tests.sandbox.soak 500 [SEED]`` judges so many, prints one JSON object, and ends with 1 when any
of it is wrong: a verdict lost or mixed up, a container left, memory or descriptors that grow between
the first quarter's end and the last's. Every candidate has a
verdict of its own that is known beforehand, down to a number in its message. Children, zygotes,
containers and single connections to the engine are killed meanwhile; a child that was killed may be
reported as killed, and one that was lost twice as unjudged, and nothing else may differ.

Not covered: an engine that stays away (``test_slots.py``). Killing single processes of a container needs
root; others kill containers and connections only.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import SandboxUnavailable
from ocils.domain.judging import Failed, Killed, Passed, Plan, TestId, TimedOut, Unjudged, Verdict
from ocils.sandbox.engine import Engine
from ocils.sandbox.inside.owners import CANDIDATE
from ocils.sandbox.owner import LABEL, current_owner
from ocils.sandbox.pool import DockerSandbox
from ocils.workspace.disk import DiskWorkspace

from .relay import Relay
from .yard import GOOD, lay_out, replace

TESTS = "import pytest\nfrom shop import price\n\n@pytest.mark.parametrize('p', [0, 10, 50])\ndef test_price(p):\n    assert price(100, p) == 100 - p\n"
FILES = {"shop.py": GOOD, "tests/test_shop.py": TESTS}
SPARED = 0.8
MEMORY = 16.0
"""MiB that the allocator may keep; a verdict that is held weighs kilobytes, so 500 would show."""

DESCRIPTORS = 9
"""Two threads may have asked the engine at once, and not before; the relay makes three of each."""

UNJUDGED = 0.05
"""The share of candidates whose container may be killed twice in a row."""

KINDS = (
    "right",
    "wrong",
    "wrong",
    "raises",
    "raises",
    "exits",
    "syntax",
    "prints",
    "writes",
    "hangs",
)


def candidate(kind: str, number: int) -> str:
    """Return a text of ``kind`` whose verdict holds ``number``."""
    body = {
        "right": f"x = {number}; return amount - amount * percent / 100",
        "wrong": f"return {number} + 1000",
        "raises": f"raise ValueError({number})",
        "exits": f"import os; os._exit({number % 200 + 1})",
        "prints": f"print('{number}' * 999); return {number} + 1000",
        "writes": f"open('left{number}', 'w').close(); assert len(__import__('os').listdir('.')) == 4, {number}; raise ValueError({number})",
        "hangs": "while True: pass",
        "syntax": f"return {number} = 1",
    }[kind]
    return f"def price(amount, percent):\n    {body}\n"


def is_right(kind: str, number: int, verdict: Verdict) -> bool:
    """Tell whether ``verdict`` is the candidate's own."""
    first = next((case for case in verdict.cases if not case.passed), None)
    said = first.message if first is not None else ""
    match kind:
        case "right":
            return isinstance(verdict, Passed) and len(verdict.cases) == 3
        case "wrong" | "prints":
            return isinstance(verdict, Failed) and str(number + 1000) in said
        case "raises" | "writes":
            return isinstance(verdict, Failed) and said == f"ValueError: {number}"
        case "exits":
            return isinstance(verdict, Killed) and f"status {number % 200 + 1}" in verdict.detail
        case "hangs":
            return isinstance(verdict, TimedOut)
        case _:
            return getattr(verdict, "kind", "") == "syntax"


class Saboteur:
    """Kills something of this process's containers now and then; ``done`` counts what."""

    def __init__(self, relay: Relay, seed: int) -> None:
        self.done: Counter[str] = Counter()
        self._relay = relay
        self._random = random.Random(seed)
        self._engine = Engine(os.environ)
        self._client = self._engine.client

    async def strike(self) -> None:
        """Kill something in a moment, or spare it; called once a candidate, so that speed is no matter."""
        kinds = ["container", "connection"] + ["child", "zygote"] * 2 * (os.geteuid() == 0)
        kind, pause = self._random.choice(kinds), self._random.random() * 0.3
        if self._random.random() < SPARED:
            return
        await asyncio.sleep(pause)
        if kind == "connection":
            await self._relay.drop(self._random.randrange(99))
            self.done[kind] += 1
        elif await asyncio.to_thread(self._kill, kind):
            self.done[kind] += 1

    def close(self) -> None:
        """Let go of the engine."""
        self._engine.close()

    def _kill(self, kind: str) -> bool:
        with contextlib.suppress(DockerException, OSError):
            label = f"{LABEL}={current_owner()}"
            found = self._client.containers.list(filters={"label": label})
            if not found:
                return False
            container = self._random.choice(found)
            if kind == "container":
                container.kill()
                return True
            first = int(container.attrs["State"]["Pid"])
            there = [pid for pid in _processes(first) if pid != first]
            wanted = [pid for pid in there if (_user(pid) == CANDIDATE) == (kind == "child")]
            if wanted:
                os.kill(self._random.choice(wanted), signal.SIGKILL)
                return True
        return False


def _processes(first: int) -> list[int]:
    """Return the processes of the container whose first process is ``first``."""
    space = Path(f"/proc/{first}/ns/pid").readlink()
    found = []
    for each in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if each.name.isdigit() and (each / "ns/pid").readlink() == space:
                found.append(int(each.name))
    return found


def _user(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def footprint() -> tuple[float, Counter[str]]:
    """Return this process's memory in MiB, and its descriptors by what they are."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    kinds: Counter[str] = Counter()
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one that lists the folder
            kinds[re.sub(r"[0-9]+", "", str(each.readlink()))] += 1
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20), kinds


def containers() -> int:
    """Return how many containers this process has, dead or alive."""
    client = docker.from_env()
    label = {"label": f"{LABEL}={current_owner()}"}
    count = len(client.api.containers(all=True, filters=label))
    client.close()
    return count


async def soak(root: Path, python: str, count: int, *, seed: int = 1) -> dict[str, Any]:
    """Judge ``count`` candidates while a saboteur works; returns what came of it."""
    lay_out(root / "work", FILES)
    relay = Relay(root / "engine.sock")
    await relay.start()
    environ = {**os.environ, "DOCKER_HOST": f"unix://{relay.path}"}
    work = str(root / "work")
    sandbox = DockerSandbox(work, python=python, width=2, environ=environ, memory_mib=512)
    snapshot = await DiskWorkspace(work).snapshot()
    before = containers()
    await sandbox.warm(snapshot, CancelToken())
    await sandbox.judge(snapshot, (), Plan(seconds=20), CancelToken())
    saboteur = Saboteur(relay, seed)
    choose = random.Random(seed)
    tests = tuple(TestId(f"tests/test_shop.py::test_price[{p}]") for p in (0, 10, 50))
    came: Counter[str] = Counter()
    why: Counter[str] = Counter()
    wrong: list[str] = []
    started = time.monotonic()
    strikes: set[asyncio.Task[None]] = set()

    async def judge(numbers: Iterator[int]) -> None:
        for number in numbers:
            kind = choose.choice(KINDS[: 9 if number % 25 else 10])
            edits = replace(snapshot, "shop.py", candidate(kind, number))
            plan = Plan(
                tests=tests, seconds=1.5 if kind == "hangs" else 20, stop_early=number % 2 == 0
            )
            strikes.add(asyncio.create_task(saboteur.strike()))
            try:
                verdict = await sandbox.judge(snapshot, edits, plan, CancelToken())
            except SandboxUnavailable as problem:
                came["unavailable"] += 1
                why[problem.message[-200:]] += 1
                continue
            if is_right(kind, number, verdict):
                came["right"] += 1
            elif isinstance(verdict, Unjudged):
                came["unjudged"] += 1
                why[f"{verdict.why}: {verdict.detail[-200:]}"] += 1
            elif (
                isinstance(verdict, Killed)
                and verdict.detail == "signal 9"
                and saboteur.done["child"]
            ):
                came["child killed"] += 1
            else:
                wrong.append(f"{kind} {number}: {verdict}")

    async def rest() -> tuple[float, Counter[str]]:
        """Wait for the saboteur, see to it that both slots live, and look at what is held."""
        await asyncio.gather(*strikes)
        strikes.clear()
        right = replace(snapshot, "shop.py", GOOD)
        plan = Plan(tests=tests, seconds=20)
        await asyncio.gather(*(sandbox.judge(snapshot, right, plan, CancelToken()) for _ in "ab"))
        return footprint()

    looks = []
    for part in (range(count // 4), range(count // 4, count)):
        numbers = iter(part)
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(judge(numbers))
        looks.append(await rest())
    early, late = looks
    seconds = time.monotonic() - started
    saboteur.close()
    await sandbox.close()
    await relay.cut()
    for _ in range(100):
        if containers() <= before:
            break
        await asyncio.sleep(0.2)
    return {
        "candidates": count,
        "seconds": round(seconds, 1),
        **came,
        "lost": count - sum(came.values()) - len(wrong),
        "mixed up": wrong,
        "why not": dict(why.most_common(5)),
        "killed": dict(saboteur.done),
        "orphans": containers() - before,
        "memory grew by MiB": round(late[0] - early[0], 1),
        "descriptors grew by": late[1].total() - early[1].total(),
        "of these": dict(late[1] - early[1]),
    }


def faults(came: dict[str, Any]) -> list[str]:
    """Name what must not be in a soak's outcome and is."""
    none = ("lost", "mixed up", "orphans", "unavailable")
    found = [each for each in none if came.get(each)]
    limits = {"memory grew by MiB": MEMORY, "descriptors grew by": DESCRIPTORS}
    found += [each for each, limit in limits.items() if came[each] > limit]
    if came.get("unjudged", 0) > came["candidates"] * UNJUDGED:
        found.append("unjudged")
    if came.get("right", 0) < came["candidates"] // 2:
        found.append("right")
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        how_many = int(sys.argv[1]) if len(sys.argv) > 1 else 500
        drawn = int(sys.argv[2]) if len(sys.argv) > 2 else 1
        outcome = asyncio.run(soak(Path(folder), sys.executable, how_many, seed=drawn))
        wrong = faults(outcome)
        print(json.dumps({**outcome, "faults": wrong}, indent=1))
        sys.exit(bool(wrong))
