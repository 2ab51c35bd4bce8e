"""What ``ocils doctor`` says of a workspace's sandbox: chosen, found, refused, and why.

Nothing is started but a question to the engine.

Not covered: whether a container would start; that is tried at the first verdict.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from docker.errors import ImageNotFound

from ocils.domain.base import Value
from ocils.domain.errors import SandboxUnavailable
from ocils.ports import UNISOLATED
from ocils.sandbox.engine import Engine, EngineInfo
from ocils.sandbox.environments import Found, has_module
from ocils.sandbox.host import choose_python, host_runtime
from ocils.sandbox.recipe import Recipe, read_recipe
from ocils.sandbox.runtime import Choice


class Finding(Value, frozen=True):
    """``detail`` is one line; ``notes`` are further ones; ``mend`` is what to do when not ``ok``."""

    ok: bool
    detail: str
    mend: str = ""
    notes: tuple[str, ...] = ()


def look_at_sandbox(root: str, choice: Choice, why: str, environ: Mapping[str, str]) -> Finding:
    """Say which runtime judges, ``why``, and on which engine. Never raises."""
    if choice.runtime == "process":
        return Finding(
            True, f"process runtime ({why}): {UNISOLATED}; candidates run with your rights"
        )
    notes: list[str] = []
    try:
        if choice.runtime == "image":
            recipe = read_recipe(choice.image, root)
            detail = f"image runtime ({why}): containers of {recipe}, no network"
            notes += [f"its {each} is not supported and left out" for each in recipe.unsupported]
        else:
            recipe = None
            detail = f"host runtime ({why}): containers with this machine's packages, no network"
        engine = Engine(environ)
    except SandboxUnavailable as error:
        return Finding(False, f"{choice.runtime} runtime ({why}): {error.message}", error.mend)
    try:
        address = engine.address
        notes.insert(0, f"{engine.info} at {address.url} ({address.why})")
        notes += _remarks(engine.info)
        if recipe is not None and recipe.image:
            return _with_image(engine, recipe, detail, tuple(notes))
    finally:
        engine.close()
    if not address.local and recipe is None:
        notes.append(
            "a remote address: the first container proves whether it sees this machine's files"
        )
    return Finding(True, detail, notes=tuple(notes))


def look_at_python(root: str, choice: Choice, environ: Mapping[str, str]) -> Finding:
    """Say which interpreter runs the tests, why, what it has, and what it may not see. Never raises."""
    if choice.runtime == "image":
        asked = choice.python or "python, else python3"
        return Finding(True, f"{root}, tests run with the image's own Python ({asked})")
    try:
        found = choose_python(root, choice.python, environ)
        notes = [f"chosen: {found.why}; {_runner(found)}"]
        notes += [f"passed over: {each}" for each in found.missed]
        if choice.runtime == "host":
            runtime = host_runtime(root, choice.python, environ)
            notes += [f"not mounted: {each}" for each in runtime.refused]
    except SandboxUnavailable as error:
        return Finding(False, error.message, error.mend)
    return Finding(True, f"{root}, tests run with {found.python}", notes=tuple(notes))


def _with_image(engine: Engine, recipe: Recipe, detail: str, notes: tuple[str, ...]) -> Finding:
    try:
        engine.client.images.get(recipe.image)
    except ImageNotFound:
        mend = f"fetch it: docker pull {recipe.image}"
        return Finding(False, f"the engine has no image {recipe.image}", mend, notes)
    return Finding(True, detail, notes=notes)


def _remarks(info: EngineInfo) -> list[str]:
    found = []
    if info.rootless:
        found.append("rootless: folders that only other users may read cannot be mounted")
    if not info.bounds_memory:
        found.append("memory and processes are not bounded: rootless limits need cgroup v2")
    if info.remapped:
        found.append("userns-remap: not tried by us")
    if info.selinux:
        found.append(
            "SELinux: containers go without its label, since relabelling /usr would break it"
        )
    return found


def _runner(found: Found) -> str:
    if version := _version(found.python, "pytest"):
        return f"pytest {version}"
    if has_module(found.python, "pytest"):
        return "pytest is there"
    return "no pytest: unittest judges"


def _version(python: str, name: str) -> str:
    """Return a distribution's version by its folder's name, or nothing."""
    prefix = Path(os.path.dirname(os.path.dirname(python)))
    for each in sorted(prefix.glob(f"lib/python3*/site-packages/{name}-*.dist-info")):
        return each.name.removeprefix(f"{name}-").removesuffix(".dist-info")
    return ""
