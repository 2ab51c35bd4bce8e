"""The process that candidates are forked from: pytest and the dependencies imported, nothing of the
workspace. Collected suites (``collected.py``) are forked from it too.

It stays root with SETUID and SETGID, so that each child can become the candidate. ``ready`` tells
which workspace modules were loaded all the same (``stale``: forking would judge old code, so the
candidate gets a fresh process) and how many threads it has (a fork keeps only one).

Not covered: a module that was loaded, changed global state, and was unloaded again.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import io
import json
import os
import shutil
import socket
import sys
from typing import Any, Sequence

from . import child, loaded
from .frames import Message
from .layer import extend_path
from .owners import close_to_others, is_closed

WARM = "/tmp/.ocils-warm"


def load_pytest() -> str:
    """Import pytest, or unittest where there is none; returns why that is not possible, or nothing."""
    if importlib.util.find_spec("pytest") is None:
        from . import unittest_runner  # noqa: F401, imported for the forks

        return ""
    try:
        importlib.import_module("pytest")
    except ImportError as problem:
        return f"{type(problem).__name__}: {problem}"
    return ""


def rehearse() -> None:
    """Run pytest once on a failing test, so that it has loaded its own plugins and the installed ones.

    A third of the time from fork to verdict is saved by this. It goes through pytest's own
    importer, so that plugins are rewritten.
    """
    import pytest

    from . import collected  # noqa: F401, imported for the forks

    path = list(sys.path)
    shutil.rmtree(WARM, ignore_errors=True)  # of one that was killed meanwhile
    os.makedirs(WARM)
    try:
        with open(f"{WARM}/test_ocils_warm.py", "w") as file:
            file.write("def test_warm():\n    assert 1 == 2\n")
        os.chdir(WARM)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            pytest.main(
                ["-o", f"cache_dir={WARM}", "-q", "-c", "/dev/null", f"--rootdir={WARM}", WARM]
            )
    finally:
        os.chdir("/")
        sys.path[:] = path
        sys.modules.pop("test_ocils_warm", None)
        shutil.rmtree(WARM, ignore_errors=True)


def load_modules(names: Sequence[str]) -> list[str]:
    """Import third-party modules that the original needs; returns those that would not come."""
    failed = []
    for name in names:
        if name in sys.modules:
            continue
        try:
            importlib.import_module(name)
        except BaseException:
            failed.append(name)
    return failed


def serve(line: socket.socket, settings: Message) -> None:
    """Fork one child for each request until the supervisor is gone."""
    while True:
        data, ancillary, _, _ = line.recvmsg(64, socket.CMSG_SPACE(3 * 4))
        if not data:
            os._exit(0)
        numbers = descriptors(ancillary)
        request, report, output = numbers
        bury()
        pid = os.fork()
        if pid == 0:
            line.close()
            if data == b"collect":
                from . import collected

                collected.live(request, report, output, settings)
            child.live(request, report, output, settings)
        for each in numbers:
            os.close(each)
        line.send(json.dumps({"pid": pid}).encode())
        if data == b"collect":
            continue  # it is to live on
        _, status = os.waitpid(pid, 0)
        line.send(json.dumps({"status": exit_code(status)}).encode())


def bury() -> None:
    """Wait for the collected suites that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def exit_code(status: int) -> int:
    """Return what a wait said as an exit status, negative for a signal."""
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def descriptors(ancillary: Sequence[Any]) -> list[int]:
    """Return the three descriptors that came with a request."""
    data = ancillary[0][2]
    return [int.from_bytes(data[at : at + 4], sys.byteorder) for at in range(0, 12, 4)]


def main() -> None:
    """Warm up, say ready, serve."""
    settings: dict[str, Any] = json.loads(sys.argv[1])
    close_to_others()
    line = socket.socket(fileno=settings["line"])
    line.set_inheritable(False)
    sys.path[:] = [each for each in sys.path if each not in ("", "/runner")]
    extend_path()
    sys.argv = [""]
    problem = load_pytest() if settings["warm"] else ""
    if settings["rehearse"] and "pytest" in sys.modules:
        rehearse()
    failed = load_modules(settings["modules"])
    root = settings["root"]
    stale = [
        name
        for name, module in list(sys.modules.items())
        if loaded.in_workspace(module, root, settings["environment"])
    ]
    gc.collect()
    gc.freeze()
    ready = {
        "problem": problem,
        "failed": failed,
        "stale": stale[:20],
        "closed": is_closed(),
        "threads": len(os.listdir("/proc/self/task")),
        "python": list(sys.version_info[:3]),
    }
    line.send(json.dumps(ready).encode())
    serve(line, settings)
