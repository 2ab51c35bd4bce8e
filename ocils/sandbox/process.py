"""The ``process`` runtime: no container, no isolation; for whoever asks for it in their own settings.

Candidates run with all the user's rights. What is kept: a copy of the workspace, a home and a
temporary folder of their own, a cleaned environment, limits on time, output and memory, and an
honest reading of the report. What is not: files, network and processes of the user are open.

Not covered: falling back to this runtime, which never happens by itself.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ocils.domain.errors import SandboxUnavailable
from ocils.sandbox.container import MIB, SILENCE
from ocils.sandbox.host import choose_python, host_environ
from ocils.sandbox.interpreter import read_interpreter
from ocils.sandbox.line import START_SECONDS, LocalLine, SlotLost
from ocils.sandbox.runtime import Choice, ProcessRuntime
from ocils.sandbox.slot import Slot

BOOT = "import sys; sys.path.insert(0, sys.argv[2]); from ocils_inside import alone; alone.main()"
END_SECONDS = 10.0


def process_runtime(root: str, choice: Choice, environ: Mapping[str, str]) -> ProcessRuntime:
    """Plan the processes for the workspace at ``root``. Raises ``SandboxUnavailable``."""
    root = os.path.realpath(root)
    found = choose_python(root, choice.python, environ)
    home = environ.get("HOME") or os.path.expanduser("~")
    interpreter = read_interpreter(found.python, home)
    inside = interpreter.environment
    return ProcessRuntime(
        root=root,
        found=found,
        environ=tuple(sorted(host_environ(interpreter, home, environ).items())),
        environment_inside=inside if inside.startswith(root + "/") else "",
    )


class ProcessPlace:
    """Starts guarded processes, whose folders are in ``shelf`` (or where temporary folders go).

    ``translate``: use no mount namespace, as where none is allowed.
    """

    def __init__(
        self, runtime: ProcessRuntime, shelf: str | None = None, *, translate: bool = False
    ) -> None:
        self.runtime = runtime
        self.isolation = Choice("process").isolation
        self._shelf = shelf
        self._translate = translate

    def start(self, memory_mib: int, size: int) -> Slot:
        """Start a guard and what serves us; ``memory_mib`` bounds each process of a candidate's."""
        folder = tempfile.mkdtemp(prefix="ocils-process-", dir=self._shelf)
        for name in ("work", "home", "tmp", "runner"):
            Path(folder, name).mkdir()
        # A copy: the workspace's interpreter would leave its bytecode beside ours.
        inside = Path(__file__).parent / "inside"
        shutil.copytree(
            inside, f"{folder}/runner/ocils_inside", ignore=shutil.ignore_patterns("__pycache__")
        )
        settings = {
            "root": self.runtime.root,
            "folder": folder,
            "runner": f"{folder}/runner",
            "environment": self.runtime.environment_inside,
            "silence": SILENCE,
            "memory": memory_mib * MIB + size,
            "translate": self._translate,
        }
        near, far = socket.socketpair()
        errors = f"{folder}/errors"
        with far, Path(errors).open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", BOOT, json.dumps(settings), f"{folder}/runner"],
                stdin=far.fileno(),
                stdout=far.fileno(),
                stderr=file,
                env={},
                cwd="/",
                start_new_session=True,
            )
        line = LocalLine(near, errors)

        def remove() -> None:
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            shutil.rmtree(folder, ignore_errors=True)

        try:
            line.hear(START_SECONDS)
        except SlotLost as error:
            line.close()
            remove()
            raise SandboxUnavailable(f"the process runtime does not start: {error}") from error
        own = {"HOME": f"{folder}/home", "TMPDIR": f"{folder}/tmp"}  # noqa: S108 - it is ours
        environ = tuple(sorted({**dict(self.runtime.environ), **own}.items()))
        return Slot(_with(self.runtime, environ), line, remove)

    def close(self) -> None:
        """Nothing is held but by the slots."""


def _with(runtime: ProcessRuntime, environ: tuple[tuple[str, str], ...]) -> ProcessRuntime:
    return ProcessRuntime(runtime.root, runtime.found, environ, runtime.environment_inside)
