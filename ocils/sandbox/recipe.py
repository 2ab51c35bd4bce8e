"""What the user's ``sandbox.image`` names: an image, a Dockerfile, or a ``devcontainer.json``.

Of a ``devcontainer.json`` this much is read: ``image``, ``build`` (``dockerfile``, ``context``,
``args``, ``target``), ``containerEnv``, ``remoteEnv``, ``workspaceFolder``, ``remoteUser``. What
else it asks for is listed in ``unsupported``, since a verdict without it may differ.

Not covered: features, compose files, commands after creation, anything that mounts or privileges.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ocils.domain.base import Value
from ocils.domain.errors import SandboxUnavailable

COMMENT = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
TRAILING = re.compile(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])')
VARIABLE = re.compile(r"\$\{([A-Za-z]+)(?::([^}:]*)(?::([^}]*))?)?\}")
HARMLESS = frozenset(
    {"$schema", "name", "image", "build", "dockerFile", "context", "containerEnv", "remoteEnv"}
    | {"workspaceFolder", "customizations", "settings", "extensions", "forwardPorts"}
    | {"portsAttributes", "otherPortsAttributes", "shutdownAction", "overrideCommand", "init"}
    | {"hostRequirements", "updateRemoteUserUID", "userEnvProbe", "waitFor", "remoteUser"}
)


class Recipe(Value, frozen=True):
    """How to come by an image: its name, or a Dockerfile to build in a context folder.

    ``folder`` is where the image expects the workspace, if it says so.
    """

    image: str = ""
    dockerfile: str = ""
    context: str = ""
    arguments: tuple[tuple[str, str], ...] = ()
    target: str = ""
    environ: tuple[tuple[str, str], ...] = ()
    folder: str = ""
    unsupported: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.image or f"built from {self.dockerfile}"


def read_recipe(setting: str, root: str) -> Recipe:
    """Return what ``setting`` names for the workspace at ``root``. Raises ``SandboxUnavailable``.

    A path has to be absolute, so that it names one repository's file, and no clone's.
    """
    if not setting:
        raise SandboxUnavailable(
            'sandbox.runtime is "image", and sandbox.image names none',
            mend="set sandbox.image to an image's name, or to the absolute path of a Dockerfile "
            "or of a devcontainer.json",
        )
    path = os.path.expanduser(setting)
    if setting.startswith("."):
        raise SandboxUnavailable(
            f"sandbox.image is the relative path {setting}",
            mend="give an absolute path: a relative one would trust every repository that you open",
        )
    if not path.startswith("/"):
        return Recipe(image=setting)
    if not os.path.isfile(path):
        raise SandboxUnavailable(f"there is no file {path}", mend="correct sandbox.image")
    if path.endswith(".json"):
        return _devcontainer(path, root)
    return Recipe(dockerfile=path, context=os.path.dirname(path))


def _devcontainer(path: str, root: str) -> Recipe:
    table = _parse(path)
    build = table.get("build") if isinstance(table.get("build"), dict) else {}
    assert isinstance(build, dict)
    here = os.path.dirname(path)
    dockerfile = str(build.get("dockerfile") or table.get("dockerFile") or "")
    image = str(table.get("image") or "")
    if not (dockerfile or image):
        what = "a compose file" if "dockerComposeFile" in table else "no image and no Dockerfile"
        raise SandboxUnavailable(
            f"{path} names {what}, which ocils cannot run tests in",
            mend="name an image or a Dockerfile in sandbox.image instead",
        )
    unsupported = [name for name in table if name not in HARMLESS]
    unsupported += [f"build.{name}" for name in build if name not in BUILD]
    environ = {}
    for key in ("containerEnv", "remoteEnv"):
        for name, value in (table.get(key) or {}).items():
            if value is None or "${localEnv:" in str(value):
                unsupported.append(f"{key}.{name}")
            else:
                environ[str(name)] = str(value)
    context = str(build.get("context") or table.get("context") or ".")
    return Recipe(
        image="" if dockerfile else image,
        dockerfile=os.path.normpath(os.path.join(here, dockerfile)) if dockerfile else "",
        context=os.path.normpath(os.path.join(here, context)) if dockerfile else "",
        arguments=tuple((str(k), str(v)) for k, v in (build.get("args") or {}).items()),
        target=str(build.get("target") or ""),
        environ=tuple(environ.items()),
        folder=substituted(str(table.get("workspaceFolder") or ""), root, {}),
        unsupported=tuple(unsupported),
    )


BUILD = ("dockerfile", "context", "args", "target", "cacheFrom")


def substituted(text: str, root: str, environ: Mapping[str, str]) -> str:
    """Replace the variables that a ``devcontainer.json`` may use; ``environ`` is the container's."""

    def value(found: re.Match[str]) -> str:
        kind, name, default = found[1], found[2] or "", found[3] or ""
        if kind in ("containerWorkspaceFolder", "localWorkspaceFolder"):
            return root
        if kind in ("containerWorkspaceFolderBasename", "localWorkspaceFolderBasename"):
            return os.path.basename(root)
        return environ.get(name, default) if kind == "containerEnv" else ""

    return VARIABLE.sub(value, text)


def _parse(path: str) -> dict[str, Any]:
    """Read JSON with comments and trailing commas."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        plain = TRAILING.sub(_kept, COMMENT.sub(_kept, text))
        table = json.loads(plain)
    except (OSError, ValueError) as error:
        raise SandboxUnavailable(
            f"{path} cannot be read: {error}", mend="mend that file"
        ) from error
    if not isinstance(table, dict):
        raise SandboxUnavailable(f"{path} holds no object", mend="mend that file")
    return table


def _kept(found: re.Match[str]) -> str:
    return found[1] or ""
