"""Starting one hardened container, and proving that its engine is on this machine.

Flags: no network, read-only root, no capability but SETUID and SETGID, no new privileges, the
default seccomp profile, limits on processes, memory, files and sizes, no log, sized tmpfs for
everything that can be written.

Not covered: what happens in the container (``slot.py``, ``inside/``).
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException
from docker.models.containers import Container
from docker.types import LogConfig, Mount, Ulimit
from requests.exceptions import RequestException

from ocils.domain.errors import SandboxUnavailable
from ocils.sandbox.inside.owners import CANDIDATE
from ocils.sandbox.line import START_SECONDS, Line, SlotLost
from ocils.sandbox.owner import LABEL, boot_id, current_owner
from ocils.sandbox.runtime import HostRuntime

MIB = 1 << 20
SILENCE = 4.0
"""Seconds without a word from the host after which the supervisor exits."""

BOOT = "import sys; sys.path.insert(0, '/runner'); from ocils_inside import supervisor; supervisor.main()"
SCRATCH = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue")  # noqa: S108 - inside the container


def start_container(
    client: docker.DockerClient, runtime: HostRuntime, image: str, memory_mib: int, size: int
) -> tuple[Container, Line]:
    """Start a container for ``runtime`` and attach to it.

    ``size`` is how many bytes the workspace has; it comes on top of ``memory_mib``. Raises
    ``SandboxUnavailable`` when the engine refuses, or is not on this machine.
    """
    nonce = secrets.token_hex(16)
    with contextlib.ExitStack() as undo, _nonce_file(nonce) as path:
        try:
            container = _create(client, runtime, image, memory_mib, size, path)
            undo.callback(_remove, container)
            line = Line(container)
            undo.callback(line.close)
            container.start()
            _prove(line.hear(START_SECONDS), nonce, runtime)
        except APIError as error:
            why = f"the engine refuses the container: {error.explanation}"
            raise SandboxUnavailable(why) from error
        except (SlotLost, DockerException, RequestException) as error:
            raise SandboxUnavailable(f"the container does not start: {error}") from error
        undo.pop_all()
    return container, line


@contextlib.contextmanager
def _nonce_file(nonce: str) -> Iterator[str]:
    """Write ``nonce`` where the engine is to see it.

    An engine elsewhere, or one that sees another file system, cannot answer with its content.
    """
    number, path = tempfile.mkstemp(prefix="ocils-nonce-")
    try:
        with os.fdopen(number, "w") as file:
            file.write(nonce)
        Path(path).chmod(0o644)
        yield path
    finally:
        Path(path).unlink()


def _remove(container: Container) -> None:
    with contextlib.suppress(DockerException, RequestException):
        container.remove(force=True)


def _prove(hello: Mapping[str, Any], nonce: str, runtime: HostRuntime) -> None:
    """Check that the engine is on this kernel and sees these files; never guess from an address."""
    same = hello["boot"] == boot_id() and hello["nonce"] == nonce
    for place, source in runtime.mounts:
        found = os.stat(source)
        same = same and hello["mounts"][place] == [found.st_dev, found.st_ino]
    if not same:
        raise SandboxUnavailable(
            "the container engine does not see this machine's files",
            mend="use an engine on this machine (unset DOCKER_HOST)",
        )


def _create(
    client: docker.DockerClient,
    runtime: HostRuntime,
    image: str,
    memory_mib: int,
    size: int,
    nonce: str,
) -> Container:
    settings = {
        "root": runtime.root,
        "scratch": [*SCRATCH, runtime.home],
        "silence": SILENCE,
        "mounts": [place for place, _ in runtime.mounts],
    }
    options = "rw,exec,nosuid,nodev"
    tmpfs = {
        "/tmp": f"{options},size={memory_mib // 4}m,mode=1777",  # noqa: S108
        "/var/tmp": f"{options},size={memory_mib // 16}m,mode=1777",  # noqa: S108
        runtime.home: f"{options},size={memory_mib // 8}m,mode=1777",
        runtime.root: f"{options},size={size + memory_mib // 4 * MIB},mode=755,uid={CANDIDATE},gid={CANDIDATE}",
    }
    memory = f"{memory_mib + size // MIB}m"
    mounts = [Mount(place, source, type="bind", read_only=True) for place, source in runtime.mounts]
    return client.containers.create(
        image,
        [runtime.interpreter.base, "-I", "-S", "-c", BOOT, json.dumps(settings)],
        stdin_open=True,
        auto_remove=True,
        network_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        cap_add=["SETUID", "SETGID"],
        security_opt=["no-new-privileges"],
        pids_limit=128,
        mem_limit=memory,
        memswap_limit=memory,
        ulimits=[
            Ulimit(name="nofile", soft=1024, hard=4096),
            Ulimit(name="core", soft=0, hard=0),
        ],
        ipc_mode="private",
        shm_size="64m",
        hostname="slot",
        extra_hosts={"slot": "127.0.0.1"},
        log_config=LogConfig(type="none"),
        labels={LABEL: current_owner()},
        mounts=[*mounts, Mount("/nonce", nonce, type="bind", read_only=True)],
        tmpfs=tmpfs,
        sysctls={
            "net.ipv6.conf.all.disable_ipv6": "0",
            "net.ipv6.conf.lo.disable_ipv6": "0",
        },
    )
