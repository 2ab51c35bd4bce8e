"""Engines and images that are not this machine's: a Python in an image, an engine behind TCP or SSH."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import docker

VERSION = f"python{sys.version_info[0]}.{sys.version_info[1]}"
FOLDERS = {"etc": 0o755, "tmp": 0o1777, "private": 0o700, "root": 0o700, "data": 0o1777}
LEFT_OUT = ("__pycache__", "test", "idlelib", "ensurepip", "lib2to3", "pydoc_data", "site-packages")


def python_root(environment: str) -> bytes:
    """Return a tar of a root folder with nothing but this machine's Python and pytest.

    The Python is at its own place, so that its library is found; pytest is in /opt/packages.
    """
    base = Path(os.path.realpath(environment))
    library = Path(sys.base_prefix) / "lib" / VERSION
    packages = next(Path(environment).parent.parent.glob("lib/*/site-packages"))
    needed = {base, *_libraries(base)}
    for each in library.glob("lib-dynload/*.so"):
        needed |= _libraries(each)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for link in ("bin", "lib", "lib64"):
            if Path(f"/{link}").is_symlink():
                tar.add(f"/{link}", link)
        for folder in FOLDERS:
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, FOLDERS[folder]
            tar.addfile(entry)
        for path in needed:
            data = path.read_bytes()
            # The linker names /lib, which is a link itself; the name of the file is what it asks for.
            entry = tarfile.TarInfo(str(path.parent.resolve() / path.name).lstrip("/"))
            entry.size, entry.mode = len(data), 0o755
            tar.addfile(entry, io.BytesIO(data))
        alias = tarfile.TarInfo("usr/local/bin/python")
        alias.type, alias.linkname = tarfile.SYMTYPE, str(base)
        tar.addfile(alias)
        for name, place in ((library, library), (packages, Path("/opt/packages"))):
            tar.add(name, str(place).lstrip("/"), filter=_wanted)
    return buffer.getvalue()


def _wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    parts = entry.name.split("/")
    keeps = "opt" in parts or not any(
        each in LEFT_OUT or each.startswith("config-") for each in parts
    )
    entry.uid = entry.gid = 0
    return entry if keeps else None


def _libraries(path: Path) -> set[Path]:
    said = subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=False).stdout
    return {Path(each) for each in re.findall(r"(/\S+) \(0x", said)}


def import_image(client: docker.DockerClient, data: bytes, name: str, *changes: str) -> str:
    """Import a root folder as the image ``name``; returns its id."""
    said = client.api.import_image_from_data(data, repository=name, changes=list(changes))
    return str(json.loads(said.splitlines()[0])["status"])


@contextlib.contextmanager
def behind_tcp(path: str, secure: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve the socket at ``path`` on a port, which is all that tells an engine elsewhere."""
    with socket.create_server(("127.0.0.1", 0)) as server, contextlib.ExitStack() as lines:
        threading.Thread(target=_accept, args=(server, path, lines, secure), daemon=True).start()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def _accept(
    server: socket.socket,
    path: str,
    lines: contextlib.ExitStack,
    secure: ssl.SSLContext | None,
) -> None:
    with contextlib.suppress(OSError):
        while True:
            near, _ = server.accept()
            if secure is not None:
                near = secure.wrap_socket(near, server_side=True)
            far = socket.socket(socket.AF_UNIX)
            far.connect(path)
            lines.callback(near.close)
            lines.callback(far.close)
            for pair in ((near, far), (far, near)):
                threading.Thread(target=_copy, args=pair, daemon=True).start()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
