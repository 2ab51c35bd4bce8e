"""Starts a plain pytest and reads what it noted.

Not covered: what the outcomes mean (``agreement``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from ocils.domain.base import Value

PLUGIN = Path(__file__).with_name("ocils_plain.py")


class Plain(Value, frozen=True):
    """What a plain run did.

    ``status`` is pytest's own exit code, None where it did not get to its end: ended from outside
    after ``limit`` seconds when ``timed_out``, by itself or by a signal otherwise. ``entered`` maps
    a test file ("" is collection) to the (path, first line) of the code that ran in it.
    """

    seconds: float
    timed_out: bool = False
    status: int | None = None
    collected: tuple[str, ...] = ()
    outcomes: dict[str, str] = msgspec.field(default_factory=dict)
    durations: dict[str, float] = msgspec.field(default_factory=dict)
    entered: dict[str, tuple[tuple[str, int], ...]] = msgspec.field(default_factory=dict)


class _Notes(Value, frozen=True):
    status: int
    collected: tuple[str, ...]
    outcomes: dict[str, str]
    seconds: dict[str, float]
    entered: dict[str, tuple[tuple[str, int], ...]]


async def plain(
    root: Path, python: str, arguments: Sequence[str], limit: float, *, follow: bool = False
) -> Plain:
    """Run ``python -m pytest`` in ``root``; ``follow`` notes which code each test file ran.

    No bytecode is written, so that a change of the same size within the same second is seen.
    """
    with tempfile.TemporaryDirectory(prefix="ocils-plain-") as scratch:
        shutil.copy(PLUGIN, scratch)
        notes = Path(scratch) / "notes.json"
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYTEST"))}
        env = {
            **kept,
            "PYTHONPATH": scratch,
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "OCILS_PLAIN_NOTES": str(notes),
            "OCILS_PLAIN_MAP": "yes" if follow else "",
        }
        started = time.perf_counter()
        run = await asyncio.create_subprocess_exec(
            python, "-m", "pytest", "-q", "-p", "ocils_plain",
            "-o", f"cache_dir={scratch}/cache", *arguments,
            cwd=root, env=env, start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        timed_out = False
        try:
            await asyncio.wait_for(run.wait(), limit)
        except TimeoutError:
            timed_out = True
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)
            await run.wait()
        seconds = time.perf_counter() - started
        try:
            found = msgspec.json.decode(notes.read_bytes(), type=_Notes)
        except (OSError, msgspec.MsgspecError):
            return Plain(seconds, timed_out)
        return Plain(
            seconds,
            timed_out,
            None if timed_out else found.status,
            found.collected,
            found.outcomes,
            found.seconds,
            found.entered,
        )
