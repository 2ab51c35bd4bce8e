"""The container engine: is it there, and if not, what is to be done.

Not covered: starting it; engines on another machine.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Mapping

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

from ocils.domain.base import Value
from ocils.domain.errors import SandboxUnavailable

TIMEOUT = 60
SOCKET = "unix:///var/run/docker.sock"


class EngineStatus(Value, frozen=True):
    """What ``ocils doctor`` says of the engine; ``problem`` and ``mend`` are empty when all is well."""

    reachable: bool
    version: str = ""
    problem: str = ""
    mend: str = ""


def connect(environ: Mapping[str, str]) -> docker.DockerClient:
    """Return a client of the engine that ``environ`` names, if it answers.

    Raises ``SandboxUnavailable``.
    """
    address = environ.get("DOCKER_HOST") or SOCKET
    try:
        _knock(address)
        client = docker.from_env(timeout=TIMEOUT, environment=dict(environ))
        client.ping()
    except (DockerException, RequestException, OSError) as error:
        problem, mend = _explain(error, address)
        raise SandboxUnavailable(problem, mend=mend) from error
    return client


def engine_status(environ: Mapping[str, str] | None = None) -> EngineStatus:
    """Ask the engine for its version; takes a moment, never raises."""
    try:
        client = connect(os.environ if environ is None else environ)
        version = str(client.version().get("Version", ""))
        client.close()
    except SandboxUnavailable as error:
        return EngineStatus(False, problem=error.message, mend=error.mend)
    except DockerException as error:
        return EngineStatus(False, problem=f"the container engine fails: {error}")
    return EngineStatus(True, version=version)


def _knock(address: str) -> None:
    """Connect to a local socket once: the error is plain, and docker-py would leak what failed."""
    if address.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(TIMEOUT)
            line.connect(address.removeprefix("unix://"))


def _explain(error: BaseException, address: str) -> tuple[str, str]:
    causes = _chain(error)
    if any(isinstance(each, PermissionError) for each in causes):
        return (
            f"permission denied on {address}",
            "add yourself to the docker group (sudo usermod -aG docker $USER) and log in again",
        )
    if shutil.which("dockerd") is None and shutil.which("docker") is None:
        return (
            "no container engine is installed",
            "install Docker (Debian: sudo apt-get install docker.io)",
        )
    return (
        f"no container engine answers at {address}",
        "start it (sudo systemctl start docker, or sudo dockerd where there is no systemd)",
    )


def _chain(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo:
        each = todo.pop()
        if each is None or each in found:
            continue
        found.append(each)
        # requests and urllib3 keep the cause among the arguments rather than as __cause__.
        arguments = [a for a in each.args if isinstance(a, BaseException)]
        reason = getattr(each, "reason", None)
        todo += [each.__cause__, each.__context__, *arguments]
        todo.append(reason if isinstance(reason, BaseException) else None)
    return found
