"""What the container of a workspace is made of: the ``host`` runtime.

The tests see exactly the user's packages, because the user's own interpreter and system libraries
are mounted read-only; nothing is built or pulled. Never mounted: ``/``, the home, an ancestor of
the home or of the workspace, or a folder that holds a socket, since ``:ro`` is not recursive and a
socket can be connected to through a read-only mount.

Not covered: the ``image`` and ``process`` runtimes; starting anything.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from ocils.domain.errors import SandboxUnavailable
from ocils.sandbox.environments import Found, find_environment, usable
from ocils.sandbox.interpreter import Interpreter, read_interpreter
from ocils.sandbox.runtime import HostRuntime, judged_environ

SYSTEM = ("/usr/bin", "/usr/sbin", "/usr/share", "/usr/include", "/usr/libexec", "/usr/local/lib", "/usr/local/bin", "/etc/alternatives", "/etc/ssl/certs", "/etc/ld.so.cache")  # fmt: skip
MERGED = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")


def host_runtime(
    root: str, python: str, environ: Mapping[str, str], more: Iterable[str] = ()
) -> HostRuntime:
    """Plan the containers of the workspace at ``root``. Raises ``SandboxUnavailable``.

    ``more`` are further folders to mount, where nothing speaks against them.
    """
    root = os.path.realpath(root)
    home = os.path.realpath(environ.get("HOME") or os.path.expanduser("~"))
    if root == "/" or _is_above(root, home):
        raise SandboxUnavailable(
            f"{root} holds the whole home folder and is not taken for a workspace",
            mend="open the project's own folder",
        )
    found = choose_python(root, python, environ)
    interpreter = read_interpreter(found.python, home)
    sockets = _bound_sockets()
    mounts: dict[str, str] = {}
    refused: list[str] = []
    for place in _system_places():
        mounts[place] = os.path.realpath(place)
    for place in (*interpreter.prefixes, *interpreter.roots):
        if _covered(place, mounts) or (
            (place + "/").startswith(root + "/") and not _own(place, interpreter)
        ):
            continue
        why = _why_not(place, root, home, sockets) or (
            _stray(place, root, home, interpreter) if place in interpreter.roots else ""
        )
        if why:
            refused.append(f"{place}: {why}")
        elif place in ("/usr", "/usr/local"):
            continue
        else:
            mounts[place] = os.path.realpath(place)
    for place in more:
        if place in ("/usr", "/usr/local") or _covered(place, mounts):
            continue
        if why := _why_not(place, root, home, sockets):
            refused.append(f"{place}: {why}")
        else:
            mounts[place] = os.path.realpath(place)
    return HostRuntime(
        root=root,
        home=home,
        found=found,
        interpreter=interpreter,
        mounts=tuple(sorted(mounts.items())),
        environ=tuple(sorted(host_environ(interpreter, home, environ).items())),
        refused=tuple(refused),
    )


def choose_python(root: str, python: str, environ: Mapping[str, str]) -> Found:
    """Return the user's own choice, else what is found. Raises ``SandboxUnavailable``."""
    if not python:
        return find_environment(root, environ)
    path = usable(os.path.expanduser(python))
    if not path:
        raise SandboxUnavailable(
            f"there is no interpreter at {python}",
            mend="set sandbox.python to an interpreter or to an environment's folder",
        )
    return Found(path, "your setting sandbox.python")


def _system_places() -> Iterable[str]:
    places = [*SYSTEM, *(str(each) for each in Path("/usr").glob("lib*"))]
    places += [each for each in MERGED if not os.path.islink(each)]
    return sorted({each for each in places if os.path.exists(each)})


def _own(place: str, interpreter: Interpreter) -> bool:
    return place == interpreter.environment


def _is_above(folder: str, path: str) -> bool:
    """Whether ``folder`` is ``path`` or one of its ancestors."""
    return (path + "/").startswith(folder.rstrip("/") + "/")


def _covered(place: str, mounts: Mapping[str, str]) -> bool:
    return any(_is_above(each, place) for each in mounts)


def _why_not(place: str, root: str, home: str, sockets: Iterable[str]) -> str:
    source = os.path.realpath(place)
    if not os.path.isdir(source):
        return "not a folder"
    if _is_above(source, home) or _is_above(place, home):
        return "it holds the home folder"
    if _is_above(source, root) or _is_above(place, root):
        return "it holds the workspace"
    if any(_is_above(source, each) for each in sockets):
        return "it holds a socket"
    return ""


def _stray(place: str, root: str, home: str, interpreter: Interpreter) -> str:
    """Say why an import root is not mounted though an environment in the workspace names it.

    A repository can bring an environment; its files must not open the user's private folders.
    """
    if not interpreter.environment.startswith(root + "/"):
        return ""
    source = os.path.realpath(place)
    private = source.startswith(home + "/.") and not any(
        _is_above(os.path.realpath(each), source) for each in interpreter.prefixes
    )
    return "a hidden folder of the home, named by the workspace's own environment" * private


def _bound_sockets() -> tuple[str, ...]:
    """Return where sockets of this machine are bound; the kernel knows without a search."""
    try:
        lines = Path("/proc/net/unix").read_text().splitlines()[1:]
    except OSError:
        return ()
    fields = (line.split(maxsplit=7) for line in lines)
    return tuple(os.path.realpath(f[7]) for f in fields if len(f) == 8 and f[7].startswith("/"))


def host_environ(interpreter: Interpreter, home: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for tests that run with this machine's own interpreter."""
    folder = os.path.dirname(interpreter.python)
    found = judged_environ(environ, home)
    found["PATH"] = f"{folder}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    if os.path.isfile(f"{interpreter.environment}/pyvenv.cfg"):
        found["VIRTUAL_ENV"] = interpreter.environment
    return found
