"""The ``image`` runtime: an image of the user's, with our programs laid on top of it.

Nothing is mounted, so the engine may be on another machine. The derived image's tag is the hash of
everything that it is made of; a newer one replaces the older ones of the same workspace, which
would keep layers of gigabytes alive. Nothing is pulled but by a Dockerfile that the user named.

Not covered: Dockerfiles that need BuildKit where the engine has none; images without a Python.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.images import Image

from ocils.domain.errors import SandboxUnavailable
from ocils.sandbox.container import ulimits
from ocils.sandbox.engine import Engine
from ocils.sandbox.environments import find_environment
from ocils.sandbox.image import REPOSITORY, add_entry, add_programs
from ocils.sandbox.inside.owners import CANDIDATE
from ocils.sandbox.line import START_SECONDS
from ocils.sandbox.recipe import Recipe, read_recipe, substituted
from ocils.sandbox.runtime import Choice, ImageRuntime, judged_environ

HOME = "/home/ocils"
BUILD_SECONDS = 3600
OLDEST = (3, 8)
PROBE = (
    "import json, sys; print(json.dumps([list(sys.version_info[:2]), sys.executable, sys.prefix]))"
)
PYTHON, VERSION, KEY = "ocils.python", "ocils.python-version", "ocils.workspace"
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def image_runtime(
    engine: Engine, root: str, choice: Choice, environ: Mapping[str, str]
) -> ImageRuntime:
    """Build or look up the user's image, and derive ours from it. Raises ``SandboxUnavailable``."""
    root = os.path.realpath(root)
    recipe = read_recipe(choice.image, root)
    client = engine.client
    if recipe.dockerfile:
        base, older = _built(client, recipe)
    else:
        base, older = _named(client, recipe.image), ""
    derived = _derive(engine, base, recipe, root, choice)
    if older not in ("", base.id):
        with contextlib.suppress(DockerException):  # something else stands on it
            client.images.remove(older)
    config = _config(base)
    own = dict(each.partition("=")[::2] for each in config.get("Env") or ())
    own.setdefault("PATH", DEFAULT_PATH)
    asked = {name: substituted(value, root, own) for name, value in recipe.environ}
    labels = _config(derived).get("Labels") or {}
    host = os.path.dirname(os.path.dirname(find_environment(root, environ).python))
    return ImageRuntime(
        root=root,
        home=HOME,
        name=str(recipe),
        image=str(derived.id),
        python=str(labels[PYTHON]),
        version=str(labels[VERSION]),
        environ=tuple(sorted({**own, **asked, **judged_environ({}, HOME)}.items())),
        volumes=_volumes(base),
        environment_inside=host if host.startswith(root + "/") else "",
        unsupported=recipe.unsupported,
    )


def _named(client: docker.DockerClient, name: str) -> Image:
    try:
        return client.images.get(name)
    except ImageNotFound as error:
        raise SandboxUnavailable(
            f"the engine has no image {name}", mend=f"fetch it: docker pull {name}"
        ) from error


def _built(client: docker.DockerClient, recipe: Recipe) -> tuple[Image, str]:
    """Build the Dockerfile; returns the image and the id of the one that was built before.

    The engine's own cache makes this short when nothing changed.
    """
    tag = f"{REPOSITORY}-built:{hashlib.sha256(repr(recipe).encode()).hexdigest()[:16]}"
    older = ""
    with contextlib.suppress(ImageNotFound):
        older = str(client.images.get(tag).id)
    said = [""]
    try:
        for message in client.api.build(
            path=recipe.context,
            dockerfile=recipe.dockerfile,
            tag=tag,
            rm=True,
            forcerm=True,
            buildargs=dict(recipe.arguments),
            target=recipe.target,
            decode=True,
            timeout=BUILD_SECONDS,
        ):
            said += str(message.get("stream", "")).strip().splitlines()
            if "error" in message:
                why = str(message["error"]).strip()
                raise _not_built(recipe, f"{why} (last: {said[-1]})" if said[-1] else why)
    except (APIError, TypeError, OSError) as error:
        why = str(error.explanation if isinstance(error, APIError) else error)
        raise _not_built(recipe, why) from error
    return client.images.get(tag), older


def _not_built(recipe: Recipe, why: str) -> SandboxUnavailable:
    return SandboxUnavailable(
        f"{recipe.dockerfile} cannot be built: {why}",
        mend=f"build it yourself (docker build -t NAME {recipe.context}) and set sandbox.image to NAME",
    )


def _derive(engine: Engine, base: Image, recipe: Recipe, root: str, choice: Choice) -> Image:
    """Return the image with our programs in it, made when the engine lacks it."""
    client = engine.client
    folder = recipe.folder if os.path.normpath(recipe.folder or root) != root else ""
    # The kernel's part of a tmpfs is its place's mode in the image, where it has that place.
    shown = 0o777 if engine.info.name == "podman" else 0o755
    places = {root: shown, HOME: 0o1777}
    programs = _additions(places, folder, root, "", "")
    parts = [str(base.id), choice.python, hashlib.sha256(programs).hexdigest()]
    tag = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    with contextlib.suppress(ImageNotFound):
        return client.images.get(f"{REPOSITORY}:{tag}")
    python, version, prefix = _find_python(engine, base, choice.python)
    if (prefix + "/").startswith(root + "/"):
        raise SandboxUnavailable(
            f"the image's Python is in {prefix}, which the workspace {root} would hide",
            mend="move the workspace, or the image's Python",
        )
    places.update((each, 0o755) for each in _private(prefix))
    key = hashlib.sha256(f"{root}\0{choice.image}".encode()).hexdigest()[:16]
    labels = {PYTHON: python, VERSION: version, KEY: key}
    container = client.containers.create(base, entrypoint=[python], network_mode="none")
    try:
        files = [_read(container, f"/etc/{each}") for each in ("passwd", "group")]
        container.put_archive("/", _additions(places, folder, root, *files))
        # A label is part of an instruction here, and quoted as JSON is.
        changes = [f"LABEL {label}={json.dumps(value)}" for label, value in labels.items()]
        container.commit(repository=REPOSITORY, tag=tag, changes=changes)
    except APIError as error:
        raise SandboxUnavailable(
            f"the image takes no additions: {error.explanation}",
            mend="see whether it has files of its own where the workspace is to be",
        ) from error
    finally:
        container.remove(force=True, v=True)
    derived = client.images.get(f"{REPOSITORY}:{tag}")
    for each in client.images.list(filters={"label": f"{KEY}={key}"}):
        if each.id != derived.id:
            with contextlib.suppress(DockerException):  # a container of it still runs
                client.images.remove(str(each.id))
    return derived


def _find_python(engine: Engine, base: Image, wanted: str) -> tuple[str, str, str]:
    """Return the image's Python, its version and its prefix, by asking it in a bare container."""
    seen = said = ""
    for name in (wanted,) if wanted else ("python", "python3"):
        try:
            version, python, prefix = json.loads(_asked(engine, base, name))
        except APIError as error:
            said = str(error.explanation)
            continue
        except ValueError:
            continue
        seen = ".".join(str(each) for each in version)
        if tuple(version) >= OLDEST:
            return str(python), seen, os.path.normpath(str(prefix))
    what = f"its Python is {seen}, and 3.8 or later is needed" if seen else "it has no Python"
    looked = wanted or "python and python3 on its path"
    looked += f"; {said}" if said else ""
    raise SandboxUnavailable(
        f"the image cannot run the tests: {what} (looked for {looked})",
        mend="take an image with Python 3.8 or later, or set sandbox.python to its path in the image",
    )


def _asked(engine: Engine, base: Image, python: str) -> bytes:
    """Run ``PROBE`` and return what it says. Raises ``APIError`` where there is no such program."""
    container = engine.client.containers.create(
        base,
        ["-I", "-S", "-c", PROBE],
        entrypoint=[python],
        network_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        user="0:0",
        pids_limit=32,
        mem_limit="512m",
        ulimits=ulimits(engine.info),
    )
    try:
        container.start()
        container.wait(timeout=START_SECONDS)
        return bytes(container.logs(stdout=True, stderr=False))
    finally:
        container.remove(force=True, v=True)


def _additions(places: Mapping[str, int], folder: str, root: str, passwd: str, group: str) -> bytes:
    """Return a tar of what is laid over the image; ``places`` are folders with their modes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        add_programs(tar)
        add_entry(tar, "nonce")
        opened = {each: 0o755 for place in places for each in _private(place)}
        for place, mode in {**opened, **places}.items():
            add_entry(tar, place.lstrip("/"), kind=tarfile.DIRTYPE, mode=mode)
        if folder:
            add_entry(tar, folder.strip("/"), kind=tarfile.SYMTYPE, link=root)
        user = f"ocils:x:{CANDIDATE}:{CANDIDATE}:ocils:{HOME}:/bin/sh\n"
        users = (passwd or "root:x:0:0:root:/root:/bin/sh").rstrip("\n")
        add_entry(tar, "etc/passwd", f"{users}\n{user}".encode())
        groups = (group or "root:x:0:").rstrip("\n")
        add_entry(tar, "etc/group", f"{groups}\nocils:x:{CANDIDATE}:\n".encode())
    return buffer.getvalue()


def _private(path: str) -> Iterator[str]:
    """Yield folders above ``path`` that are closed to others in many images; they are opened."""
    parts = path.split("/")
    if parts[:2] == ["", "root"] or (parts[:2] == ["", "home"] and len(parts) > 3):
        for size in range(2, len(parts)):
            yield "/".join(parts[:size])


def _read(container: Any, path: str) -> str:
    try:
        chunks, _ = container.get_archive(path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
            file = tar.extractfile(tar.getmembers()[0])
            return file.read().decode("utf-8", "replace") if file else ""
    except NotFound:
        return ""


def _config(image: Image) -> dict[str, Any]:
    return dict(image.attrs.get("Config") or {})


def _volumes(image: Image) -> tuple[str, ...]:
    return tuple(sorted(_config(image).get("Volumes") or ()))
