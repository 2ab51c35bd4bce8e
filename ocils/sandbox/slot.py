"""One container: its life cycle, limits, and one candidate at a time in it.

Everything here blocks and belongs into a thread; only ``cancel``, ``ping`` and ``close`` may be
called from elsewhere meanwhile.

Not covered: which slot judges what (``pool.py``), what a report means (``report.py``).
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from ocils.domain.base import Value
from ocils.domain.cancel import CancelToken
from ocils.domain.errors import SandboxUnavailable
from ocils.domain.judging import CaseResult, Level, Plan
from ocils.domain.text import Entry, Snapshot
from ocils.sandbox.commanded import CommandedReport
from ocils.sandbox.line import START_SECONDS, Line, SlotLost
from ocils.sandbox.report import OUTPUT_CAP, End, Report
from ocils.sandbox.runtime import Runtime
from ocils.sandbox.sent import arguments, is_same, is_wanted

MIB = 1 << 20
LEVELS: tuple[Level, ...] = ("L0", "L1", "L2")
ZYGOTE_SECONDS = 60.0
ZYGOTE_TRIES = 5
"""Starts of a zygote that something kills; one that ends by itself, or is silent, is not tried again."""

GRACE_SECONDS = 15.0
REPORT_CAP = 64 * MIB


class Priming(Value, frozen=True):
    """What a run of the original taught: modules to import early, bytecode to share.

    ``snapshot`` is the hash of the snapshot that the bytecode belongs to.
    """

    snapshot: str
    modules: tuple[str, ...]
    files: tuple[tuple[str, int, int], ...]
    data: bytes


class Outcome(NamedTuple):
    """A run's end, whether the slot may judge another candidate, and how this one was judged."""

    end: End
    clean: bool
    level: Level
    why_not_l2: str


class Slot:
    """A container (or what stands for one) with its own copy of one workspace."""

    def __init__(self, runtime: Runtime, line: Line, remove: Callable[[], None]) -> None:
        """Take over what was started; ``remove`` removes it and never raises."""
        self.snapshot: Snapshot | None = None
        self.primed: Priming | None = None
        self.stale: tuple[str, ...] = ()
        self.modules: tuple[str, ...] = ()
        self.level: int | None = None
        self.collected = False
        """Whether the last candidate was judged by a collected suite."""
        self._last = ""
        self._runtime = runtime
        self._closed = False
        self._line = line
        self._remove = remove

    def ping(self) -> None:
        """Tell the supervisor that we live."""
        self._line.ping()

    def is_lost(self) -> bool:
        """Tell whether the container went away while nothing was asked of it."""
        return self._line.is_lost()

    def fill(self, snapshot: Snapshot, judged: Sequence[str] = ()) -> None:
        """Make the tree equal to ``snapshot``; only what differs from the last one is sent.

        Files that end in one of ``judged`` are not the candidate's to write, nor are Python's.
        """
        known: Mapping[str, Entry] = {}
        if self.snapshot is not None:
            known = {each.path: each for each in self.snapshot.entries}
        entries = [each for each in snapshot.entries if is_wanted(each, self._runtime)]
        changed = [each for each in entries if not is_same(known.get(each.path), each)]
        present = {each.path for each in entries}
        gone = [each for each in known if each not in present]
        if changed or gone:
            heads = [[e.path, e.kind, e.mode, e.mtime_ns, e.link, len(e.data)] for e in changed]
            data = b"".join(each.data for each in changed)
            message = {"op": "tree", "entries": heads, "gone": gone, "size": len(data)}
            self._ask({**message, "judged": list(judged)}, data)
        self.snapshot = snapshot
        self._last = ""

    def start_zygote(self, modules: Sequence[str] = (), *, warm: bool = True) -> None:
        """Start the process that candidates are forked from. Raises ``SandboxUnavailable``.

        A fork keeps only one thread, so what starts threads is left for the candidates to do:
        first the early imports, then the rehearsal of pytest with its plugins.
        """
        threads = self._start_zygote(modules, warm=warm, rehearse=warm)
        if warm and threads > 1 and modules:
            threads = self._start_zygote((), warm=True, rehearse=True)
        if warm and threads > 1:
            threads = self._start_zygote((), warm=True, rehearse=False)
        self.modules = tuple(modules)
        self.level = 1 if warm and threads == 1 and not self.stale else 0

    def _start_zygote(self, modules: Sequence[str], *, warm: bool, rehearse: bool) -> int:
        """Start it once, again when something killed it; returns how many threads it has."""
        python = self._runtime.python
        message = {
            "op": "zygote",
            "python": python,
            "environment": self._runtime.environment_inside,
            "env": {**dict(self._runtime.environ), "PYTHONHASHSEED": "0"},
            "modules": list(modules),
            "warm": warm,
            "rehearse": rehearse,
            "seconds": ZYGOTE_SECONDS,
        }
        for _ in range(ZYGOTE_TRIES):
            answer = self._ask(message, seconds=ZYGOTE_SECONDS + GRACE_SECONDS)
            if not answer.get("killed"):
                break
        if answer.get("dead"):
            raise SandboxUnavailable(
                f"{python} does not start in the container",
                mend=f"see what it said: {self._line.errors[-500:] or 'nothing'}",
            )
        if answer["problem"]:
            raise SandboxUnavailable(
                f"pytest cannot be imported by {python} ({answer['problem']})",
                mend=f"install pytest into it: {python} -m pip install pytest",
            )
        if not answer.get("closed", True):
            raise SandboxUnavailable(
                "the process that candidates are forked from can be looked into"
            )
        self.stale = tuple(answer["stale"])
        return int(answer["threads"])

    def prime(self, priming: Priming) -> None:
        """Take over what a run of the original taught another slot, or this one."""
        if self.snapshot is not None and self.snapshot.hash == priming.snapshot and priming.files:
            files = [list(each) for each in priming.files]
            self._ask({"op": "adopt", "files": files, "size": len(priming.data)}, priming.data)
        if not set(priming.modules) <= set(self.modules):
            self.start_zygote(priming.modules)
        self.primed = priming

    def learn(self, found: Sequence[str]) -> Priming:
        """Make what the last run of the original left into a priming, and take it over."""
        assert self.snapshot is not None
        answer = self._ask({"op": "bytecode"})
        data = self._line.raw(int(answer["size"]), START_SECONDS)
        files = tuple((str(p), int(s), int(m)) for p, s, m in answer["files"])
        modules = tuple(dict.fromkeys([*self.modules, *found]))
        priming = Priming(self.snapshot.hash, modules, files, data)
        if len(modules) > len(self.modules):
            self.start_zygote(modules)
        self.primed = priming
        return priming

    def run(
        self,
        plan: Plan,
        files: Mapping[str, bytes],
        report: Report | CommandedReport,
        nonce: str,
        seen: Callable[[CaseResult], None],
        stop: CancelToken,
        *,
        harvest: bool = False,
        commands: Mapping[str, Any] | None = None,
    ) -> Outcome:
        """Judge one candidate; ``files`` are its changed files, by relative path.

        ``commands`` are run instead of pytest (``commanded.py``).

        Raises ``SlotLost`` when the container goes away in the middle.
        """
        level = self.level or 0
        if plan.fresh or plan.seed != 0:
            level = 0  # a fork keeps the zygote's hash seed
        command = self._command(plan, files, nonce, 0 if commands else level, harvest)
        if commands:
            command["request"]["commands"] = commands
            # Whole files are reported, not tests, or everything at once.
            command["quiet"] = plan.quiet * commands["patience"]
        patience = plan.seconds + GRACE_SECONDS
        if "collect" in command:
            patience += plan.seconds  # what collecting may take, and it may be in vain
        self._line.send(command)
        # Only now: a cancel that overtook its run would be taken for one that came too late.
        with stop.watch(self.cancel):
            answer = self._line.hear(patience)
            while answer["op"] == "report":
                for case in report.feed(answer["data"].encode("latin-1")):
                    seen(case)
                answer = self._line.hear(patience)
        if "error" in answer or answer["lost"]:
            raise SlotLost(str(answer.get("error") or "the zygote ended"))
        end = End(
            answer["status"],
            str(answer["ended_for"]),
            float(answer["seconds"]),
            str(answer["output"]),
            tuple(answer["tampered"]),
        )
        had = LEVELS[answer["level"]]
        self.collected = had == "L2"
        return Outcome(end, bool(answer["clean"]), had, str(answer["why_not_l2"]))

    def cancel(self) -> None:
        """End the candidate that is being judged, if any, at once."""
        with contextlib.suppress(SlotLost):
            self._line.send({"op": "cancel"})

    def close(self) -> None:
        """Remove the container. Never raises, may be called twice."""
        if self._closed:
            return
        self._closed = True
        self._line.close()
        self._remove()

    def _command(
        self, plan: Plan, files: Mapping[str, bytes], nonce: str, level: int, harvest: bool
    ) -> dict[str, Any]:
        probe = None
        if plan.probe is not None:
            probe = msgspec.to_builtins(plan.probe)
        request: dict[str, Any] = {
            "nonce": nonce,
            "level": level,
            "seed": plan.seed,
            "tests": list(plan.tests),
            "paths": list(arguments(plan, self.snapshot, files)),
            "stop_early": plan.stop_early,
            "short": bool(files) and not plan.fresh,
            "probe": probe,
            "modules": harvest,
            "env": {},
        }
        return {
            **self._wish(plan, files, request),
            "op": "run",
            "files": {path: base64.b64encode(data).decode() for path, data in files.items()},
            "seconds": plan.seconds,
            "quiet": plan.quiet,
            "output_cap": OUTPUT_CAP,
            "report_cap": REPORT_CAP,
            "harvest": harvest,
            "request": request,
        }

    def _wish(
        self, plan: Plan, files: Mapping[str, bytes], request: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Ask for the collected suite, where it may do; from the second such candidate on start it."""
        path = next(iter(files), "")
        known = self.snapshot is not None and self.snapshot.find(path) is not None
        if request["level"] != 1 or not plan.tests or len(files) != 1 or not known:
            return {}
        key = "\n".join(request["paths"])
        start = key == self._last
        self._last = key
        return {"collect": {"key": key, "path": path, "start": start}}

    def _ask(
        self, message: dict[str, Any], raw: bytes = b"", *, seconds: float = START_SECONDS
    ) -> dict[str, Any]:
        self._line.send(message, raw)
        answer = self._line.hear(seconds)
        if "error" in answer:
            raise SlotLost(str(answer["error"]))
        return answer
