"""What a verdict costs at each level, how many come a second, and what a warm slot costs to have.

The host arm is ``python -m pytest -q FILE`` with the workspace's own interpreter and plugins, arms in
turn, medians. Nothing is switched off in the sandbox: guard, restoring and cross-checks are in it.

Not covered: real projects (``agreement``), fresh confirmations, other machines' disks and loads.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from ocils.bench.environment import make_environment
from ocils.bench.figure import Bench, Figure
from ocils.domain.cancel import CancelToken
from ocils.domain.errors import UsageError
from ocils.domain.judging import Failed, Level, Passed, Plan, TestId
from ocils.domain.text import Edit, Snapshot, Span, apply_edits
from ocils.ports import Ports

LIBRARIES = tuple(name for name in ("numpy", "pandas") if importlib.util.find_spec(name))
MODULE = "shop/pricing.py"
OLD = b"cents > FREE_DELIVERY_FROM"
INTERPRETER = "tests/test_interpreter.py"
MEMORY = "tests/test_memory.py"
WARM_UP = 4
SETTLE_SECONDS = 0.5


class Arena:
    """A workspace, one edit of it that is right, and its nine tests."""

    def __init__(
        self, clean: Snapshot, ports: Ports, python: str, ids: tuple[TestId, ...] = ()
    ) -> None:
        self.clean = clean
        self.python = python
        self.ports = ports
        self.ids = ids
        self._path = f"{clean.root}/{MODULE}"
        self._round = 0

    @classmethod
    async def of(cls, bench: Bench, name: str = "basket", heavy: bool = False) -> Arena:
        """Lay out a copy of the test workspace.

        Either its module imports large libraries, and it has this program's packages; or it has an
        environment of its own with pytest alone.
        """
        lines = "".join(f"import {each}\n" for each in LIBRARIES) if heavy else ""
        clean, ports = await bench.like("basket", name, {MODULE: lines})
        python = sys.executable
        if not heavy:
            python = make_environment(Path(clean.root) / ".venv")
        arena = cls(clean, ports, python)
        await ports.sandbox.warm(clean, CancelToken())
        original = await ports.sandbox.judge(clean, (), Plan(), CancelToken())
        arena.ids = tuple(case.test for case in original.cases)
        await arena._check_interpreter()
        return arena

    def edits(self, level: Level = "L2") -> tuple[Edit, ...]:
        """Return a right edit whose text is new, so that nobody lives on a cache of the last one."""
        self._round += 1
        document = self.clean.document(self._path)
        assert document is not None  # the workspace is ours
        at = document.data.index(OLD)
        n = self._round
        inside = Edit(
            self._path, Span(at, at + len(OLD)), f"cents >= FREE_DELIVERY_FROM + {n} - {n}"
        )
        if level == "L2":
            return (inside,)
        return (Edit(self._path, Span(0, 0), f"# round {n}\n"), inside)

    async def judge(self, edits: tuple[Edit, ...], level: Level | None = None) -> float:
        """Return the seconds until the verdict, which must be green, at ``level``."""
        started = time.perf_counter()
        verdict = await self.ports.sandbox.judge(
            self.clean, edits, Plan(tests=self.ids), CancelToken()
        )
        seconds = time.perf_counter() - started
        if not isinstance(verdict, Passed) or level not in (None, verdict.level):
            raise UsageError(f"the right edit was judged {verdict}")
        return seconds

    async def host(self, edits: tuple[Edit, ...]) -> float:
        """Return the seconds that a plain pytest on the host takes; the file is put back."""
        document = self.clean.document(self._path)
        assert document is not None  # the workspace is ours
        _write(self._path, apply_edits(document, edits).data)
        try:
            started = time.perf_counter()
            done = await asyncio.create_subprocess_exec(
                self.python, "-m", "pytest", "-q", "tests/test_pricing.py",
                cwd=self.clean.root,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            if await done.wait():
                raise UsageError("the right edit is not green on the host")
            return time.perf_counter() - started
        finally:
            _write(self._path, document.data)

    async def settle(self, level: Level = "L2") -> None:
        """Judge until the slots have taken in what the original taught them, and have a suite."""
        width = self.ports.sandbox.width
        for _ in range(WARM_UP):
            await asyncio.gather(*(self.judge(self.edits(level)) for _ in range(width)))
            # Whoever learnt from the original starts its zygote again behind its verdict.
            await asyncio.sleep(SETTLE_SECONDS)

    def conditions(self, **more: object) -> dict[str, object]:
        """Say what was measured on."""
        return {
            "tests": len(self.ids),
            **more,
            "arms": "in turn",
            "isolation": self.ports.sandbox.isolation,
        }

    async def _check_interpreter(self) -> None:
        """The arms must run the same interpreter with the same packages."""
        prefix = str(Path(self.python).parents[1])
        text = f"import sys\n\ndef test_it():\n    assert sys.prefix == {prefix!r}\n"
        await self._extra(INTERPRETER, text, Passed)

    async def _extra(self, path: str, text: str, wanted: type[Passed | Failed]) -> str:
        """Judge one more test file; returns the message of its only test."""
        edits = (Edit(f"{self.clean.root}/{path}", Span(0, 0), text),)
        plan = Plan(tests=(TestId(f"{path}::test_it"),))
        verdict = await self.ports.sandbox.judge(self.clean, edits, plan, CancelToken())
        if not isinstance(verdict, wanted):
            raise UsageError(f"{path} was judged {verdict}")
        return verdict.cases[0].message

    async def memory(self) -> dict[str, float]:
        """Return what the container holds, and what of it is the asking candidate's own."""
        message = await self._extra(MEMORY, ASK_MEMORY, Failed)
        found: Mapping[str, float] = json.loads(
            message.partition("MEMORY ")[2].partition("}")[0] + "}"
        )
        return dict(found)


def _write(path: str, data: bytes) -> None:
    Path(path).write_bytes(data)


async def verdict_l1_small(bench: Bench, rounds: int = 24) -> Figure:
    """One warm verdict on nine tests, the workspace imported anew, over a plain pytest on the host."""
    return await _verdict(bench, "verdict_l1_small", "L1", False, rounds)


async def verdict_l2_small(bench: Bench, rounds: int = 24) -> Figure:
    """The same from a collected suite."""
    return await _verdict(bench, "verdict_l2_small", "L2", False, rounds)


async def verdict_l1_heavy(bench: Bench, rounds: int = 24) -> Figure:
    """As ``verdict_l1_small``, where the module imports a large library."""
    return await _verdict(bench, "verdict_l1_heavy", "L1", True, rounds)


async def verdict_l2_heavy(bench: Bench, rounds: int = 24) -> Figure:
    """As ``verdict_l2_small``, where the module imports a large library."""
    return await _verdict(bench, "verdict_l2_heavy", "L2", True, rounds)


async def _verdict(bench: Bench, name: str, level: Level, heavy: bool, rounds: int) -> Figure:
    arena = await Arena.of(bench, "heavy" if heavy else "small", heavy)
    await arena.settle(level)
    ours, plain = [], []
    for _ in range(rounds):
        edits = arena.edits(level)
        ours.append(await arena.judge(edits, level))
        plain.append(await arena.host(edits))
    one, two = statistics.median(ours), statistics.median(plain)
    conditions = arena.conditions(
        verdict_ms=round(one * 1000, 1),
        host_pytest_ms=round(two * 1000, 1),
        level=level,
        imports=", ".join(LIBRARIES) if heavy else "none",
        rounds=rounds,
    )
    return Figure(name, round(one / two, 3), "ratio", "lower", conditions)


async def verdicts_64_over_host(bench: Bench, rounds: int = 20, candidates: int = 64) -> Figure:
    """Verdicts a second on all slots, over plain runs a second on the host, one after another."""
    arena = await Arena.of(bench, "many")
    rates, plain = [], []
    for _ in range(rounds + 1):
        edits = [arena.edits() for _ in range(candidates)]
        started = time.perf_counter()
        await asyncio.gather(*(arena.judge(each) for each in edits))
        rates.append(candidates / (time.perf_counter() - started))
        plain.append(await arena.host(edits[-1]))
    host = 1 / statistics.median(plain)
    conditions = arena.conditions(
        candidates=candidates,
        slots=arena.ports.sandbox.width,
        verdicts_a_second=round(statistics.median(rates[1:]), 1),
        with_collecting_a_second=round(rates[0], 1),
        host_runs_a_second=round(host, 2),
        rounds=rounds,
    )
    value = round(statistics.median(rates[1:]) / host, 1)
    return Figure("verdicts_64_over_host", value, "ratio", "higher", conditions)


async def warmup_host_runs(bench: Bench, rounds: int = 20) -> Figure:
    """From nothing to the first verdict on a candidate, all slots started, in plain host runs."""
    ours, plain = [], []
    arena = await Arena.of(bench, "warm")
    for number in range(rounds + 1):
        clean, ports = await bench.like("basket", f"warm{number}")
        make_environment(Path(clean.root) / ".venv")
        cold = Arena(clean, ports, arena.python, arena.ids)
        started = time.perf_counter()
        await ports.sandbox.warm(clean, CancelToken())
        await cold.judge(cold.edits())
        ours.append(time.perf_counter() - started)
        await ports.sandbox.close()
        plain.append(await arena.host(arena.edits()))
    one, two = statistics.median(ours[1:]), statistics.median(plain[1:])
    conditions = arena.conditions(
        warmup_s=round(one, 3),
        host_pytest_ms=round(two * 1000, 1),
        slots=arena.ports.sandbox.width,
        rounds=rounds,
    )
    return Figure("warmup_host_runs", round(one / two, 2), "host runs", "lower", conditions)


ASK_MEMORY = """
import json, pathlib

def kib(path, name):
    for line in pathlib.Path(path).read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    return 0

def read(path):
    try:
        return pathlib.Path(path).read_text()
    except OSError:
        return ""

def test_it():
    v1 = "/sys/fs/cgroup/memory/"
    stat = read(v1 + "memory.stat") or read("/sys/fs/cgroup/memory.stat")
    found = {line.split()[0]: int(line.split()[1]) for line in stat.splitlines()}
    kernel = int(read(v1 + "memory.kmem.usage_in_bytes") or found.get("kernel", 0))
    memory = {
        "anon": found.get("anon", found.get("total_rss", 0)) / 2**20,
        "files_in_memory": found.get("shmem", found.get("total_shmem", 0)) / 2**20,
        "kernel": kernel / 2**20,
        "own": kib("/proc/self/smaps_rollup", "Private_Dirty") / 1024,
        "process": kib("/proc/self/status", "RssAnon") / 1024,
    }
    assert not memory, "MEMORY " + json.dumps({k: round(v, 1) for k, v in memory.items()})
"""


async def warm_memory_mib(bench: Bench, rounds: int = 20) -> Figure:
    """What a warm slot with a collected suite holds above what one pytest process with the same
    imports does: anonymous memory, files in memory and the kernel's, the asking candidate's own left out.
    """
    arena = await Arena.of(bench, "memory")
    await arena.settle()
    values = []
    for _ in range(rounds):
        found = await arena.memory()
        held = found["anon"] + found["files_in_memory"] + found["kernel"] - found["own"]
        values.append((held - found["process"], held, found["process"]))
        await arena.judge(arena.edits())
    above, held, process = (statistics.median(each) for each in zip(*values, strict=True))
    conditions = arena.conditions(
        slot_mib=round(held, 1), one_pytest_process_mib=round(process, 1), rounds=rounds
    )
    return Figure("warm_memory_mib", round(above, 1), "MiB", "lower", conditions)
