"""A reply in the user's file: what is new goes in, what is there already is not repeated."""

from __future__ import annotations

import ast

from ocils.domain.target import Context
from ocils.domain.text import Document, apply_edits
from ocils.refine.rewriting import found_in, rewritten
from ocils.source.target import locate_name
from ocils.source.tree import SourceTree

FILE = """import math


def half(x):
    return x / 2


@cached
def area(r):
    return half(r)


class Box:
    def area(self):
        return self.side()

    def side(self):
        return 1
"""


def after(reply: str, name: str) -> str:
    """The file's text once the reply is in it."""
    document = Document("/w/a.py", FILE.encode())
    target = locate_name(SourceTree.of(document), name)
    text = document.data[target.span.start : target.span.end].decode()
    lines = [line.removeprefix(target.indent) for line in text.split("\n")]
    context = Context(target, "\n".join(lines))
    edits = rewritten(document, context, found_in(reply, context))
    changed = apply_edits(document, edits).data.decode()
    ast.parse(changed)
    return changed


def test_a_whole_file_changes_the_target_alone() -> None:
    whole = FILE.replace("return half(r)", "return half(r) * math.pi")
    assert after(f"```python\n{whole}```", "area") == whole


def test_a_new_helper_is_added_and_the_decorator_stays_where_it_was() -> None:
    changed = after(
        "```python\ndef third(x):\n    return x / 3\n\n\ndef half(x):\n    return 0\n\n\n"
        "def area(r):\n    return third(half(r))\n```",
        "area",
    )
    assert changed.count("def half") == 1
    assert "return x / 2" in changed
    assert "@cached\ndef area(r):\n    return third(half(r))\n\n\ndef third(x):" in changed


def test_a_new_method_comes_into_the_class() -> None:
    changed = after(
        "```python\nclass Box:\n    def area(self):\n        return self.side() * self.depth()\n\n"
        "    def side(self):\n        return 0\n\n    def depth(self):\n        return 2\n```",
        "Box.area",
    )
    box = next(n for n in ast.parse(changed).body if isinstance(n, ast.ClassDef))
    assert [n.name for n in box.body if isinstance(n, ast.FunctionDef)] == ["area", "depth", "side"]
    assert "return 1" in changed


def test_a_diff_changes_what_it_names() -> None:
    changed = after(
        "```diff\n-        return self.side()\n+        return self.side() ** 2\n```", "Box.area"
    )
    assert changed == FILE.replace("return self.side()", "return self.side() ** 2")


def test_nothing_found_changes_nothing() -> None:
    assert after("I cannot.", "area") == FILE
