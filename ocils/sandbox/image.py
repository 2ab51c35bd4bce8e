"""An almost empty image, imported from a tar of a few kilobytes: links, passwd, and our programs.

Its tag is the hash of its content, so a new version of the programs is a new image and an old
server keeps its own.

Not covered: removing images of older versions (they hold a few kilobytes each).
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import docker
from docker.errors import ImageNotFound

from ocils.sandbox.inside.owners import CANDIDATE

REPOSITORY = "ocils-sandbox"
# Mount points of tmpfs are left out: the runtime would give the tmpfs the mode that it finds there.
FOLDERS = ("etc", "runner", "runner/ocils_inside", "proc", "sys", "dev", "var", "run", "usr")
# Tests look up services, MIME types and terminals; nothing here is personal.
COPIED = ("nsswitch.conf", "mime.types", "services", "protocols", "ld.so.conf", "host.conf", "os-release", "inputrc")  # fmt: skip
LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


def build_tar(home: str) -> bytes:
    """Return the image's content; the same machine and version give the same bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for folder in FOLDERS:
            add_entry(tar, folder, kind=tarfile.DIRTYPE)
        for name in LINKS:
            if os.path.islink(f"/{name}"):
                add_entry(tar, name, kind=tarfile.SYMTYPE, link=os.readlink(f"/{name}"))
        if os.path.islink("/etc/localtime"):
            add_entry(
                tar, "etc/localtime", kind=tarfile.SYMTYPE, link=os.readlink("/etc/localtime")
            )
        for name in COPIED:
            if os.path.isfile(f"/etc/{name}"):
                add_entry(tar, f"etc/{name}", Path(f"/etc/{name}").read_bytes())
        user = f"ocils:x:{CANDIDATE}:{CANDIDATE}:ocils:{home}:/bin/sh\n"
        add_entry(tar, "etc/passwd", f"root:x:0:0:root:/root:/bin/sh\n{user}".encode())
        add_entry(tar, "etc/group", f"root:x:0:\nocils:x:{CANDIDATE}:\n".encode())
        add_programs(tar)
    return buffer.getvalue()


def ensure_image(client: docker.DockerClient, home: str) -> str:
    """Return the image's id, importing it when the engine lacks it."""
    data = build_tar(home)
    tag = hashlib.sha256(data).hexdigest()[:16]
    name = f"{REPOSITORY}:{tag}"
    try:
        return str(client.images.get(name).id)
    except ImageNotFound:
        said = client.api.import_image_from_data(data, repository=REPOSITORY, tag=tag)
    # Podman gives an import no tag but "latest".
    image = str(json.loads(said.splitlines()[0])["status"])
    client.api.tag(image, REPOSITORY, tag)
    return image


def add_programs(tar: tarfile.TarFile) -> None:
    """Add what runs inside, as the package ``ocils_inside`` in ``/runner``."""
    for program in sorted((Path(__file__).parent / "inside").glob("*.py")):
        add_entry(tar, f"runner/ocils_inside/{program.name}", program.read_bytes())


def add_entry(
    tar: tarfile.TarFile,
    name: str,
    data: bytes = b"",
    *,
    kind: bytes = tarfile.REGTYPE,
    link: str = "",
    mode: int = 0,
) -> None:
    """Add a file of root's, a folder or a link; without times, so that equal content is equal bytes."""
    entry = tarfile.TarInfo(name)
    entry.type = kind
    entry.linkname = link
    entry.size = len(data)
    entry.mode = mode or (0o755 if kind == tarfile.DIRTYPE else 0o644)
    tar.addfile(entry, io.BytesIO(data))
