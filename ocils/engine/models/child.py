"""A process of ours that speaks JSON lines: started, listened to, and ended with all it started.

Not covered: what it does (``conversion.py``, ``examination.py``).
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ocils.domain.base import Value
from ocils.domain.cancel import CancelToken
from ocils.engine.models.hub import Stopped

_PR_SET_PDEATHSIG = 1
_LINES = 3  # of standard error that are told


class Ended(Value, frozen=True):
    """How it ended: its code (negative: a signal), and the last it said on standard error."""

    code: int
    said: str
    overdue: bool = False

    @property
    def how(self) -> str:
        """The end in words."""
        if self.overdue:
            return "it did not come to an end"
        if self.code < 0:
            name = signal.Signals(-self.code).name
            killed = ": the machine may have run out of memory" if name == "SIGKILL" else ""
            return f"its process was ended by {name}{killed}"
        return self.said or f"its process ended with code {self.code}"


def run_module(
    module: str,
    arguments: list[str],
    hear: Callable[[dict[str, object]], None],
    cancel: CancelToken,
    seconds: float | None = None,
) -> Ended:
    """Run ``python -m module`` and hand every JSON line to ``hear``. Raises ``Stopped``.

    After ``seconds``, or when cancelled, the whole process group is killed.
    """
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
            cwd="/",
            env={**os.environ, "PYTHONPATH": _path()},
        )
        overdue = threading.Event()

        def expire() -> None:
            overdue.set()
            _end(process)

        timer = threading.Timer(seconds, expire) if seconds else None
        if timer is not None:
            timer.daemon = True
            timer.start()
        try:
            with cancel.watch(lambda: _end(process)):
                assert process.stdout is not None
                for line in process.stdout:
                    _hand_on(line, hear)
                process.wait()
        finally:
            if timer is not None:
                timer.cancel()
            _end(process)
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if cancel.cancelled:
            raise Stopped
        errors.seek(0)
        said = errors.read().decode("utf-8", "replace").strip().splitlines()[-_LINES:]
    return Ended(process.returncode, " ".join(said), overdue.is_set())


def speak(**said: object) -> None:
    """Say something to the process that started this one."""
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def end_with_parent() -> None:
    """End this process when the one that started it is killed; elsewhere than on Linux, do nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))


def _path() -> str:
    """Return where the process finds ocils: where this one did, and never in a current folder.

    With ``-P`` and a folder of its own it imports nothing of the workspace that a user stands in.
    """
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    ours = str(Path(__file__).parents[3])
    return os.pathsep.join([ours, *(each for each in given if Path(each).is_absolute())])


def _hand_on(line: bytes, hear: Callable[[dict[str, object]], None]) -> None:
    try:
        said = json.loads(line)
    except ValueError:
        # A library's own print is none of our business.
        return
    if isinstance(said, dict):
        hear(said)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and all that it started, unless it is over already."""
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            time.sleep(0)
