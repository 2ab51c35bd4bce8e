"""One token that stops everything: the token loop, the sandbox's children, the loop itself.

Not covered: who flips it (``server/progress.py``, the command line's Ctrl+C, shutdown).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class CancelToken:
    """A one-way switch, safe to flip and to watch from any thread.

    The only mutable thing in ``domain``: it is shared on purpose, between the event loop, the
    engine's thread and the sandbox's threads.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        # A signal's handler may flip it in the middle of the same thread's `watch`.
        self._lock = threading.RLock()
        self._watchers: list[Callable[[], None]] = []

    @property
    def cancelled(self) -> bool:
        """Whether someone asked to stop."""
        return self._event.is_set()

    def cancel(self) -> None:
        """Ask to stop; the second and later calls do nothing."""
        with self._lock:
            if self._event.is_set():
                return
            self._event.set()
            watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            watcher()

    @contextmanager
    def watch(self, stop: Callable[[], None]) -> Iterator[None]:
        """Call ``stop`` once, from the cancelling thread, if the token flips inside the block.

        A token that is already flipped calls it at once. ``stop`` must be quick and must not raise.
        """
        with self._lock:
            late = self._event.is_set()
            if not late:
                self._watchers.append(stop)
        if late:
            stop()
        try:
            yield
        finally:
            with self._lock:
                if stop in self._watchers:
                    self._watchers.remove(stop)
