"""PID 1 of a slot: trusted, runs no workspace code (``python -I -S``; a ``.pth`` file runs even with -I).

One loop: it waits for the host, for the zygote and for the candidate's two pipes at once, so that
``cancel`` is felt in the middle of a run. It exits when the host is gone or silent, and with it
everything in the container ends.

Commands (``op``): tree, adopt, bytecode, zygote, run, cancel (only during a run), ping. Answers carry the
same ``op``; a run also sends ``report`` frames with the candidate's records as they come.

Not covered: judging what the candidate reports; two candidates at a time.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from typing import Any

from . import processes
from .child import REFUSED
from .entries import Entry
from .frames import Host, Message
from .owners import close_to_others, is_closed, judge_also
from .running import Run
from .scratch import Scratch
from .suite import Suite
from .tree import Tree
from .trial import Trial

CACHES = ("/tmp/.pytest_cache", "/tmp/.ocils-warm")
"""pytest's and hypothesis's own (the latter where the rehearsal was), which each run makes anew."""

ENDING_SECONDS = 1.0
"""A process's end comes a moment after its line is closed."""

BOOT = "import sys; sys.path.insert(0, '/runner'); from ocils_inside import zygote; zygote.main()"


class Supervisor:
    """The slot's state and what the host can ask of it."""

    def __init__(self, settings: Message, host: Host, libc: ctypes.CDLL) -> None:
        self._settings = settings
        self._host = host
        self._tree = Tree(settings["root"])
        self._scratch = Scratch(settings["scratch"], libc)
        self._zygote: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._harvest: list[tuple[str, bytes, int]] = []
        self._suite = Suite(host)

    def serve(self) -> None:
        """Answer commands until the host is gone."""
        self._host.send(self._hello())
        while True:
            command = self._host.receive()
            if command["op"] == "cancel":
                continue  # its run had ended when it came
            try:
                answer, raw = self._answer(command)
            except Exception:
                answer, raw = {"error": traceback.format_exc()[-2000:]}, b""
            self._host.send({**answer, "op": command["op"], "size": len(raw)}, raw)

    def _answer(self, command: Message) -> tuple[Message, bytes]:
        op = command["op"]
        if op == "run":
            return self._run(command), b""
        if op == "zygote":
            return self._start_zygote(command), b""
        if op in ("tree", "adopt"):
            self._suite.forget()
        if op == "tree":
            self._fill(command)
        elif op == "adopt":
            self._adopt(command)
        elif op == "bytecode":
            found = self._tree.bytecode()
            heads = [[path, len(data), mtime] for path, data, mtime in found]
            return {"files": heads}, b"".join(data for _, data, _ in found)
        return {}, b""

    def _hello(self) -> Message:
        """Say which kernel this is and what the mounts look like from here."""
        mounts: dict[str, Any] = {}
        for path in self._settings["mounts"]:
            found = os.stat(path)
            mounts[path] = [found.st_dev, found.st_ino]
        with open("/proc/sys/kernel/random/boot_id") as file:
            boot = file.read().strip()
        with open("/nonce") as file:
            nonce = file.read()
        closed = is_closed()
        return {"op": "hello", "boot": boot, "nonce": nonce, "mounts": mounts, "closed": closed}

    def _fill(self, command: Message) -> None:
        raw = self._host.raw(command["size"])
        judge_also(command["judged"])
        entries = []
        at = 0
        for path, kind, mode, mtime, link, size in command["entries"]:
            entries.append(Entry(path, kind, mode, mtime, link, raw[at : at + size]))
            at += size
        self._tree.fill(entries, command["gone"])

    def _adopt(self, command: Message) -> None:
        raw = self._host.raw(command["size"])
        files = []
        at = 0
        for path, size, mtime in command["files"]:
            files.append((path, raw[at : at + size], mtime))
            at += size
        self._tree.adopt(files)

    def _start_zygote(self, command: Message) -> Message:
        self._suite.forget()
        if self._zygote is not None and self._line is not None:
            self._line.close()
            self._zygote.wait()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        settings = {**command, "line": theirs.fileno(), "root": self._settings["root"]}
        self._zygote = subprocess.Popen(
            [command["python"], "-c", BOOT, json.dumps(settings)],
            pass_fds=[theirs.fileno()],
            stdin=0,
            stdout=2,
            env={**command["env"], "PYTHONDONTWRITEBYTECODE": "1"},
            cwd="/",
        )
        theirs.close()
        self._line = ours
        message = self._hear_zygote(until=time.monotonic() + float(command["seconds"]))
        if message is None:
            return {"dead": True, "killed": self._was_killed()}
        self._scratch.remember()
        return message

    def _was_killed(self) -> bool:
        """End a zygote that does not answer; True when somebody else had killed it."""
        assert self._zygote is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._zygote.wait(ENDING_SECONDS) == -signal.SIGKILL
        self._zygote.kill()
        return False

    def _hear_zygote(self, until: float) -> Message | None:
        assert self._line is not None
        while time.monotonic() < until:
            if self._line.fileno() in self._host.wait([self._line.fileno()], until):
                data = self._line.recv(1 << 20)
                return dict(json.loads(data)) if data else None
        return None

    def _run(self, command: Message) -> Message:
        if self._line is None or self._zygote is None:
            return {"error": "there is no zygote"}
        files = {path: base64.b64decode(text) for path, text in command["files"].items()}
        if files:
            self._tree.seal()
        elif command.get("harvest"):
            self._tree.unseal()
        suite, why = self._suite_for(command)
        self._tree.write(files)
        kills = processes.out_of_memory_kills()
        run = Run(command)
        level = command["request"]["level"]
        lost = False
        if why == "cancelled":
            run.ended_for, run.status = why, 0
        elif suite is not None:
            (lost, why), level = self._run_collected(suite, run, command), 2
            if why:
                run, level, suite = Run(command), 1, None
        if suite is None and not run.ended_for:
            lost = Trial(self._host, self._line, run).go(command["request"])
        processes.reap(self._zygote.pid)
        clean = self._restore(run, harvest=bool(command.get("harvest")))
        self._suite.check()
        if processes.out_of_memory_kills() > kills and not run.ended_for:
            run.ended_for = "memory"
        return {
            "status": run.status,
            "ended_for": run.ended_for,
            "seconds": run.seconds,
            "output": bytes(run.tail).decode("utf-8", "replace"),
            "tampered": run.tampered,
            "clean": clean,
            "lost": lost,
            "level": level,
            "why_not_l2": why,
        }

    def _suite_for(self, command: Message) -> tuple[socket.socket | None, str]:
        """Return the line to the collected suite that is to judge, or why there is none."""
        wanted = command.get("collect")
        if wanted is None or self._line is None:
            return None, ""
        line, why = self._suite.line_for(wanted["key"], wanted["path"])
        if line is None and not why and wanted["start"]:
            order = {**command["request"], "tests": [], "stop_early": False, "probe": None}
            why = self._suite.start(
                self._line, wanted["key"], order, float(command["seconds"]), self._left_behind
            )
            line, _ = self._suite.line_for(wanted["key"], wanted["path"])
        return line, why

    def _left_behind(self) -> str:
        """Put the slot back; returns what collecting had left, or nothing."""
        self._tree.restore()
        if not self._scratch.restore():
            return "collecting left what cannot be removed"
        left = [*self._tree.left, *(each for each in self._scratch.left if each not in CACHES)]
        return f"collecting left {left[0]} behind" if left else ""

    def _run_collected(self, line: socket.socket, run: Run, command: Message) -> tuple[bool, str]:
        """Judge by the collected suite; returns whether it was lost on the way, and why it would not."""
        path = command["collect"]["path"]
        original = base64.b64encode(self._tree.data(path)).decode()
        order = {
            **command["request"],
            **self._suite.with_original(path, original),
            "path": f"{self._tree.root}/{path}",
            "text": command["files"][path],
        }
        lost = Trial(self._host, line, run).go(order)
        if lost:
            self._suite.end()
        if lost and not run.reported and not run.ended_for:
            return False, "the suite was lost"
        if run.status == REFUSED and not run.reported:
            self._suite.refuse(path)
            return False, bytes(run.tail).decode("utf-8", "replace")
        self._suite.accept(path)
        return lost, ""

    def _restore(self, run: Run, *, harvest: bool) -> bool:
        """Put the slot back as it was; False when it would not go."""
        clean = run.clean
        try:
            if harvest and not run.ended_for:
                self._harvest = self._tree.harvest()
            self._tree.restore()
            clean = self._scratch.restore() and clean
            if self._harvest:
                self._tree.adopt(self._harvest)
        except (OSError, RecursionError):
            clean = False
        # Also, and above all, of a run after which the tree would not go back.
        run.tampered = self._tree.tampered
        self._harvest = []
        return clean


def main() -> None:
    """Take the attached input and output, and serve."""
    libc = ctypes.CDLL(None, use_errno=True)
    close_to_others()
    settings = json.loads(sys.argv[1])
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open("/dev/null", os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.setgroups([])
    os.umask(0o022)
    host = Host(source, sink, float(settings["silence"]))
    Supervisor(settings, host, libc).serve()
