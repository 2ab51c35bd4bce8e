"""A chat model's reply to code: the target's new text, and what it newly needs.

A reply may hold prose, several blocks, a whole file, helpers, a class around a method, a wrong name,
a diff, or no code. Of each fenced block (or, without any, of the reply itself) the longest run of
lines that parses is taken. The last one that defines the target by its name counts, since a model
that repeats itself means its last word; a single function of another name is taken as a renamed
target and named back. What the target does not need is left out (``needed.py``).

Not covered: functions in other languages than Python (this asks the standard library's parser);
their blocks are given as they are. Whether a helper is already there (``defined`` says its name).
"""

from __future__ import annotations

import ast
import re
import tokenize
from collections.abc import Iterator, Sequence

from ocils.domain.base import Value
from ocils.domain.python import tree_of
from ocils.prompt import diffs, fences, needed, parseable

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_DEFINES = re.compile(
    r"^[ \t]*(?:(?:async[ \t]+)?def|class)[ \t]+(\w+)|^(\w+)[ \t]*(?::[^=\n]*)?=(?!=)", re.MULTILINE
)


class Extracted(Value, frozen=True):
    """The target's new text at column 0, and what it newly needs.

    ``imports`` are statements, ``helpers`` stand before the target at the module's level, and
    ``siblings`` are methods of its class.
    """

    source: str
    imports: tuple[str, ...] = ()
    helpers: tuple[str, ...] = ()
    siblings: tuple[str, ...] = ()


def extract(text: str, name: str, source: str = "") -> Extracted | None:
    """Return what ``text`` says about the target ``name`` ("Class.method" or "function"), or None.

    ``source`` is the target's present text; only a reply that is a diff needs it.
    """
    codes = [code for code in _codes(text, source) if code]
    modules = [(code, module) for code in codes if (module := tree_of(code)) is not None]
    for code, module in reversed(modules):
        found = _named(module, name)
        if found is not None and not _is_stub(found):
            return _extracted(code, module, found, name, modules)
    for code, module in sorted(modules, key=lambda each: len(each[0]), reverse=True):
        found = _named(module, name) or _renamed(module)
        if found is not None:
            return _extracted(code, module, found, name, modules)
    return None


def blocks(text: str) -> tuple[str, ...]:
    """Return a reply's fenced blocks, the longest first; the reply itself where it has none."""
    found = [f"{block.text}\n" for block in fences.blocks(text)] or [fences.answer(text)]
    return tuple(sorted(found, key=len, reverse=True))


def defined(text: str) -> frozenset[str]:
    """Return the names of functions, methods, classes and variables that ``text`` defines.

    It need not parse.
    """
    return frozenset(name for pair in _DEFINES.findall(text) for name in pair if name)


def names(helper: str) -> frozenset[str]:
    """Return the names that one helper or sibling defines, not those inside of it."""
    module = tree_of(helper)
    bound = [needed.bound(node) for node in module.body] if module is not None else []
    return frozenset().union(*bound)


def _codes(text: str, source: str) -> Iterator[str]:
    found = fences.blocks(text)
    for block in found:
        if block.info in ("diff", "patch") or diffs.looks(block.text):
            changed = diffs.applied(block.text, source) if source else None
            yield changed or parseable.longest(diffs.written_anew(block.text))
        else:
            yield parseable.longest(block.text)
    if not found:
        yield parseable.longest(fences.answer(text))


def _named(module: ast.Module, name: str) -> _Function | None:
    """Return the last function of that name: in its class, else at the module's level, else anywhere."""
    *owners, simple = name.split(".")
    places: list[Sequence[ast.AST]] = [list(ast.walk(module)), module.body]
    if owners:
        classes = [n for n in ast.walk(module) if isinstance(n, ast.ClassDef)]
        places.append([n for c in classes if c.name == owners[-1] for n in c.body])
    for nodes in reversed(places):
        named = [n for n in nodes if isinstance(n, _Function) and n.name == simple]
        if named:
            return max(named, key=lambda n: n.lineno)
    return None


def _renamed(module: ast.Module) -> _Function | None:
    """Return the one function that no other calls, at the module's level or in its only class."""
    functions = [n for n in module.body if isinstance(n, _Function)]
    classes = [n for n in module.body if isinstance(n, ast.ClassDef)]
    if not functions and len(classes) == 1:
        methods = [n for n in classes[0].body if isinstance(n, _Function)]
        functions = [n for n in methods if not n.name.startswith("__")]
    called = {
        name
        for function in functions
        for name in needed.names(function) | needed.attributes(function)
        if name != function.name
    }
    roots = [n for n in functions if n.name not in called]
    return roots[0] if len(roots) == 1 else None


def _is_stub(function: _Function) -> bool:
    """Tell whether a function only stands for one: a docstring, ``...`` or ``pass``."""
    return all(
        isinstance(n, ast.Pass) or (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))
        for n in function.body
    )


def _extracted(
    code: str,
    module: ast.Module,
    target: _Function,
    name: str,
    modules: list[tuple[str, ast.Module]],
) -> Extracted:
    others = [each for each in modules if each[1] is not module]
    found = needed.by(target, (code, module), others)
    simple = name.rsplit(".", 1)[-1]
    source = needed.segment(code, target)
    if target.name != simple:
        source = _rename(source, target.name, simple)
    return Extracted(source, found.imports, found.helpers, found.siblings)


def _rename(source: str, old: str, new: str) -> str:
    """Return ``source`` with the name ``old`` written ``new``; strings and comments stay."""
    lines = source.split("\n")
    tokens = list(tokenize.generate_tokens(iter(source.splitlines(keepends=True)).__next__))
    for token in reversed(tokens):
        if token.type == tokenize.NAME and token.string == old:
            row, column = token.start
            line = lines[row - 1]
            lines[row - 1] = line[:column] + new + line[column + len(old) :]
    return "\n".join(lines)
