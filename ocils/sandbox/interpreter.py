"""What an interpreter reads, found out by reading files only.

A ``.pth`` file runs code whenever its interpreter starts, also with ``-I``, so the workspace's
interpreter is never started on the host; ``pyvenv.cfg``, links and ``.pth`` files say enough.

Not covered: which interpreter it is (``environments.py``); editable finders that map names in
Python code (their folders are usually the workspace itself); conda activation scripts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ocils.domain.base import Value


class Interpreter(Value, frozen=True):
    """A Python and what belongs to it; all paths absolute on the host.

    ``environment`` is the virtual environment's folder, or the prefix where there is none.
    ``base`` is the real interpreter that the environment stands on. ``prefixes`` are the folders to
    mount, ``roots`` the import roots that ``.pth`` files add. Of an interpreter that is a link among
    other things (``~/.local/bin``) the link's folder counts, and not the prefix above it.
    """

    python: str
    environment: str
    base: str
    prefixes: tuple[str, ...]
    roots: tuple[str, ...]


def read_interpreter(python: str, user_home: str) -> Interpreter:
    """Describe the interpreter at ``python`` without starting it.

    ``user_home`` is where its user's own packages are, which an environment does not see unless it
    sees the system's.
    """
    environment = os.path.dirname(os.path.dirname(os.path.abspath(python)))
    config = _config(environment)
    home = config.get("home", "")
    hops = list(_hops(python))
    if home:
        name = os.path.basename(hops[-1])
        base = os.path.join(home, name)
        if not os.path.exists(base):
            base = os.path.join(home, "python3")
        hops += list(_hops(base))
    base = os.path.realpath(hops[-1])
    prefixes = [environment]
    for each in (*hops, base):
        prefix = os.path.dirname(os.path.dirname(each))
        if is_prefix(prefix):
            prefixes.append(prefix)
        elif os.path.islink(each):
            prefixes.append(os.path.dirname(each))
    sites = list(_sites(environment))
    if not home or config.get("include-system-site-packages", "").lower() == "true":
        sites += list(_sites(os.path.dirname(os.path.dirname(base)))) if home else []
        own = list(_user_sites(base, user_home))
        sites += own
        prefixes += [os.path.dirname(each) for each in own]
    roots = [root for site in sites for root in _added_roots(site)]
    return Interpreter(
        python=os.path.abspath(python),
        environment=environment,
        base=base,
        prefixes=tuple(dict.fromkeys(prefixes)),
        roots=tuple(dict.fromkeys(roots)),
    )


def is_prefix(folder: str) -> bool:
    """Tell whether ``folder`` is an environment or an installation: the latter has a library."""
    if is_environment(folder):
        return True
    places = ("lib/python3*/os.py", "lib64/python3*/os.py", "lib/pypy3*/os.py")
    return any(True for place in places for _ in Path(folder).glob(place))


def is_environment(folder: str) -> bool:
    """Tell whether ``folder`` is a virtual environment or a conda prefix."""
    return os.path.isfile(f"{folder}/pyvenv.cfg") or os.path.isdir(f"{folder}/conda-meta")


def _config(environment: str) -> dict[str, str]:
    """Read ``pyvenv.cfg``: its ``home`` is the folder of the base interpreter. Empty where none is."""
    try:
        text = Path(f"{environment}/pyvenv.cfg").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    pairs = (line.partition("=") for line in text.splitlines())
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _hops(path: str) -> Iterator[str]:
    """Yield ``path`` and each place that its chain of links leads through."""
    path = os.path.abspath(path)
    for _ in range(16):
        yield path
        if not os.path.islink(path):
            return
        path = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))


def _sites(environment: str) -> Iterator[str]:
    for place in ("lib/python3*/site-packages", "lib64/python3*/site-packages", "lib/python3*/dist-packages"):  # fmt: skip
        yield from (str(each) for each in sorted(Path(environment).glob(place)))


def _user_sites(base: str, user_home: str) -> Iterator[str]:
    for each in sorted(Path(f"{user_home}/.local/lib").glob("python3*/site-packages")):
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
