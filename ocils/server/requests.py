"""Our own requests: doctor, models, sessions, attempts, the test explorer.

Not covered: what they find out (``attempts.py``, ``explorer.py``, ``testruns.py``, ``wiring``).
"""

from __future__ import annotations

import asyncio
from typing import TypeVar

from ocils.domain.base import Value
from ocils.domain.errors import UsageError
from ocils.server import protocol
from ocils.server.attempts import list_attempts, list_sessions
from ocils.server.desk import Desk
from ocils.server.explorer import roots
from ocils.server.protocol import (
    AbortParams,
    AttemptsParams,
    DiscoverParams,
    ModelsParams,
    PlaceParams,
    RequestName,
    RunTestsParams,
    SessionsParams,
)
from ocils.server.shapes import Attempts, Checks, CheckShape, Models, ModelShape, Sessions
from ocils.server.testing import RunStarted

_P = TypeVar("_P", bound=Value)


class Requests:
    """One client's requests. None of them raises; null is the answer where something was wrong."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._explored: set[str] = set()

    async def doctor(self, params: object) -> object:
        """Answer ``ocils/doctor``."""
        with self._desk.boundary("looking at what is there"):
            place = _unpack(RequestName.DOCTOR, params, PlaceParams)
            path = self._desk.documents.path(place.uri) if place.uri else self._first_root()
            checks = await asyncio.to_thread(self._desk.house.checkup, path)
            shapes = tuple(CheckShape(c.name, c.ok, c.detail, c.mend) for c in checks)
            return protocol.pack(Checks(shapes))
        return None

    async def models(self, params: object) -> object:
        """Answer ``ocils/models``."""
        with self._desk.boundary("listing the models"):
            _unpack(RequestName.MODELS, params, ModelsParams)
            known = await asyncio.to_thread(self._desk.house.models)
            shapes = tuple(
                ModelShape(
                    m.manifest.name,
                    m.manifest.family,
                    m.manifest.licence,
                    m.bundled,
                    m.manifest.chat,
                    m.manifest.strategies,
                    m.manifest.context,
                    m.size,
                    m.manifest.parameters,
                )
                for m in known
            )
            return protocol.pack(Models(self._desk.house.settings.model.name, shapes))
        return None

    async def sessions(self, params: object) -> object:
        """Answer ``ocils/sessions``."""
        with self._desk.boundary("listing the sessions"):
            count = _unpack(RequestName.SESSIONS, params, SessionsParams).count
            return protocol.pack(Sessions(await list_sessions(self._desk, count)))
        return None

    async def attempts(self, params: object) -> object:
        """Answer ``ocils/attempts``."""
        with self._desk.boundary("listing the attempts"):
            wanted = _unpack(RequestName.ATTEMPTS, params, AttemptsParams)
            return protocol.pack(Attempts(*await list_attempts(self._desk, wanted.session)))
        return None

    async def discover(self, params: object) -> object:
        """Answer ``ocils/discoverTests``."""
        with self._desk.boundary("looking for tests"):
            wanted = _unpack(RequestName.DISCOVER, params, DiscoverParams)
            return protocol.pack(await self._desk.explorer.discover(wanted.test_id))
        return None

    def run_tests(self, params: object) -> object:
        """Answer ``ocils/runTests`` at once; the results come as notifications."""
        with self._desk.boundary("starting to run tests"):
            from ocils.server.testruns import run_selected, select

            wanted = _unpack(RequestName.RUN_TESTS, params, RunTestsParams)
            selections = select(self._desk, wanted.include, wanted.exclude)
            owner = f"explorer {protocol.pack(wanted)}"
            first = selections[0].root if selections else ""
            run = self._desk.launch(
                owner,
                "Running tests",
                self._desk.documents.uri(first) if first else "",
                lambda run: run_selected(self._desk, run, selections),
                replace=True,
            )
            self._explored.add(run.id)
            return protocol.pack(RunStarted(run.id))
        return None

    def abort(self, params: object) -> None:
        """Follow ``ocils/abortRunTest``."""
        with self._desk.boundary("ending a test run"):
            wanted = _unpack(RequestName.ABORT, params, AbortParams)
            for run in tuple(self._explored):
                if wanted.run in (None, run):
                    self._explored.discard(run)
                    self._desk.runs.cancel(run)

    def _first_root(self) -> str:
        known = roots(self._desk)
        if not known:
            raise UsageError("no folder is open", mend="open one, or name a document")
        return known[0]


def _unpack(name: RequestName, params: object, kind: type[_P]) -> _P:
    return protocol.unpack(name.value, () if params is None else (params,), kind)
