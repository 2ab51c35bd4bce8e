"""The one networked container: it runs pip, and its folder comes out as an archive.

It sees what a slot sees of this machine (the interpreter, the system), and beyond that only what pip
needs: certificates, local package folders, proxies. Not the workspace. The engine's bridge is its
network; the machine's own is taken where an index or a proxy listens only there, or where the bridge
turns out to lead nowhere.

Not covered: what pip does in it (``inside/install.py``), what becomes of the archive.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from docker.errors import APIError, DockerException, NotFound
from docker.models.containers import Container
from docker.types import LogConfig, Mount
from requests.exceptions import RequestException

from ocils.domain.base import Value
from ocils.domain.cancel import CancelToken
from ocils.domain.errors import SandboxUnavailable
from ocils.sandbox.engine import Engine
from ocils.sandbox.image import ensure_image
from ocils.sandbox.inside.install import MARK
from ocils.sandbox.line import HEADER
from ocils.sandbox.owner import LABEL, current_owner
from ocils.sandbox.packages.access import Access
from ocils.sandbox.runtime import HostRuntime

LAYER = "/ocils-layer"
SILENCE = 600.0
"""Seconds without a word from pip after which the step is given up; one large download is silent."""

BOOT = "import sys; sys.path.insert(0, '/runner'); from ocils_inside import install; install.main()"
_TELLING = re.compile(
    r"\s*(Collecting|Processing|Downloading|Installing collected packages:) +(.*)"
)
_DOING = {"Collecting": "looking for", "Processing": "reading", "Downloading": "downloading"}


class Step(Value, frozen=True):
    """What is to be installed: ``order`` is what ``inside/install.py`` reads, ``pip`` where on this
    machine pip is and where it goes."""

    runtime: HostRuntime
    access: Access
    order: dict[str, Any]
    pip: tuple[str, str]


class Installed(Value, frozen=True):
    """What the step did. ``problem`` is a kind of ``inside/install.py``, empty when all went well."""

    distributions: tuple[dict[str, str], ...] = ()
    problem: str = ""
    said: str = ""


def run_step(
    step: Step,
    archive: Path,
    say: Callable[[str], None],
    stop: CancelToken,
    environ: Mapping[str, str],
) -> Installed:
    """Install in a container and write its folder to ``archive``, a tar; blocks.

    Raises ``SandboxUnavailable``. A flipped ``stop`` ends the container; its problem is "cancelled".
    """
    engine = Engine(environ)
    try:
        networks = ("host",) if step.access.nearby else ("bridge", "host")
        done = Installed(problem="network", said="no network was tried")
        for network in networks:
            done = _run(engine, step, network, archive, say, stop)
            if done.problem != "network" or stop.cancelled:
                break
        return Installed(problem="cancelled") if stop.cancelled else done
    except APIError as error:
        why = f"the engine refuses the installing container: {error.explanation}"
        raise SandboxUnavailable(why) from error
    except (DockerException, RequestException) as error:
        raise SandboxUnavailable(f"the installing container fails: {error}") from error
    finally:
        engine.close()


def _run(
    engine: Engine,
    step: Step,
    network: str,
    archive: Path,
    say: Callable[[str], None],
    stop: CancelToken,
) -> Installed:
    container = _create(engine, step, network)
    try:
        with contextlib.closing(Output(container)) as output:
            container.start()
            with stop.watch(lambda: _end(container)):
                said = _listen(output, say)
        container.wait()
        if stop.cancelled:
            return Installed(problem="cancelled")
        done = _understood(said)
        if not done.problem:
            chunks, _ = container.get_archive(LAYER)
            with archive.open("wb") as file:
                for chunk in chunks:
                    file.write(chunk)
        return done
    finally:
        with contextlib.suppress(DockerException, RequestException):
            container.remove(force=True)


def _create(engine: Engine, step: Step, network: str) -> Container:
    runtime = step.runtime
    source, place = step.pip
    places = {**dict(runtime.mounts), **dict(step.access.mounts), place: source}
    return engine.client.containers.create(
        ensure_image(engine.client, runtime.home),
        entrypoint=[runtime.interpreter.base],
        command=["-I", "-S", "-c", BOOT, json.dumps(step.order)],
        user="0:0",
        working_dir="/",
        network_mode=network,
        cap_drop=["ALL"],
        # Local package folders may be the user's alone; nothing here can be written but its own files.
        cap_add=["DAC_OVERRIDE"],
        security_opt=["no-new-privileges", *(["label=disable"] if engine.info.selinux else [])],
        pids_limit=256,
        mem_limit="2g",
        log_config=LogConfig(type="none"),
        labels={LABEL: current_owner()},
        environment=dict(step.access.environ),
        mounts=[Mount(p, s, type="bind", read_only=True) for p, s in sorted(places.items())],
    )


class Output:
    """What a container prints, as it comes; docker-py's own way leaves its connection open."""

    def __init__(self, container: Container) -> None:
        params = {"stdout": 1, "stderr": 1, "stream": 1}
        # What comes is a different thing on every kind of connection.
        self._stream = cast(Any, container.attach_socket(params=params))
        self._socket: socket.socket = getattr(self._stream, "_sock", self._stream)
        self._socket.settimeout(SILENCE)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the printed bytes until the container ends or is silent for too long."""
        data = b""
        while True:
            try:
                got = self._socket.recv(1 << 16)
            except OSError:
                return
            if not got:
                return
            data += got
            while len(data) >= HEADER.size and len(data) >= (
                end := HEADER.size + HEADER.unpack_from(data)[1]
            ):
                yield data[HEADER.size : end]
                data = data[end:]

    def close(self) -> None:
        """Let go of the connection."""
        response = getattr(self._stream, "_response", None)
        if response is not None:
            response.close()
        self._stream.close()
        self._socket.close()


def _listen(output: Iterable[bytes], say: Callable[[str], None]) -> list[str]:
    """Hand on what pip is about; returns every line."""
    found: list[str] = []
    rest = b""
    for chunk in output:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            text = line.decode("utf-8", "replace")
            found.append(text)
            if telling := _TELLING.match(text):
                say(f"{_DOING.get(telling[1], 'unpacking')} {telling[2][:100]}")
    return [*found, rest.decode("utf-8", "replace")]


def _understood(lines: list[str]) -> Installed:
    last = next((each for each in reversed(lines) if each.startswith(MARK)), "")
    if not last:
        said = "; ".join(each.strip() for each in lines[-4:] if each.strip())
        return Installed(
            problem="other", said=said or "the installing container ended without a word"
        )
    result = json.loads(last.removeprefix(MARK))
    if "problem" in result:
        return Installed(problem=str(result["problem"]), said=str(result["said"]))
    return Installed(tuple(result["installed"]))


def _end(container: Container) -> None:
    with contextlib.suppress(NotFound, DockerException, RequestException):
        container.kill()
