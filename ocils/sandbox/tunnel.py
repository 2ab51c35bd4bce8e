"""An engine on another machine, reached by the user's own ``ssh``: its socket appears here.

Keys, hosts and jumps are ``ssh``'s affair (``~/.ssh/config``); it is never let ask for a password.

Not covered: starting the engine there; a tunnel that breaks is not mended, the slots are lost.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from ocils.domain.errors import SandboxUnavailable

OPEN_SECONDS = 30.0
REMOTE_SOCKET = "/var/run/docker.sock"


class Tunnel:
    """Forwards a socket of this machine to the engine at ``ssh://[user@]host[:port][/socket]``.

    Raises ``SandboxUnavailable``.
    """

    def __init__(self, url: str, environ: Mapping[str, str]) -> None:
        there = urlsplit(url)
        if shutil.which("ssh", path=environ.get("PATH")) is None:
            raise SandboxUnavailable("there is no ssh command", mend="install openssh-client")
        if not there.hostname or there.hostname.startswith("-"):
            raise SandboxUnavailable(f"{url} names no machine", mend="write ssh://user@host")
        self._folder = tempfile.mkdtemp(prefix="ocils-ssh-")
        path = f"{self._folder}/engine.sock"
        self.url = f"unix://{path}"
        user = [f"-l{there.username}"] if there.username else []
        port = [f"-p{there.port}"] if there.port else []
        options = ("BatchMode=yes", "ExitOnForwardFailure=yes", "ServerAliveInterval=15", "ControlPath=none")  # fmt: skip
        forward = f"{path}:{there.path.rstrip('/') or REMOTE_SOCKET}"
        command = ["ssh", "-N", "-T", *(f"-o{each}" for each in options), *user, *port]
        self._process = subprocess.Popen(
            [*command, "-L", forward, "--", there.hostname],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=dict(environ),
        )
        until = time.monotonic() + OPEN_SECONDS
        while not os.path.exists(path):
            if self._process.poll() is not None or time.monotonic() > until:
                said = self._end()
                raise SandboxUnavailable(
                    f"no tunnel to {url}: {said or 'it does not open'}",
                    mend=f"try it by hand: {' '.join(['ssh', *user, *port, there.hostname])} true",
                )
            time.sleep(0.02)

    def close(self) -> None:
        """End the tunnel. Never raises, may be called twice."""
        self._end()

    def _end(self) -> str:
        """End ``ssh`` and return the last line that it said."""
        self._process.terminate()
        try:
            _, said = self._process.communicate(timeout=5)
        except (subprocess.TimeoutExpired, ValueError):
            self._process.kill()
            with contextlib.suppress(ValueError):  # closed before
                self._process.communicate()
            said = b""
        shutil.rmtree(self._folder, ignore_errors=True)
        lines = said.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""
