"""Which lines of one region run: by test, and while modules are imported.

From Python 3.12 on by ``sys.monitoring``, before by notes compiled into the region (both almost
free), and where those cannot be had by a trace function (a few times slower). Functions nested in the region, its
comprehensions and lambdas are code objects of their own, and count; so do threads.

Not covered: subprocesses; a test that installs its own trace function hides its lines until it ends.
"""

from __future__ import annotations

import os
import sys
import threading
from types import CodeType, FrameType
from typing import Any, Callable

from .calls import Calls
from .planted import plant

TOOL = 3
"""A tool number that neither debuggers (0), coverage (1), profilers (2) nor optimisers (5) claim."""


class Lines:
    """The lines seen since the last ``take``; ``tell`` hears of each as it is first seen."""

    def __init__(
        self, path: str, first: int, last: int, tell: Callable[[int], None] | None = None
    ) -> None:
        self._tell = tell
        self._path = path
        self._first = first
        self._last = last
        self._seen: set[int] = set()
        self._known: dict[CodeType, bool] = {}
        self._begin()

    def _begin(self) -> None:
        """Begin to watch."""

    def start(self) -> None:
        """Called as a test begins."""

    def note(self, record: dict[str, Any]) -> None:
        """Put the lines into a test's record."""
        record["lines"] = self.take()

    def take(self) -> list[int]:
        """Return the lines since the last call, sorted."""
        lines = sorted(self._seen)
        self._seen.clear()
        return lines

    def _overlaps(self, code: CodeType) -> bool:
        known = self._known.get(code)
        if known is None:
            known = self._same_file(code.co_filename) and self._reaches(code)
            self._known[code] = known
        return known

    def _same_file(self, path: str) -> bool:
        return path == self._path or os.path.realpath(path) == self._path

    def _reaches(self, code: CodeType) -> bool:
        if code.co_firstlineno > self._last:
            return False
        last = code.co_firstlineno
        for each in code.co_consts:
            if isinstance(each, CodeType) and self._reaches(each):
                return True
        if hasattr(code, "co_lines"):
            last = max([last, *(line for _, _, line in code.co_lines() if line is not None)])
        else:
            import dis

            last = max([last, *(line for _, line in dis.findlinestarts(code) if line is not None)])
        return last >= self._first

    def _add(self, line: int) -> None:
        if self._first <= line <= self._last:
            if self._tell is not None and line not in self._seen:
                self._tell(line)
            self._seen.add(line)


class Traced(Lines):
    """Before Python 3.12."""

    def _begin(self) -> None:
        self._install()

    def start(self) -> None:
        """Come back, should the last test have replaced the trace function."""
        self._install()

    def _install(self) -> None:
        threading.settrace(self._enter)
        sys.settrace(self._enter)

    def _enter(self, frame: FrameType, event: str, arg: object) -> Any | None:
        known = self._known.get(frame.f_code)
        if known is None:
            known = self._overlaps(frame.f_code)
        if not known:
            return None
        return self._line

    def _line(self, frame: FrameType, event: str, arg: object) -> Any:
        if event == "line":
            self._add(frame.f_lineno)
        return self._line


class Planted(Traced):
    """Before Python 3.12: by compiled notes; by tracing as long as the file was not imported.

    What pytest rewrites is traced from the beginning. A note tells a statement's first line.
    """

    SWAPPED = False

    def _begin(self) -> None:
        self._planted = self.SWAPPED
        name = os.path.basename(self._path)
        self._rewritten = name.startswith("test") or name.endswith(("_test.py", "conftest.py"))
        super()._begin()
        if not self._rewritten:
            # Every statement that runs calls it: the set's own method takes less than ours.
            note = self._add if self._tell else self._seen.add
            plant(self._path, self._first, self._last, note, self._found)

    def _found(self) -> None:
        self._planted = True
        threading.settrace(None)
        sys.settrace(None)

    def start(self) -> None:
        """Trace this test when nothing was imported yet: the code may come another way."""
        if not self._planted:
            super()._install()

    def _install(self) -> None:
        # Imports are long and full of calls; only files that are never planted are traced then.
        if self._rewritten:
            super()._install()


class Swapped(Planted):
    """Before Python 3.12, where the notes are in the code that was put into a collected suite."""

    SWAPPED = True


class Monitored(Lines):
    """Python 3.12 and later."""

    def _begin(self) -> None:
        self._monitoring: Any = sys.__dict__["monitoring"]
        events = self._monitoring.events
        self._monitoring.use_tool_id(TOOL, "ocils")
        self._monitoring.register_callback(TOOL, events.PY_START, self._enter)
        self._monitoring.register_callback(TOOL, events.LINE, self._line)
        self._monitoring.set_events(TOOL, events.PY_START)

    def take(self) -> list[int]:
        """Return the lines since the last call; every line is awaited anew."""
        lines = super().take()
        self._monitoring.restart_events()
        return lines

    def _enter(self, code: CodeType, offset: int) -> object:
        if self._overlaps(code):
            self._monitoring.set_local_events(TOOL, code, self._monitoring.events.LINE)
        return self._monitoring.DISABLE

    def _line(self, code: CodeType, line: int) -> object:
        self._add(line)
        return self._monitoring.DISABLE


def watch(
    path: str,
    first: int,
    last: int,
    calls: bool = False,
    live: bool = False,
    tell: Callable[[int], None] | None = None,
) -> Lines | Calls:
    """Start watching lines ``first`` to ``last`` of the file at ``path``, or the ``calls`` there.

    With ``live``, ``tell`` hears of each line as it first runs in a test.
    """
    if calls:
        return Calls(path, first, last)
    kind = Monitored if hasattr(sys, "monitoring") else Planted
    return kind(path, first, last, tell if live else None)


def watch_swapped(path: str, first: int, last: int, calls: bool = False) -> Lines | Calls:
    """Start watching where the code was swapped, with notes when ``takes_notes``."""
    if calls or not takes_notes():
        return watch(path, first, last, calls)
    return Swapped(path, first, last)


def takes_notes() -> bool:
    """Whether this Python's lines are told by notes in the compiled code."""
    return not hasattr(sys, "monitoring")
