"""Where the container engine is: the variables and files that the ``docker`` command reads, read.

Order, as the command's own: ``DOCKER_HOST``, ``DOCKER_CONTEXT``, the context chosen by ``docker
context use``; then sockets of this machine: Docker's, a rootless Docker's, Podman's.

Not covered: credentials of registries; contexts of other kinds than Docker's.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ocils.domain.base import Value
from ocils.domain.errors import SandboxUnavailable

SOCKET = "/var/run/docker.sock"


class Address(Value, frozen=True):
    """An engine's address and what named it.

    ``certificates`` is a folder with ``ca.pem``, ``cert.pem`` and ``key.pem`` where TLS is used;
    without ``verify`` the engine's own certificate is not checked.
    """

    url: str
    why: str
    certificates: str = ""
    verify: bool = True

    @property
    def local(self) -> bool:
        """Whether it is a socket of this machine (which may still lead elsewhere)."""
        return self.url.startswith("unix://")


def find_address(environ: Mapping[str, str]) -> Address:
    """Return the engine's address; it may not answer. Raises ``SandboxUnavailable``."""
    if url := environ.get("DOCKER_HOST"):
        secure = environ.get("DOCKER_TLS_VERIFY", "")
        folder = environ.get("DOCKER_CERT_PATH", "") or (_config_folder(environ) if secure else "")
        return Address(url, "DOCKER_HOST", folder, bool(secure))
    if name := environ.get("DOCKER_CONTEXT"):
        why = "DOCKER_CONTEXT"
    else:
        name, why = _chosen_context(environ), "docker context use"
    if name and name != "default":
        return _context(name, why, environ)
    for path, why in _sockets(environ):
        if _is_socket(path):
            return Address(f"unix://{path}", why)
    return Address(f"unix://{SOCKET}", "the default")


def _sockets(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    run = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    found = [(SOCKET, "the default"), (f"{run}/docker.sock", "a rootless Docker's socket")]
    if url := environ.get("CONTAINER_HOST", ""):
        found.append((url.removeprefix("unix://"), "CONTAINER_HOST"))
    found.append((f"{run}/podman/podman.sock", "your Podman's socket"))
    found.append(("/run/podman/podman.sock", "Podman's socket"))
    return found


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False


def _config_folder(environ: Mapping[str, str]) -> str:
    home = environ.get("HOME") or os.path.expanduser("~")
    return environ.get("DOCKER_CONFIG") or f"{home}/.docker"


def _chosen_context(environ: Mapping[str, str]) -> str:
    return str(_json(f"{_config_folder(environ)}/config.json").get("currentContext") or "")


def _context(name: str, why: str, environ: Mapping[str, str]) -> Address:
    """Read the context ``name``: its folder is the hash of its name."""
    folder = f"{_config_folder(environ)}/contexts"
    key = hashlib.sha256(name.encode()).hexdigest()
    endpoint = _json(f"{folder}/meta/{key}/meta.json").get("Endpoints", {}).get("docker", {})
    url = endpoint.get("Host")
    if not isinstance(url, str) or not url:
        raise SandboxUnavailable(
            f"there is no docker context '{name}' ({why})",
            mend="choose another (docker context ls, docker context use NAME)",
        )
    certificates = f"{folder}/tls/{key}/docker"
    return Address(
        url,
        f"docker context '{name}' ({why})",
        certificates if os.path.isdir(certificates) else "",
        not endpoint.get("SkipTLSVerify"),
    )


def _json(path: str) -> dict[str, Any]:
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
