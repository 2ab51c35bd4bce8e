"""The container engine: is it there, which one is it, and if not, what is to be done.

Not covered: starting it; what it is asked to run.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
from collections.abc import Mapping
from typing import Any

import docker
from docker.constants import DEFAULT_DOCKER_API_VERSION as NEWEST_API
from docker.errors import DockerException
from docker.tls import TLSConfig
from docker.transport import UnixHTTPAdapter
from requests.exceptions import RequestException

from ocils.domain.base import Value
from ocils.domain.errors import SandboxUnavailable
from ocils.sandbox.address import Address, find_address
from ocils.sandbox.tunnel import Tunnel

TIMEOUT = 60
SCHEME = "http+docker://"


class EngineInfo(Value, frozen=True):
    """What the engine says of itself. ``cgroup`` is the version of control groups, "1" or "2".

    ``rootless``: it runs without root, so a container's users are made of the user's own spare
    numbers (``/etc/subuid``). ``remapped``: the same by a root daemon (userns-remap).
    """

    name: str
    version: str
    cgroup: str = ""
    rootless: bool = False
    remapped: bool = False
    selinux: bool = False

    @property
    def bounds_memory(self) -> bool:
        """Whether limits on memory and processes hold; rootless engines need cgroup v2 for them."""
        return not (self.rootless and self.cgroup == "1")

    def __str__(self) -> str:
        kinds = {"rootless": self.rootless, "userns-remap": self.remapped, "SELinux": self.selinux}
        notes = [f"cgroup v{self.cgroup}"] if self.cgroup else []
        notes += [name for name, there in kinds.items() if there]
        notes += [] if self.bounds_memory else ["memory is not bounded"]
        return f"{self.name} {self.version}" + (f" ({', '.join(notes)})" if notes else "")


class Engine:
    """A connection to the engine that ``environ`` names; closed together with its tunnel."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Connect, and ask which engine it is. Raises ``SandboxUnavailable``."""
        self.address = find_address(environ)
        with contextlib.ExitStack() as undo:
            url = self.address.url
            if url.startswith("ssh://"):
                tunnel = Tunnel(url, environ)
                undo.callback(tunnel.close)
                url = tunnel.url
            try:
                _knock(url)
                self.client = _client(url, _tls(self.address))
                undo.callback(self.client.close)
                self.info = _info(self.client.version(), self.client.info())
            except (DockerException, RequestException, OSError) as error:
                problem, mend = _explain(error, self.address)
                raise SandboxUnavailable(problem, mend=mend) from error
            self._url = url
            self._undo = undo.pop_all()

    def knock(self) -> None:
        """Raise ``OSError`` when nobody is there any more: docker-py would leak what it tried."""
        _knock(self._url)

    def close(self) -> None:
        """Let go of the connection. May be called twice."""
        self._undo.close()


class EngineStatus(Value, frozen=True):
    """What ``ocils doctor`` says of the engine; ``problem`` and ``mend`` are empty when all is well."""

    reachable: bool
    address: Address | None = None
    info: EngineInfo | None = None
    problem: str = ""
    mend: str = ""


def engine_status(environ: Mapping[str, str] | None = None) -> EngineStatus:
    """Ask the engine what it is; takes a moment, never raises."""
    try:
        engine = Engine(os.environ if environ is None else environ)
    except SandboxUnavailable as error:
        return EngineStatus(False, problem=error.message, mend=error.mend)
    engine.close()
    return EngineStatus(True, engine.address, engine.info)


def _info(version: Mapping[str, Any], info: Mapping[str, Any]) -> EngineInfo:
    components = [str(each.get("Name", "")) for each in version.get("Components") or ()]
    podman = any("podman" in each.lower() for each in components)
    options = [str(each) for each in info.get("SecurityOptions") or ()]
    names = {each.partition(",")[0].removeprefix("name=") for each in options}
    return EngineInfo(
        name="podman" if podman else "docker",
        version=str(version.get("Version", "")),
        cgroup=str(info.get("CgroupVersion") or ""),
        rootless="rootless" in names or bool(info.get("Rootless")),
        remapped="userns" in names,
        selinux="selinux" in names,
    )


class _OnePool(UnixHTTPAdapter):
    """Connections to a socket, kept for whatever is asked next.

    The library keeps one for every address it ever asked, and each container has addresses of its own.
    """

    def get_connection(self, url: str | bytes, proxies: Any = None) -> Any:
        """Return the pool that all requests share, whatever ``url`` is."""
        del url
        return super().get_connection(SCHEME, proxies)


def _client(url: str, tls: TLSConfig | None) -> docker.DockerClient:
    """Return a client that speaks the version of the engine's language that both know.

    With TLS of its own, what ``REQUESTS_CA_BUNDLE`` names must not take its authority's place: the
    library asks the environment first, also for the version.
    """
    if url.startswith("unix://"):
        client = docker.DockerClient(base_url=url, timeout=TIMEOUT)
        client.api.get_adapter(SCHEME).close()
        client.api.mount(SCHEME, _OnePool(url.replace("unix://", "http+unix://", 1), TIMEOUT))
        return client
    if tls is None:
        return docker.DockerClient(base_url=url, timeout=TIMEOUT)
    first = docker.DockerClient(base_url=url, timeout=TIMEOUT, tls=tls, version=NEWEST_API)
    first.api.trust_env = False
    try:
        theirs = str(first.version(api_version=False)["ApiVersion"])
    finally:
        first.close()
    version = min((theirs, NEWEST_API), key=lambda v: [int(p) for p in v.split(".")])
    client = docker.DockerClient(base_url=url, timeout=TIMEOUT, tls=tls, version=version)
    client.api.trust_env = False
    return client


def _tls(address: Address) -> TLSConfig | None:
    folder = address.certificates
    if not folder or not address.url.startswith("tcp://"):
        return None
    pair = (f"{folder}/cert.pem", f"{folder}/key.pem")
    authority = f"{folder}/ca.pem" if os.path.isfile(f"{folder}/ca.pem") else None
    return TLSConfig(
        client_cert=pair if os.path.isfile(pair[0]) else None,
        ca_cert=authority,
        verify=address.verify,
    )


def _knock(address: str) -> None:
    """Connect to a local socket once: the error is plain, and docker-py would leak what failed."""
    if address.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(TIMEOUT)
            line.connect(address.removeprefix("unix://"))


def _explain(error: BaseException, address: Address) -> tuple[str, str]:
    causes = _chain(error)
    if any(isinstance(each, PermissionError) for each in causes):
        return (
            f"permission denied on {address.url}",
            "add yourself to the docker group (sudo usermod -aG docker $USER) and log in again",
        )
    if not address.local:
        last = str(causes[-1]) or type(causes[-1]).__name__
        return (
            f"no container engine answers at {address.url} ({address.why}): {last}",
            "see whether it runs there and may be reached, or unset what names it",
        )
    if not any(shutil.which(each) for each in ("dockerd", "docker", "podman")):
        return (
            "no container engine is installed",
            "install Docker (Debian: sudo apt-get install docker.io)",
        )
    mend = (
        "start it (sudo systemctl start docker, or sudo dockerd where there is no systemd; "
        "for Podman: systemctl --user start podman.socket)"
    )
    return f"no container engine answers at {address.url} ({address.why})", mend


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
