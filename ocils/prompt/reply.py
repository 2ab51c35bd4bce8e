"""A chat model's reply to code: the target's new text, and the imports and functions it newly needs.

A reply may hold prose, several blocks, a whole file, helpers, a class around a method, a wrong
name, or no code. Of its fenced blocks (or, without any, of the reply itself) the longest run of
lines that parses is taken; in it the definition of the target's name is looked for, also inside
classes; a single function of another name is taken as a renamed target and named back.

Not covered: functions in other languages than Python (this asks the standard library's parser);
their blocks are given as they are.
"""

from __future__ import annotations

import ast
import re
import textwrap
import warnings

from ocils.domain.base import Value

_FENCE = re.compile(r"```[^\n`]*\n(.*?)(?:```|\Z)", re.DOTALL)
_Function = ast.FunctionDef | ast.AsyncFunctionDef


class Extracted(Value, frozen=True):
    """The target's new text at column 0, import statements above it, and helpers it calls."""

    source: str
    imports: tuple[str, ...] = ()
    helpers: tuple[str, ...] = ()


def extract(text: str, name: str) -> Extracted | None:
    """Return what ``text`` says about the target ``name`` ("Class.method" or "function"), or None."""
    simple = name.rsplit(".", 1)[-1]
    blocks = _FENCE.findall(text) or [text]
    for block in sorted(blocks, key=len, reverse=True):
        code = _longest_parseable(block)
        if code and (found := _from_module(code, simple)):
            return found
    return None


def blocks(text: str) -> tuple[str, ...]:
    """Return a reply's fenced blocks, the longest first; the reply itself where it has none."""
    return tuple(sorted(_FENCE.findall(text) or [text], key=len, reverse=True))


def _longest_parseable(block: str) -> str:
    """Return the longest run of whole lines that parses; long blocks are only cut at their end."""
    lines = textwrap.dedent(block.expandtabs()).strip("\n").split("\n")
    starts = range(len(lines)) if len(lines) <= 60 else range(1)
    best: list[str] = []
    for start in starts:
        if len(lines) - start <= len(best):
            break
        for end in range(len(lines), start + len(best), -1):
            if _parses("\n".join(lines[start:end])):
                best = lines[start:end]
                break
    return "\n".join(best)


def _parses(code: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _from_module(code: str, simple: str) -> Extracted | None:
    module = ast.parse(code)
    functions = [n for n in ast.walk(module) if isinstance(n, _Function)]
    named = [n for n in functions if n.name == simple]
    top = [n for n in module.body if isinstance(n, _Function)]
    if named:
        # A model that repeats itself means its last word.
        target = named[-1]
    elif len(top) == 1:
        target = top[0]
    else:
        return None
    imports = tuple(
        _segment(code, n) for n in module.body if isinstance(n, ast.Import | ast.ImportFrom)
    )
    called = {n.id for n in ast.walk(target) if isinstance(n, ast.Name)}
    helpers = tuple(_segment(code, n) for n in top if n is not target and n.name in called)
    source = _segment(code, target)
    if target.name != simple:
        source = re.sub(rf"\b{re.escape(target.name)}\b", simple, source)
    return Extracted(source, imports, helpers)


def _segment(code: str, node: ast.stmt) -> str:
    first = min((d.lineno for d in getattr(node, "decorator_list", [])), default=node.lineno)
    lines = code.split("\n")[first - 1 : node.end_lineno]
    return textwrap.dedent("\n".join(lines))
