"""Functions that typeguard compiled anew while modules were imported.

``@typechecked`` reads its whole module for each function, and puts checks into that one function. What
it makes depends on no other function's body, so another function of the file may still be swapped; it
is kept as it is, but for its lines. What it read is forgotten again: whoever reads later is seen.

Not covered: typeguard's import hook (another loader, so nothing is swapped), versions before and
after 4, a typeguard that is first imported by the workspace (the file then counts as read).
"""

from __future__ import annotations

import importlib.metadata
import linecache
import sys
import weakref
from types import FunctionType
from typing import Any, Callable, Iterator, List

MODULE = "typeguard._decorators"
VERSION = "4."


class Instrumented:
    """Listens from its creation to ``stop``; ``silently`` calls what is not to count as reading."""

    def __init__(self, silently: Callable[[Callable[..., Any], Any], Any]) -> None:
        self._silently = silently
        self._made: List[weakref.ref[FunctionType]] = []
        self._usual: Callable[..., Any] | None = None
        self._there = vars(sys.modules[MODULE]) if MODULE in sys.modules else {}
        if "instrument" in self._there and _version().startswith(VERSION):
            self._usual = self._there["instrument"]
            self._there["instrument"] = self._instrument

    def stop(self) -> None:
        """Let typeguard be as it was."""
        if self._usual is not None:
            self._there["instrument"] = self._usual

    def made(self) -> Iterator[FunctionType]:
        """Return the functions that it made and that are still there."""
        return (each for each in (one() for one in self._made) if each is not None)

    def _instrument(self, function: Any) -> Any:
        assert self._usual is not None
        if type(function) is not FunctionType:
            return self._usual(function)  # its attributes may be code of the workspace
        before = set(linecache.cache)
        made = self._silently(self._usual, function)
        for path in set(linecache.cache) - before:
            del linecache.cache[path]
        if type(made) is FunctionType:
            self._made.append(weakref.ref(made))
        return made


def _version() -> str:
    try:
        return importlib.metadata.version("typeguard")
    except importlib.metadata.PackageNotFoundError:
        return ""
