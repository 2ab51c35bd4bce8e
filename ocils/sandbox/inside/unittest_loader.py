"""Finding tests as ``python -m unittest discover`` does, for interpreters without pytest.

The start folder goes by convention: ``tests`` or ``test`` where there is one (with the root on top
when it is a package), else the root. Tests are named as pytest names them: the file that they were
loaded from, their class, their method; a second test of the same name gets ``[2]``.

Not covered: suites of a class of their own that ``load_tests`` returns (they are taken apart), and
modules that are skipped as a whole (pytest has no name for those either).
"""

from __future__ import annotations

import doctest
import os
import sys
import unittest
from types import ModuleType
from typing import Any, Iterator, List, Sequence, Tuple

PATTERN = "test*.py"
FOLDERS = ("tests", "test")

Broken = Tuple[str, BaseException]
"""Which file could not be loaded, relative to the root, and why."""


class Loader(unittest.TestLoader):
    """Remembers which file a test came from, and what could not be loaded."""

    def __init__(self, root: str) -> None:
        super().__init__()
        self.broken: List[Broken] = []
        self._root = root
        self._names: dict[str, int] = {}
        self._found: dict[str, Any] = {}
        self._known: dict[int, Any] = {}

    def find(self, paths: Sequence[str], expected: Sequence[str]) -> dict[str, Any]:
        """Return tests by id: those below ``paths``, or everything that is found from the start.

        A file whose folder has a ``load_tests`` may not name its tests by itself; when one of
        ``expected`` is missing everything is searched.
        """
        for path in paths:
            self._load(os.path.join(self._root, path))
        if not paths or (any(each not in self._found for each in expected) and not self.broken):
            self._names, self._found = {}, {}
            self._known.clear()
            self._discover(*self._start())
        return self._found

    def loadTestsFromModule(self, module: ModuleType, *args: Any, **kinds: Any) -> Any:
        """Load as usual, and note the file of every test that has none yet."""
        suite = super().loadTestsFromModule(module, *args, **kinds)
        path = os.path.relpath(os.path.realpath(str(module.__file__)), self._root)
        for test in _flat(suite):
            self._keep(test, path)
        return suite

    def _get_module_from_name(self, name: str) -> ModuleType:
        try:
            __import__(name)
        except unittest.SkipTest:
            raise
        except BaseException as error:
            self.broken.append((self._path_of(name), error))
            raise
        return sys.modules[name]

    def _keep(self, test: Any, path: str) -> None:
        if id(test) in self._known:
            return
        self._known[id(test)] = test  # kept, so that no other gets its number
        if type(test).__name__ == "_FailedTest":
            # An import that failed is noted already, by the exception itself.
            if not self.broken:
                self.broken.append((path, test._exception))
            return
        name = f"{path}::{_name(test)}"
        count = self._names[name] = self._names.get(name, 0) + 1
        self._found[name if count == 1 else f"{name}[{count}]"] = test

    def _start(self) -> tuple[str, str]:
        """Return the start folder and the one that imports begin at."""
        for name in FOLDERS:
            start = os.path.join(self._root, name)
            if os.path.isdir(start):
                return start, _top(start, self._root)
        return self._root, self._root

    def _load(self, path: str) -> None:
        if os.path.isdir(path):
            self._discover(path, _top(path, self._root))
            return
        top = _top(os.path.dirname(path), self._root)
        if top not in sys.path:
            sys.path.insert(0, top)
        name = os.path.relpath(path, top)[: -len(".py")].replace(os.sep, ".")
        try:
            module = self._get_module_from_name(name)
        except BaseException:
            return  # it is noted already, or is skipped as a whole
        if os.path.realpath(str(module.__file__)) != os.path.realpath(path):
            text = f"{name!r} was imported from {module.__file__}, not from {path}"
            self.broken.append((os.path.relpath(path, self._root), ImportError(text)))
            return
        self.loadTestsFromModule(module, pattern=PATTERN)

    def _discover(self, start: str, top: str) -> None:
        try:
            suite = self.discover(start, pattern=PATTERN, top_level_dir=top)
        except Exception as error:
            self.broken.append((os.path.relpath(start, self._root), error))
            return
        # Found by a load_tests that went its own ways.
        for test in _flat(suite):
            module = sys.modules.get(type(test).__module__)
            path = getattr(module, "__file__", None)
            if type(test).__name__ != "_FailedTest" and path:
                self._keep(test, os.path.relpath(os.path.realpath(path), self._root))

    def _path_of(self, name: str) -> str:
        below = name.replace(".", os.sep)
        for top in (getattr(self, "_top_level_dir", None), *sys.path):
            for path in (f"{below}.py", f"{below}/__init__.py"):
                whole = os.path.join(str(top or ""), path)
                if os.path.isfile(whole):
                    return os.path.relpath(os.path.realpath(whole), self._root)
        return name


def _flat(suite: Any) -> Iterator[Any]:
    """Yield the tests of a suite, whole modules that are skipped left out."""
    try:
        inner = iter(suite)
    except TypeError:
        if type(suite).__name__ != "ModuleSkipped":
            yield suite
        return
    for each in inner:
        yield from _flat(each)


def _name(test: Any) -> str:
    if isinstance(test, (doctest.DocTestCase, unittest.FunctionTestCase)):
        return str(test.id())
    return f"{type(test).__name__}::{test._testMethodName}"


def _top(folder: str, root: str) -> str:
    """Return where imports begin: the first folder upwards that is not a package."""
    while folder != root and os.path.isfile(os.path.join(folder, "__init__.py")):
        folder = os.path.dirname(folder)
    return folder
