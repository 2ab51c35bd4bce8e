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
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docker.errors import APIError, DockerException, NotFound
from docker.models.containers import Container
from docker.types import LogConfig, Mount, Ulimit
from requests import exceptions
from requests.exceptions import RequestException

from ocils.domain.errors import SandboxUnavailable
from ocils.sandbox.engine import Engine, EngineInfo
from ocils.sandbox.inside.frames import Message
from ocils.sandbox.inside.owners import CANDIDATE
from ocils.sandbox.line import START_SECONDS, Line, SlotLost
from ocils.sandbox.owner import LABEL, boot_id, current_owner
from ocils.sandbox.runtime import ContainerRuntime, HostRuntime, ImageRuntime

MIB = 1 << 20
SILENCE = 4.0
"""Seconds without a word from the host after which the supervisor exits."""

ENDING_SECONDS = 2
ATTEMPTS = 3
PAUSE = 0.2
"""How often a request is made whose connection broke, and the seconds in between."""

BROKEN = (exceptions.ConnectionError, exceptions.ChunkedEncodingError)
TAKEN = 409
KILLED = 128 + signal.SIGKILL

BOOT = "import sys; sys.path.insert(0, '/runner'); from ocils_inside import supervisor; supervisor.main()"
SCRATCH = ("/dev/shm", "/dev/mqueue")  # noqa: S108 - inside the container


def start_container(
    engine: Engine, runtime: ContainerRuntime, image: str, memory_mib: int, size: int
) -> tuple[Container, Line]:
    """Start a container for ``runtime`` and attach to it.

    ``size`` is how many bytes the workspace has; it comes on top of ``memory_mib``. Raises
    ``SandboxUnavailable`` when the engine refuses, or is not on this machine, and ``SlotLost`` when
    a connection broke, or somebody killed the container before it said a word: another may live.
    """
    nonce = secrets.token_hex(16)
    name = f"ocils-{secrets.token_hex(8)}"
    with contextlib.ExitStack() as undo, _nonce_file(nonce) as path:
        try:
            options = create_options(runtime, engine.info, memory_mib, size, path)
            undo.callback(remove_container, engine, name)
            container = _create(engine, image, name, options)
            line = Line(container)
            undo.callback(line.close)
            container.start()
            hello = _first_words(container, line)
            check_closed(hello)
            if isinstance(runtime, HostRuntime) and not _is_here(hello, nonce, runtime):
                raise _elsewhere(engine)
        except APIError as error:
            if "bind source path does not exist" in str(error.explanation):
                raise _elsewhere(engine) from error
            why = f"the engine refuses the container: {error.explanation}"
            raise SandboxUnavailable(why) from error
        except BROKEN as error:
            raise SlotLost(f"the connection to the engine broke: {error}") from error
        except (DockerException, RequestException) as error:
            raise SandboxUnavailable(f"the container does not start: {error}") from error
        undo.pop_all()
    return container, line


def _create(engine: Engine, image: str, name: str, options: Mapping[str, Any]) -> Container:
    """Ask for a container, and again when the connection breaks before the answer.

    Whether it was made by then only its name tells: the engine takes none twice, and lets it be
    looked up a moment after it took it.
    """
    asked = False
    for _ in range(ATTEMPTS):
        try:
            engine.knock()
            return engine.client.containers.create(image, name=name, **options)
        except BROKEN:
            asked = True
        except APIError as error:
            if not (asked and error.status_code == TAKEN):
                raise
            with contextlib.suppress(NotFound):
                return engine.client.containers.get(name)
        time.sleep(PAUSE)
    raise SlotLost("the connection to the engine broke, again and again")


def _first_words(container: Container, line: Line) -> Message:
    try:
        return line.hear(START_SECONDS)
    except SlotLost as error:
        if _ended_by_itself(container, line):
            raise SandboxUnavailable(f"the container does not start: {error}") from error
        raise


def _ended_by_itself(container: Container, line: Line) -> bool:
    """Whether nobody else ended it: it left words, or a status of its own, or memory ran out.

    One that was removed before it could be asked, and said nothing, is taken for killed; one that
    ended well had lost us.
    """
    if line.errors:
        return True
    try:
        status = container.wait(timeout=ENDING_SECONDS)["StatusCode"]
        container.reload()
    except NotFound:
        return False
    except (DockerException, RequestException) as error:
        return not isinstance(error, BROKEN)
    return bool(status not in (KILLED, 0) or container.attrs["State"].get("OOMKilled"))


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


def remove_container(engine: Engine, name: str) -> None:
    """Remove a container by its name or id, again when the connection breaks; it may be gone already.

    One that never started would not end by itself.
    """
    for _ in range(ATTEMPTS):
        try:
            engine.knock()
            engine.client.api.remove_container(name, force=True)
            return
        except BROKEN:
            time.sleep(PAUSE)
        except (DockerException, OSError):
            return


def check_closed(hello: Mapping[str, Any]) -> None:
    """Raise ``SandboxUnavailable`` unless PID 1 has closed itself to the candidates."""
    if not hello["closed"]:
        raise SandboxUnavailable("the container's first process can be looked into")


def _is_here(hello: Mapping[str, Any], nonce: str, runtime: HostRuntime) -> bool:
    """Tell whether the engine is on this kernel and sees these files; never guess from an address."""
    same = hello["boot"] == boot_id() and hello["nonce"] == nonce
    for place, source in runtime.mounts:
        found = os.stat(source)
        same = same and hello["mounts"][place] == [found.st_dev, found.st_ino]
    return bool(same)


def _elsewhere(engine: Engine) -> SandboxUnavailable:
    address = engine.address
    return SandboxUnavailable(
        f"the engine at {address.url} ({address.why}) is elsewhere: it does not see this machine's "
        "files, which the host runtime stands on",
        mend='use an engine on this machine, or set sandbox.runtime = "image"',
    )


def create_options(
    runtime: ContainerRuntime, info: EngineInfo, memory_mib: int, size: int, nonce: str
) -> dict[str, Any]:
    """Return what the engine is asked for; ``nonce`` is the path of the file that proves it is here.

    An image's own wishes (entry point, user, folder, health check) are all overruled.

    ``size`` is how many bytes the workspace has; it comes on top of ``memory_mib``.
    """
    tmpfs = _tmpfs(runtime, info, memory_mib, size)
    settings = {
        "root": runtime.root,
        "scratch": [*SCRATCH, *(each for each in tmpfs if each != runtime.root)],
        "silence": SILENCE,
        "mounts": [place for place, _ in runtime.mounts],
    }
    memory = f"{memory_mib + size // MIB}m"
    mounts = [Mount(place, source, type="bind", read_only=True) for place, source in runtime.mounts]
    if isinstance(runtime, HostRuntime):
        mounts.append(Mount("/nonce", nonce, type="bind", read_only=True))
    return {
        "entrypoint": [runtime.starter],
        "command": ["-I", "-S", "-c", BOOT, json.dumps(settings)],
        "user": "0:0",
        "working_dir": "/",
        "healthcheck": {"test": ["NONE"]},
        "stdin_open": True,
        "auto_remove": True,
        "network_mode": "none",
        "read_only": True,
        "cap_drop": ["ALL"],
        "cap_add": ["SETUID", "SETGID"],
        "security_opt": _security(info),
        "pids_limit": 128,
        "mem_limit": memory,
        "memswap_limit": memory,
        "ulimits": ulimits(info),
        "ipc_mode": "private",
        "shm_size": "64m",
        "hostname": "slot",
        "extra_hosts": {"slot": "127.0.0.1"},
        "log_config": LogConfig(type="none"),
        "labels": {LABEL: current_owner()},
        "mounts": mounts,
        "tmpfs": tmpfs,
        "sysctls": {
            "net.ipv6.conf.all.disable_ipv6": "0",
            "net.ipv6.conf.lo.disable_ipv6": "0",
            # Else a port that one candidate used is taken for a minute.
            "net.ipv4.tcp_max_tw_buckets": "0",
        },
    }


def _security(info: EngineInfo) -> list[str]:
    """Return the security options.

    SELinux lets a container read only what carries the container's label. Relabelling (``:z``) would
    change the labels of /usr itself on disk and break the system, so the container goes without
    a label instead; all else that confines it stays.
    """
    return ["no-new-privileges", *(["label=disable"] if info.selinux else [])]


def ulimits(info: EngineInfo) -> list[Ulimit]:
    """Return the limits of each process."""
    found = [Ulimit(name="nofile", soft=1024, hard=4096), Ulimit(name="core", soft=0, hard=0)]
    if info.name == "podman":
        # Else it asks for the kernel's maximum, which an engine in a container may not give.
        found.append(Ulimit(name="nproc", soft=4096, hard=4096))
    return found


def _tmpfs(
    runtime: ContainerRuntime, info: EngineInfo, memory_mib: int, size: int
) -> dict[str, str]:
    options = "rw,exec,nosuid,nodev"
    # Podman gives a tmpfs no owner; the supervisor cannot either, so there anyone may write to it.
    owner = "mode=777" if info.name == "podman" else f"mode=755,uid={CANDIDATE},gid={CANDIDATE}"
    volumes = runtime.volumes if isinstance(runtime, ImageRuntime) else ()
    return {
        **dict.fromkeys(volumes, f"{options},size={memory_mib // 16}m,mode=1777"),
        "/tmp": f"{options},size={memory_mib // 4}m,mode=1777",  # noqa: S108
        "/var/tmp": f"{options},size={memory_mib // 16}m,mode=1777",  # noqa: S108
        runtime.home: f"{options},size={memory_mib // 8}m,mode=1777",
        runtime.root: f"{options},size={size + memory_mib // 4 * MIB},{owner}",
    }
