"""The one thread that owns a model: a queue of jobs, loading when needed, unloading when idle.

CTranslate2's own queue cannot drop a job and its asynchronous calls block the event loop for a
token's time; a thread of ours does neither.

Not covered: what a job does (``ct2.py``).
"""

from __future__ import annotations

import atexit
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from ocils.domain.errors import EnvironmentProblem
from ocils.engine.native import Native

Answer = TypeVar("Answer")

# The next turn mostly follows within seconds, and takes the memory of the last one as it is: having
# it mapped again would be a third of the time to its first token.
_TIDY_SECONDS = 5.0


class ModelThread:
    """Runs jobs one after another on ``native``, in a daemon thread that starts with the first.

    After ``idle_seconds`` without a job the weights are dropped; the next job loads them again. With
    None they stay.
    ``stopping`` is set by ``close``: long jobs watch it and end early. A thread that nobody closed
    is closed when the interpreter ends, which would otherwise abort in the middle of a batch.
    """

    def __init__(self, native: Native, idle_seconds: float | None) -> None:
        self._native = native
        self.idle_seconds = idle_seconds
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, job: Callable[[Native], Answer]) -> Future[Answer]:
        """Queue ``job``; the future ends with its answer or its exception.

        A future that is cancelled before its turn never runs. Raises ``EnvironmentProblem`` once
        the thread was closed.
        """
        future: Future[Answer] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                answer = job(self._native)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(answer)

        with self._lock:
            if self._closed:
                raise EnvironmentProblem("the model was closed", mend="start ocils again")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="ocils-model", daemon=True)
                self._thread.start()
                atexit.register(self.close)
            self._jobs.put(work)
        return future

    def close(self) -> None:
        """End what is queued early, drop the weights and end the thread; waits for it."""
        self.stopping.set()
        atexit.unregister(self.close)
        with self._lock:
            self._closed = True
            thread = self._thread
            self._jobs.put(None)
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        tidy = True
        while True:
            try:
                job = self._jobs.get(timeout=self._patience(tidy))
            except queue.Empty:
                if tidy:
                    self._native.drop()
                else:
                    self._native.settle()
                    self._native.trim()
                    tidy = True
                continue
            if job is None:
                self._native.drop()
                return
            job()
            del job
            tidy = False

    def _patience(self, tidy: bool) -> float | None:
        """Return how long to wait for a job before the next thing there is to do."""
        idle = self.idle_seconds
        if not self._native.loaded:
            return None
        if tidy:
            return idle
        return _TIDY_SECONDS if idle is None else min(_TIDY_SECONDS, idle)
