"""What a workspace's slots are made of: one value for each runtime.

``host``: containers that see this machine's own interpreter and system folders. ``image``:
containers of an image that the user named. ``process``: no container and no isolation.

Not covered: planning them (``host.py``, ``derived.py``, ``process.py``), starting them (``place.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ocils.domain.base import Value
from ocils.ports import UNISOLATED
from ocils.sandbox.environments import Found
from ocils.sandbox.interpreter import Interpreter

RuntimeName = Literal["host", "image", "process"]

KEPT_VARIABLES = ("LANG", "LANGUAGE", "TZ", "TERM")
# A native thread in the zygote would be missing in every fork.
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")  # fmt: skip


class Choice(Value, frozen=True):
    """What the user chose: never what a repository says.

    ``python`` is an interpreter's path (in the image for ``image``), or nothing to have it found.
    ``image`` is an image's name, or the absolute path of a Dockerfile or a ``devcontainer.json``.
    ``mounts`` are further folders that the host runtime mounts, read-only: a test runner's.
    ``layer`` is the import root of the packages that they agreed to have installed, or nothing.
    """

    runtime: RuntimeName = "host"
    python: str = ""
    image: str = ""
    mounts: tuple[str, ...] = ()
    layer: str = ""

    @property
    def isolation(self) -> str:
        """What can be said, for people, before anything has started."""
        if self.runtime == "process":
            return f"{UNISOLATED}: candidates run with your rights (process runtime)"
        return f"{self.runtime} runtime"


class HostRuntime(Value, frozen=True):
    """Containers that stand on this machine's files.

    ``mounts`` maps places in the container to places on the host, read-only. ``refused`` are
    folders that the interpreter would read and that were not mounted, with the reason.
    """

    root: str
    home: str
    found: Found
    interpreter: Interpreter
    mounts: tuple[tuple[str, str], ...]
    environ: tuple[tuple[str, str], ...]
    refused: tuple[str, ...] = ()

    @property
    def python(self) -> str:
        """The workspace's interpreter."""
        return self.interpreter.python

    @property
    def environment_inside(self) -> str:
        """The environment's folder when it lies in the workspace, else nothing."""
        folder = self.interpreter.environment
        return folder if folder.startswith(self.root + "/") else ""

    @property
    def starter(self) -> str:
        """What runs the supervisor: the interpreter that an environment stands on."""
        return self.interpreter.base

    @property
    def label(self) -> str:
        """The runtime, for people."""
        return "host runtime"


class ImageRuntime(Value, frozen=True):
    """Containers of an image that the user named; nothing of the engine's machine is mounted.

    ``name`` is the user's image, ``image`` the id of the one that was derived from it. ``python`` and
    ``environ`` are the image's. ``volumes`` are places that the image wants to have written: each
    is an empty tmpfs. ``environment_inside`` is the host's own environment in the workspace, which
    does not belong into the image. ``unsupported`` is what a ``devcontainer.json`` asks in vain.
    """

    root: str
    home: str
    name: str
    image: str
    python: str
    version: str
    environ: tuple[tuple[str, str], ...]
    volumes: tuple[str, ...] = ()
    environment_inside: str = ""
    unsupported: tuple[str, ...] = ()

    @property
    def mounts(self) -> tuple[tuple[str, str], ...]:
        """Nothing."""
        return ()

    @property
    def starter(self) -> str:
        """What runs the supervisor: the image's Python."""
        return self.python

    @property
    def label(self) -> str:
        """The runtime, for people."""
        lacks = f", without its {', '.join(self.unsupported)}" if self.unsupported else ""
        return f"image runtime: {self.name}, Python {self.version}{lacks}"


class ProcessRuntime(Value, frozen=True):
    """Processes of the user's, without any isolation; only ever by the user's own setting."""

    root: str
    found: Found
    environ: tuple[tuple[str, str], ...]
    environment_inside: str = ""

    @property
    def python(self) -> str:
        """The workspace's interpreter."""
        return self.found.python

    @property
    def label(self) -> str:
        """The runtime, for people."""
        return "process runtime"


ContainerRuntime = HostRuntime | ImageRuntime
Runtime = ContainerRuntime | ProcessRuntime


def judged_environ(environ: Mapping[str, str], home: str) -> dict[str, str]:
    """Return the variables that every runtime gives to the tests; nothing of the user's but the locale."""
    kept = {k: v for k, v in environ.items() if k in KEPT_VARIABLES or k.startswith("LC_")}
    return {
        **kept,
        **dict.fromkeys(ONE_THREAD, "1"),
        "HOME": home,
        "USER": "ocils",
        "LOGNAME": "ocils",
        # git refuses a repository of another user, and the tree's folders have an owner of their own.
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }
