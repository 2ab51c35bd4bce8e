"""A suite that is collected and waits: candidates are forked from it with the edited code swapped.

It is a fork of the zygote that ran pytest with the original up to the point where the tests would
begin. It holds no right of root's: its effective user is the candidate's, so that a fork can become
the candidate, its real and saved user is its own. A fork that may not judge its candidate by a swap
(``swap.py``) ends with ``REFUSED`` before anything of the candidate's ran.

Not covered: state that a plugin ties to the process number while it collects.
"""

from __future__ import annotations

import base64
import ctypes
import gc
import json
import os
import random
import socket
import sys
import traceback
from typing import Any, Generator, NoReturn

import pytest

from . import child, forkable, lines
from .drawn import Drawn
from .entered import Entered
from .instrumented import Instrumented
from .onebody import Refused
from .owners import CANDIDATE, COLLECTOR
from .reporter import Reporter
from .swap import Live

ONE_BY_ONE = ("_pytest.", "anyio.pytest_plugin", __package__ + ".")
"""Whose hooks look at each collected test by itself, so that they may have seen others beside it."""


def live(request: int, line: int, output: int, settings: dict[str, Any]) -> NoReturn:
    """Collect in a freshly forked child, serve, and never return; nor does a candidate's fork."""
    status = child.RAISED
    try:
        order = take(request)
        become_collector()
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        child.limit()
        os.environ.update(order["env"])
        os.umask(0o022)
        os.chdir(settings["root"])
        child.pretend_main()
        sys.path.insert(0, os.getcwd())
        collecting = Collecting(order, settings, socket.socket(fileno=line))
        status = int(pytest.main(collecting.arguments(), plugins=[collecting]))
        collecting.done(status)
    except BaseException:
        traceback.print_exc()
    child.leave(status)


def take(request: int) -> Any:
    """Read an order."""
    with os.fdopen(request, "rb") as file:
        file.seek(0)
        return json.loads(file.read())


def become_collector() -> None:
    """Give up every right but that of becoming the candidate."""
    os.setsid()
    os.setgroups([])
    os.setresgid(COLLECTOR, CANDIDATE, COLLECTOR)
    os.setresuid(COLLECTOR, CANDIDATE, COLLECTOR)
    _dumpable(1)
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("500")


def _dumpable(value: int) -> None:
    """Whether what is below /proc/self belongs to this user, or to root."""
    ctypes.CDLL(None).prctl(child.PR_SET_DUMPABLE, value, 0, 0, 0)


class Collecting(Reporter):
    """The reporter, silent until it is forked for a candidate."""

    def __init__(
        self, order: dict[str, Any], settings: dict[str, Any], line: socket.socket
    ) -> None:
        super().__init__(-1, order, settings)
        line.set_inheritable(False)
        self._line = line
        self._why = ""
        self._held = forkable.held()
        self._frozen = gc.get_freeze_count()
        self._drawn = Drawn()
        self._entered = Entered(self._root)
        self._entered.start()
        self._instrumented = Instrumented(self._entered.silently)

    def done(self, code: int) -> None:
        """Say that pytest came to its end; one that never began to run tests says why."""
        if self._report < 0:
            self._answer(refused=self._why or f"pytest ended with {code} before any test")
            os._exit(0)
        super().done(code)

    def _send(self, **record: Any) -> None:
        if self._report >= 0:
            super()._send(**record)
        elif record["t"] in ("broken", "stopped"):
            self._why = self._why or f"collecting failed: {record.get('message', '')}"

    def _answer(self, **message: Any) -> None:
        self._line.send(json.dumps(message).encode())

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[Any]) -> Generator[None, None, None]:
        """Keep all; which of them are wanted each candidate says."""
        self._drawn.listen(self._entered.silently)
        yield

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: Any) -> None:
        """Serve; in a fork return, so that pytest goes on and runs the chosen tests."""
        self._instrumented.stop()
        self._entered.stop()
        why = self._why_not(session)
        if why:
            self._answer(refused=why)
            os._exit(0)
        self._functions = Live(self._root, self._entered, self._instrumented.made())
        self._random = random.getstate()
        gc.collect()
        gc.freeze()
        _dumpable(0)
        self._answer(ready=len(session.items))
        try:
            order, report, output = self._serve()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        try:
            self._begin(session, order, report, output)
        except BaseException as problem:
            why = str(problem) if isinstance(problem, Refused) else traceback.format_exc()
            os.write(1, why.encode("utf-8", "replace")[-2000:])
            os._exit(child.REFUSED)

    def _why_not(self, session: Any) -> str:
        if self._why or session.testsfailed:
            return self._why or "collecting failed"
        if gc.get_freeze_count() > self._frozen:
            return "something froze the garbage collector"
        if getattr(session.config.option, "session_timeout", None):
            return "the session has a time limit"
        return self._entered.trouble or forkable.why_not(self._held)

    def _serve(self) -> tuple[Any, int, int]:
        """Fork for each request; returns in the fork."""
        from .zygote import descriptors, exit_code

        while True:
            data, ancillary, _, _ = self._line.recvmsg(64, socket.CMSG_SPACE(3 * 4))
            if not data:
                os._exit(0)
            request, report, output = descriptors(ancillary)
            order = take(request)
            original = order.pop("original", None)
            if original is not None:
                self._functions.prepare(order["path"], base64.b64decode(original))
            pid = os.fork()
            if pid == 0:
                self._line.close()
                return order, report, output
            os.close(report)
            os.close(output)
            self._answer(pid=pid)
            _, status = os.waitpid(pid, 0)
            self._answer(status=exit_code(status))

    def _begin(self, session: Any, order: dict[str, Any], report: int, output: int) -> None:
        """Become the candidate's run. Raises ``Refused``."""
        child.become_candidate()
        forkable.renew(self._held, output)
        os.close(output)
        child.write_bytecode()
        random.setstate(self._random)
        probe = order.get("probe")
        seen = []
        path, noted = order["path"], None
        region = None
        if probe and not probe.get("calls"):
            region = (probe["first"], probe["last"])
            if probe["path"] != path:
                raise Refused("another file is probed")
        if region and lines.takes_notes():
            noted = region
        edited = self._functions.swap(path, base64.b64decode(order["text"]), noted)
        if region:
            seen = self._functions.lines(path, edited, *region)
        self._drawn.renew(order["path"])
        place = {test: at for at, test in enumerate(order["tests"])}
        chosen = [item for item in session.items if item.nodeid in place]
        if len(chosen) != len(session.items) and _heard_by_others(session):
            raise Refused("a plugin looks at what was collected")
        session.items[:] = sorted(chosen, key=lambda item: place[item.nodeid])
        session.testscollected = len(session.items)
        self._originals.remember(session.items)
        session.config.option.maxfail = 1 if order["stop_early"] else 0
        self._order = order
        self.shorten(session.config.option)
        self._nonce = order["nonce"]
        self._report = report
        if probe:
            self._probe = lines.watch_swapped(**probe)
        self._send(t="collected", ids=[item.nodeid for item in session.items], lines=seen)


def _heard_by_others(session: Any) -> bool:
    hook = session.config.hook.pytest_collection_finish
    return any(not each.function.__module__.startswith(ONE_BY_ONE) for each in hook.get_hookimpls())
