"""What happened to the workspace's functions while modules were imported and tests collected.

Code that ran then has left results behind, in a table or in a test's parameters, which a later swap of
the code would not change. So has code whose text or code object was looked at. From Python 3.12 on by
``sys.monitoring``, before by a trace function for calls; an audit hook sees who reads.

Not covered: native code that takes a function's code object without Python's accessors.
"""

from __future__ import annotations

import os
import sys
import threading
from types import CodeType, FrameType, FunctionType
from typing import Any, Callable, Dict, Set, Tuple

from .lines import TOOL

Key = Tuple[str, str, int]
"""File, name and first line: what a code object can be told by."""

OF_A_FUNCTION = 1
"""``CO_OPTIMIZED``: set for functions, not for the bodies of modules and classes."""

SIGNATURE_READERS = frozenset(
    {"_has_code_flag", "_has_coroutine_mark", "_signature_from_function", "getfile"}
    | {"_signature_is_functionlike", "getfullargspec", "unwrap", "findsource", "getsourcefile"}
)
"""What in ``inspect`` looks at a code object for the signature, the flags or the place only."""


def key_of(code: CodeType) -> Key:
    """Return what ``code`` can be told by, in another compilation of the same text too."""
    return (code.co_filename, code.co_name, code.co_firstlineno)


class Entered:
    """Watches from ``start`` to ``stop``."""

    def __init__(self, root: str) -> None:
        self.trouble = ""
        self.read: Set[str] = set()
        self.lines: Dict[str, Set[int]] = {}
        self._root = root + "/"
        self._ran: Dict[int, CodeType] = {}
        self._looked: Dict[int, FunctionType] = {}
        self._on = False
        self._monitoring: Any = getattr(sys, "monitoring", None)

    def start(self) -> None:
        """Begin to watch; the audit hook stays for the life of the process, and then does nothing."""
        if self._monitoring is not None:
            events = self._monitoring.events
            self._monitoring.use_tool_id(TOOL, "ocils")
            self._monitoring.restart_events()
            self._monitoring.register_callback(TOOL, events.PY_START, self._begin)
            self._monitoring.register_callback(TOOL, events.LINE, self._line)
            self._monitoring.set_events(TOOL, events.PY_START)
        else:
            threading.settrace(self._call)
            sys.settrace(self._call)
        sys.addaudithook(self._hear)
        self._on = True

    def stop(self) -> None:
        """Stop watching; ``trouble`` says when what was seen is not all that happened."""
        self._on = False
        if self._monitoring is not None:
            events = self._monitoring.events
            self._monitoring.set_events(TOOL, 0)
            for code in self._ran.values():
                self._monitoring.set_local_events(TOOL, code, 0)
            self._monitoring.register_callback(TOOL, events.PY_START, None)
            self._monitoring.register_callback(TOOL, events.LINE, None)
            self._monitoring.free_tool_id(TOOL)
            return
        if sys.gettrace() != self._call:
            self.trouble = "something else traced the collection"
        sys.settrace(None)
        threading.settrace(None)

    def silently(self, function: Callable[..., Any], argument: Any) -> Any:
        """Call ``function``, which runs nothing of the workspace's, without noting what it reads."""
        before, self._on = self._on, False
        tracing = sys.gettrace()
        ours = self._monitoring is None and tracing == self._call
        if ours:
            sys.settrace(None)
        try:
            return function(argument)
        finally:
            if ours:
                sys.settrace(tracing)
            self._on = before

    def functions(self) -> Dict[Key, str]:
        """Return the workspace's functions that must keep their code, and why."""
        found: Dict[Key, str] = {}
        for function in self._looked.values():
            found[_placed(function.__code__)] = "its code was looked at while tests were collected"
        for code in self._ran.values():
            if code.co_flags & OF_A_FUNCTION and not code.co_filename.startswith("<"):
                found[_placed(code)] = "it ran while tests were collected"
        return {key: why for key, why in found.items() if key[0].startswith(self._root)}

    def _mine(self, code: CodeType) -> bool:
        return code.co_filename.startswith(self._root)

    def _call(self, frame: FrameType, event: str, arg: object) -> Any:
        code = frame.f_code
        if id(code) not in self._ran:
            self._ran[id(code)] = code  # kept, so that no other code gets its number
        if not code.co_flags & OF_A_FUNCTION and self._mine(code):
            return self._step
        return None

    def _step(self, frame: FrameType, event: str, arg: object) -> Any:
        if event == "line":
            self._line(frame.f_code, frame.f_lineno)
        return self._step

    def _begin(self, code: CodeType, offset: int) -> object:
        self._ran[id(code)] = code
        if not code.co_flags & OF_A_FUNCTION and self._mine(code):
            self._monitoring.set_local_events(TOOL, code, self._monitoring.events.LINE)
        return self._monitoring.DISABLE

    def _line(self, code: CodeType, line: int) -> object:
        self.lines.setdefault(code.co_filename, set()).add(line)
        return self._monitoring.DISABLE if self._monitoring is not None else None

    def _hear(self, event: str, arguments: Tuple[Any, ...]) -> None:
        if not self._on:
            return
        if event == "object.__getattr__":
            function, name = arguments
            if name == "__code__" and type(function) is FunctionType and not _by_a_reader():
                self._looked[id(function)] = function
        elif event == "object.__setattr__":
            function, name = arguments[:2]
            if name == "__code__" and type(function) is FunctionType:
                self._looked[id(function)] = function
        elif event == "open":
            path = arguments[0]
            if isinstance(path, str) and path.endswith(".py") and not _by_the_importer():
                path = os.path.realpath(path)
                if path.startswith(self._root):
                    self.read.add(path)
        elif event in ("sys.settrace", "sys.setprofile"):
            self.trouble = self.trouble or "something traced the collection"
        elif event == "_thread.start_new_thread":
            self.trouble = self.trouble or "a thread was started while tests were collected"


def _placed(code: CodeType) -> Key:
    path, name, line = key_of(code)
    return (os.path.realpath(path), name, line)


def _by_a_reader() -> bool:
    """Whether the code object is read for what an edit of the body leaves as it was."""
    caller = sys._getframe(2).f_code
    path = caller.co_filename.replace("\\", "/")
    if path.endswith("/inspect.py"):
        return caller.co_name in SIGNATURE_READERS
    return "/_pytest/" in path or "/pluggy/" in path


def _by_the_importer() -> bool:
    """Whether a source is opened in order to be compiled as a module."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
        if frame.f_code.co_name == "get_code":
            return True
        frame = frame.f_back
    return False
