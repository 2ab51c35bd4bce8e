"""Pairs of commits: a bug and its fix, out of a repository's history (BugsInPy and the like).

The workspace is the fixed commit with the one changed function as it was before. Repositories are
read object by object: nothing of their configuration is heeded, and none of their code runs here.

Two forms: a BugsInPy checkout (``projects/NAME/bugs/N/bug.info`` and ``run_test.sh``) beside a folder
of clones, or a TOML file of ``[[pair]]`` tables with ``id``, ``repository``, ``buggy``, ``fixed``,
``tests`` (ids or files; a whole pytest command is understood).

Not covered: fixes of more than one function; tests that are not run by pytest or unittest.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from ocils.bench.task import Source, Task, Unreadable, digest_of, workspace_of
from ocils.domain.base import Value
from ocils.domain.errors import UsageError
from ocils.domain.judging import TestId
from ocils.domain.python import parse_python

_COMMIT = re.compile(r"[0-9a-f]{7,40}")
_LARGEST = 32 * 1024 * 1024


class Pair(Value, frozen=True):
    """A bug: two commits of a repository, and the tests that tell them apart."""

    id: str
    repository: str
    buggy: str
    fixed: str
    tests: tuple[str, ...]


def looks_like_bugsinpy(folder: Path) -> bool:
    """Tell whether a folder holds projects with described bugs."""
    return any(True for _ in folder.glob("projects/*/bugs/*/bug.info"))


def projects_of(folder: Path) -> tuple[str, ...]:
    """Return the names of the projects of a BugsInPy checkout."""
    return tuple(sorted(each.name for each in folder.glob("projects/*")))


def pairs_of_bugsinpy(folder: Path, clones: Path, project: str = "") -> tuple[Pair, ...]:
    """Return the bugs of those projects whose clone is in ``clones``."""
    found = []
    for info in sorted(folder.glob(f"projects/{project or '*'}/bugs/*/bug.info"), key=_numbered):
        name = info.parent.parent.parent.name
        clone = _clone(clones, name)
        if clone is None:
            continue
        table = dict(re.findall(r'^\s*(\w+)\s*=\s*"?([^"\n]*)"?', info.read_text(), re.MULTILINE))
        script = info.parent / "run_test.sh"
        command = script.read_text() if script.is_file() else ""
        found.append(
            Pair(
                f"{name}-{info.parent.name}",
                str(clone),
                table.get("buggy_commit_id", ""),
                table.get("fixed_commit_id", ""),
                tuple(command.splitlines()),
            )
        )
    return tuple(found)


def pairs_of_toml(path: Path) -> tuple[Pair, ...]:
    """Read a list of pairs. Raises ``UsageError``."""
    try:
        table = tomllib.loads(path.read_text())
        pairs = msgspec.convert(table.get("pair", []), tuple[Pair, ...])
    except (OSError, ValueError, msgspec.ValidationError) as problem:
        raise UsageError(f"{path} is no list of pairs: {problem}") from problem
    here = path.parent
    return tuple(
        msgspec.structs.replace(each, repository=str(here / each.repository)) for each in pairs
    )


def read_pairs(pairs: tuple[Pair, ...], root: str) -> Source:
    """Return the tasks of pairs of commits."""
    known = {each.id: each for each in pairs}
    if not known:
        raise UsageError("there are no pairs of commits", mend="give the clones by --clones FOLDER")

    def read(name: str) -> Task:
        return _task(known[name], root)

    told = digest_of(msgspec.json.encode(msgspec.structs.replace(p, repository="")) for p in pairs)
    return Source("commits", tuple(known), read, told)


class _Changed(NamedTuple):
    path: str
    function: str


def _task(pair: Pair, root: str) -> Task:
    for commit in (pair.buggy, pair.fixed):
        if not _COMMIT.fullmatch(commit):
            raise Unreadable(f"{commit!r} is no commit")
    repository = _Repository(pair.repository)
    before, after = repository.files(pair.buggy), repository.files(pair.fixed)
    wanted, named = _wanted(pair.tests)
    paths = [
        path
        for path in sorted(set(before) | set(after))
        if path.endswith(".py") and before.get(path) != after.get(path) and not _is_test(path)
    ]
    if len(paths) != 1 or paths[0] not in before or paths[0] not in after:
        raise Unreadable(f"the fix changes {len(paths)} source files, not one")
    old, new = repository.read([before[paths[0]], after[paths[0]]])
    changed = _changed(old, new, paths[0])
    blobs = repository.read(list(after.values()))
    files: dict[str, bytes | str] = dict(zip(after, blobs, strict=True))
    return Task(
        pair.id,
        workspace_of(root, {**files, changed.path: old}),
        changed.path,
        changed.function,
        "repair",
        workspace_of(root, files),
        wanted,
        strict=False,
        shown=named,
    )


def _changed(old: bytes, new: bytes, path: str) -> _Changed:
    """Return the one function that differs. Raises ``Unreadable``."""
    try:
        before, after = parse_python(old), parse_python(new)
    except (SyntaxError, ValueError) as problem:
        raise Unreadable(f"{path} is not in today's Python: {problem}") from problem
    one, two = dict(_functions(before)), dict(_functions(after))
    if set(one) != set(two):
        raise Unreadable("the fix adds or removes functions")
    differ = [name for name in one if one[name] != two[name]]
    # A function differs, too, when one inside it does: the innermost is meant.
    inner = [n for n in differ if not any(m != n and m.startswith(f"{n}.") for m in differ)]
    if len(inner) != 1:
        raise Unreadable(f"the fix changes {len(inner)} functions, not one")
    return _Changed(path, inner[0])


def _functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, str]]:
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + child.name, ast.dump(child)
            yield from _functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        else:
            yield from _functions(child, prefix)


def _wanted(lines: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[TestId, ...]]:
    """Return the test files that count, and the ids that a command names.

    ``unittest`` names (``package.module.Class.method``) are turned into paths.
    """
    ids: list[str] = []
    for line in lines:
        words = line.split()
        for word in words:
            if ".py" in word and not word.startswith("-"):
                ids.append(word)
            elif "unittest" in words and re.fullmatch(r"\w+(\.\w+)+", word) and word != "unittest":
                ids.append(_as_path(word))
    if not ids:
        raise Unreadable("no test is named in a way that is understood")
    files = tuple(dict.fromkeys(each.partition("::")[0] for each in ids))
    return files, tuple(TestId(each) for each in ids if "::" in each)


def _as_path(name: str) -> str:
    parts = name.split(".")
    upper = next((n for n, part in enumerate(parts) if part[:1].isupper()), len(parts) - 1)
    return "::".join(["/".join(parts[:upper]) + ".py", *parts[upper:]])


def _is_test(path: str) -> bool:
    name = path.rpartition("/")[2]
    return bool({"test", "tests"} & set(path.split("/")[:-1])) or name.startswith("test")


def _numbered(path: Path) -> tuple[str, int]:
    number = path.parent.name
    return path.parent.parent.parent.name, int(number) if number.isdigit() else 0


def _clone(clones: Path, name: str) -> Path | None:
    """Return a project's clone: a folder of its name, or one whose name ends in it."""
    for each in (clones / name, *sorted(clones.glob(f"*+{name}/repo")), *sorted(clones.glob(f"*+{name}"))):  # fmt: skip
        for place in (each / ".git", each):
            if (place / "objects").is_dir():
                return place
    return None


class _Repository:
    """A git directory, read without heeding anything it configures."""

    def __init__(self, path: str) -> None:
        folder = Path(path)
        self._folder = folder / ".git" if (folder / ".git").is_dir() else folder

    def files(self, commit: str) -> dict[str, str]:
        """Return the files of a commit and their objects' names."""
        found = {}
        for each in self._git(b"", "ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0"):
            head, _, name = each.partition(b"\t")
            words = head.split()
            if len(words) == 3 and words[1] == b"blob" and words[0] != b"120000":
                found[name.decode("utf-8", "surrogateescape")] = words[2].decode()
        return found

    def read(self, objects: list[str]) -> list[bytes]:
        """Return the objects' bytes, in order."""
        data = self._git("\n".join(objects).encode() + b"\n", "cat-file", "--batch")
        found, at = [], 0
        for _ in objects:
            end = data.index(b"\n", at)
            words = data[at:end].split()
            if len(words) != 3 or int(words[2]) > _LARGEST:
                raise Unreadable(f"the repository lacks {words[0].decode()}")
            found.append(data[end + 1 : end + 1 + int(words[2])])
            at = end + 2 + int(words[2])
        return found

    def _git(self, given: bytes, *words: str) -> bytes:
        environ = {
            "PATH": os.environ.get("PATH", os.defpath),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_TERMINAL_PROMPT": "0",
        }
        safe = ("-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")  # fmt: skip
        run = subprocess.run(
            ["git", f"--git-dir={self._folder}", *safe, *words],
            input=given,
            capture_output=True,
            env=environ,
            check=False,
        )
        if run.returncode:
            last = (run.stderr.decode(errors="replace").strip().splitlines() or ["no reason"])[-1]
            raise Unreadable(f"git {words[0]} fails: {last}")
        return run.stdout
