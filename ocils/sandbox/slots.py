"""The slots of one workspace: started when needed, brought up to date, kept alive, thrown away.

Everything here blocks and may be called from several threads.

Not covered: how many are in use at once (``pool.py`` counts), ending idle slots.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

from ocils.domain.errors import SandboxUnavailable
from ocils.domain.text import Snapshot
from ocils.sandbox.engine import connect
from ocils.sandbox.image import ensure_image
from ocils.sandbox.owner import sweep
from ocils.sandbox.runtime import Runtime, host_runtime
from ocils.sandbox.slot import Priming, Slot

BEAT_SECONDS = 0.7


class Slots:
    """Keeps what is warm; ``version`` is the engine's once it was asked."""

    def __init__(
        self, root: str, python: str | None, memory_mib: int, environ: Mapping[str, str]
    ) -> None:
        self.version = ""
        self._root = root
        self._python = python
        self._memory_mib = memory_mib
        self._environ = dict(environ)
        self._lock = threading.Lock()
        self._preparing = threading.Lock()
        self._engine: tuple[docker.DockerClient, Runtime] | None = None
        self._free: list[Slot] = []
        self._all: set[Slot] = set()
        self._priming: Priming | None = None
        self._closing = threading.Event()
        self._beat: threading.Thread | None = None

    def take(self, snapshot: Snapshot, *, fresh: bool) -> Slot:
        """Return a slot that holds ``snapshot`` and has a zygote; a ``fresh`` one is new.

        Raises ``SandboxUnavailable`` and ``SlotLost``.
        """
        slot = None if fresh else self._choose(snapshot)
        slot = slot or self._start(snapshot)
        try:
            if slot.snapshot is None or slot.snapshot.hash != snapshot.hash:
                slot.fill(snapshot)
            priming = None if fresh else self._priming
            if priming is not None and priming is not slot.primed:
                slot.prime(priming)
            if slot.level is None:
                slot.start_zygote(warm=not fresh)
        except BaseException:
            self.discard(slot)
            raise
        return slot

    def give_back(self, slot: Slot) -> None:
        """Keep ``slot`` for the next candidate."""
        with self._lock:
            if slot in self._all:
                self._free.append(slot)

    def discard(self, slot: Slot) -> None:
        """Remove ``slot``'s container."""
        with self._lock:
            self._all.discard(slot)
        slot.close()

    def unknown(self, snapshot: Snapshot) -> bool:
        """Tell whether no run of this original has primed the slots."""
        return self._priming is None or self._priming.snapshot != snapshot.hash

    def learn(self, slot: Slot, modules: tuple[str, ...]) -> None:
        """Let every slot have what a run of the original taught this one."""
        self._priming = slot.learn(modules)

    def close(self) -> None:
        """Remove every container, and start none any more."""
        self._closing.set()
        with self._lock:
            slots, self._all, self._free = self._all, set(), []
        closers = [threading.Thread(target=slot.close) for slot in slots]
        for closer in closers:
            closer.start()
        for closer in closers:
            closer.join()
        if self._beat is not None:
            self._beat.join()
        with self._preparing:
            if self._engine is not None:
                self._engine[0].close()
                self._engine = None

    def _choose(self, snapshot: Snapshot) -> Slot | None:
        with self._lock:
            same = [s for s in self._free if s.snapshot and s.snapshot.hash == snapshot.hash]
            found = same or self._free
            if not found:
                return None
            slot = found[-1]
            self._free.remove(slot)
            return slot

    def _start(self, snapshot: Snapshot) -> Slot:
        size = sum(len(each.data) for each in snapshot.entries)
        try:
            client, runtime = self._prepare()
            image = ensure_image(client, runtime.home)
        except (DockerException, RequestException) as error:
            raise SandboxUnavailable(
                f"the container engine fails: {error}",
                mend="see whether it still runs (ocils doctor), and try again",
            ) from error
        slot = Slot(client, runtime, image, self._memory_mib, size)
        with self._lock:
            self._all.add(slot)
        if self._closing.is_set():
            self.discard(slot)
            raise SandboxUnavailable("the sandbox was closed")
        return slot

    def _prepare(self) -> tuple[docker.DockerClient, Runtime]:
        """Plan the mounts, connect and sweep, once."""
        with self._preparing:
            if self._closing.is_set():
                raise SandboxUnavailable("the sandbox was closed")
            if self._engine is None:
                runtime = host_runtime(self._root, self._python, self._environ)
                client = connect(self._environ)
                self._engine = (client, runtime)
                self.version = str(client.version().get("Version", ""))
                sweep(client)
                self._beat = threading.Thread(target=self._keep_alive, daemon=True)
                self._beat.start()
            return self._engine

    def _keep_alive(self) -> None:
        """Tell every supervisor that we live: they exit after a few seconds of silence."""
        while not self._closing.wait(BEAT_SECONDS):
            with self._lock:
                slots = tuple(self._all)
            for slot in slots:
                slot.ping()
