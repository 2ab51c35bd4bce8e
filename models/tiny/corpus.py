"""The corpus: Python functions out of pinned, permissively licensed packages.

`download` asks pip for every wheel that `corpus.toml` names; `build` reads the functions of
3 to 45 lines out of the wheels and of the running interpreter's standard library, drops what
`contamination` calls too near to a benchmark or to a project kept for measuring, drops copies,
and writes one JSON line a function.

It does not cover: packages without a wheel, source that is not ASCII, test folders, vendored
copies of other projects, and it does not check a licence: `corpus.toml` records what the
package's own metadata says.
"""

from __future__ import annotations

import ast
import hashlib
import json
import random
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from contamination import Judge, shape_tokens

HERE = Path(__file__).parent
SKIPPED = re.compile(
    r"(^|/)(tests?|testing|_?vendor(ed)?|_vendored|externals?|extern|third_party|typeshed|stubs"
    r"|site-packages|dist-packages|lib2to3|idlelib|turtledemo|__pycache__|migrations|locale)(/|$)"
    r"|(^|/)(test_[^/]*|[^/]*_test|conftest|[^/]*_pb2)\.py$"
)
MIN_LINES, MAX_LINES, MAX_WIDTH, MAX_BYTES = 3, 45, 140, 2600
PER_PACKAGE = 14_000


def listed(table: str) -> list[dict[str, str]]:
    """The packages under one heading of `corpus.toml`."""
    data = tomllib.loads((HERE / "corpus.toml").read_text())
    packages: list[dict[str, str]] = data[table]
    return packages


def download(folder: Path, table: str, only: set[str] | None = None) -> None:
    """Fetch the pinned wheels that are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for package in listed(table):
        name, version = package["name"], package["version"]
        if only is not None and name not in only:
            continue
        if wheel_of(folder, name, version) is None:
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps"]
            command += ["--only-binary=:all:", "-d", str(folder), f"{name}=={version}"]
            subprocess.run(command, check=True)


def wheel_of(folder: Path, name: str, version: str) -> Path | None:
    """The wheel of one package in a folder; wheels spell names with underscores."""
    stem = re.sub(r"[-_.]+", "[-_.]", name)
    pattern = re.compile(rf"{stem}-{re.escape(version)}(\+\w+)?-.*\.whl", re.IGNORECASE)
    return next((p for p in sorted(folder.glob("*.whl")) if pattern.fullmatch(p.name)), None)


def sources(folder: Path, package: dict[str, str]) -> Iterator[tuple[str, str]]:
    """(path, text) of every Python file of a package, or of the standard library."""
    if package["name"] == "python":
        root = Path(sysconfig.get_paths()["stdlib"])
        for path in sorted(root.rglob("*.py")):
            inner = path.relative_to(root).as_posix()
            if not SKIPPED.search(inner):
                yield inner, path.read_bytes().decode("utf-8", "replace")
        return
    wheel = wheel_of(folder, package["name"], package["version"])
    if wheel is None:
        raise FileNotFoundError(f"no wheel of {package['name']} in {folder}")
    with zipfile.ZipFile(wheel) as archive:
        for inner in sorted(archive.namelist()):
            if inner.endswith(".py") and not SKIPPED.search(inner):
                yield inner, archive.read(inner).decode("utf-8", "replace")


Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST, depth: int = 0) -> Iterator[Function]:
    """The outermost functions and methods; nested ones only where the outer one is too long."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function):
            long = (node.end_lineno or 0) - node.lineno > MAX_LINES
            yield node
            if long and depth < 2:
                yield from functions(node, depth + 1)
        else:
            yield from functions(node, depth)


def dedented(lines: list[str], node: Function, keep: float) -> list[str] | None:
    """The function's lines at column 0, its docstring kept, cut to a paragraph, or dropped."""
    first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
    end = node.end_lineno or node.lineno
    own = lines[first - 1 : end]
    body = node.body[0]
    documented = isinstance(body, ast.Expr) and isinstance(body.value, ast.Constant)
    if documented and isinstance(body.value.value, str) and len(node.body) > 1:
        start, stop = body.lineno - first, (body.end_lineno or body.lineno) - first + 1
        if keep < 0.45:
            own = own[:start] + own[stop:]
        elif keep < 0.85 and stop - start > 3:
            summary = " ".join(body.value.value.strip().split("\n\n")[0].split())[:100]
            quoted = summary.replace("\\", "").replace('"', "'")
            indent = " " * body.col_offset
            own = [*own[:start], f'{indent}"""{quoted}"""', *own[stop:]]
    while own and not own[-1].strip():
        own.pop()
    indent = own[0][: len(own[0]) - len(own[0].lstrip())]
    cut = [line[len(indent) :] if line.startswith(indent) else line.lstrip() for line in own]
    return [line.rstrip() for line in cut]


def acceptable(text: str, count: int) -> bool:
    """Whether a function is of a size and a kind worth learning from."""
    if not MIN_LINES <= count <= MAX_LINES or len(text) > MAX_BYTES or not text.isascii():
        return False
    if max(map(len, text.split("\n"))) > MAX_WIDTH or "\r" in text or "\f" in text:
        return False
    digits = sum(map(str.isdigit, text))
    return digits * 6 < len(text)


def harvest(folder: Path, package: dict[str, str]) -> Iterator[tuple[str, str]]:
    """(name, text) of the acceptable functions of one package, in a fixed order."""
    chance = random.Random(package["name"])
    for _, text in sources(folder, package):
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            continue
        lines = text.split("\n")
        for node in functions(tree):
            cut = dedented(lines, node, chance.random())
            if cut is None or not acceptable(own := "\n".join(cut), len(cut)):
                continue
            try:
                ast.parse(own)
            except (SyntaxError, ValueError):
                continue
            yield node.name, own


def build(folder: Path, output: Path, judge: Judge, only: set[str] | None = None) -> Counter[str]:
    """Write the distinct, uncontaminated functions of all packages; return what was dropped."""
    counts: Counter[str] = Counter()
    seen: set[bytes] = set()
    with output.open("w") as file:
        for package in listed("package"):
            if only is not None and package["name"] not in only:
                continue
            kept: list[dict[str, str]] = []
            for name, text in harvest(folder, package):
                counts["read"] += 1
                exact = hashlib.blake2b("".join(text.split()).encode(), digest_size=8).digest()
                # Renamed copies are dropped only when long: short getters are alike by nature.
                tokens = shape_tokens(text, alike=True)
                shape = hashlib.blake2b(" ".join(tokens).encode(), digest_size=8).digest()
                if exact in seen or (len(tokens) > 60 and shape in seen):
                    counts["copies"] += 1
                    continue
                seen.update((exact, shape))
                reason = judge(name, text)
                if reason is not None:
                    counts[reason] += 1
                    continue
                kept.append({"package": package["name"], "name": name, "text": text})
            chance = random.Random(package["name"])
            if len(kept) > PER_PACKAGE:
                counts["over the share of one package"] += len(kept) - PER_PACKAGE
                kept = chance.sample(kept, PER_PACKAGE)
            for row in kept:
                row["split"] = "held" if package.get("use") == "held" else "train"
                if row["split"] == "train" and chance.random() < 0.01:
                    row["split"] = "held"
                counts[row["split"]] += 1
                file.write(json.dumps(row) + "\n")
    return counts
