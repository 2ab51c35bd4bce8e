"""Splicing keeps everything that it was not asked to change."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ocils.domain.errors import StaleTarget, Unsupported
from ocils.domain.target import Hole
from ocils.domain.text import Document, Span, apply_edits
from ocils.source.lines import minimal
from ocils.source.splice import (
    add_import,
    minimal_edits,
    new_errors,
    replace_lines,
    replace_target,
)
from ocils.source.target import SourceTree, locate_name


def document(text: str, encoding: str = "utf-8") -> Document:
    return Document("/w/pkg/mod.py", text.encode(encoding), 1, encoding=encoding)


def replaced(before: str, name: str, source: str, encoding: str = "utf-8") -> str:
    doc = document(before, encoding=encoding)
    edits = replace_target(doc, locate_name(SourceTree.of(doc), name), source)
    for edit in edits:
        old = doc.data[edit.span.start : edit.span.end].decode(encoding)
        assert old != edit.text
    return apply_edits(doc, edits).data.decode(encoding)


REPLACE = {
    "function": (
        "x\ndef f():\n    return 1\ny\n",
        "f",
        "def f():\n    return 2\n",
        "x\ndef f():\n    return 2\ny\n",
    ),
    "method": (
        "class A:\n    def f(self):\n        return 1\n",
        "A.f",
        "def f(self):\n    x = 1\n\n    return x",
        "class A:\n    def f(self):\n        x = 1\n\n        return x\n",
    ),
    "indented source": (
        "class A:\n    def f(self):\n        return 1\n",
        "A.f",
        "      def f(self):\n          return 3\n",
        "class A:\n    def f(self):\n        return 3\n",
    ),
    "tabs from spaces": (
        "class A:\n\tdef f(self):\n\t\treturn 1\n",
        "A.f",
        "def f(self):\n    if 1:\n        return 1\n    return 2",
        "class A:\n\tdef f(self):\n\t\tif 1:\n\t\t\treturn 1\n\t\treturn 2\n",
    ),
    "tabs at column 0": (
        "def f():\n\treturn 1",
        "f",
        "def f():\n    return 2",
        "def f():\n\treturn 2",
    ),
    "spaces from tabs": (
        "def f():\n    return 1\n",
        "f",
        "def f():\n\tif x:\n\t\treturn 2",
        "def f():\n    if x:\n        return 2\n",
    ),
    "two spaces from four": (
        "class A:\n  def f(self):\n    if x:\n      return 1\n",
        "A.f",
        "def f(self):\n    if x:\n        return 2\n    return 3",
        "class A:\n  def f(self):\n    if x:\n      return 2\n    return 3\n",
    ),
    "signature over lines": (
        "def f(\n    a,\n):\n    return 1\n",
        "f",
        "def f(\n        a,\n        b,\n):\n    if b:\n        return 1\n",
        "def f(\n        a,\n        b,\n):\n    if b:\n        return 1\n",
    ),
    "crlf": (
        "a\r\ndef f():\r\n    return 1\r\nb\r\n",
        "f",
        "def f():\n    y = 1\n    return y\n",
        "a\r\ndef f():\r\n    y = 1\r\n    return y\r\nb\r\n",
    ),
    "no newline at the end": (
        "def f():\n    return 1",
        "f",
        "def f():\n    return 2\n",
        "def f():\n    return 2",
    ),
    "byte order mark": (
        "\ufeffdef f():\n    return 1\n",
        "f",
        "def f():\n    return 'é'",
        "\ufeffdef f():\n    return 'é'\n",
    ),
    "beyond the basic plane": (
        "def f():\n    return '😀a'\n# 𝒳\n",
        "f",
        "def f():\n    return '😀b'",
        "def f():\n    return '😀b'\n# 𝒳\n",
    ),
    "decorators are kept": (
        "class A:\n    @a\n    @b(1)\n    def f(self): return 1\n",
        "A.f",
        "def f(self):\n    return 2",
        "class A:\n    @a\n    @b(1)\n    def f(self):\n        return 2\n",
    ),
    "decorators are changed": (
        "@a\ndef f():\n    pass\n",
        "f",
        "@c\ndef f():\n    pass",
        "@c\ndef f():\n    pass\n",
    ),
    "lines in a string stay": (
        'class A:\n    def f(self):\n        return """\na\n  b"""\n',
        "A.f",
        'def f(self):\n    x = """\na\n  b"""\n    return x',
        'class A:\n    def f(self):\n        x = """\na\n  b"""\n        return x\n',
    ),
    "a docstring is indented": (
        "class A:\n    def f(self):\n        pass\n",
        "A.f",
        'def f(self):\n    """Do.\n\n    More.\n    """\n    pass',
        'class A:\n    def f(self):\n        """Do.\n\n        More.\n        """\n        pass\n',
    ),
    "blank source": ("def f(): pass\n", "f", "\n  \n", "def f(): pass\n"),
    "mixed newlines stay": (
        "def f():\r\n    a\n    b\r\n    c\n",
        "f",
        "def f():\n    a\n    b2\n    c\n",
        "def f():\r\n    a\n    b2\r\n    c\n",
    ),
    "form feed and separators": (
        "def f():\n    a = '\u2028'\n    return a\x0c\n",
        "f",
        "def f():\n    a = '\u2028'\n    return b",
        "def f():\n    a = '\u2028'\n    return b\x0c\n",
    ),
}


@pytest.mark.parametrize("case", REPLACE)
def test_replace_target(case: str) -> None:
    before, name, source, after = REPLACE[case]
    assert replaced(before, name, source) == after


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "shift_jis", "gbk", "utf-8"])
def test_declared_encodings(encoding: str) -> None:
    word = {"shift_jis": "表ソ十", "gbk": "表中"}.get(encoding, "é")
    before = f"x = '{word}'\ndef f():\n    return '{word}' + 1\n# {word}"
    after = replaced(before, "f", f"def f():\n    return '{word}' + 2", encoding)
    assert after == before.replace("+ 1", "+ 2")


def test_a_character_that_the_encoding_lacks() -> None:
    with pytest.raises(Unsupported, match="latin-1"):
        replaced("def f():\n    return 'é'\n", "f", "def f():\n    return '→'", "latin-1")


def test_a_target_of_another_text() -> None:
    doc = document("def f():\n    return 1\n")
    target = locate_name(SourceTree.of(doc), "f")
    with pytest.raises(StaleTarget):
        replace_target(document("x"), target, "def f(): pass")


def test_the_smallest_edit() -> None:
    doc = document("def f(a):\n    x = a < 1\n    y = a\n    return x\n")
    source = "def f(a):\n    x = a <= 1\n    y = a\n    return y\n"
    edits = replace_target(doc, locate_name(SourceTree.of(doc), "f"), source)
    assert [(doc.data[e.span.start : e.span.end], e.text) for e in edits] == [
        (b"", "="),
        (b"x", "y"),
    ]


LINES = {
    "one": ("a\nb\nc\n", Hole(2, 2), ["B"], "", "a\nB\nc\n"),
    "delete": ("a\nb\nc\n", Hole(2, 3), [], "", "a\n"),
    "insert": ("a\nb\n", Hole(2, 1), ["x", "", "y"], "  ", "a\n  x\n\n  y\nb\n"),
    "at the end": ("a\nb", Hole(2, 2), ["c"], "", "a\nc"),
    "delete at the end": ("a\nb", Hole(2, 2), [], "", "a"),
    "delete at the end, crlf": ("a\r\nb", Hole(2, 2), [], "", "a"),
    "append without newline": ("a\nb", Hole(3, 2), ["c"], "", "a\nb\nc"),
    "append": ("a\nb\n", Hole(3, 2), ["c"], "", "a\nb\nc\n"),
    "into nothing": ("", Hole(1, 0), ["c"], "", "c\n"),
    "crlf": ("a\r\nb\r\n", Hole(1, 1), ["x", "y\n"], "\t", "\tx\r\n\ty\r\nb\r\n"),
    "byte order mark": ("\ufeffa\nb\n", Hole(1, 1), ["x"], "", "\ufeffx\nb\n"),
    "lone carriage returns": ("a\rb\rc", Hole(2, 2), ["x"], "", "a\rx\rc"),
    "everything": ("a", Hole(1, 1), [], "", ""),
}


@pytest.mark.parametrize("case", LINES)
def test_replace_lines(case: str) -> None:
    before, hole, lines, indent, after = LINES[case]
    doc = document(before)
    assert apply_edits(doc, replace_lines(doc, hole, lines, indent)).data.decode() == after


@pytest.mark.parametrize("hole", [Hole(0, 0), Hole(3, 5), Hole(2, 0), Hole(9, 9)])
def test_a_hole_outside_the_text(hole: Hole) -> None:
    with pytest.raises(StaleTarget):
        replace_lines(document("a\nb\n"), hole, ["x"])


IMPORTS = {
    "beside": ("import os\n\nx = 1\n", "import re", "import os\nimport re\n\nx = 1\n"),
    "present": ("import os\n", "import os", "import os\n"),
    "present from": ("from a import (\n    b,\n    c as d,\n)\n", "from a import b", None),
    "partly present": (
        "from a import b\n",
        "from a import b, c",
        "from a import b\nfrom a import c\n",
    ),
    "star": ("from a import *\n", "from a import b", None),
    "alias is another": (
        "import numpy\n",
        "import numpy as np",
        "import numpy\nimport numpy as np\n",
    ),
    "future": (
        "from __future__ import annotations\nx = 1\n",
        "import re",
        "from __future__ import annotations\n\nimport re\nx = 1\n",
    ),
    "into the future": (
        '"""Doc."""\nimport os\n',
        "from __future__ import annotations",
        '"""Doc."""\nfrom __future__ import annotations\n\nimport os\n',
    ),
    "docstring": ('"""Doc."""\n\nx = 1\n', "import re", '"""Doc."""\n\nimport re\n\nx = 1\n'),
    "docstring over lines": (
        '"""Doc.\n\nMore."""\nx = 1\n',
        "import re",
        '"""Doc.\n\nMore."""\n\nimport re\n\nx = 1\n',
    ),
    "only a docstring": ('"""Doc."""', "import re", '"""Doc."""\n\nimport re'),
    "function first": ("def f():\n    pass\n", "import re", "import re\n\n\ndef f():\n    pass\n"),
    "empty": ("", "import re", "import re\n"),
    "shebang": (
        "#!/usr/bin/env python\n# coding: utf-8\nx = 1\n",
        "import re",
        "#!/usr/bin/env python\n# coding: utf-8\nimport re\n\nx = 1\n",
    ),
    "licence": ("# (c) us\n\nx = 1\n", "import re", "# (c) us\n\nimport re\n\nx = 1\n"),
    "groups": (
        "import os\n\nimport numpy\n\nfrom . import a\n",
        "import re",
        "import os\nimport re\n\nimport numpy\n\nfrom . import a\n",
    ),
    "new group behind": (
        "import os\n\nx = 1\n",
        "import numpy",
        "import os\n\nimport numpy\n\nx = 1\n",
    ),
    "new group before": ("import numpy\n", "import os", "import os\n\nimport numpy\n"),
    "crlf": ("import os\r\nx = 1\r\n", "import re\n", "import os\r\nimport re\r\nx = 1\r\n"),
    "mark": ("\ufeffimport os\nx = 1\n", "import abc", "\ufeffimport os\nimport abc\nx = 1\n"),
    "mark alone": ("\ufeffx = 1\n", "import abc", "\ufeffimport abc\n\nx = 1\n"),
    "no newline": ("import os", "import re", "import os\nimport re"),
    "over lines": (
        "from a import (\n    b,\n)\nx = 1\n",
        "import a.b.c as e",
        "from a import (\n    b,\n)\nimport a.b.c as e\nx = 1\n",
    ),
    "relative": ("import os\n", "from ..a import b", "import os\n\nfrom ..a import b\n"),
    "not an import": ("import os\n", "x = 1", "import os\n"),
    "rubbish": ("import os\n", "from import (", "import os\n"),
}


@pytest.mark.parametrize("case", IMPORTS)
def test_add_import(case: str) -> None:
    before, statement, after = IMPORTS[case]
    doc = document(before)
    edits = add_import(doc, statement)
    result = apply_edits(doc, edits)
    assert result.data.decode() == (before if after is None else after)
    assert add_import(result, statement) == ()
    assert new_errors(doc, edits) == ()


ERRORS = {
    "sound": ("def f():\n    return 1\n", "1", "2", False),
    "parenthesis": ("def f():\n    return (1)\n", "(1)", "(1", True),
    "return outside": ("def f():\n    return 1\n", "    return", "return", True),
    "break outside": ("def f():\n    x\n", "x", "break", True),
    "elsewhere": ("def g(:\n    pass\n\n\ndef f():\n    return 1\n", "1", "2", False),
    "added to others": ("def g(:\n    pass\n\n\ndef f():\n    return 1\n", "1", "(", True),
    "mended": ("def f(:\n    pass\n", "f(", "f()", False),
    "repeated parameter": ("def f(a, b):\n    pass\n", "a, b", "a, a", True),
}


@pytest.mark.parametrize("case", ERRORS)
def test_new_errors(case: str) -> None:
    before, old, new, bad = ERRORS[case]
    doc = document(before)
    edits = minimal_edits(doc, before.replace(old, new).encode())
    errors = new_errors(doc, edits)
    assert bool(errors) == bad
    size = len(apply_edits(doc, edits).data)
    assert all(0 <= e.start <= e.end <= size for e in errors)


TEXT = st.lists(
    st.sampled_from([*"ab \t\"'():=#\\", "\n", "\r\n", "\r", "é", "😀", "\x0c", "\u2028", "def f"]),
    max_size=40,
).map("".join)


@example("\r", "\n\n")
@example("a\n", "\r\na\n")
@example("\ra\n", "\n\n")
@example("\na\ra\r", "\n\n\n\n")
@given(TEXT, TEXT)
def test_minimal_edits_turn_one_text_into_the_other(old: str, new: str) -> None:
    doc = Document("/w/a.py", old.encode())
    edits = minimal(doc, Span(0, len(doc.data)), new)
    result = apply_edits(doc, edits).data.decode()
    # Only a newline's own spelling may stay as it was.
    assert result.replace("\r\n", "\n").replace("\r", "\n") == new.replace("\r\n", "\n").replace(
        "\r", "\n"
    )
    for edit in edits:
        assert doc.data[edit.span.start : edit.span.end].decode() != edit.text


@settings(max_examples=200)
@given(
    TEXT,
    TEXT,
    TEXT,
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "\ufeff"]),
    st.booleans(),
)
def test_whatever_is_spliced_the_rest_stays(
    head: str, tail: str, source: str, newline: str, mark: str, method: bool
) -> None:
    body = "def f(self):\n    return 'é'  # 😀"
    if method:
        body = "class A:\n" + textwrap.indent(body, "\t")
    safe = "".join(f"# {x}\n" for x in head.split())
    text = (
        mark + (safe + body + "\n").replace("\n", newline) + "".join(f"# {x}" for x in tail.split())
    )
    doc = document(text)
    target = locate_name(SourceTree.of(doc), "f")
    after = apply_edits(doc, replace_target(doc, target, source)).data
    kept = len(doc.data) - target.span.end
    assert after[: target.span.start] == doc.data[: target.span.start]
    assert after[len(after) - kept :] == doc.data[target.span.end :]
    again = document(after.decode())
    if source.strip(" \t\r\n"):
        assert (b"\r\n" in after[target.span.start : len(after) - kept]) <= (newline == "\r\n")
    assert again.data == after
