"""Keeps benchmarks and measured projects out of the corpus.

A function is refused when its name is that of a benchmark's program, or when most of its token
7-grams, with every name replaced by one letter, stand in one benchmark function; and for MBPP and
the projects kept for measuring, when most of its plain token 7-grams do: MBPP's functions are so short
that without names a tenth of any corpus looks like one of them. Benchmarks are kept in
`excluded.json` as hashes only; no line of them is stored here.

It does not cover: a solution written in another way than the benchmark's own, nor names that MBPP
shares with others.
"""

from __future__ import annotations

import ast
import json
import keyword
import re
import zipfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
WORD = re.compile(r"#[^\n]*|[A-Za-z_]\w*|\d+|[^\s\w]")
SIZE = 7
SHARE = 0.6


def shape_tokens(text: str, *, alike: bool) -> list[str]:
    """Tokens without comments and layout; with `alike`, every name is the same word."""
    found = [word for word in WORD.findall(text) if word[0] != "#"]
    if not alike:
        return found
    return ["v" if w.isidentifier() and not keyword.iskeyword(w) else w for w in found]


def grams(text: str, *, alike: bool) -> set[int]:
    """Hashes of the token 7-grams of a text."""
    tokens = shape_tokens(text, alike=alike)
    spans = range(max(0, len(tokens) - SIZE + 1))
    return {zlib.crc32(" ".join(tokens[i : i + SIZE]).encode()) for i in spans}


def without_docstring(text: str) -> str:
    """The function without its docstring, whose words say nothing about its code."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return text
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[0]
            if isinstance(body, ast.Expr) and isinstance(body.value, ast.Constant):
                lines = text.split("\n")
                return "\n".join(lines[: body.lineno - 1] + lines[body.end_lineno :])
    return text


class Index:
    """Which known function a set of grams lies nearest to."""

    def __init__(self, known: Iterable[Iterable[int]]) -> None:
        self.sizes: list[int] = []
        self.where: defaultdict[int, list[int]] = defaultdict(list)
        for number, hashes in enumerate(known):
            distinct = set(hashes)
            self.sizes.append(len(distinct))
            for value in distinct:
                self.where[value].append(number)

    def near(self, mine: set[int]) -> bool:
        """Whether the shared grams are most of this function's or of a known one's."""
        if len(mine) < 8:
            return False
        shared: Counter[int] = Counter()
        for value in mine:
            shared.update(self.where.get(value, ()))
        for number, count in shared.items():
            smaller = min(len(mine), self.sizes[number])
            if smaller >= 8 and count >= SHARE * smaller:
                return True
        return False


class Judge:
    """Says why a function may not enter the corpus, or None."""

    def __init__(self, measured: Path | None) -> None:
        data = json.loads((HERE / "excluded.json").read_text())
        self.names = set(data["names"])
        self.benchmarks = Index(data["functions"])
        self.plain = Index(data["plain"])
        self.measured = Index(measured_grams(measured) if measured else ())

    def __call__(self, name: str, text: str) -> str | None:
        """The reason, in the words that the counts use."""
        if zlib.crc32(name.encode()) in self.names:
            return "named like a benchmark's program"
        bare = without_docstring(text)
        own = grams(bare, alike=False)
        if self.benchmarks.near(grams(bare, alike=True)) or self.plain.near(own):
            return "near a benchmark's program"
        if self.measured.near(own):
            return "near a measured project's function"
        return None


def measured_grams(folder: Path) -> Iterable[set[int]]:
    """The grams of every function of the wheels in a folder; nothing else of them is kept."""
    for wheel in sorted(folder.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for inner in archive.namelist():
                if not inner.endswith(".py"):
                    continue
                text = archive.read(inner).decode("utf-8", "replace")
                try:
                    tree = ast.parse(text)
                except (SyntaxError, ValueError):
                    continue
                lines = text.split("\n")
                for node in ast.walk(tree):
                    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                        own = "\n".join(lines[node.lineno - 1 : node.end_lineno])
                        yield grams(without_docstring_lines(own, node), alike=False)


def without_docstring_lines(own: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """As `without_docstring`, for a function that is still indented."""
    body = node.body[0]
    if isinstance(body, ast.Expr) and isinstance(body.value, ast.Constant):
        lines = own.split("\n")
        start, stop = body.lineno - node.lineno, (body.end_lineno or 0) - node.lineno + 1
        return "\n".join(lines[:start] + lines[stop:])
    return own


def write_excluded(functions: Iterable[tuple[str, str]], plain: Iterable[tuple[str, str]]) -> None:
    """Store benchmark programs (name, text) as hashes; run once, by hand, where they can be read.

    Of ``plain`` ones the tokens are compared as they stand, and names do not count.
    """
    pairs = list(functions)
    data = {
        "names": sorted({zlib.crc32(name.encode()) for name, _ in pairs}),
        "functions": [sorted(grams(without_docstring(text), alike=True)) for _, text in pairs],
        "plain": [sorted(grams(without_docstring(text), alike=False)) for _, text in plain],
    }
    (HERE / "excluded.json").write_text(json.dumps(data, separators=(",", ":")) + "\n")
