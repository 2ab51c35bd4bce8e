"""Green rates of several models on the same planted bugs, judging each candidate only once.

    PYTHON models/tiny/greens.py OUT --models A,B --project humanize --each 10 --candidates 64

It is `ocils bench projects`, a model after another, with one sandbox that remembers its verdicts: two
models propose much the same edits, and a verdict does not depend on who proposed. OUT/NAME.json is
what `ocils bench` writes, whose counts of candidates are true and whose seconds are not: they are
left out of what is made of it. A model that has its file is not measured again. PYTHON is ocils'
own environment.

It does not cover preparing the models' folders (`convert.py`, with a manifest `ocils.toml` in each).
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import msgspec
from ocils.bench.measured import Part, measured
from ocils.bench.planted import planted
from ocils.domain.cancel import CancelToken
from ocils.domain.judging import Broken, CaseResult, Failed, Passed, Plan, TimedOut, Verdict
from ocils.domain.text import Edit, Snapshot
from ocils.ports import Ports, Sandbox
from ocils.wiring import build


class Remembering:
    """The sandbox of a workspace, which judges nothing twice. Closing it closes nothing."""

    def __init__(self, inner: Sandbox) -> None:
        self.inner = inner
        self.known: dict[bytes, Verdict] = {}
        self.asked = 0

    @property
    def width(self) -> int:
        """One at a time: what is remembered would else overtake what is judged."""
        return 1

    @property
    def isolation(self) -> str:
        """What runs the candidates, for people."""
        return self.inner.isolation

    async def warm(self, snapshot: Snapshot, cancel: CancelToken) -> None:
        """Nothing: what was judged before needs no warmth, and the rest warms by itself."""

    async def judge(
        self, snapshot: Snapshot, edits: tuple[Edit, ...], plan: Plan, cancel: CancelToken,
        seen: Callable[[CaseResult], None] | None = None,
    ) -> Verdict:  # fmt: skip
        """The verdict, from memory where the same tests were asked of the same program."""
        tests = tuple(sorted(plan.tests)) if plan.stop_early else plan.tests
        same = msgspec.structs.replace(plan, tests=tests, seconds=0.0)
        key = msgspec.json.encode((snapshot.hash, edits, same))
        self.asked += 1
        if (known := self.known.get(key)) is None:
            known = await self.inner.judge(snapshot, edits, plan, cancel, seen)
            if isinstance(known, Passed | Failed | Broken | TimedOut):
                self.known[key] = known
        elif seen is not None:
            for case in known.cases:
                seen(case)
        return known

    async def close(self) -> None:
        """Nothing: the other models are to come."""


async def run(got: argparse.Namespace) -> None:
    house, cancel = build(), CancelToken()
    remembered: dict[int, Remembering] = {}
    got.out.mkdir(parents=True, exist_ok=True)
    try:
        for model in got.models.split(","):
            name = Path(model).name
            report = got.out / f"{name}.json"
            if report.exists():
                continue
            house.choose("ocils-tiny" if model == "bundled" else model)

            async def parts() -> AsyncGenerator[Part, None]:
                checkout = Path(__file__).parent.parent.parent
                async for part in planted(house, checkout, cancel, each=got.each,
                                          only=got.project, journal=got.journal):  # fmt: skip
                    inner = part.ports.sandbox
                    known = remembered.setdefault(id(inner), Remembering(inner))
                    ports = Ports(part.ports.engine, known, part.ports.recorder)
                    yield Part(part.source, ports)

            table = {"seed": 0, "turns": 60, "seconds": 3600.0, "jobs": 1, "limit": 0,
                     "json": False, "model": model, "out": report, "python": ""}  # fmt: skip
            await measured(
                parts(), cancel, argparse.Namespace(**{**vars(got), **table}), "projects"
            )
            for known in remembered.values():
                print(name, known.asked, "asked so far,", len(known.known), "judged", flush=True)
    finally:
        await house.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--models", required=True, help="folders or names, by commas")
    parser.add_argument("--project", required=True, help="of tests/bench/projects.toml, by commas")
    parser.add_argument("--each", type=int, default=10, help="bugs a project")
    parser.add_argument("--only", default="", help="only the tasks of these names, by commas")
    parser.add_argument("--candidates", type=int, default=64)
    parser.add_argument("--journal", type=Path, help="a folder to keep surveys and outcomes in")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
