"""The slots of one workspace: started when needed, brought up to date, kept alive, thrown away.

Everything here blocks and may be called from several threads.

Not covered: how many are in use at once (``pool.py`` counts), ending idle slots.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from ocils.domain.errors import SandboxUnavailable
from ocils.domain.text import Snapshot
from ocils.sandbox.place import Place, open_place
from ocils.sandbox.runtime import Choice
from ocils.sandbox.slot import Priming, Slot

BEAT_SECONDS = 0.7


class Slots:
    """Keeps what is warm; ``isolation`` says what it runs in, once that was found out."""

    def __init__(
        self, root: str, choice: Choice, memory_mib: int, environ: Mapping[str, str]
    ) -> None:
        self.isolation = ""
        self._root = root
        self._choice = choice
        self._memory_mib = memory_mib
        self._environ = dict(environ)
        self._lock = threading.Lock()
        self._preparing = threading.Lock()
        self._place: Place | None = None
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
            if self._place is not None:
                self._place.close()
                self._place = None

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
        slot = self._prepare().start(self._memory_mib, size)
        with self._lock:
            self._all.add(slot)
        if self._closing.is_set():
            self.discard(slot)
            raise SandboxUnavailable("the sandbox was closed")
        return slot

    def _prepare(self) -> Place:
        """Make the place ready, once."""
        with self._preparing:
            if self._closing.is_set():
                raise SandboxUnavailable("the sandbox was closed")
            if self._place is None:
                self._place = open_place(self._root, self._choice, self._environ)
                self.isolation = self._place.isolation
                self._beat = threading.Thread(target=self._keep_alive, daemon=True)
                self._beat.start()
            return self._place

    def _keep_alive(self) -> None:
        """Tell every supervisor that we live: they exit after a few seconds of silence."""
        while not self._closing.wait(BEAT_SECONDS):
            with self._lock:
                slots = tuple(self._all)
            for slot in slots:
                slot.ping()
