"""Which pip installs: one of this machine's wheels that works on the workspace's Python.

Not covered: a pip that somebody installed into an environment; it is not ours to trust.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

_OLDEST = (22, 2)
"""The first pip that can say what it would install."""

_OLDEST_FOR_3_12 = (23, 1)
"""The first that does without ``pkgutil.ImpImporter``, which Python 3.12 took away."""


def find_pip(prefixes: tuple[str, ...], own: str, tag: str) -> tuple[str, str]:
    """Return where a pip is on this machine and where it goes in the container; empty where none is.

    The interpreter's own bundle goes first, then the system's, then ``own``'s (the prefix that ocils
    runs on). ``tag`` names the Python that it is for: "python3.11"; of another name nothing is known.
    """
    found = re.match(r"python(\d+)\.(\d+)", tag)
    python = (int(found[1]), int(found[2])) if found else None
    bundles = [f"{prefix}/lib*/python3*/ensurepip/_bundled" for prefix in prefixes]
    folders = [*bundles, "/usr/share/python-wheels", f"{own}/lib*/python3*/ensurepip/_bundled"]
    for folder in folders:
        for wheel in sorted(Path("/").glob(f"{folder.lstrip('/')}/pip-*.whl"), key=_version)[::-1]:
            if _version(wheel) >= _OLDEST and (python is None or _works(wheel, python)):
                return str(wheel), f"/ocils-pip/{wheel.name}"
    return "", ""


def _version(wheel: Path) -> tuple[int, ...]:
    return tuple(int(each) for each in re.findall(r"\d+", wheel.name.split("-")[1])[:2])


def _works(wheel: Path, python: tuple[int, int]) -> bool:
    if python >= (3, 12) and _version(wheel) < _OLDEST_FOR_3_12:
        return False
    try:
        with zipfile.ZipFile(wheel) as archive:
            (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
            text = archive.read(name).decode("utf-8", "replace")
    except (OSError, ValueError, zipfile.BadZipFile):
        return False
    least = re.search(r"^Requires-Python: *>= *(\d+)\.(\d+)", text, re.MULTILINE)
    return least is None or python >= (int(least[1]), int(least[2]))
