"""The languages that are known: manifests that are packed with ocils, read once.

Not covered: manifests of the user's own; what a runner's command may be is for us to vouch for.
"""

from __future__ import annotations

import importlib.resources
import json
import posixpath
import re
from collections.abc import Callable
from functools import cache

import msgspec

from ocils.languages.manifest import PYTHON, Language, LanguageName, Runner, Sign

FILES = ("javascript.toml", "go.toml", "rust.toml")


@cache
def languages() -> tuple[Language, ...]:
    """Return every language that has a manifest."""
    folder = importlib.resources.files("ocils.languages")
    return tuple(msgspec.toml.decode((folder / name).read_bytes(), type=Language) for name in FILES)


def language(name: LanguageName) -> Language | None:
    """Return the manifest of a language; None for Python and for what is not known."""
    return None if name == PYTHON else next((x for x in languages() if x.name == name), None)


@cache
def _by_suffix() -> dict[str, LanguageName]:
    return {suffix: each.name for each in languages() for suffix in each.suffixes}


def is_editable(name: LanguageName) -> bool:
    """Tell whether functions of a language can be found and edited."""
    known = language(name)
    return name == PYTHON or (known is not None and known.grammar is not None)


def language_of(path: str, otherwise: LanguageName = PYTHON) -> LanguageName:
    """Return the language of the file at ``path``, by its name; Python unless it says another."""
    if path.endswith(".py"):  # nothing is read for those who only have Python
        return PYTHON
    return _by_suffix().get(posixpath.splitext(path)[1], otherwise)


def language_called(identifier: str, path: str) -> LanguageName:
    """Return what an editor's ``identifier`` means; the file's name goes before it, "" is neither."""
    if identifier == PYTHON or path.endswith((".py", ".pyi")):
        return PYTHON
    named = next((each.name for each in languages() if identifier in each.ids), "")
    return language_of(path, named)


def is_test_of(path: str, name: LanguageName) -> bool:
    """Tell whether any runner of a language takes the file at ``path`` (relative) for tests."""
    known = language(name)
    runners = known.runners if known is not None else ()
    return any(each.tests and re.search(each.tests, path) for each in runners)


def recognise(name: LanguageName, read: Callable[[str], bytes | None]) -> Runner | None:
    """Return the runner that a workspace uses for a language; ``read`` gives files of its root.

    The first runner with a sign that fits is taken.
    """
    known = language(name)
    for runner in known.runners if known is not None else ():
        if any(_fits(sign, read(sign.file)) for sign in runner.signs):
            return runner
    return None


def _fits(sign: Sign, data: bytes | None) -> bool:
    if data is None:
        return False
    if not sign.matches and not sign.key:
        return True
    text = data.decode("utf-8", "replace")
    if sign.key:
        found = _below(text, sign.key)
        return found is not None and re.search(sign.matches, found) is not None
    return re.search(sign.matches, text) is not None


def _below(text: str, key: tuple[str, ...]) -> str | None:
    """Return the value below ``key`` of a JSON text as text, or None; a repository may hold anything."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    for part in key:
        value = value.get(part) if isinstance(value, dict) else None
    return None if value is None else value if isinstance(value, str) else json.dumps(value)
