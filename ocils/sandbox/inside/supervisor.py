"""PID 1 of a slot: trusted, runs no workspace code (``python -I -S``; a ``.pth`` file runs even with -I).

One loop: it waits for the host, for the zygote and for the candidate's two pipes at once, so that
``cancel`` is felt in the middle of a run. It exits when the host is gone or silent, and with it
everything in the container ends.

Commands (``op``): tree, adopt, bytecode, zygote, run, cancel (only during a run), ping. Answers carry the
same ``op``; a run also sends ``report`` frames with the candidate's records as they come.

Not covered: judging what the candidate reports; two candidates at a time.
"""

from __future__ import annotations

import array
import base64
import ctypes
import json
import os
import socket
import subprocess
import sys
import time
import traceback
from typing import Any

from . import processes
from .entries import Entry
from .frames import Host, Message
from .owners import CANDIDATE, acting_as
from .running import Run
from .scratch import Scratch
from .tree import Tree

PR_SET_DUMPABLE = 4
TICK = 0.1
KEPT_OUTPUT = 32 << 10
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
        return {"op": "hello", "boot": boot, "nonce": nonce, "mounts": mounts}

    def _fill(self, command: Message) -> None:
        raw = self._host.raw(command["size"])
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
            self._zygote.kill()
            return {"dead": True}
        self._scratch.remember()
        return message

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
        self._tree.write(files)
        kills = processes.out_of_memory_kills()
        run = Run(command)
        # The pipes are the candidate's, else opening /dev/stdout is denied to it.
        with acting_as(CANDIDATE):
            report, report_end = os.pipe()
            output, output_end = os.pipe()
        request = os.memfd_create("request")
        with open(os.dup(request), "wb") as file:
            file.write(json.dumps(command["request"]).encode())
        ends = [request, report_end, output_end]
        self._line.sendmsg(
            [b"run"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", ends).tobytes())]
        )
        for each in ends:
            os.close(each)
        os.set_blocking(report, False)
        os.set_blocking(output, False)
        lost = self._follow(run, report, output)
        seconds = time.monotonic() - run.started
        clean = processes.end_all()
        self._drain(run, report, output)
        os.close(report)
        os.close(output)
        processes.reap(self._zygote.pid)
        if command.get("harvest") and not run.ended_for:
            self._harvest = self._tree.harvest()
        tampered: list[str] = []
        try:
            tampered = self._tree.restore()
            clean = self._scratch.restore() and clean
            if self._harvest:
                self._tree.adopt(self._harvest)
        except OSError:
            clean = False
        self._harvest = []
        if processes.out_of_memory_kills() > kills and not run.ended_for:
            run.ended_for = "memory"
        return {
            "status": run.status,
            "ended_for": run.ended_for,
            "seconds": seconds,
            "output": bytes(run.tail).decode("utf-8", "replace"),
            "tampered": tampered,
            "clean": clean,
            "lost": lost,
        }

    def _follow(self, run: Run, report: int, output: int) -> bool:
        """Watch until the candidate has ended; True when the zygote was lost."""
        assert self._line is not None
        line = self._line.fileno()
        pipes = {report, output}
        look = run.started + TICK
        while run.status is None:
            ready = self._host.wait([line, *pipes], min(run.until, look))
            command = self._host.poll()
            if command is not None and command["op"] == "cancel":
                self._end(run, "cancelled")
            for pipe in pipes.intersection(ready):
                if not self._read(run, pipe, pipe == report):
                    pipes.discard(pipe)
            if line in ready:
                data = self._line.recv(1 << 20)
                if not data:
                    return True
                message = json.loads(data)
                run.pid = message.get("pid", run.pid)
                run.status = message.get("status")
            if run.status is None and time.monotonic() >= min(run.until, look):
                self._check(run)
                look = time.monotonic() + TICK
        return False

    def _check(self, run: Run) -> None:
        if run.hangs(time.monotonic()):
            self._end(run, "timeout")
            run.until, run.quiet = time.monotonic() + 1, 0
        elif run.pid and not run.ended_for:
            with acting_as(CANDIDATE):
                size = processes.output_size(run.pid)
            if size > run.output_cap:
                self._end(run, "output")

    @staticmethod
    def _end(run: Run, why: str) -> None:
        run.ended_for = run.ended_for or why
        processes.end_all()

    def _read(self, run: Run, pipe: int, is_report: bool) -> bool:
        """Take what is in ``pipe``; False at its end."""
        try:
            data = os.read(pipe, 1 << 16)
        except BlockingIOError:
            return True
        if not is_report:
            run.written += len(data)
            run.tail += data
            del run.tail[:-KEPT_OUTPUT]
            if run.written > run.output_cap:
                self._end(run, "output")
        elif data:
            run.reported += len(data)
            run.heard = time.monotonic()
            if run.reported > run.report_cap:
                self._end(run, "report")
            else:
                self._host.send({"op": "report", "data": data.decode("latin-1")})
        return bool(data)

    def _drain(self, run: Run, report: int, output: int) -> None:
        """Read what the candidate left in its pipes; no writer is alive any more."""
        for pipe in (report, output):
            before = -1
            while before != run.reported + run.written:
                before = run.reported + run.written
                self._read(run, pipe, pipe == report)


def main() -> None:
    """Take the attached input and output, and serve."""
    libc = ctypes.CDLL(None, use_errno=True)
    # Closes /proc/1/fd and /proc/1/mem to everyone.
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    settings = json.loads(sys.argv[1])
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open("/dev/null", os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.setgroups([])
    os.umask(0o022)
    host = Host(source, sink, float(settings["silence"]))
    Supervisor(settings, host, libc).serve()
