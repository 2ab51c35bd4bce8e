"""Arms of a measurement that are processes of their own: told what to do, one line at a time.

Not covered: what an arm does (``ocils.engine.arm``, and ``tests/bench/arms`` for the competition).
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import platformdirs

from ocils.domain.errors import EnvironmentProblem

_LINE = 64 * 1024 * 1024
_ENOUGH = 30.0  # seconds for an arm to leave by itself


class Arm:
    """One running arm."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._process = process

    async def ask(self, do: str, **numbers: int | str) -> dict[str, object]:
        """Have it do something; return what it says. Raises ``EnvironmentProblem``."""
        into, out = self._process.stdin, self._process.stdout
        assert into is not None, "the arm was started with a pipe"
        assert out is not None, "the arm was started with a pipe"
        line = b""
        with suppress(ConnectionError):
            into.write(msgspec.json.encode({"do": do, **numbers}) + b"\n")
            await into.drain()
            line = await out.readline()
        if not line:
            raise EnvironmentProblem(f"the arm {self.name} ended by itself")
        answer = msgspec.json.decode(line, type=dict[str, object])
        if "error" in answer:
            raise EnvironmentProblem(f"the arm {self.name} failed: {answer['error']}")
        return answer

    async def speed(self, do: str, **numbers: int | str) -> float:
        """Have it draw; return tokens a second."""
        answer = await self.ask(do, **numbers)
        return float(str(answer["tokens"])) / float(str(answer["seconds"]))


@asynccontextmanager
async def arm(
    name: str, command: Sequence[str], environment: dict[str, str] | None = None
) -> AsyncIterator[Arm]:
    """Start an arm and end it with the block. Raises ``EnvironmentProblem``."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **(environment or {})},
        limit=_LINE,
    )
    try:
        yield Arm(name, process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _ENOUGH)
        except TimeoutError:
            process.kill()
            await process.wait()


async def random_model(name: str) -> Path:
    """Return the folder of the random model of that shape, made now unless it was made before.

    It lies in the user's cache folder: the largest takes gigabytes. Raises ``EnvironmentProblem``.
    """
    folder = platformdirs.user_cache_path("ocils") / "bench" / name
    if not (folder / "ocils.toml").is_file():
        command = (sys.executable, "-m", "ocils.engine.random_model", name, str(folder))
        process = await asyncio.create_subprocess_exec(*command, stdout=sys.stderr)
        if await process.wait():
            raise EnvironmentProblem(f"the random model {name} could not be written to {folder}")
    return folder


def ours(folder: Path, *more: str) -> tuple[str, ...]:
    """Return the command of the arm that is ocils, or with ``--bare`` CTranslate2 as it comes."""
    return (sys.executable, "-m", "ocils.engine.arm", str(folder), *more)
