"""What one function was given and gave back, test by test: how two greens are told apart.

By a trace function that follows only that function's code. Arguments are written down as the call
begins, and once more as it ends when the call changed them, so that work done in place counts.
Texts are cut, with a digest of the whole; addresses in them are left out.

Not covered: what generators and coroutines yield; subprocesses; objects whose ``repr`` says nothing
of their state beyond their own attributes; more than ``MOST`` calls a test.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import threading
from types import CodeType, FrameType
from typing import Any

MOST = 50
SUSPENDS = 0x20 | 0x80 | 0x200
"""Flags of generators, coroutines and both at once."""

SHOWN = 160
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


class Calls:
    """The calls seen since the last ``note``; stands where a ``Lines`` stands."""

    def __init__(self, path: str, first: int, last: int) -> None:
        self._path = path
        self._first = first
        self._last = last
        self._seen: list[list[str]] = []
        self._known: dict[CodeType, bool] = {}
        self.start()

    def start(self) -> None:
        """Called as a test begins; comes back, should the last test have replaced the function."""
        threading.settrace(self._enter)
        sys.settrace(self._enter)

    def take(self) -> list[int]:
        """Return no lines: calls are followed, not lines."""
        self._seen = []
        return []

    def note(self, record: dict[str, Any]) -> None:
        """Put the calls into a test's record."""
        record["calls"] = self._seen
        record["lines"] = []
        self._seen = []

    def _enter(self, frame: FrameType, _event: str, _arg: object) -> Any | None:
        code = frame.f_code
        known = self._known.get(code)
        if known is None:
            known = self._known[code] = self._is_target(code)
        if not known or len(self._seen) >= MOST:
            return None
        given = self._arguments(frame)
        entry = [given, "it did not return"]
        self._seen.append(entry)
        left = ""

        def follow(frame: FrameType, event: str, arg: Any) -> Any:
            nonlocal left
            if event == "exception":
                left = f"raises {arg[0].__name__}: {text_of(arg[1])}"
            elif event == "return":
                # An exception that leaves the function is followed by a return of None.
                entry[1] = left if left and arg is None else f"returns {text_of(arg)}"
                after = self._arguments(frame)
                if after != given:
                    entry[1] += f", and leaves {after}"
            elif event == "line":
                left = ""
            return follow

        return follow

    def _is_target(self, code: CodeType) -> bool:
        if not self._first <= code.co_firstlineno <= self._last or code.co_name.startswith("<"):
            return False
        if code.co_flags & SUSPENDS:
            return False
        path = code.co_filename
        if path != self._path and os.path.realpath(path) != self._path:
            return False
        # Functions inside the target begin further down.
        first = [each.co_firstlineno for each in self._known if self._known[each]]
        return not first or code.co_firstlineno <= min(first)

    @staticmethod
    def _arguments(frame: FrameType) -> str:
        code = frame.f_code
        count = code.co_argcount + code.co_kwonlyargcount
        count += bool(code.co_flags & 4) + bool(code.co_flags & 8)
        values = frame.f_locals
        names = [name for name in code.co_varnames[:count] if name in values]
        return ", ".join(f"{name}={text_of(values[name])}" for name in names)


def text_of(value: object) -> str:
    """Write ``value`` down: its ``repr`` without addresses, its attributes where that says nothing."""
    try:
        kind = type(value)
        if kind.__repr__ is object.__repr__ and hasattr(value, "__dict__"):
            inner = ", ".join(f"{k}={v!r}" for k, v in sorted(vars(value).items()))
            text = f"{kind.__name__}({inner})"
        else:
            text = repr(value)
    except Exception as problem:
        return f"<a {type(value).__name__} that cannot be shown: {type(problem).__name__}>"
    text = ADDRESS.sub("", text)
    if len(text) > SHOWN:
        digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:8]
        text = f"{text[:SHOWN]}… #{digest}"
    return text
