"""From a cursor or a name to a function; ``$0`` marks the cursor."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocils.domain.errors import SyntaxBroken, TargetNotFound
from ocils.domain.text import Document, digest
from ocils.source.target import SourceTree, locate, locate_name, relocate, targets, test_ids


def document(text: str, path: str = "/w/pkg/mod.py", encoding: str = "utf-8") -> Document:
    return Document(path, text.encode(encoding), 1, encoding=encoding)


def tree_of(text: str, path: str = "/w/pkg/mod.py", encoding: str = "utf-8") -> SourceTree:
    return SourceTree.of(document(text, path, encoding))


def found_at(text: str, encoding: str = "utf-8") -> str:
    """Return the located name, "nothing", or "broken" and the line."""
    before, _, after = text.partition("$0")
    tree = tree_of(before + after, encoding=encoding)
    try:
        return locate(tree, len(before.encode(encoding))).name
    except TargetNotFound as problem:
        return "nothing" if problem.mend else "no advice"
    except SyntaxBroken as problem:
        line = "".join(c for c in problem.message.partition(":")[0] if c.isdigit())
        return f"broken {line}" if problem.mend else "no advice"


def check(text: str, name: str, encoding: str = "utf-8") -> None:
    assert found_at(text, encoding) == name


CURSORS = {
    "name": ("def f$0():\n    pass\n", "f"),
    "before def": ("$0def f():\n    pass\n", "f"),
    "body": ("def f():\n    x = 1\n    return$0 x\n", "f"),
    "last byte": ("def f():\n    return 1$0", "f"),
    "decorator": ("@a\n@b($0)\ndef f():\n    pass\n", "f"),
    "decorator of a class": ("@a$0\nclass A:\n    def f(self): pass\n", "nothing"),
    "docstring": ('def f():\n    """a\n$0\n    # b\n    """\n', "f"),
    "hash in a docstring": ('def f():\n    """a\n\n# b$0\n    """\n', "f"),
    "one line": ("def f(): return$0 1\n", "f"),
    "async": ("async def f():\n    await$0 x\n", "f"),
    "nested": ("def f():\n    def g():\n        return$0 1\n    return g\n", "f.g"),
    "around the nested": ("def f():\n    def g():\n        return 1\n    return$0 g\n", "f"),
    "method": ("class A:\n    def f(self):\n        pass$0\n", "A.f"),
    "method in a nested class": (
        "class A:\n    class B:\n        def f(self):\n            $0pass\n",
        "A.B.f",
    ),
    "function in a method": (
        "class A:\n    def f(self):\n        def g():\n            $0pass\n",
        "A.f.g",
    ),
    "class in a function": (
        "def f():\n    class B:\n        def g(self):\n            $0pass\n",
        "f.B.g",
    ),
    "conditional": ("try:\n    import a\nexcept E:\n    def f():\n        return$0 1\n", "f"),
    "signature over lines": ("def f(\n    a,\n$0    b,\n):\n    pass\n", "f"),
    "closing parenthesis": ("def f(\n    a,\n)$0:\n    pass\n", "f"),
    "comment above": ("x = 1\n\n# one\n# t$0wo\ndef f():\n    pass\n", "f"),
    "comment above a decorator": ("# o$0ne\n@d\ndef f():\n    pass\n", "f"),
    "comment set apart": ("# o$0ne\n\ndef f():\n    pass\n", "nothing"),
    "comment above a method": ("class A:\n    # o$0ne\n    def f(self):\n        pass\n", "A.f"),
    "comment at the end": ("def f():\n    return 1\n    # o$0ne\n\nx = 1\n", "f"),
    "comment behind": ("def f():\n    return 1  # o$0ne\n", "f"),
    "comment at column 0 inside": ("def f():\n    x = 1\n# o$0ne\n    return x\n", "f"),
    "comment after a blank line": ("def f():\n    return 1\n\n    # o$0ne\nx = 1\n", "f"),
    "comment between": ("def f():\n    pass\n\n# o$0ne\n\ndef g():\n    pass\n", "nothing"),
    "comment of the outer": (
        "def f():\n    def g():\n        pass\n    # o$0ne\n    return g\n",
        "f",
    ),
    "blank inside": ("def f():\n    x = 1\n$0\n    return x\n", "f"),
    "blank behind": ("def f():\n    pass\n$0\n\nx = 1\n", "f"),
    "blank behind, indented": (
        "class A:\n    def f(self):\n        pass\n\n        $0\n\n    x = 1\n",
        "A.f",
    ),
    "blank at the end": ("def f():\n    pass\n\n\n$0", "f"),
    "blank behind the nested": ("def f():\n    def g():\n        pass\n$0\n    return g\n", "f.g"),
    "blanks before the outer's return": (
        "def f():\n    def g():\n        pass\n\n$0\n    return g\n",
        "f",
    ),
    "between functions": ("def f():\n    pass\n\n$0\ndef g():\n    pass\n", "nothing"),
    "class line": ("class A:$0\n    def f(self):\n        pass\n", "nothing"),
    "class attribute": ("class A:\n    x = $01\n\n    def f(self):\n        pass\n", "nothing"),
    "module": ("x = $01\n\ndef f():\n    pass\n", "nothing"),
    "no functions": ("x = $01\n", "nothing"),
    "empty": ("$0", "nothing"),
    "tabs": ("class A:\n\tdef f(self):\n\t\tpass$0\n", "A.f"),
    "crlf": ("class A:\r\n    def f(self):\r\n        pass$0\r\n", "A.f"),
    "crlf blank": ("def f():\r\n    x\r\n$0\r\n    y\r\n", "f"),
    "lone carriage returns": ("class A:\r    def f(self):\r        pass$0\r", "A.f"),
    "byte order mark": ("\ufeffdef f()$0:\n    pass\n", "f"),
    "before the mark": ("$0\ufeffdef f():\n    pass\n", "f"),
    "comment behind the mark": ("\ufeff# on$0e\ndef f():\n    pass\n", "f"),
    "non-ASCII": ("def größe():\n    return '😀'$0\n", "größe"),
    "lambda": ("x = lambda: $01\n", "nothing"),
    "type parameters": ("def f[T](x: T) -> T:\n    return$0 x\n", "f"),
    "match": ("def f(x):\n    match x:\n        case [1, *_]:\n            return$0 1\n", "f"),
    # A syntax error somewhere else is no hindrance; one within is named.
    "error before": ("def f():\n    x = (1\n    return x\n\ndef g(a):\n    return a$0\n", "g"),
    "error behind": ("def f():\n    return$0 1\n\ndef g(:\n    return 1\n", "f"),
    "error here": ("def f():\n    x = (1\n    return$0 x\n", "broken 2"),
    "error in the signature": ("def f(:\n    return$0 1\n", "broken 1"),
    "error in a sibling": (
        "class A:\n    def f(self):\n        x = [\n\n    def g(self):\n        retu$0rn 1\n",
        "A.g",
    ),
    "unclosed at module level": ("x = (\ndef g():\n    return$0 1\n", "g"),
    "error in the class's line": ("class A(:\n    def g(self):\n        return$0 1\n", "A.g"),
    "error at module level": ("x = = $01\ndef g():\n    return 1\n", "broken 1"),
    "unclosed string before": ('x = """\ndef g():\n    return$0 1\n', "g"),
    "error in the nested": ("def f():\n    def g(:\n        pass\n    return$0 1\n", "broken 2"),
    "sound nested in broken": ("def f():\n    def g():\n        return$0 1\n    x = (\n", "f.g"),
    "string at column 0 in a broken file": (
        'x = (\n\n\ndef g():\n    y = """$0\na\n"""\n    return y\n',
        "g",
    ),
    "decorated behind an error": ("x = (\n@d$0\ndef g():\n    return 1\n", "g"),
}


@pytest.mark.parametrize("case", CURSORS)
def test_locate(case: str) -> None:
    check(*CURSORS[case])


@pytest.mark.parametrize("encoding", ["latin-1", "shift_jis", "gbk", "euc_jp"])
def test_locate_in_other_encodings(encoding: str) -> None:
    word = "é" if encoding == "latin-1" else "表十"
    check(f"# {word}\nx = '{word}'\ndef f{word}():\n    return '{word}'$0\n", f"f{word}", encoding)


def test_the_nearest_function_is_named() -> None:
    text = "x = 1\n\n\ndef far():\n    pass\n\n\ny = 2\n\n\n\ndef farther():\n    pass\n"
    with pytest.raises(TargetNotFound, match=r"line 1; the nearest is far at line 4.*mod.py::far"):
        locate(tree_of(text), 0)


def test_a_target_says_where_it_is() -> None:
    text = (
        "class A:\n    @d\n    async def f(self):\n        return '😀'\n        # end\n\n\nx = 1\n"
    )
    (target,) = targets(tree_of(text))
    data = text.encode()
    assert data[target.span.start : target.span.end].decode().startswith("@d\n    async def")
    assert data[target.body.start : target.body.end].decode() == "return '😀'\n        # end"
    assert (target.indent, target.first_line, target.last_line) == ("    ", 2, 5)
    assert (target.kind, target.is_async, target.is_test, target.version) == (
        "method",
        True,
        False,
        1,
    )
    assert target.hash == digest(data[target.span.start : target.span.end])


def test_targets_of_a_broken_file() -> None:
    text = "def a():\n    pass\n\nx = (\n\nclass B:\n    @p\n    def c(self):\n        pass\n\ndef d(:\n    pass\n\ndef e():\n    pass\n"
    assert [t.name for t in targets(tree_of(text))] == ["a", "B.c", "e"]
    found = locate_name(tree_of(text), "B.c")
    assert (found.kind, found.first_line, found.indent) == ("method", 7, "    ")


NAMES = """\
import typing
def f(): pass
class A:
    def f(self): pass
    def only(self): pass
    @property
    def size(self): return 1
    @size.setter
    def size(self, x): pass
class B:
    def f(self): pass
    class C:
        def deep(self): pass
@typing.overload
def o(a: int) -> int: ...
@typing.overload
def o(a: str) -> str: ...
def o(a): return a
if f:
    def again(): return 1
else:
    def again(): return 2
def outer():
    def inner(): pass
"""


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("f", 2),
        ("A.f", 4),
        ("A::f", 4),
        ("only", 5),
        ("A.size", 6),
        ("deep", 13),
        ("C.deep", 13),
        ("o", 18),
        ("again", 22),
        ("outer.inner", 24),
        ("outer.<locals>.inner", 24),
        ("inner", 24),
    ],
)
def test_locate_name(name: str, line: int) -> None:
    assert locate_name(tree_of(NAMES), name).first_line == line


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (
            NAMES.replace("def f(): pass\n", "", 1),
            "f",
            r"several.*A\.f \(line 3\), B\.f \(line 10\).*full name",
        ),
        (NAMES, "onyl", r"did you mean A\.only"),
        (NAMES, "B.only", r"did you mean.*A\.only"),
        (NAMES, "zzzzzz", r"it has f, A\.f"),
        (NAMES, "", "no function"),
        ("x = 1\n", "f", "none at all"),
    ],
)
def test_a_name_that_fits_none_or_several(text: str, name: str, message: str) -> None:
    with pytest.raises(TargetNotFound, match=message):
        locate_name(tree_of(text), name)


def test_relocate_follows_the_name() -> None:
    before = "def f():\n    return 1\n\ndef g():\n    return 2\n"
    target = locate_name(tree_of(before), "g")
    moved = relocate(tree_of("import os\n\n" + before), target)
    assert moved is not None
    assert (moved.first_line, moved.hash) == (6, target.hash)
    changed = relocate(tree_of(before.replace("2", "3")), target)
    assert changed is not None
    assert changed.hash != target.hash
    assert relocate(tree_of("def f():\n    return 1\n"), target) is None


def test_relocate_prefers_the_same_text() -> None:
    text = "if x:\n    def f(): return 1\nelse:\n    def f(): return 2\n"
    first, second = targets(tree_of(text))
    assert relocate(tree_of("#\n" * 9 + text), first) == relocate(tree_of("#\n" * 9 + text), first)
    for each in (first, second):
        moved = relocate(tree_of("#\n" * 9 + text), each)
        assert moved is not None
        assert moved.hash == each.hash


def test_test_ids() -> None:
    text = (
        "import unittest\n\ndef test_a(): pass\ndef helper():\n    def test_no(): pass\n"
        "class TestX:\n    @p\n    def test_y(self): pass\n    def other(self): pass\n"
        "    class TestZ:\n        async def test_q(self): pass\n"
        "class Case(unittest.TestCase):\n    def test_u(self): pass\nclass Other:\n    def test_no(self): pass\n"
    )
    found = test_ids(tree_of(text, "/w/tests/test_a.py"), "tests/test_a.py")
    assert [t.test.partition("::")[2] for t in found] == [
        "test_a",
        "TestX::test_y",
        "TestX::TestZ::test_q",
        "Case::test_u",
    ]
    assert [text[t.span.start : t.span.end] for t in found] == [
        "test_a",
        "test_y",
        "test_q",
        "test_u",
    ]
    assert found[1].line == 8
    assert found[1].test == "tests/test_a.py::TestX::test_y"
    assert test_ids(tree_of(text, "/w/tests/a_test.py"), "a_test.py") != ()
    assert test_ids(tree_of(text, "/w/tests/a.py"), "a.py") == ()


PIECES = [
    "def f():\n",
    "    ",
    "\t",
    "\n",
    "\r\n",
    "return 1",
    "(",
    ")",
    '"""',
    "'",
    "x",
    " = ",
    "class A:\n",
    "#",
    "é",
    "😀",
    ":",
    "if x:\n",
    "@d\n",
    "async ",
    ",",
    "else:\n",
    "\r",
]
CODE = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=80), CODE.map(str.encode)), st.integers(-5, 200))
def test_locate_raises_only_what_it_declares(data: bytes, offset: int) -> None:
    for encoding in ("utf-8", "shift_jis", "no-such-codec" if data.isascii() else "gbk"):
        tree = SourceTree.of(Document("/w/a.py", data, encoding=encoding))
        try:
            found = locate(tree, offset)
        except (TargetNotFound, SyntaxBroken):
            continue
        assert 0 <= found.span.start < found.span.end <= len(data)
        assert found.first_line <= found.last_line


@settings(max_examples=100, deadline=None)
@given(CODE)
def test_every_target_is_located_from_its_first_byte(text: str) -> None:
    tree = tree_of(text)
    if tree.broken:
        return
    for target in targets(tree):
        assert locate(tree, target.span.start).span.start == target.span.start
