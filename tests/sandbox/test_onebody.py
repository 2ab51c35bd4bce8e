"""Which one function an edit is inside of, and every edit that is not inside of one; pure."""

from __future__ import annotations

import ast

import pytest

from ocils.sandbox.inside.onebody import Edited, Refused, find_edited, statements

OLD = '''\
"""A module."""
import functools

LIMIT = 3


def first(a, b=LIMIT):
    """Says."""
    return a + b


class Table:
    """Rows."""

    size = 2

    @property
    def rows(self):
        return [1, 2]

    class Inner:
        def deep(self, x):
            def far(y):
                return x + y

            return far(1)


@functools.wraps(first)
def second(*args):
    if args:
        total = 0
        for each in args:
            total += each
        return total
    return first(1)


async def third(a):
    return await a


def fourth():
    return lambda x: x + 1
'''


def edited(old: str, new: str, whole: str = OLD) -> Edited:
    assert whole.count(old) == 1, old
    return find_edited(whole, whole.replace(old, new), statements(ast.parse(whole), whole))


def line_of(text: str, whole: str = OLD) -> int:
    return whole[: whole.index(text)].count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "name", "begins", "head", "shift"),
    [
        ("return a + b", "return a - b", "first", "def first", "def first", 0),
        ("    return a + b", "    c = a\n    return c + b", "first", "def first", "def first", 1),
        ("return [1, 2]", "return [2]", "rows", "    @property", "def rows", 0),
        ("return x + y", "return x - y", "far", "            def far", "def far", 0),
        ("return far(1)", "return far(2)", "deep", "        def deep", "def deep", 0),
        ("        total = 0\n", "", "second", "@functools.wraps", "def second", -1),
        ("total += each", "total -= each", "second", "@functools.wraps", "def second", 0),
        ("return await a", "return a", "third", "async def third", "async def third", 0),
        ("lambda x: x + 1", "lambda x: x", "fourth", "def fourth", "def fourth", 0),
        ("lambda x:", "lambda y:", "fourth", "def fourth", "def fourth", 0),
    ],
)  # fmt: skip
def test_the_innermost_function_is_found(
    old: str, new: str, name: str, begins: str, head: str, shift: int
) -> None:
    found = edited(old, new)
    assert (found.name, found.line, found.shift) == (name, line_of(begins), shift)
    assert OLD.split("\n")[found.head - 1].strip().startswith(head)
    held = OLD.replace(old, new).split("\n")[found.first - 1 : found.last]
    assert held[0] == OLD.split("\n")[found.first - 1]
    assert new.strip().split("\n")[0] in "\n".join(held)


def test_what_stands_above_the_body_may_take_several_lines() -> None:
    one = "def f(\n    a,\n    b,\n):\n\n    # why\n    return a\n"
    new = one.replace("return a", "return b")
    found = find_edited(one, new, statements(ast.parse(one), one))
    assert (found.line, found.head) == (1, 6)
    short = "def f(a): return a\n"
    with pytest.raises(Refused, match="not inside one statement"):
        find_edited(short, "def f(a): return 1\n", statements(ast.parse(short), short))


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("LIMIT = 3", "LIMIT = 4", "not inside one statement"),
        ("b=LIMIT", "b=2", "not inside"),
        ("first(a, b", "first(b, a", "not inside"),
        ('"""Says."""', '"""Tells."""', "not inside"),
        ('"""Rows."""', '"""Lines."""', "not inside"),
        ('"""A module."""', '"""One module."""', "not inside"),
        ("size = 2", "size = 3", "not inside"),
        ("class Table", "class Chair", "not inside"),
        ("    @property\n", "", "not inside"),
        ("@property", "@functools.cache", "not inside"),
        ("async def third", "def third", "not inside"),
        ("def second(*args)", "def second(**args)", "not inside"),
        ("import functools", "import  functools, os", "not inside"),
        ("LIMIT = 3\n", "LIMIT = 3\nMORE = 4\n", ""),
        ("LIMIT = 3\n", "", ""),
        ("    return a + b\n", "    return a + b\n\n\ndef more():\n    pass\n", "one statement"),
        ("    return a + b\n", "    return a + b + a\nMORE = 1\n", "adds or removes"),
        ("return a + b", "return a + (b", "does not parse: SyntaxError"),
        ("return a + b", "return a +  b", "nothing differs"),
        ("return a + b", "return a + b  # said", "nothing differs"),
        ("return a + b", "return a + b\r", "line ends"),
        ("return a + b", "return a - b\f", "line ends"),
        ("return a + b", "return '\ufeff'", "line ends"),
    ],
)
def test_what_is_not_inside_one_body_is_refused(old: str, new: str, why: str) -> None:
    with pytest.raises(Refused, match=why or None):
        edited(old, new)


def test_two_functions_at_once_are_refused() -> None:
    new = OLD.replace("return a + b", "return a").replace("return await a", "return a")
    with pytest.raises(Refused, match="not inside one statement"):
        find_edited(OLD, new, statements(ast.parse(OLD), OLD))
    one = "class A:\n    def f(self):\n        return 1\n    def g(self):\n        return 1\n"
    with pytest.raises(Refused):
        find_edited(one, one.replace("return 1", "return 2"), statements(ast.parse(one), one))


def test_two_functions_inside_of_one_are_that_one() -> None:
    one = "def f():\n    def g():\n        return 1\n    def h():\n        return 1\n    return g, h\n"
    new = one.replace("return 1", "return 2")
    assert find_edited(one, new, statements(ast.parse(one), one)).name == "f"


@pytest.mark.parametrize(
    ("was", "now"), [("1", "1.0"), ("1", "True"), ("0.0", "-0.0"), ("'a'", "b'a'"), ("a", "A")]
)
def test_values_that_are_equal_and_not_the_same_differ(was: str, now: str) -> None:
    one = f"def f(a, A):\n    return {was}\n"
    new = f"def f(a, A):\n    return {now}\n"
    assert find_edited(one, new, statements(ast.parse(one), one)).name == "f"


@pytest.mark.parametrize(
    ("decorator", "known"),
    [
        ("staticmethod", True),
        ("abc.abstractmethod", True),
        ("functools.wraps(len)", True),
        ("value.setter", True),
        ("contextlib.contextmanager", True),
        ("functools.cache", False),
        ("functools.lru_cache(None)", False),
        ("table[0]", False),
        ("app.route('/')", False),
    ],
)
def test_decorators_that_keep_the_function(decorator: str, known: bool) -> None:
    one = f"@{decorator}\ndef f():\n    return 1\n"
    new = one.replace("return 1", "return 2")
    spans = statements(ast.parse(one), one)
    if known:
        assert find_edited(one, new, spans).line == 1
        return
    with pytest.raises(Refused, match="decorator"):
        find_edited(one, new, spans)
    two = one.replace("@", "@staticmethod\n@")
    with pytest.raises(Refused, match="decorator"):
        find_edited(two, two.replace("return 1", "return 2"), statements(ast.parse(two), two))


CLASSES = """\
import base


@base.keep
class Outer(base.Thing,
            kind=1):
    @property
    @base.known
    def one(self):
        return 1

    @final
    class Inner:

        def two(self):
            return 2


class Short(base.Thing): value = lambda self: 3; other = [
    4,
]


if True: pass
class Late:
    def five(self):
        return 5
"""


@pytest.mark.parametrize(
    ("old", "new", "first", "last", "classes"),
    [
        (
            "return 2",
            "return 3",
            "        def two",
            "return 2",
            ("class Outer:", "    class Inner:"),
        ),
        ("return 5", "return 6", "    def five", "return 5", ("class Late:",)),
        ("return 5", "a = 1\n        return a", "    def five", "return 5", ("class Late:",)),
    ],
)
def test_of_a_class_only_the_method_is_read(
    old: str, new: str, first: str, last: str, classes: tuple[str, ...]
) -> None:
    found = edited(old, new, CLASSES)
    assert found.classes == classes
    assert found.first == line_of(first, CLASSES)
    assert found.last == line_of(last, CLASSES) + new.count("\n")
    assert found.line == line_of(first, CLASSES)


def test_a_decorator_that_is_not_known_is_seen_in_a_class_too() -> None:
    with pytest.raises(Refused, match="decorator known"):
        edited("return 1", "return 2", CLASSES)


def test_statements_are_told_with_their_decorators() -> None:
    spans = statements(ast.parse(CLASSES), CLASSES)
    assert [(each.first, each.last, each.header) for each in spans] == [
        (1, 1, ""),
        (4, 16, "class Outer:"),
        (19, 21, ""),
        (24, 24, ""),
        (25, 27, "class Late:"),
    ]
    inner = [[(each.first, each.last, each.header) for each in span.inner] for span in spans]
    assert inner == [[], [(7, 10, ""), (12, 16, "    class Inner:")], [], [], [(26, 27, "")]]
