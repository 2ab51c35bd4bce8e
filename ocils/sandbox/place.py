"""Where a workspace's slots are started: a runtime that is ready to use.

Not covered: how many slots there are and what they judge (``slots.py``, ``pool.py``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Protocol

from docker.errors import DockerException
from docker.models.containers import Container
from requests.exceptions import RequestException

from ocils.domain.errors import SandboxUnavailable
from ocils.sandbox.container import start_container
from ocils.sandbox.engine import Engine
from ocils.sandbox.host import host_runtime
from ocils.sandbox.image import ensure_image
from ocils.sandbox.owner import sweep
from ocils.sandbox.runtime import Choice, HostRuntime, Runtime
from ocils.sandbox.slot import Slot


class Place(Protocol):
    """Starts slots of one workspace; everything blocks."""

    @property
    def runtime(self) -> Runtime:
        """What the slots are made of."""
        ...

    @property
    def isolation(self) -> str:
        """What runs the candidates, for people."""
        ...

    def start(self, memory_mib: int, size: int) -> Slot:
        """Start a slot; ``size`` is how many bytes the workspace has. Raises ``SandboxUnavailable``."""
        ...

    def close(self) -> None:
        """Let go of what the place itself holds; the slots are closed before."""
        ...


def open_place(root: str, choice: Choice, environ: Mapping[str, str]) -> Place:
    """Make the place that ``choice`` names ready. Raises ``SandboxUnavailable``."""
    return HostPlace(host_runtime(root, choice.python or None, environ), environ)


class HostPlace:
    """Containers on this machine's own files."""

    def __init__(self, runtime: HostRuntime, environ: Mapping[str, str]) -> None:
        self.runtime = runtime
        self._engine = Engine(environ)
        try:
            sweep(self._engine.client)
        except (DockerException, RequestException) as error:
            self._engine.close()
            raise _failed(error) from error
        self.isolation = f"container (host runtime, {self._engine.info})"

    def start(self, memory_mib: int, size: int) -> Slot:
        """Start a container on the small image, which is imported again if it went away."""
        try:
            image = ensure_image(self._engine.client, self.runtime.home, self.runtime.links)
        except (DockerException, RequestException) as error:
            raise _failed(error) from error
        container, line = start_container(self._engine, self.runtime, image, memory_mib, size)
        return Slot(self.runtime, line, lambda: _remove(container))

    def close(self) -> None:
        """Close the connection to the engine."""
        self._engine.close()


def _remove(container: Container) -> None:
    with contextlib.suppress(DockerException, RequestException, OSError):
        container.remove(force=True)


def _failed(error: Exception) -> SandboxUnavailable:
    return SandboxUnavailable(
        f"the container engine fails: {error}",
        mend="see whether it still runs (ocils doctor), and try again",
    )
