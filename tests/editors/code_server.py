"""A real VS Code, served to a browser: installed extension, own settings, own folders, ended for sure.

Not covered: what is done in it; that is told by the scripts in ``vscode/drive``.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DRIVES = Path(__file__).parent / "vscode" / "drive"
TOOLS = ROOT / ".cache" / "vscode"
NODE = TOOLS / "node" / "bin" / "node"
SERVER = TOOLS / "tools/node_modules/code-server/lib/vscode/out/server-main.js"
_START, _END = 60.0, 20.0  # seconds

# What would move, ask, or tell something in the pictures without being ours.
_QUIET = {
    "chat.commandCenter.enabled": False,
    "chat.disableAIFeatures": True,
    "editor.minimap.enabled": False,
    "editor.cursorBlinking": "solid",
    "extensions.ignoreRecommendations": True,
    "files.autoSave": "off",
    "explorer.autoReveal": False,
    "remote.autoForwardPorts": False,
    "scm.diffDecorations": "none",
    "testing.automaticallyOpenTestResults": "neverOpen",
    "telemetry.telemetryLevel": "off",
    "update.mode": "none",
    "window.commandCenter": False,
    "workbench.layoutControl.enabled": False,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": False,
}


class CodeServer:
    """One VS Code with a profile of its own. Use as a context manager."""

    def __init__(
        self,
        folder: Path,
        settings: dict[str, Any],
        *,
        host: Path | None = None,
        trusting: bool = True,
    ) -> None:
        self._folder = folder
        self._port = _free_port()
        self._host = host
        self._trusting = trusting
        self._process: subprocess.Popen[bytes] | None = None
        for place in ("User", "Machine"):
            target = folder / "data" / place / "settings.json"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(json.dumps({**_QUIET, **settings}, indent=2))

    def install(self, vsix: Path) -> None:
        """Install an extension into the profile, as its user would."""
        done = subprocess.run(
            [*self._command(), "--install-extension", str(vsix), "--force"],
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "successfully installed" in done.stdout, done.stdout + done.stderr

    def __enter__(self) -> CodeServer:
        log = (self._folder / "server.log").open("wb")
        self._process = subprocess.Popen(
            [
                *self._command(),
                *("--host", "127.0.0.1", "--port", str(self._port)),
                *("--without-connection-token", "--telemetry-level", "off"),
                *(("--disable-workspace-trust",) if self._trusting else ()),
                # Without it no tests are run in the extension host; with it no notification pops up.
                *(("--enable-smoke-test-driver",) if self._host else ()),
            ],
            env=self._environment(),
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        log.close()
        deadline = time.monotonic() + _START
        while time.monotonic() < deadline:
            with suppress(OSError), urllib.request.urlopen(self.url, timeout=5):
                return self
            time.sleep(0.1)
        self.close()
        raise TimeoutError(f"VS Code did not answer at {self.url}")

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the whole group, and wait until nothing of it is left."""
        process = self._process
        if process is None:
            return
        self._process = None
        end_session(process)

    @property
    def url(self) -> str:
        """Where it is served."""
        return f"http://127.0.0.1:{self._port}/"

    def drive(self, script: str, workspace: Path, *, seconds: float = 800, **more: str) -> str:
        """Run one of the scripts against an opened folder; return what it said.

        Fails the test with that when the script does.
        """
        variables = {
            "PORT": str(self._port),
            "FOLDER": str(workspace),
            "SHOTS": str(self._folder / "shots"),
            "TOOLS": str(TOOLS / "tools"),
            **more,
        }
        # A session of its own, so that its browser ends with it, whatever happens.
        process = subprocess.Popen(
            [str(NODE), str(DRIVES / script)],
            env={**self._environment(), **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            said, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{script} did not end within {seconds:.0f} s") from None
        finally:
            end_session(process)
        sys.stdout.write(said)
        assert process.returncode == 0, f"{script}:\n{said}"
        return said

    def _command(self) -> list[str]:
        return [
            *(str(NODE), str(SERVER), "--accept-server-license-terms"),
            *("--user-data-dir", str(self._folder / "data")),
            *("--extensions-dir", str(self._folder / "extensions")),
        ]

    def _environment(self) -> dict[str, str]:
        kept = {
            k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "OCILS_", "VSCODE_"))
        }
        own = {
            f"XDG_{name}_HOME": str(self._folder / "xdg" / name.lower())
            for name in ("CONFIG", "STATE", "CACHE", "DATA")
        }
        # No host outside is asked for extensions.
        own["EXTENSIONS_GALLERY"] = '{"serviceUrl":""}'
        return {**kept, **own, **({"HOST_RESULT": str(self._host)} if self._host else {})}


def end_session(process: subprocess.Popen[Any]) -> None:
    """End a process that leads a session, and wait until nothing of it is left."""
    for number, seconds in ((signal.SIGTERM, _END), (signal.SIGKILL, _END)):
        for each in members(process.pid):
            with suppress(ProcessLookupError):
                os.kill(each, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            process.poll()
            if not members(process.pid):
                return
            time.sleep(0.1)
    raise TimeoutError("something of VS Code is still running")


def members(session: int) -> list[int]:
    """Return the living processes of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            # After the name in brackets: state, parent, group, session.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
