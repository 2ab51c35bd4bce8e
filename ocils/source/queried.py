"""The functions and tests of a file in a language that comes as data: found by its queries.

Not covered: Python (``functions.py``, ``cursor.py``); functions that have no name anywhere.
"""

from __future__ import annotations

import re
from functools import cache

from tree_sitter import Node, Query, QueryCursor

from ocils.domain.base import Value
from ocils.domain.errors import SyntaxBroken, TargetNotFound
from ocils.domain.target import EditTarget
from ocils.domain.text import Span, digest
from ocils.languages import shelf
from ocils.languages.manifest import PYTHON, Grammar, LanguageName
from ocils.source.tree import SourceTree, language

_UNNAMED = "default"
_QUOTES = ("'", '"', "`")


class NamedTest(Value, frozen=True):
    """A test in a file: the groups around it and its own name, where it stands, where its name does."""

    names: tuple[str, ...]
    span: Span
    name: Span


def grammar_of(tree: SourceTree) -> Grammar | None:
    """Return what is known of the tree's language as data; None for Python."""
    known = None if tree.language == PYTHON else shelf.language(tree.language)
    return known.grammar if known is not None else None


@cache
def query(name: LanguageName, text: str) -> Query:
    """Return a query of a language's grammar, made once."""
    return Query(language(name), text)


def matches(tree: SourceTree, text: str, below: Node | None = None) -> list[dict[str, Node]]:
    """Return what a query finds below a node (the whole file when None), one node a name."""
    found = QueryCursor(query(tree.language, text)).matches(below or tree.root)
    return [{name: nodes[0] for name, nodes in captured.items()} for _, captured in found]


def text_of(tree: SourceTree, node: Node) -> str:
    """Return the node's text as the document has it."""
    return tree.decode(Span(node.start_byte, node.end_byte))


def targets(tree: SourceTree, grammar: Grammar) -> tuple[EditTarget, ...]:
    """Return every function and method in text order; broken ones are left out."""
    found: list[tuple[Node, Node, str]] = []
    scopes: list[tuple[Node, str, bool]] = []
    for each in matches(tree, grammar.functions):
        if "scope" in each:
            scopes.append((each["scope"], _name(tree, each.get("scope.name")), True))
            continue
        whole = _widened(each["target"], grammar)
        name = _name(tree, each.get("name"))
        scopes.append((whole, name, False))
        if not _broken(whole):
            found.append((whole, each["body"], name))
    # A class or a function that holds another one goes before it.
    scopes.sort(key=lambda s: (s[0].start_byte, -s[0].end_byte))
    return tuple(
        _build(tree, whole, body, name, scopes)
        for whole, body, name in sorted(found, key=lambda f: (f[0].start_byte, -f[0].end_byte))
    )


def _name(tree: SourceTree, node: Node | None) -> str:
    if node is None:
        return _UNNAMED
    text = text_of(tree, node)
    if text[:1] in _QUOTES and text[-1:] == text[:1] and len(text) > 1:
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def _widened(node: Node, grammar: Grammar) -> Node:
    """Return what stands around a function and holds nothing else: ``export const f = …;``."""
    while (above := node.parent) is not None and above.type in grammar.wrappers:
        if len([n for n in above.named_children if not n.is_extra]) != 1:
            break
        node = above
    return node


def _broken(node: Node) -> bool:
    """Tell whether a syntax error lies in a function, or around it so that its node is doubtful."""
    above: Node | None = node
    while above is not None:
        if above.is_error:
            return True
        above = above.parent
    return node.has_error


def _build(
    tree: SourceTree, whole: Node, body: Node, name: str, scopes: list[tuple[Node, str, bool]]
) -> EditTarget:
    start, end = whole.start_byte, whole.end_byte
    around = [s for s in scopes if s[0].start_byte <= start and end <= s[0].end_byte]
    outer = [s for s in around if (s[0].start_byte, s[0].end_byte) != (start, end)]
    first = tree.line_of(start)
    before = tree.text[tree.starts[first - 1] : start]
    document = tree.document
    above = body.parent
    return EditTarget(
        path=document.path,
        name=".".join([*(s[1] for s in outer), name]),
        kind="method" if outer and outer[-1][2] else "function",
        span=Span(start, end),
        body=Span(body.start_byte, body.end_byte),
        indent=before.decode("ascii", "replace") if not before.strip() else "",
        first_line=first,
        last_line=tree.line_of(end - 1),
        hash=digest(document.data[start:end]),
        version=document.version,
        is_async=above is not None and any(n.type == "async" for n in above.children),
    )


def locate(tree: SourceTree, known: tuple[EditTarget, ...], offset: int) -> EditTarget:
    """Return the innermost of ``known`` whose lines hold the byte at ``offset``, trailing ones aside.

    Raises ``TargetNotFound``, or ``SyntaxBroken`` where a syntax error is in the way.
    """
    line = tree.line_of(min(max(offset, 0), len(tree.text)))
    around = [t for t in known if t.first_line <= line <= t.last_line]
    if around:
        return max(around, key=lambda t: t.span.start)
    file = tree.document.path.rpartition("/")[2]
    for span in tree.errors():
        bad = tree.line_of(span.start)
        if bad <= line <= tree.line_of(max(span.start, span.end - 1)):
            raise SyntaxBroken(
                f"{file} line {bad}: syntax error", mend="mend the syntax first, then try again"
            )
    if not known:
        raise TargetNotFound(
            f"no function at line {line}: {file} has none",
            mend="write the function's signature first, then put the cursor into it",
        )
    near = min(known, key=lambda t: min(abs(t.first_line - line), abs(t.last_line - line)))
    raise TargetNotFound(
        f"no function at line {line}; the nearest is {near.name} at line {near.first_line}",
        mend=f"put the cursor into it, or name it: {file}::{near.name}",
    )


def tests(tree: SourceTree, grammar: Grammar) -> tuple[NamedTest, ...]:
    """Return the tests of a file in text order, with the names of the groups around each."""
    if not grammar.tests:
        return ()
    suites: list[tuple[Node, str]] = []
    found: list[tuple[Node, Node]] = []
    for each in matches(tree, grammar.tests):
        if "suite" in each:
            suites.append((each["suite"], _name(tree, each["suite.name"])))
        else:
            found.append((each["test"], each["test.name"]))
    suites.sort(key=lambda s: s[0].start_byte)
    return tuple(
        NamedTest(
            (*_names_around(suites, node), _name(tree, name)),
            Span(node.start_byte, node.end_byte),
            Span(name.start_byte, name.end_byte),
        )
        for node, name in sorted(found, key=lambda f: f[0].start_byte)
    )


def _names_around(suites: list[tuple[Node, str]], node: Node) -> tuple[str, ...]:
    return tuple(
        name
        for suite, name in suites
        if suite.start_byte <= node.start_byte and node.end_byte <= suite.end_byte
    )
