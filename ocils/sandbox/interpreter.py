"""Finding the workspace's interpreter and what it reads, by reading files only.

A ``.pth`` file runs code whenever its interpreter starts, also with ``-I``, so the workspace's
interpreter is never started on the host; ``pyvenv.cfg``, links and ``.pth`` files say enough.

Not covered: editable finders that map names in Python code (their folders are usually the
workspace itself); conda activation scripts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from ocils.domain.base import Value

FOLDERS = (".venv", "venv", "env", ".env")


class Interpreter(Value, frozen=True):
    """A Python and what belongs to it; all paths absolute on the host.

    ``environment`` is the virtual environment's folder, or the prefix where there is none.
    ``base`` is the real interpreter that the environment stands on. ``prefixes`` are the folders to
    mount, ``roots`` the import roots that ``.pth`` files add.
    """

    python: str
    environment: str
    base: str
    prefixes: tuple[str, ...]
    roots: tuple[str, ...]


def find_python(root: str, environ: Mapping[str, str] | None = None) -> str:
    """Return the workspace's interpreter: its own environment, VIRTUAL_ENV, else the running one."""
    found = [f"{root}/{each}" for each in FOLDERS]
    active = (os.environ if environ is None else environ).get("VIRTUAL_ENV", "")
    if active:
        found.append(os.path.normpath(active))
    for each in found:
        python = f"{each}/bin/python"
        if Path(f"{each}/pyvenv.cfg").is_file() and Path(python).is_file():
            return python
    return sys.executable


def read_interpreter(python: str) -> Interpreter:
    """Describe the interpreter at ``python`` without starting it."""
    environment = os.path.dirname(os.path.dirname(os.path.abspath(python)))
    home = _home(environment)
    hops = list(_hops(python))
    if home:
        name = os.path.basename(hops[-1])
        base = os.path.join(home, name)
        if not os.path.exists(base):
            base = os.path.join(home, "python3")
        hops += list(_hops(base))
    base = os.path.realpath(hops[-1])
    prefixes = [environment, *(os.path.dirname(os.path.dirname(each)) for each in hops)]
    prefixes.append(os.path.dirname(os.path.dirname(base)))
    sites = list(_sites(environment))
    if not home:
        sites += list(_user_sites(base))
        prefixes += [os.path.dirname(each) for each in _user_sites(base)]
    roots = [root for site in sites for root in _added_roots(site)]
    return Interpreter(
        python=os.path.abspath(python),
        environment=environment,
        base=base,
        prefixes=tuple(dict.fromkeys(prefixes)),
        roots=tuple(dict.fromkeys(roots)),
    )


def _home(environment: str) -> str:
    """Return ``home`` of ``pyvenv.cfg``: the folder of the base interpreter, or nothing."""
    try:
        text = Path(f"{environment}/pyvenv.cfg").read_text(encoding="utf-8")
    except OSError:
        return ""
    for line in text.splitlines():
        name, _, value = line.partition("=")
        if name.strip().lower() == "home":
            return value.strip()
    return ""


def _hops(path: str) -> Iterator[str]:
    """Yield ``path`` and each place that its chain of links leads through."""
    path = os.path.abspath(path)
    for _ in range(16):
        yield path
        if not os.path.islink(path):
            return
        path = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))


def _sites(environment: str) -> Iterator[str]:
    for library in ("lib", "lib64"):
        for each in sorted(Path(f"{environment}/{library}").glob("python3*/site-packages")):
            yield str(each)


def _user_sites(base: str) -> Iterator[str]:
    for each in sorted(Path(os.path.expanduser("~/.local/lib")).glob("python3*/site-packages")):
        if each.parent.name == os.path.basename(base):
            yield str(each)


def _added_roots(site: str) -> Iterator[str]:
    for file in sorted(Path(site).glob("*.pth")):
        try:
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        for line in lines:
            text = line.strip()
            if not text or text.startswith(("#", "import ", "import\t")):
                continue
            place = os.path.normpath(os.path.join(site, text))
            if os.path.isdir(place):
                yield place
