"""What a chat model may answer, and what is taken from it."""

from __future__ import annotations

import ast
import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocils.domain.python import tree_of
from ocils.prompt import diffs, fences, parseable
from ocils.prompt.reply import Extracted, defined, extract, names

GOOD = "def area(w, h):\n    return w * h"
OLD = "def area(w, h):\n    # the sides\n    return w + h"


def taken(text: str, name: str = "Box.area", source: str = OLD) -> Extracted:
    found = extract(text, name, source)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"```python\n{GOOD}\n```",
        f"Here it is:\n```py\n{GOOD}\n```\nIt multiplies.",
        f"```\n{GOOD}",
        f"```python\n{GOOD}\n``",
        f"~~~python\n{GOOD}\n~~~",
        f"````md\n{GOOD}\n````",
        f"1. Replace it:\n   ```python\n   {GOOD.replace(chr(10), chr(10) + '   ')}\n   ```\n2. Done.",
        f"```\nprint(1)\n```\nand\n```python\n{GOOD}\n```",
        f"```python\n{GOOD}\n```\nUse it so:\n```python\nprint(area(1, 2))\nprint(area(3, 4))\nprint(5)\n```",
        f"It was:\n```python\n{OLD}\n```\nIt must be:\n```python\n{GOOD}\n```",
        f"```python\n{GOOD}\n```\nas in\n```python\ndef area(w, h):\n    ...\n```",
        "```python\ndef area(w, h):\n    return w + h\n\n" + GOOD + "\n```",
        "```python\nclass Box:\n    def area(w, h):\n        return w * h\n```",
        "```python\nclass Ball:\n    def area(r):\n        return r\n\n\nclass Box:\n    def area(w, h):\n        return w * h\n\n\nclass Cone:\n    def area(r):\n        return r\n```",
        f"The bug is the plus.\n{GOOD}\nThat is all.",
        "The bug is the plus.\n\n    def area(w, h):\n        return w * h\n\nThat is all.",
        f"```python\n{GOOD}\n\ndef broken(:\n```",
        f"```python\ndef broken(:\n\n{GOOD}\n```",
        f"```python\n{GOOD}\n\nprint(area(1,\n```",
        "```python\ndef compute_area(w, h):\n    return w * h\n```",
        "```python\nclass Box:\n    def __init__(self):\n        pass\n\n    def get_area(w, h):\n        return w * h\n```",
        f"```python\r\n{GOOD}\r\n```".replace("\n", "\r\n").replace("\r\r", "\r"),
        "```python\ndef area(w, h):\n\treturn w * h\n```",
        "```python\n    def area(w, h):\n        return w * h\n```",
        f"<think>\n```python\n{OLD}\n```\nno, the plus\n</think>\n```python\n{GOOD}\n```",
        f"no, the plus</think>\n{GOOD}",
        "```diff\n--- a/box.py\n+++ b/box.py\n@@ -1,3 +1,2 @@\n def area(w, h):\n-    # the sides\n-    return w + h\n+    return w * h\n```",
        "```\n@@ -7 +7 @@ class Box:\n-        # the sides\n-        return w + h\n+        return w * h\n```",
        "```diff\n-def area(w, h):\n-    # the sides\n-    return w + h\n+def area(w, h):\n+    return w * h\n```",
    ],
)  # fmt: skip
def test_the_target_is_found(text: str) -> None:
    assert taken(text).source == GOOD


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I cannot do that.",
        "```python\n```",
        "```python\nx = 1\n```",
        "``` ```",
        "def area(:",
        "<think>\n```python\ndef area(w, h):\n    return 1\n```",
        "```python\ndef one():\n    pass\n\n\ndef two():\n    pass\n```",
        "```diff\n--- a/other.py\n+++ b/other.py\n-nothing of this\n+is there\n```",
    ],
)
def test_no_code_is_none(text: str) -> None:
    assert extract(text, "area", OLD) is None


def test_a_docstring_may_hold_a_fence() -> None:
    inside = '    """Multiply.\n\n    ```python\n    area(1, 2)\n    ```\n    """\n'
    code = f"def area(w, h):\n{inside}    return w * h"
    assert taken(f"So:\n```python\n{code}\n```\nDone.").source == code


def test_what_the_target_needs_comes_along_and_nothing_else() -> None:
    text = (
        "```python\nimport math, sys\nimport os.path\nfrom a import b, c as d\nfrom e import *\n\n"
        "LIMIT = 3\nUNUSED = 4\n\n\nclass Shape:\n    pass\n\n\n"
        "def half(x):\n    return third(x) / LIMIT\n\n\ndef third(x):\n    return d(x)\n\n\n"
        "def unused():\n    return os.path\n\n\n"
        "def area(r) -> 'Shape':\n    return half(math.pi * r)\n\n\nprint(area(1))\n```"
    )
    found = taken(text, "area")
    assert found.imports == ("import math", "from a import c as d")
    assert found.helpers == (
        "LIMIT = 3",
        "class Shape:\n    pass",
        "def half(x):\n    return third(x) / LIMIT",
        "def third(x):\n    return d(x)",
    )
    assert found.source.startswith("def area(r)")


def test_a_helper_in_a_block_of_its_own_is_found() -> None:
    text = (
        "First a helper:\n```python\nimport math\n\ndef half(x):\n    return math.floor(x / 2)\n```\n"
        "Then:\n```python\ndef area(r):\n    return half(r)\n```"
    )
    found = taken(text, "area")
    assert found.helpers == ("def half(x):\n    return math.floor(x / 2)",)
    assert found.imports == ("import math",)


def test_methods_that_a_method_calls_come_along() -> None:
    text = (
        "```python\nclass Box:\n    def area(self):\n        return self._side() ** 2\n\n"
        "    def _side(self):\n        return self._read()\n\n    def _read(self):\n        return 1\n\n"
        "    def other(self):\n        return 2\n```"
    )
    found = taken(text, "Box.area")
    assert found.source == "def area(self):\n    return self._side() ** 2"
    assert [names(each) for each in found.siblings] == [{"_side"}, {"_read"}]


def test_decorators_belong_to_the_target() -> None:
    found = taken("```python\n@cache\n@other(1)\ndef area(r):\n    return r\n```", "area")
    assert found.source.startswith("@cache\n@other(1)\ndef area")


def test_a_renamed_recursion_is_named_back_in_code_alone() -> None:
    text = (
        "```python\ndef fact2(n):\n    'fact2 of n'\n    return n and n * fact2(n - 1) or 1\n\n\n"
        "def half(n):\n    return n\n```"
    )
    assert extract(text, "fact", "") is None, "two functions, and neither is called by the other"
    source = taken(text.replace("or 1", "or half(1)"), "fact").source
    assert source.startswith("def fact(n):\n    'fact2 of n'\n")
    assert source.count("fact(") == 2


def test_a_diff_that_fits_keeps_the_rest_of_the_target() -> None:
    old = "def area(w, h):\n    if w < 0:\n        return 0\n    total = w + h\n    return total"
    diff = "```diff\n@@ -40,2 +40,3 @@\n         return 0\n-    total = w + h\n+    total = w * h\n+    total += 0\n```"
    assert taken(diff, "area", old).source == old.replace(
        "total = w + h", "total = w * h\n    total += 0"
    )


@pytest.mark.parametrize("block", ["+    y = 2", "@@ -1 +1 @@\n+    y = 2\n+", " \n+    y = 2\n "])
def test_lines_that_are_only_added_fit_nowhere(block: str) -> None:
    """Found by chance: it was an error."""
    assert diffs.applied(block, OLD) is None
    assert extract(f"~~~\n{block}", "Box.area", OLD) is None


def test_what_a_text_defines() -> None:
    text = "x = 1\ny: int = 2\nz == 3\nasync def f(): ...\nclass C:\n    def m(self): (\n"
    assert defined(text) == {"x", "y", "f", "C", "m"}


LINES = st.sampled_from(
    (
        "def area(w, h):", "    return w * h", "        x = (", "\treturn 1", "```", "```python",
        "class Box:", "    def area(self):", "        return self.b()", "    def b(self):",
        "import math", "@cache", "It is so.", "", '    """', "~~~", "-    x", "+    y = 2",
        "@@ -1 +1 @@", "</think>", "async def area():", "x = 1", "from a import b", "    ...", "\r",
        "é = '𝒳'", "\\", "    if x:", "\x0c", "\0",
    )
)  # fmt: skip


@given(st.lists(LINES, max_size=25).map("\n".join))
def test_whatever_the_reply_what_is_taken_is_the_target_and_parses(text: str) -> None:
    found = extract(text, "Box.area", OLD)
    if found is None:
        return
    for part in (found.source, *found.helpers, *found.siblings, *found.imports):
        assert ast.parse(part).body
    (function,) = ast.parse(found.source).body
    assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
    assert function.name == "area"


@given(st.text(max_size=300))
def test_any_text_at_all_is_survived(text: str) -> None:
    extract(text, "area", text)
    assert tree_of(parseable.longest(text)) is not None


IDENTIFIERS = st.from_regex(r"[a-z_][a-z0-9_]{0,6}", fullmatch=True).filter(
    lambda word: not keyword.iskeyword(word) and word != "area"
)
PROSE = st.text(alphabet="abc .,:é\n", max_size=60).map(lambda text: text.replace("\n\n", "\n"))


@given(IDENTIFIERS, PROSE, PROSE, st.sampled_from(["\n", "\r\n"]), st.integers(0, 3))
def test_a_fenced_function_survives_what_stands_around_it(
    name: str, before: str, behind: str, ending: str, indent: int
) -> None:
    code = f"def area({name}):\n    {name} += 1\n    return {name}"
    shifted = "\n".join(" " * indent + line for line in ["```python", *code.split("\n"), "```"])
    found = extract(f"{before}\n{shifted}\n{behind}".replace("\n", ending), "area")
    assert found == Extracted(code)


@given(st.lists(st.text(alphabet="ab `~\n", max_size=30), max_size=4))
def test_blocks_hold_nothing_that_the_reply_does_not(texts: list[str]) -> None:
    reply = "\n```\n".join(texts)
    for block in fences.blocks(reply):
        assert block.text in reply
