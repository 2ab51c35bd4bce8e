"""What the model is shown, and that it stays within the limit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocils.domain.errors import StaleTarget
from ocils.domain.judging import TestId
from ocils.domain.target import Context
from ocils.domain.text import Document, Entry, Snapshot
from ocils.source.context import gather
from ocils.source.target import SourceTree, locate_name

FILES = {
    "src/shop/__init__.py": "from .cart import Cart\n",
    "src/shop/cart.py": '''\
"""Carts."""
import math
import os
from typing import Any, Iterable as It
from . import prices, unknown
from .prices import discount as cheaper
from shop.base import Base
import requests

LIMIT = 10
OTHER = 11


def total(items: It[int]) -> int:
    """Add up.

    More text.
    """
    return sum(items)


def long(a,
         b=1):
    """Take long."""
    x1 = 1
    x2 = 1
    x3 = 1
    x4 = 1
    x5 = 1
    x6 = 1
    x7 = 1
    x8 = 1
    x9 = 1
    x10 = 1
    x11 = 1
    x12 = 1
    return a


def unused():
    return requests.get("x")


class Item:
    """One item."""

    size = 1

    def __init__(self, name):
        self.name = name


@register
class Cart(Base):
    """A cart."""

    currency: str = "€"

    def __init__(self, items):
        self.items = items

    def checkout(self, rate: Any = 1):
        """Return what to pay."""
        if len(self.items) > LIMIT:
            raise ValueError(Item("x"))
        self.log("pay")
        self._check(long(2))
        return math.ceil(cheaper(total(self.items)) * prices.tax(rate))

    def _check(self, x):
        return x > 0
''',
    "src/shop/prices.py": '''\
from ._rates import rate as _rate


def discount(x):
    """Take off."""
    return x * 0.9


def tax(rate):
    return 1 + _rate(rate)


def nothing():
    pass
''',
    "src/shop/_rates.py": "def rate(x):\n    return x\n",
    "src/shop/base.py": """\
class Root:
    def log(self, text):
        print(text)


class Base(Root):
    pass
""",
    "tests/conftest.py": """\
import pytest


@pytest.fixture
def cart():
    return Cart([1, 2])


@pytest.fixture
def other():
    return 1
""",
    "tests/test_cart.py": """\
import pytest
from shop import Cart


@pytest.fixture(name="three")
def make_three():
    return 3


@pytest.mark.parametrize(("rate", "pay"), [(1, 2), (2, 3)])
def test_checkout(cart, three, rate, pay):
    assert cart.checkout(rate) == pay


class TestCart:
    def setup_method(self):
        self.cart = Cart([])

    def test_empty(self):
        assert self.cart.checkout() == 0


def test_other(other):
    assert other
""",
}


def snapshot(files: dict[str, str]) -> Snapshot:
    entries = [Entry(p, "file", 0o644, 0, text.encode()) for p, text in sorted(files.items())]
    return Snapshot("/w", tuple(entries), "")


def words(text: str) -> int:
    return len(text.split())


def shown(
    name: str,
    path: str = "src/shop/cart.py",
    tests: tuple[str, ...] = (),
    limit: int = 2000,
    files: dict[str, str] = FILES,
) -> Context:
    frozen = snapshot(files)
    document = frozen.document(path)
    assert document is not None
    target = locate_name(SourceTree.of(document), name)
    return gather(frozen, document, target, [TestId(t) for t in tests], words, limit)


TESTS = (
    "tests/test_cart.py::test_checkout[1-2]",
    "tests/test_cart.py::test_checkout[a::b]",
    "tests/test_cart.py::TestCart::test_empty",
    "tests/gone.py::test_x",
    "tests/test_cart.py::test_gone",
)


def test_the_source_is_dedented() -> None:
    context = shown("Cart.checkout")
    assert context.source.startswith('def checkout(self, rate: Any = 1):\n    """Return')
    assert not context.cut


def test_the_header_holds_what_is_used() -> None:
    header = shown("Cart.checkout").header
    for line in (
        "import math",
        "from typing import Any",
        "from . import prices",
        "from .prices import discount as cheaper",
        "from shop.base import Base",
        "LIMIT = 10",
        "@register",
        "class Cart(Base):",
        '    currency: str = "€"',
        "    def __init__(self, items):",
        "        self.items = items",
    ):
        assert line in header.split("\n")
    for absent in ("import os", "requests", "OTHER", "unknown", "checkout", "Iterable"):
        assert absent not in header


def test_definitions_are_found_through_imports() -> None:
    context = shown("Cart.checkout")
    found = {(e.path, e.title): e.text for e in context.excerpts}
    assert set(found) == {
        ("src/shop/cart.py", "Item"),
        ("src/shop/cart.py", "Cart._check"),
        ("src/shop/cart.py", "long"),
        ("src/shop/cart.py", "total"),
        ("src/shop/base.py", "Root.log"),
        ("src/shop/base.py", "Base"),
        ("src/shop/prices.py", "discount"),
        ("src/shop/prices.py", "tax"),
    } - {("src/shop/base.py", "Base")}
    assert (
        found["src/shop/cart.py", "long"]
        == 'def long(a,\n         b=1):\n    """Take long."""\n    ...'
    )
    assert found["src/shop/cart.py", "Cart._check"] == "def _check(self, x):\n    return x > 0"
    assert found["src/shop/prices.py", "tax"] == "def tax(rate):\n    return 1 + _rate(rate)"
    assert "self.name = name" in found["src/shop/cart.py", "Item"]
    paths = [e.path for e in context.excerpts]
    assert paths == sorted(paths, key=lambda p: p != "src/shop/cart.py")


def test_tests_come_with_decorators_fixtures_and_preparations() -> None:
    context = shown("Cart.checkout", tests=TESTS)
    titles = [e.title for e in context.tests]
    assert titles == [
        "test_checkout",
        "cart",
        "make_three",
        "TestCart.test_empty",
        "TestCart.setup_method",
    ]
    texts = {e.title: e.text for e in context.tests}
    assert texts["test_checkout"].startswith("@pytest.mark.parametrize")
    assert texts["TestCart.test_empty"].startswith("def test_empty(self):\n    assert")
    assert context.tests[1].path == "tests/conftest.py"


@pytest.mark.parametrize("limit", [0, 5, 40, 60, 80, 100, 130, 160, 200, 300])
def test_the_limit_is_kept(limit: int) -> None:
    context = shown("Cart.checkout", tests=TESTS, limit=limit)
    source = words(context.source)
    total = source + words(context.header)
    total += sum(
        words(f"{e.path} {e.title}\n{e.text}") for e in (*context.excerpts, *context.tests)
    )
    assert total <= max(limit, source)
    assert context.source == shown("Cart.checkout").source
    assert context.cut == (limit < 200)


@given(st.integers(0, 400))
def test_any_limit_is_kept_by_characters(limit: int) -> None:
    frozen = snapshot(FILES)
    document = frozen.document("src/shop/cart.py")
    assert document is not None
    target = locate_name(SourceTree.of(document), "total")
    context = gather(frozen, document, target, [TestId(t) for t in TESTS], len, limit)
    total = len(context.source) + len(context.header)
    total += sum(len(e.text) for e in (*context.excerpts, *context.tests))
    assert total <= max(limit, len(context.source))


def test_the_class_is_shown_before_tests_when_room_is_short() -> None:
    source = words(shown("Cart.checkout").source)
    context = shown("Cart.checkout", tests=TESTS, limit=source + 12)
    assert "@register\nclass Cart(Base):" in context.header
    assert context.cut


MODULES = {
    "import a module": ({"a.py": "def g(): return 1\n"}, "import a\ndef f(): a.g()\n", "a.py"),
    "import as": ({"a/b.py": "def g(): return 1\n"}, "import a.b as c\ndef f(): c.g()\n", "a/b.py"),
    "import dotted": (
        {"a/b.py": "def g(): return 1\n"},
        "import a.b\ndef f(): a.b.g()\n",
        "a/b.py",
    ),
    "from package": (
        {"a/__init__.py": "", "a/b.py": "def g(): return 1\n"},
        "from a import b\ndef f(): b.g()\n",
        "a/b.py",
    ),
    "star": ({"a.py": "def g(): return 1\n"}, "from a import *\ndef f(): g()\n", "a.py"),
    "star re-export": (
        {"a/__init__.py": "from .b import *\n", "a/b.py": "def g(): return 1\n"},
        "from a import g\ndef f(): g()\n",
        "a/b.py",
    ),
    "src": ({"src/a.py": "def g(): return 1\n"}, "from a import g\ndef f(): g()\n", "src/a.py"),
    "beside": ({"x/a.py": "def g(): return 1\n"}, "from a import g\ndef f(): g()\n", "x/a.py"),
    "relative": ({"x/a.py": "def g(): return 1\n"}, "from .a import g\ndef f(): g()\n", "x/a.py"),
    "parent": ({"a.py": "def g(): return 1\n"}, "from ..a import g\ndef f(): g()\n", "a.py"),
    "under try": (
        {"a.py": "try:\n    pass\nexcept E:\n    def g(): return 1\n"},
        "try:\n    from a import g\nexcept E:\n    pass\ndef f(): g()\n",
        "a.py",
    ),
    "itself": (
        {"x/__init__.py": "from x.m import f\nfrom x import f as g\n"},
        "from x import g\ndef f(): g()\n",
        None,
    ),
    "a circle": (
        {"a.py": "from b import g\n", "b.py": "from a import g\n"},
        "from a import g\ndef f(): g()\n",
        None,
    ),
    "broken": (
        {"a.py": "def g(: return 1\n)("},
        "from a import nothing\ndef f(): nothing()\n",
        None,
    ),
    "not there": ({}, "import os\ndef f(): os.path.join()\n", None),
    "not decodable": ({"a.py": "# \udcff"}, "from a import g\ndef f(): g()\n", None),
}


@pytest.mark.parametrize("case", MODULES)
def test_imports_are_followed(case: str) -> None:
    files, text, found = MODULES[case]
    entries = [
        Entry(p, "file", 0o644, 0, t.encode("utf-8", "surrogateescape"))
        for p, t in sorted({**files, "x/m.py": text}.items())
    ]
    frozen = Snapshot("/w", tuple(entries), "")
    document = frozen.document("x/m.py")
    assert document is not None
    target = locate_name(SourceTree.of(document), "f")
    context = gather(frozen, document, target, [], words, 1000)
    assert [e.path for e in context.excerpts] == ([found] if found else [])


def test_the_overlay_of_the_document_counts() -> None:
    frozen = snapshot({"m.py": "def f():\n    return old()\n"})
    document = Document(
        "/w/m.py", "def new(): return '\u00e9'\ndef f():\r\n\treturn new()\r\n".encode()
    )
    target = locate_name(SourceTree.of(document), "f")
    context = gather(frozen, document, target, [], words, 1000)
    assert [e.title for e in context.excerpts] == ["new"]
    assert context.source == "def f():\n\treturn new()"


def test_the_function_around_a_nested_one() -> None:
    context = shown(
        "outer.f",
        "m.py",
        files={
            "m.py": "def outer(a):\n    '''Doc.'''\n    def f():\n        return a\n    return f\n"
        },
    )
    assert context.header == "def outer(a):\n    '''Doc.'''\n    ..."


def test_a_stale_target() -> None:
    document = Document("/w/m.py", b"def f():\n    return 1\n")
    target = locate_name(SourceTree.of(document), "f")
    for text in (b"", b"x = 1\ny = 2\nz = 3\n", b"#\n\ndef g(): pass\n"):
        with pytest.raises(StaleTarget):
            gather(snapshot({}), Document("/w/m.py", text), target, [], words, 100)
