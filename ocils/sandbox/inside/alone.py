"""The ``process`` runtime: the supervisor's commands without a container, and without isolation.

Two processes. The guard waits for the other one, whatever becomes of it, then ends everything that
was left and removes the folder. The other serves the host as ``supervisor.py`` does, at level 0
only: each candidate is a new interpreter, with the user's own rights. Where the kernel lets us, a
mount namespace shows the copy at the workspace's own path; else the tests run in the copy, and
paths are translated on their way to the host.

Not covered: anything that a candidate does to the user's files, processes or network.
"""

from __future__ import annotations

import base64
import ctypes
import json
import os
import resource
import shutil
import subprocess
import sys
import time
import traceback
from typing import NoReturn

from . import child, namespace, offspring
from .copied import Copy
from .entries import Entry
from .frames import Host, Message
from .processes import output_size
from .running import Run
from .scratch import remove

PR_SET_PDEATHSIG = 1
SIGKILL = 9
TICK = 0.1
KEPT_OUTPUT = 32 << 10
BOOT = "import sys; sys.path.insert(0, sys.argv[3]); from ocils_inside import alone; alone.judge()"


class Alone:
    """What the host can ask; ``place`` is where the tests find the workspace."""

    def __init__(self, settings: Message, host: Host, place: str) -> None:
        self._settings = settings
        self._host = host
        self._place = place
        inside = settings["environment"]
        self._copy = Copy(place, os.path.relpath(inside, settings["root"]) if inside else "")
        self._zygote: Message = {}
        self._line = bytearray()

    def serve(self) -> None:
        """Answer commands until the host is gone."""
        self._host.send({"op": "hello", "place": self._place})
        while True:
            command = self._host.receive()
            if command["op"] == "cancel":
                continue  # its run had ended when it came
            try:
                answer = self._answer(command)
            except Exception:
                answer = {"error": traceback.format_exc()[-2000:]}
            self._host.send({**answer, "op": command["op"], "size": 0})

    def _answer(self, command: Message) -> Message:
        op = command["op"]
        if op == "run":
            return self._run(command)
        if op == "tree":
            raw = self._host.raw(command["size"])
            entries = []
            at = 0
            for path, kind, mode, mtime, link, size in command["entries"]:
                entries.append(Entry(path, kind, mode, mtime, link, raw[at : at + size]))
                at += size
            self._copy.fill(entries, command["gone"])
        elif op == "zygote":
            self._zygote = command
            return {"problem": "", "failed": [], "stale": ["(nothing is forked)"], "threads": 1}
        elif op == "adopt":
            self._host.raw(command["size"])
        return {"files": []}

    def _run(self, command: Message) -> Message:
        files = {path: base64.b64decode(text) for path, text in command["files"].items()}
        self._copy.write(files)
        order = command["request"]
        order["level"] = 0
        if order["probe"]:
            path = order["probe"]["path"].replace(self._settings["root"], self._place, 1)
            order["probe"]["path"] = path
        run = Run(command)
        report, report_end = os.pipe()
        output, output_end = os.pipe()
        process = self._start(order, report_end, output_end)
        for each in (report_end, output_end):
            os.close(each)
        for each in (report, output):
            os.set_blocking(each, False)
        run.pid = process.pid
        self._follow(run, report, output)
        run.seconds = time.monotonic() - run.started
        clean = offspring.end_all(run)
        process.returncode = run.status
        self._drain(run, report, output)
        os.close(report)
        os.close(output)
        try:
            tampered = self._copy.restore()
            for name in ("home", "tmp"):
                folder = f"{self._settings['folder']}/{name}"
                remove(folder)
                os.mkdir(folder)
        except OSError:
            clean, tampered = False, ["the workspace, so that it cannot be looked at"]
        return {
            "status": run.status,
            "ended_for": run.ended_for,
            "seconds": run.seconds,
            "output": self._translated(bytes(run.tail)).decode("utf-8", "replace"),
            "tampered": tampered,
            "clean": clean,
            "lost": False,
            "level": 0,
            "why_not_l2": "",
        }

    def _start(self, order: Message, report: int, output: int) -> subprocess.Popen[bytes]:
        settings = {**self._zygote, "root": self._place, "memory": self._settings["memory"]}
        settings["cache"] = f"{self._settings['folder']}/tmp/.pytest_cache"
        request = os.memfd_create("order")
        os.write(request, json.dumps([order, settings]).encode())
        arguments = [str(request), str(report), self._settings["runner"]]
        try:
            return subprocess.Popen(
                [self._zygote["python"], "-c", BOOT, *arguments],
                pass_fds=[request, report],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**self._zygote["env"], "PYTHONHASHSEED": str(order["seed"])},
                cwd=self._place,
                start_new_session=True,
            )
        finally:
            os.close(request)

    def _follow(self, run: Run, report: int, output: int) -> None:
        """Watch until the candidate has ended, or has to be ended."""
        pipes = {report, output}
        while run.status is None:
            for pipe in self._host.wait(list(pipes), time.monotonic() + TICK):
                if not self._read(run, pipe, pipe == report):
                    pipes.discard(pipe)
            command = self._host.poll()
            if command is not None and command["op"] == "cancel":
                run.ended_for = run.ended_for or "cancelled"
            elif run.hangs(time.monotonic()):
                run.ended_for = run.ended_for or "timeout"
            elif output_size(run.pid) > run.output_cap:
                run.ended_for = run.ended_for or "output"
            if run.ended_for:
                return
            if not pipes:
                time.sleep(0.005)  # its pipes are closed; its end is near
            offspring.reap(run)

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
                run.ended_for = run.ended_for or "output"
        elif data:
            run.reported += len(data)
            run.heard = time.monotonic()
            if run.reported > run.report_cap:
                run.ended_for = run.ended_for or "report"
            self._pass_on(data)
        return bool(data)

    def _pass_on(self, data: bytes) -> None:
        """Send whole lines: a path must not be cut in two before it is translated."""
        self._line += data
        end = self._line.rfind(b"\n") + 1
        if end:
            text = self._translated(bytes(self._line[:end]))
            del self._line[:end]
            self._host.send({"op": "report", "data": text.decode("latin-1")})

    def _translated(self, text: bytes) -> bytes:
        if self._place == self._settings["root"]:
            return text
        # In a record, characters beyond ASCII are escaped.
        root, place = (json.dumps(p)[1:-1].encode() for p in (self._settings["root"], self._place))
        return text.replace(place, root)

    def _drain(self, run: Run, report: int, output: int) -> None:
        for pipe in (report, output):
            before = -1
            while before != run.reported + run.written:
                before = run.reported + run.written
                self._read(run, pipe, pipe == report)
        self._line.clear()


def judge() -> NoReturn:
    """Judge one candidate in a new interpreter of the workspace's; never returns."""
    status = child.RAISED
    try:
        sys.path.remove(sys.argv[3])
        sys.path[:] = [each for each in sys.path if each]
        report = int(sys.argv[2])
        os.set_inheritable(report, False)
        with os.fdopen(int(sys.argv[1]), "rb") as file:
            file.seek(0)
            order, settings = json.loads(file.read())
        # Ends this process with its supervisor; what it started is the guard's to find.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
        child.limit()
        resource.setrlimit(resource.RLIMIT_DATA, (settings["memory"], settings["memory"]))
        os.umask(0o022)
        if order.get("commands"):
            from . import commanded

            child.leave(commanded.run(order, report, settings))
        status = child.run(order, report, settings)
    except BaseException:
        traceback.print_exc()
    child.leave(status)


def main() -> None:
    """Guard a process that serves, and clean up when it has ended."""
    settings = json.loads(sys.argv[1])
    offspring.adopt()
    served = os.fork()
    if served == 0:
        offspring.adopt()
        _serve(settings)
    for number in (0, 1):
        os.close(number)
    os.waitpid(served, 0)
    offspring.end_all()
    shutil.rmtree(settings["folder"], ignore_errors=True)


def _link_environment(copy: str, settings: Message) -> None:
    place = f"{copy}/{os.path.relpath(settings['environment'], settings['root'])}"
    os.makedirs(os.path.dirname(place), exist_ok=True)
    if os.path.isdir(place):
        os.rmdir(place)  # left by a namespace that could not be had
    os.symlink(settings["environment"], place)


def _serve(settings: Message) -> NoReturn:
    try:
        source, sink = os.dup(0), os.dup(1)
        nothing = os.open("/dev/null", os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        copy = f"{settings['folder']}/work"
        place = settings["root"]
        if settings["translate"] or not namespace.show(copy, place, settings["environment"]):
            place = copy
            if settings["environment"]:
                _link_environment(copy, settings)
        # What is not ours to delete must never be taken for the copy.
        if not os.path.samefile(copy, place):
            raise RuntimeError(f"{place} is not the copy")
        Alone(settings, Host(source, sink, float(settings["silence"])), place).serve()
    except BaseException:
        traceback.print_exc()
    os._exit(1)
