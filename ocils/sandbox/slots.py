"""The slots of one workspace: started when needed, brought up to date, kept alive, thrown away.

A slot is thrown away when its container went away (the engine was restarted, the machine slept),
when nothing was judged for a while, and when what is installed is no longer what it was started
with. Whoever asks next gets a new one; nobody else notices.

Everything here blocks and may be called from several threads.

Not covered: how many are in use at once (``pool.py`` counts).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence

from ocils.domain.errors import SandboxUnavailable
from ocils.domain.text import Snapshot
from ocils.sandbox.freshness import fingerprint
from ocils.sandbox.place import Place, open_place
from ocils.sandbox.runtime import Choice
from ocils.sandbox.slot import Priming, Slot

BEAT_SECONDS = 0.7
LOOK_SECONDS = 1.0
"""How long what is installed is taken to be what it was at the last look."""


class Slots:
    """Keeps what is warm; ``isolation`` says what it runs in, once that was found out."""

    def __init__(
        self,
        root: str,
        choice: Choice,
        memory_mib: int,
        environ: Mapping[str, str],
        idle_seconds: float = 0.0,
        judged: Sequence[str] | None = None,
    ) -> None:
        self.isolation = ""
        self._root = root
        self._choice = choice
        self._memory_mib = memory_mib
        self._environ = dict(environ)
        self._lock = threading.Lock()
        self._preparing = threading.Lock()
        self._place: Place | None = None
        self._idle_seconds = idle_seconds
        self._judged = judged
        self._used = time.monotonic()
        self._looked = 0.0
        self._installed = ""
        self._free: list[Slot] = []
        self._all: set[Slot] = set()
        self._old: set[Slot] = set()
        self._priming: Priming | None = None
        self._closing = threading.Event()
        self._beat: threading.Thread | None = None

    def take(self, snapshot: Snapshot, *, fresh: bool) -> Slot:
        """Return a slot that holds ``snapshot`` and has a zygote; a ``fresh`` one is new.

        Raises ``SandboxUnavailable`` and ``SlotLost``.
        """
        self._refresh()
        slot = None if fresh else self._choose(snapshot)
        slot = slot or self._start(snapshot)
        try:
            if slot.snapshot is None or slot.snapshot.hash != snapshot.hash:
                slot.fill(snapshot, self._judged or ())
            priming = None if fresh else self._priming
            if priming is not None and priming is not slot.primed:
                slot.prime(priming)
            if slot.level is None:
                # A command imports nothing: there is nothing to warm.
                slot.start_zygote(warm=not fresh and self._judged is None)
        except BaseException:
            self.discard(slot)
            raise
        return slot

    def give_back(self, slot: Slot) -> None:
        """Keep ``slot`` for the next candidate, unless it was told to go meanwhile."""
        with self._lock:
            self._used = time.monotonic()
            if slot in self._all and slot not in self._old:
                self._free.append(slot)
                return
        self.discard(slot)

    def discard(self, slot: Slot) -> None:
        """Remove ``slot``'s container."""
        with self._lock:
            self._all.discard(slot)
            self._old.discard(slot)
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
        self._close(slots)
        if self._beat is not None:
            self._beat.join()
        with self._preparing:
            if self._place is not None:
                self._place.close()
                self._place = None

    def _choose(self, snapshot: Snapshot) -> Slot | None:
        with self._lock:
            self._used = time.monotonic()
            lost = [slot for slot in self._free if slot.is_lost()]
            self._forget(lost)
        self._close(lost)
        with self._lock:
            same = [s for s in self._free if s.snapshot and s.snapshot.hash == snapshot.hash]
            found = same or self._free
            if not found:
                return None
            # The next candidate is mostly of the last one's kind.
            slot = next((s for s in reversed(found) if s.collected), found[-1])
            self._free.remove(slot)
            return slot

    def _start(self, snapshot: Snapshot) -> Slot:
        size = sum(len(each.data) for each in snapshot.entries)
        place = self._prepare()
        try:
            slot = place.start(self._memory_mib, size)
        except SandboxUnavailable:
            self._leave(place)
            raise
        with self._lock:
            self._all.add(slot)
        if self._closing.is_set():
            self.discard(slot)
            raise SandboxUnavailable("the sandbox was closed")
        return slot

    def _leave(self, place: Place) -> None:
        """Ask the engine anew next time: it may be another one then, or an earlier state of it."""
        with self._preparing, self._lock:
            if self._place is place and not self._all:
                place.close()
                self._place = None

    def _prepare(self) -> Place:
        """Make the place ready, once."""
        with self._preparing:
            if self._closing.is_set():
                raise SandboxUnavailable("the sandbox was closed")
            if self._place is None:
                place = open_place(self._root, self._choice, self._environ)
                self._installed = fingerprint(place.runtime, self._choice, self._environ)
                self._looked = time.monotonic()
                self._place = place
                self.isolation = place.isolation
                if self._beat is None:
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
            self._end_idle()

    def _end_idle(self) -> None:
        """End the containers of a workspace in which nothing was judged for a while."""
        with self._lock:
            busy = len(self._all) != len(self._free)
            idle = time.monotonic() - self._used
            if busy or not self._idle_seconds or idle < self._idle_seconds:
                return
            slots = self._all
            self._all, self._free = set(), []
        self._close(slots)

    def _refresh(self) -> None:
        """Throw away what was started with other packages or another interpreter.

        What judges at the moment ends first: its slot is closed when it is given back.
        """
        with self._preparing:
            now = time.monotonic()
            if self._place is None or now - self._looked < LOOK_SECONDS:
                return
            self._looked = now
            installed = fingerprint(self._place.runtime, self._choice, self._environ)
            if installed == self._installed:
                return
            with self._lock:
                free = list(self._free)
                self._forget(free)
                self._old = set(self._all)
                self._priming = None
            self._close(free)
            self._place.close()
            self._place = None

    def _forget(self, slots: Iterable[Slot]) -> None:
        for slot in slots:
            self._all.discard(slot)
            self._free.remove(slot)

    @staticmethod
    def _close(slots: Iterable[Slot]) -> None:
        closers = [threading.Thread(target=slot.close) for slot in slots]
        for closer in closers:
            closer.start()
        for closer in closers:
            closer.join()
