"""Runs a language's own test command for one candidate, and sends on the JUnit XML that it wrote.

The command runs as the candidate, below this process, with its limits; nothing of the workspace
runs in here, and nobody of the candidate's user can look in (the process is not dumpable), so the
records are ours. Their content is not: the XML was written by the candidate's own processes.

Records (``t``): ``start`` of a step · ``step`` its exit code and the files in its report folder ·
``xml`` a piece of the report · ``read`` the report is complete · ``ended``.

Not covered: what the XML says (the host reads it), a step's time (the supervisor ends the run).
"""

from __future__ import annotations

import ctypes
import os
import shutil
import stat
import subprocess
import sys
import time
from typing import Any

from .records import Records

PR_SET_DUMPABLE = 4
REPORT = "report.xml"
LARGEST = 16 << 20
PIECE = 32 << 10
LISTED = 8
NOT_STARTED = 127


class Commanded(Records):
    """One candidate's steps; ``order["commands"]`` says which."""

    def __init__(self, report: int, order: dict[str, Any], settings: dict[str, Any]) -> None:
        super().__init__(report, order)
        self._commands: dict[str, Any] = order["commands"]
        self._root: str = settings["root"]

    def run(self) -> int:
        """Take every step, each with a fresh folder of an unguessable name for its report."""
        top = f"{os.environ.get('TMPDIR', '/tmp')}/ocils-{self._commands['folder']}"
        os.mkdir(top, 0o700)
        for number, argv in enumerate(self._commands["steps"]):
            folder = f"{top}/{number}"
            os.mkdir(folder, 0o700)
            self._send(t="start", step=number)
            started = time.monotonic()
            code = self._call(argv, f"{folder}/{REPORT}")
            seconds = time.monotonic() - started
            self._fetch(f"{folder}/{REPORT}")
            found = sorted(os.listdir(folder))[:LISTED]
            self._send(t="step", step=number, code=code, seconds=seconds, found=found)
            if found == [REPORT]:
                self._pass_on(f"{folder}/{REPORT}")
        self._send(t="ended")
        return 0

    def _call(self, argv: list[str], report: str) -> int:
        named = [each.replace("{report}", report) for each in argv]
        more = {k: v.replace("{report}", report) for k, v in self._commands["environment"].items()}
        path = os.environ.get("PATH", os.defpath)
        if os.path.dirname(named[0]):
            path = f"{os.path.dirname(named[0])}:{path}"
        environment = {**os.environ, "PATH": path, **more}
        try:
            return subprocess.call(named, stdin=subprocess.DEVNULL, cwd=self._root, env=environment)
        except OSError as problem:
            sys.stderr.write(f"{named[0]}: {problem}\n")
            return NOT_STARTED

    def _fetch(self, report: str) -> None:
        """Take the report from where a runner insists on writing it."""
        written = self._commands["written"]
        if written and os.path.isfile(written) and not os.path.lexists(report):
            shutil.move(written, report)

    def _pass_on(self, report: str) -> None:
        """Send the report as it is; a link, a pipe or something huge is sent as nothing."""
        try:
            number = os.open(report, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return
        with os.fdopen(number, "rb") as file:
            found = os.fstat(number)
            if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
                return
            data = file.read(LARGEST)
        for at in range(0, len(data), PIECE):
            self._send(t="xml", data=data[at : at + PIECE].decode("latin-1"))
        self._send(t="read")


def run(order: dict[str, Any], report: int, settings: dict[str, Any]) -> int:
    """Run the commands of ``order``; returns this process's exit status."""
    # Closes our memory, with the nonce in it, and our descriptors to the candidate's processes.
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    os.set_inheritable(report, False)
    return Commanded(report, order, settings).run()
