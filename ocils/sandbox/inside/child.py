"""One candidate's process: it becomes the candidate, runs pytest with the reporter, and ends.

At level 1 it is a fork of the zygote; at level 0 the fork executes a new interpreter, which comes
back here through ``fresh``. Both then do the same.

Not covered: code of the candidate that reaches into this interpreter on purpose (see reporter).
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import resource
import sys
import traceback
import types
from typing import Any, NoReturn

from .layer import extend_path
from .owners import CANDIDATE

PR_SET_DUMPABLE = 4
FILE_SIZE = 512 << 20
RAISED = 99
"""Exit status of a child whose pytest raised; nothing is concluded from it."""

REFUSED = 98
"""Exit status of a fork of a collected suite that must not judge its candidate; it reports nothing."""

BOOT = "import sys; sys.path.insert(0, '/runner'); from ocils_inside import child; child.fresh()"


def live(request: int, report: int, output: int, settings: dict[str, Any]) -> NoReturn:
    """Become the candidate in a freshly forked child, and never return."""
    status = RAISED
    try:
        with os.fdopen(request, "rb") as file:
            file.seek(0)
            order = json.loads(file.read())
        become_candidate()
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        limit()
        write_bytecode()
        os.environ.update(order["env"])
        os.umask(0o022)
        os.chdir(settings["root"])
        if order.get("commands"):
            from . import commanded

            leave(commanded.run(order, report, settings))
        if order["level"] == 0:
            _execute(order, report, settings)
        status = run(order, report, settings)
    except BaseException:
        traceback.print_exc()
    leave(status)


def fresh() -> NoReturn:
    """Go on in a new interpreter: the order and the report are on descriptors named in ``argv``."""
    status = RAISED
    try:
        sys.path.remove("/runner")
        sys.path[:] = [each for each in sys.path if each]
        extend_path()
        report = int(sys.argv[2])
        os.set_inheritable(report, False)
        with os.fdopen(int(sys.argv[1]), "rb") as file:
            file.seek(0)
            order, settings = json.loads(file.read())
        status = run(order, report, settings)
    except BaseException:
        traceback.print_exc()
    leave(status)


def run(order: dict[str, Any], report: int, settings: dict[str, Any]) -> int:
    """Run pytest as ``python -m pytest`` would, and report to the descriptor ``report``.

    An interpreter that has no pytest runs unittest.
    """
    if importlib.util.find_spec("pytest") is None:
        from . import unittest_runner

        sys.argv = ["python -m unittest"]
        sys.path.insert(0, os.getcwd())
        return unittest_runner.run(order, report, settings)
    import pytest

    from .reporter import Reporter

    pretend_main()
    sys.path.insert(0, os.getcwd())
    reporter = Reporter(report, order, settings)
    code = int(pytest.main(reporter.arguments(), plugins=[reporter]))
    reporter.done(code)
    return code


def become_candidate() -> None:
    """Give up every right for good."""
    os.setsid()
    if os.getgroups():
        os.setgroups([])
    os.setresgid(CANDIDATE, CANDIDATE, CANDIDATE)
    os.setresuid(CANDIDATE, CANDIDATE, CANDIDATE)
    # Else everything below /proc/self belongs to root: /dev/stdout and environ are denied.
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    # The kernel is to take the candidate first when memory is short.
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def write_bytecode() -> None:
    """Undo what keeps the zygote from writing any."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def limit() -> None:
    """Bound what a file may grow to, and leave no core."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_SIZE, FILE_SIZE))


def _execute(order: dict[str, Any], report: int, settings: dict[str, Any]) -> NoReturn:
    request = os.memfd_create("order")
    os.write(request, json.dumps([order, settings]).encode())
    os.set_inheritable(request, True)
    os.set_inheritable(report, True)
    env = {**os.environ, "PYTHONHASHSEED": str(order["seed"])}
    python = settings["python"]
    os.execve(python, [python, "-c", BOOT, str(request), str(report)], env)


def pretend_main() -> None:
    """Make ``__main__`` look like pytest's: multiprocessing and click look at it.

    Our own modules are nobody's sources: hypothesis draws from the constants of all it can find.
    """
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == __package__:
            module.__file__ = None
    spec = importlib.util.find_spec("pytest.__main__")
    if spec is None:
        return
    main = types.ModuleType("__main__")
    main.__dict__.update(
        __spec__=spec, __file__=spec.origin, __package__="pytest", __loader__=spec.loader
    )
    sys.modules["__main__"] = main
    sys.argv = [str(spec.origin)]


def leave(status: int) -> NoReturn:
    """End without atexit: a candidate's hooks and left threads must not hold the verdict up."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            continue
    os._exit(status)
