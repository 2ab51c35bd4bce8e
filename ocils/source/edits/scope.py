"""What a function has at hand: the material that small edits are made of.

Not covered: types. A name is offered wherever a name may stand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tree_sitter import Node, Query, QueryCursor

from ocils.domain.base import Value
from ocils.domain.text import Span
from ocils.source.tree import language, walk


class Change(Value, frozen=True):
    """Replace the bytes of ``span`` (of the function's own lines) by ``text``.

    ``cost`` orders changes: the likelier a bug it undoes, the smaller. ``whole`` asks for a check
    of the whole function, because the change goes beyond one statement's expressions.
    """

    span: Span
    text: bytes
    note: str
    cost: float
    whole: bool = False


class Scope(Value, frozen=True):
    """Names and literals in order of use, as UTF-8 text.

    ``variables``: parameters, locals and other names that are read. ``fields``: attributes of
    ``self`` in the class. ``attributes`` and ``methods``: what stands behind a dot anywhere in the
    file, the most frequent first. ``calls``: plain functions that the target calls; ``functions``:
    those that the file defines, ``classes`` its classes.
    ``splats``: the target's own ``*args`` and ``**kwargs``, as they are passed on. ``strings`` stand in the target,
    ``elsewhere`` short ones in the rest of the file. ``terms`` are the target's short expressions
    that are more than a name, ``tests`` its comparisons and negations, the most frequent first.
    ``source`` are the target's lines.
    """

    source: bytes
    variables: tuple[bytes, ...]
    parameters: tuple[bytes, ...]
    me: bytes
    fields: tuple[bytes, ...]
    attributes: tuple[bytes, ...]
    methods: tuple[bytes, ...]
    calls: tuple[bytes, ...]
    functions: tuple[bytes, ...]
    strings: tuple[bytes, ...]
    elsewhere: tuple[bytes, ...]
    integers: tuple[bytes, ...]
    terms: tuple[bytes, ...]
    tests: tuple[bytes, ...]
    classes: tuple[bytes, ...]
    splats: tuple[bytes, ...]
    is_async: bool


_TERMS = ("attribute", "subscript", "call", "binary_operator")
_SHORT = 24  # bytes of an expression that is put elsewhere, at most


def text_of(node: Node) -> bytes:
    """Return the node's text."""
    return node.text or b""


def change(node: Node, text: bytes, note: str, cost: float, whole: bool = False) -> Change:
    """Return the change that puts ``text`` in the place of ``node``."""
    return Change(Span(node.start_byte, node.end_byte), text, note, cost, whole)


def named(node: Node) -> list[Node]:
    """Return the named children that are not comments."""
    return [c for c in node.named_children if c.type != "comment"]


def within_type(node: Node) -> bool:
    """Tell whether the node stands in an annotation."""
    above = node.parent
    while above is not None and above.type != "block":
        if above.type == "type":
            return True
        above = above.parent
    return False


def is_variable(node: Node) -> bool:
    """Tell whether an identifier is a name that is read or assigned, not a label."""
    above = node.parent
    if node.type != "identifier" or above is None:
        return False
    if above.type == "attribute":
        return above.child_by_field_name("object") == node
    if above.type in ("keyword_argument", "default_parameter", "typed_default_parameter"):
        return above.child_by_field_name("value") == node
    labels = (
        "parameters",
        "lambda_parameters",
        "typed_parameter",
        "list_splat_pattern",
        "dictionary_splat_pattern",
        "function_definition",
        "class_definition",
        "dotted_name",
        "global_statement",
        "nonlocal_statement",
        "decorator",
        "type",
    )
    return above.type not in labels


def is_callee(node: Node) -> bool:
    """Tell whether the node is what a call calls."""
    above = node.parent
    return (
        above is not None and above.type == "call" and above.child_by_field_name("function") == node
    )


def scope_of(function: Node, source: bytes, module: Node, class_node: Node | None) -> Scope:
    """Collect the scope of ``function``; ``module`` is the file's root, of the same encoding."""
    parameters = [text_of(n) for n in _parameters(function)]
    variables: Counter[bytes] = Counter()
    calls: Counter[bytes] = Counter()
    strings: list[bytes] = []
    integers: list[bytes] = []
    terms: Counter[bytes] = Counter()
    tests: Counter[bytes] = Counter()
    for node in _body(function):
        if node.type in _TERMS and _is_short(node) and not is_callee(node):
            terms[text_of(node)] += 1
        elif node.type in ("comparison_operator", "not_operator") and _is_short(node):
            tests[text_of(node)] += 1
        if node.type == "identifier" and is_variable(node) and not within_type(node):
            (calls if is_callee(node) else variables)[text_of(node)] += 1
        elif node.type == "string" and _plain(node):
            strings.append(text_of(node))
        elif node.type == "integer":
            integers.append(text_of(node))
    me = parameters[0] if class_node is not None and parameters else b""
    fields = _fields(class_node, me) if class_node is not None and me else ()
    attributes, methods, functions, classes, others = _in_file(module)
    ordered = dict.fromkeys([*parameters, *variables])
    return Scope(
        source=source,
        variables=tuple(v for v in ordered if v not in (me, b"_", b"cls", b"self")),
        parameters=tuple(p for p in parameters if p != me),
        me=me,
        fields=fields,
        attributes=attributes,
        methods=methods,
        calls=tuple(calls),
        functions=functions,
        strings=tuple(dict.fromkeys(strings)),
        elsewhere=tuple(s for s in others if s not in strings),
        integers=tuple(dict.fromkeys(integers)),
        terms=tuple(term for term, _ in terms.most_common(12)),
        tests=tuple(test for test, _ in tests.most_common(8)),
        classes=classes,
        splats=_splats(function),
        is_async=bool(function.children) and function.children[0].type == "async",
    )


def _parameters(function: Node) -> Iterator[Node]:
    holder = function.child_by_field_name("parameters")
    for node in holder.named_children if holder is not None else ():
        if node.type == "identifier":
            yield node
        elif node.type in ("default_parameter", "typed_default_parameter"):
            name = node.child_by_field_name("name")
            if name is not None:
                yield name
        elif node.type.endswith(("_pattern", "typed_parameter")):
            yield from [n for n in walk(node) if n.type == "identifier"][:1]


def _splats(function: Node) -> tuple[bytes, ...]:
    holder = function.child_by_field_name("parameters")
    found = []
    for node in holder.named_children if holder is not None else ():
        inner = [n for n in walk(node) if n.type.endswith("_splat_pattern")]
        found += [text_of(n) for n in inner[:1] if node.type.endswith(("pattern", "parameter"))]
    return tuple(text for text in found if text.strip(b"*"))


def _body(function: Node) -> Iterator[Node]:
    body = function.child_by_field_name("body")
    return walk(body) if body is not None else iter(())


def _is_short(node: Node) -> bool:
    """Tell whether an expression is short enough to be put elsewhere, and stored nowhere."""
    above = node.parent
    stored = above is not None and above.type in ("assignment", "augmented_assignment")
    if stored and above is not None and above.child_by_field_name("left") == node:
        return False
    return node.end_byte - node.start_byte <= _SHORT and b"\n" not in text_of(node)


def _plain(node: Node) -> bool:
    """Tell whether a string is a value: no f-string, no docstring, not over lines."""
    above = node.parent
    return (
        (above is None or above.type not in ("expression_statement", "concatenated_string"))
        and all(c.type != "interpolation" for c in node.children)
        and node.start_point.row == node.end_point.row
    )


def _fields(class_node: Node, me: bytes) -> tuple[bytes, ...]:
    pattern = "(attribute object: (identifier) @object attribute: (identifier) @name) @whole"
    found: Counter[bytes] = Counter()
    for node in QueryCursor(Query(language(), pattern)).captures(class_node).get("whole", []):
        owner, name = node.child_by_field_name("object"), node.child_by_field_name("attribute")
        if owner is not None and name is not None and text_of(owner) == me and not is_callee(node):
            found[text_of(name)] += 1
    return tuple(name for name, _ in found.most_common(12))


def _in_file(module: Node) -> tuple[tuple[bytes, ...], ...]:
    pattern = """
        (call function: (attribute attribute: (identifier) @method))
        (attribute attribute: (identifier) @attribute)
        (module (function_definition name: (identifier) @function))
        (module (class_definition name: (identifier) @class))
        (string) @string
    """
    captures = QueryCursor(Query(language(), pattern)).captures(module)
    counts = {k: Counter(text_of(n) for n in v) for k, v in captures.items()}
    methods = counts.get("method", Counter())
    plain = counts.get("attribute", Counter()) - methods
    functions = counts.get("function", Counter())
    return (
        tuple(sorted(plain, key=lambda n: (-plain[n], n))[:30]),
        tuple(sorted(methods, key=lambda n: (-methods[n], n))[:30]),
        tuple(functions)[:30],
        tuple(counts.get("class", Counter()))[:8],
        _common(captures.get("string", [])),
    )


def _common(strings: list[Node]) -> tuple[bytes, ...]:
    """Return the file's short strings, the most frequent first."""
    found = Counter(text_of(n) for n in strings if n.end_byte - n.start_byte < 20 and _plain(n))
    plain = [s for s in found if s[:1] in (b'"', b"'") and not s.startswith((b'"""', b"'''"))]
    return tuple(sorted(plain, key=lambda s: (-found[s], s))[:12])
