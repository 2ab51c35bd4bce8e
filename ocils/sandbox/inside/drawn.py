"""Hypothesis draws from the constants that stand in the workspace's modules, and reads them while
tests are collected. A fork gets those of the edited file anew, as if it had read the new text.

Not covered: constants read before pytest has collected (a strategy's ``example`` at import): the file
then counts as read, and is not swapped.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any, Callable, Dict, Tuple

PROVIDERS = "hypothesis.internal.conjecture.providers"
NAMES = ("constants_from_module", "Constants", "CONSTANTS_CACHE", "_local_constants")


class Drawn:
    """What hypothesis read, by file; empty where it is not in use, or of another kind."""

    def __init__(self) -> None:
        self._read: Dict[str, Tuple[Any, Any]] = {}
        self._usual: Callable[..., Any] | None = None
        self._before: Any = None

    def listen(self, silently: Callable[[Callable[..., Any], Any], Any]) -> None:
        """Note what is read from now on; ``silently`` calls it so that it does not count as reading."""
        providers: Any = sys.modules.get(PROVIDERS)
        if self._usual is not None or not all(hasattr(providers, name) for name in NAMES):
            return
        self._before = providers._local_constants
        usual = self._usual = providers.constants_from_module

        def constants_from_module(module: Any) -> Any:
            found = silently(usual, module)
            self._read[_file(module)] = (module, found)
            return found

        providers.constants_from_module = constants_from_module

    def renew(self, path: str) -> None:
        """Read the file at ``path`` once more, if it was read at all."""
        providers: Any = sys.modules.get(PROVIDERS)
        if self._usual is None:
            return
        providers.constants_from_module = self._usual
        if path not in self._read:
            return
        forget = getattr(self._usual, "cache_clear", None)
        if forget is not None:
            forget()
        module, _ = self._read[path]
        self._read[path] = (module, self._usual(module))
        together = providers.Constants()
        for _, found in self._read.values():
            together |= found
        providers._local_constants = self._before | together
        providers.CONSTANTS_CACHE.cache.clear()


def _file(module: Any) -> str:
    try:
        return str(inspect.getsourcefile(module))
    except (TypeError, OSError):
        return ""
