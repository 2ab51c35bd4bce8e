"""What a workspace's own files say of its distributions: lock files, requirements, projects. Pure.

A file that cannot be read says nothing. Nothing of the workspace is run, no address is followed.

Not covered: ``setup.py`` and dynamic metadata, conda's ``environment.yml``, tox and nox.
"""

from __future__ import annotations

import configparser
import json
import posixpath
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from ocils.sandbox.packages.requirement import Declared, read_requirement, read_spec

Read: TypeAlias = Callable[[str], str | None]
"""Returns the text of a file of the workspace, by its relative path; None when it has none."""

_PLACES = {"git": "git", "url": "an address", "path": "a folder", "directory": "a folder"}
_PLACES |= {"editable": "a folder", "virtual": "a folder", "file": "a file"}


def declared(read: Read, requirements: tuple[str, ...]) -> tuple[Declared, ...]:
    """Return everything that is declared, lock files first.

    ``requirements`` are the paths of the requirement files that lie about.
    """
    found: list[Declared] = []
    for name, reader in _LOCKS.items():
        found += _quietly(reader, read(name), name)
    for path in requirements:
        found += _requirements(read, path, set())
    for name, reader in _PROJECTS.items():
        found += _quietly(reader, read(name), name)
    # A pin says more than a range, whichever file it stands in.
    return tuple(sorted(found, key=lambda each: not (each.pinned or each.elsewhere)))


def _quietly(
    reader: Callable[[str, str], Iterator[Declared]], text: str | None, where: str
) -> list[Declared]:
    if text is None:
        return []
    try:
        return list(reader(text, where))
    except (ValueError, TypeError, AttributeError, KeyError, configparser.Error):
        return []


def _requirements(read: Read, path: str, seen: set[str]) -> Iterator[Declared]:
    text = None if path in seen or path.startswith("../") else read(path)
    seen.add(path)
    if text is None:
        return
    for line in text.replace("\\\n", " ").splitlines():
        option = re.match(r"\s*(?:-r|-c|--requirement|--constraint)[= ]?\s*(\S+)", line)
        if option is not None:
            inner = posixpath.normpath(posixpath.join(posixpath.dirname(path), option[1]))
            yield from _requirements(read, inner, seen)
        elif (found := read_requirement(line, path)) is not None:
            yield found


def _uv(text: str, where: str) -> Iterator[Declared]:
    for each in _packages(text, "package"):
        source = each.get("source", {})
        elsewhere = next((_PLACES[kind] for kind in source if kind in _PLACES), "")
        files = [*each.get("wheels", ()), each.get("sdist", {})]
        hashes = tuple(str(file["hash"]) for file in files if file.get("hash"))
        yield _locked(each, hashes, where, elsewhere)


def _poetry(text: str, where: str) -> Iterator[Declared]:
    for each in _packages(text, "package"):
        kind = each.get("source", {}).get("type", "")
        elsewhere = _PLACES.get(str(kind), "")
        hashes = tuple(str(file["hash"]) for file in each.get("files", ()) if file.get("hash"))
        yield _locked(each, hashes, where, elsewhere)


def _pdm(text: str, where: str) -> Iterator[Declared]:
    for each in _packages(text, "package"):
        elsewhere = next((place for kind, place in _PLACES.items() if kind in each), "")
        hashes = tuple(str(file["hash"]) for file in each.get("files", ()) if file.get("hash"))
        yield _locked(each, hashes, where, elsewhere)


def _pylock(text: str, where: str) -> Iterator[Declared]:
    for each in _packages(text, "packages"):
        elsewhere = next(
            (_PLACES.get(k, k) for k in ("vcs", "directory", "archive") if k in each), ""
        )
        files = [*each.get("wheels", ()), each.get("sdist", {})]
        digests = [
            (kind, value) for file in files for kind, value in file.get("hashes", {}).items()
        ]
        yield _locked(each, tuple(f"{kind}:{value}" for kind, value in digests), where, elsewhere)


def _pipenv(text: str, where: str) -> Iterator[Declared]:
    data = json.loads(text)
    for group in ("default", "develop"):
        for name, each in data.get(group, {}).items():
            elsewhere = next((place for kind, place in _PLACES.items() if kind in each), "")
            hashes = tuple(str(one) for one in each.get("hashes", ()))
            yield Declared(name, read_spec(str(each.get("version", ""))), hashes, where, elsewhere)


def _pyproject(text: str, where: str) -> Iterator[Declared]:
    data = tomllib.loads(text)
    project = data.get("project", {})
    lines = list(project.get("dependencies", ()))
    for group in project.get("optional-dependencies", {}).values():
        lines += group
    for group in data.get("dependency-groups", {}).values():
        lines += [each for each in group if isinstance(each, str)]
    tool = data.get("tool", {})
    for group in tool.get("pdm", {}).get("dev-dependencies", {}).values():
        lines += group
    lines += tool.get("uv", {}).get("dev-dependencies", ())
    for line in lines:
        if (found := read_requirement(str(line), where)) is not None:
            yield found
    poetry = tool.get("poetry", {})
    tables = [poetry.get("dependencies", {}), poetry.get("dev-dependencies", {})]
    tables += [group.get("dependencies", {}) for group in poetry.get("group", {}).values()]
    for table in tables:
        yield from _poetry_table(table, where)


def _poetry_table(table: Mapping[str, Any], where: str) -> Iterator[Declared]:
    for name, said in table.items():
        if name == "python":
            continue
        elsewhere = ""
        if isinstance(said, dict):
            elsewhere = next((place for kind, place in _PLACES.items() if kind in said), "")
            said = said.get("version", "")
        version = str(said) if isinstance(said, str) else ""
        # A bare version is a pin there; carets and tildes are poetry's own and restrict nothing here.
        spec = f"=={version}" if version[:1].isdigit() and "," not in version else version
        yield Declared(name, read_spec(spec), (), where, elsewhere)


def _setup_cfg(text: str, where: str) -> Iterator[Declared]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    blocks = [
        parser.get("options", key, fallback="") for key in ("install_requires", "tests_require")
    ]
    if parser.has_section("options.extras_require"):
        blocks += [value for _, value in parser.items("options.extras_require")]
    for line in "\n".join(blocks).replace(";", " ;").splitlines():
        if (found := read_requirement(line, where)) is not None:
            yield found


def _packages(text: str, key: str) -> list[dict[str, Any]]:
    found = tomllib.loads(text).get(key, [])
    return [each for each in found if isinstance(each, dict) and each.get("name")]


def _locked(
    each: Mapping[str, Any], hashes: tuple[str, ...], where: str, elsewhere: str
) -> Declared:
    version = each.get("version")
    spec = read_spec(f"=={version}") if version else ""
    return Declared(str(each["name"]), spec, hashes, where, elsewhere)


_LOCKS = {
    "uv.lock": _uv,
    "poetry.lock": _poetry,
    "pdm.lock": _pdm,
    "pylock.toml": _pylock,
    "Pipfile.lock": _pipenv,
}
_PROJECTS = {"pyproject.toml": _pyproject, "setup.cfg": _setup_cfg}
