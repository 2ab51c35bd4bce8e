"""What the test runner is made of, as it was before any code of the candidate ran.

Code under test may replace parts of pytest, of unittest, of ``json``, of what tests compare with or of
the built-ins, by a slip or to look green. The parts are remembered before, and compared when the run
is over; so are the importers, the functions that are told of every line, and the code of the collected
tests. Besides, a failure is made on purpose (the canary), which must come out as one.

Not covered: parts that are put back before the end, parts of other plugins, the code behind a test that
is wrapped (hypothesis), what is written into memory past the interpreter, and whoever changes what this
module itself remembers: code in this interpreter can forge anything.
"""

from __future__ import annotations

# Whatever is watched is loaded before the candidate can load its own.
import math  # noqa: F401
import operator  # noqa: F401
import sys
import types
import unittest.case  # noqa: F401
from typing import Any, Dict, Iterable, Iterator, List, Tuple

WATCHED = (
    "_pytest._code.code",
    "_pytest.assertion",
    "_pytest.assertion.rewrite",
    "_pytest.main",
    "_pytest.outcomes",
    "_pytest.python",
    "_pytest.python_api",
    "_pytest.raises",
    "_pytest.reports",
    "_pytest.runner",
    "_pytest.skipping",
    "_pytest.unittest",
    "pluggy._callers",
    "pluggy._hooks",
    "pluggy._manager",
    "pluggy._result",
    "unittest.case",
    "unittest.result",
    "unittest.suite",
    "json.encoder",
    "builtins",
    # What tests compare with.
    "math",
    "numpy.testing",
    "operator",
    "pandas._testing",
    "pytest",
    "unittest",
    "ocils_inside.collected",
    "ocils_inside.failures",
    "ocils_inside.originals",
    "ocils_inside.records",
    "ocils_inside.reporter",
    "ocils_inside.unittest_runner",
)
MOST = 5
"""Of each file."""

PARTS = (
    types.FunctionType,
    types.BuiltinFunctionType,
    property,
    classmethod,
    staticmethod,
    type,
)


class Originals:
    """Remembers on creation."""

    def __init__(self) -> None:
        there = [sys.modules[name] for name in WATCHED if name in sys.modules]
        self._kept = [
            (f"{module.__name__}.{name}", vars(owner), name.rpartition(".")[2], value)
            for module in there
            for owner, name, value in _parts(module)
        ]
        self._classes = [
            (f"{each.__module__}.{each.__qualname__}", vars(each), frozenset(vars(each)))
            for module in there
            for each in vars(module).values()
            if _is_own(each, module)
        ]
        self._steering = [value for _, value in _steering()]
        self._tests: List[Tuple[str, Any, types.CodeType]] = []

    def remember(self, tests: Iterable[Any]) -> None:
        """Take the code of the collected ``tests``, pytest's items, for what it is to be at the end."""
        self._tests = []
        for item in tests:
            # Not the property ``obj``: it may make something, and it may raise.
            function = getattr(item, "_obj", None)
            code = getattr(function, "__code__", None)
            if isinstance(code, types.CodeType):
                self._tests.append((item.nodeid, function, code))

    def replaced(self) -> list[list[str]]:
        """List what is no longer what it was: its name, and the file of what took its place.

        The file is empty when there is none: a built-in, a mock, or nothing at all.
        """
        found: List[List[str]] = []
        for name, place, short, value in self._kept:
            now = place.get(short)
            if now is not value:
                found.append([name, _file(now)])
        for name, place, names in self._classes:
            # ``len`` is not asked: it may be what was replaced.
            added = [each for each in place.keys() - names if isinstance(place[each], PARTS)]
            found += [[f"{name}.{each}", _file(place[each])] for each in added]
        for name, value in _steering():
            file = _file(value) or _file(type(value))
            # What has no file is native, and what is frozen is Python's own.
            known = [each for each in self._steering if each is value]
            if not known and file and not file.startswith("<frozen"):
                found.append([name, file])
        for name, function, code in self._tests:
            now = function.__code__
            home = function.__globals__.get("__file__")
            if now is not code or not (now.co_filename.startswith("<") or now.co_filename == home):
                found.append([f"the code of {name}", now.co_filename])
        if not found and not _canary():
            found.append(["the way failures are reported", ""])
        # Of each file a few: what a plugin does by the dozen must not hide what somebody else did.
        told: Dict[str, List[List[str]]] = {}
        for each in found:
            told.setdefault(each[1], []).append(each)
        return [each for few in told.values() for each in few[:MOST]]


def _steering() -> List[Tuple[str, Any]]:
    """What decides which code is loaded, and what is told of every line."""
    return [
        *(("sys.meta_path", each) for each in list(sys.meta_path)),
        *(("sys.path_hooks", each) for each in list(sys.path_hooks)),
        ("sys.settrace", sys.gettrace()),
        ("sys.setprofile", sys.getprofile()),
    ]


def _parts(module: types.ModuleType) -> Iterator[tuple[Any, str, Any]]:
    for name, value in list(vars(module).items()):
        # ``pytest.fail`` is an object of a class of its own.
        if not isinstance(value, PARTS) and type(value).__module__ != "_pytest.outcomes":
            continue
        yield module, name, value
        if _is_own(value, module):
            for inner, part in list(vars(value).items()):
                if isinstance(part, PARTS):
                    yield value, f"{name}.{inner}", part


def _is_own(value: Any, module: types.ModuleType) -> bool:
    return isinstance(value, type) and value.__module__ == module.__name__ != "builtins"


def _file(value: Any) -> str:
    """Return the file that a replacement's code was written in."""
    if isinstance(value, property):
        value = value.fget
    value = getattr(value, "__func__", value)
    value = getattr(value, "__wrapped__", value)
    code = getattr(value, "__code__", None)
    if isinstance(code, types.CodeType):
        return code.co_filename
    if isinstance(value, type):
        return str(getattr(sys.modules.get(value.__module__), "__file__", None) or "")
    return ""


def _fail() -> None:
    raise AssertionError("canary")


def _canary() -> bool:
    """Tell whether a failure still is one, on its way through pytest or unittest."""
    try:
        return _failure_is_seen()
    except Exception:
        return False


def _failure_is_seen() -> bool:
    case = sys.modules.get("unittest.case")
    if case is not None:
        try:
            case.TestCase().assertEqual(1, 2)  # noqa: PT009 - it is what is being tried
        except AssertionError:
            pass
        else:
            return False
    runner, reports = sys.modules.get("_pytest.runner"), sys.modules.get("_pytest.reports")
    if runner is None or reports is None:
        return True
    call = runner.CallInfo.from_call(_fail, "call")
    report = reports.TestReport("canary", ("canary", 0, "canary"), {}, "failed", None, "call")
    return call.excinfo is not None and report.outcome == "failed" and bool(report.failed)
