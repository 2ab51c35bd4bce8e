"""Where a workspace's slots are started: a runtime that is ready to use.

Not covered: how many slots there are and what they judge (``slots.py``, ``pool.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Protocol

from docker.errors import DockerException
from requests.exceptions import RequestException

from ocils.domain.errors import SandboxUnavailable
from ocils.sandbox.container import ATTEMPTS, BROKEN, remove_container, start_container
from ocils.sandbox.derived import image_runtime
from ocils.sandbox.engine import Engine
from ocils.sandbox.host import host_runtime
from ocils.sandbox.image import ensure_image
from ocils.sandbox.line import SlotLost
from ocils.sandbox.owner import sweep
from ocils.sandbox.packages.mounted import with_layer
from ocils.sandbox.process import ProcessPlace, process_runtime
from ocils.sandbox.runtime import Choice, ContainerRuntime, HostRuntime, Runtime
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
        """Start a slot; ``size`` is how many bytes the workspace has.

        Raises ``SandboxUnavailable``, and ``SlotLost`` when it was lost again and again.
        """
        ...

    def close(self) -> None:
        """Let go of what the place itself holds; the slots are closed before."""
        ...


def open_place(root: str, choice: Choice, environ: Mapping[str, str]) -> Place:
    """Make the place that ``choice`` names ready. Raises ``SandboxUnavailable``."""
    if choice.runtime == "process":
        return ProcessPlace(process_runtime(root, choice, environ), environ.get("TMPDIR"))
    # What is wrong with the workspace is said before what is wrong with the engine.
    planned = (
        host_runtime(root, choice.python, environ, choice.mounts)
        if choice.runtime == "host"
        else None
    )
    planned = with_layer(planned, choice.layer) if planned else None
    engine = Engine(environ)
    try:
        sweep(engine.client)
        runtime = planned or image_runtime(engine, root, choice, environ)
    except (DockerException, RequestException) as error:
        engine.close()
        raise _failed(error) from error
    except BaseException:
        engine.close()
        raise
    return ContainerPlace(engine, runtime)


class ContainerPlace:
    """Containers of one engine; closes the connection to it in the end."""

    def __init__(self, engine: Engine, runtime: ContainerRuntime) -> None:
        self.runtime = runtime
        self.isolation = f"container ({runtime.label}, {engine.info})"
        self._engine = engine

    def start(self, memory_mib: int, size: int) -> Slot:
        """Start a container, another when it is lost meanwhile.

        The host runtime's small image is imported again if it went away.
        """
        lost = SlotLost()
        for _ in range(ATTEMPTS):
            try:
                self._engine.knock()
                image = self._image()
                options = self._engine, self.runtime, image, memory_mib, size
                container, line = start_container(*options)
                return Slot(
                    self.runtime, line, partial(remove_container, self._engine, str(container.id))
                )
            except SlotLost as error:
                lost = error
            except BROKEN as error:
                lost = SlotLost(f"the connection to the engine broke: {error}")
            except (DockerException, RequestException, OSError) as error:
                raise _failed(error) from error
        raise lost

    def close(self) -> None:
        """Close the connection to the engine."""
        self._engine.close()

    def _image(self) -> str:
        runtime = self.runtime
        if isinstance(runtime, HostRuntime):
            return ensure_image(self._engine.client, runtime.home)
        return runtime.image


def _failed(error: Exception) -> SandboxUnavailable:
    return SandboxUnavailable(
        f"the container engine fails: {error}",
        mend="see whether it still runs (ocils doctor), and try again",
    )
