"""Paths as the rest of ocils wants them: absolute, POSIX, through the resolved root.

A workspace is often opened through a link (``~/work`` → ``/data/work``), and an editor spells the
same file sometimes one way, sometimes the other. The root is resolved once; every other path is
brought under it here.

Not covered: URIs (``server/convert.py``), systems whose paths are not POSIX.
"""

from __future__ import annotations

import os
from pathlib import Path

from ocils.languages import shelf
from ocils.languages.manifest import PYTHON, LanguageName

_MARKERS = ("pyproject.toml", "setup.cfg", "setup.py", "pytest.ini", "tox.ini", ".git")


def find_root(path: str) -> str:
    """Return the workspace that ``path`` (a file, there or not yet, or a folder) belongs to.

    It is the nearest folder, upwards, that holds a project file of its language or ``.git``; else the
    file's own folder. A folder belongs to Python's project files, and to other languages' where it
    holds none of these. The answer is absolute and resolved.
    """
    markers = _markers(path)
    start = Path(os.path.realpath(path))
    if not start.is_dir():
        start = start.parent
    for folder in (start, *start.parents):
        if any((folder / marker).exists() for marker in markers):
            return str(folder)
    return str(start)


def _markers(path: str) -> tuple[str, ...]:
    known = shelf.language(language_at(path))
    return _MARKERS if known is None else (*known.markers, ".git")


def language_at(path: str) -> LanguageName:
    """Return the language that is meant by a file, or by a folder: Python where it may be.

    A folder that has a project file of another language and none of Python's is that language's.
    """
    folder = Path(path)
    if not folder.is_dir():
        return shelf.language_of(path)
    projects = [marker for marker in _MARKERS if marker != ".git"]
    if any((folder / marker).exists() for marker in projects):
        return PYTHON
    for each in shelf.languages():
        if any((folder / marker).exists() for marker in each.markers):
            return each.name
    return PYTHON


def relative_to_root(root: str, path: str) -> str | None:
    """Return ``path`` relative to the resolved ``root``, or None when it lies outside.

    Links in the folders on the way are followed, the last part is not: a link is a file of its own.
    ``path`` may be relative to ``root`` or absolute, and may not exist.
    """
    folder, _, name = (path if path.startswith("/") else f"{root}/{path}").rpartition("/")
    full = f"{os.path.realpath(folder or '/').rstrip('/')}/{name}"
    prefix = root.rstrip("/") + "/"
    return full[len(prefix) :] if full.startswith(prefix) and name else None
