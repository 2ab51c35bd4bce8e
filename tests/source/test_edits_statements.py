"""Small edits put statements right: moved, missing, one too many, with the wrong attribute or side."""

from __future__ import annotations

import ast

import pytest

from ocils.domain.text import apply_edits
from ocils.source.edits import small_edits
from ocils.source.target import SourceTree, locate_name

from .slips import CLASS, document, edits_of, trees_after

WHOLE_BUGS = {
    "moved out of the loop": (
        "def f(a):\n    x = 0\n    for i in a:\n        x += i\n        return x\n",
        [5],
        "def f(a):\n    x = 0\n    for i in a:\n        x += i\n    return x\n",
    ),
    "moved into the loop": (
        "def f(a):\n    x = 0\n    for i in a:\n        print(i)\n    x += i\n    return x\n",
        [5],
        "def f(a):\n    x = 0\n    for i in a:\n        print(i)\n        x += i\n    return x\n",
    ),
    "moved down": (
        "def f(a):\n    a.pop()\n    x = a[0]\n    return x\n",
        [2],
        "def f(a):\n    x = a[0]\n    a.pop()\n    return x\n",
    ),
    "dropped": ("def f(a):\n    a.pop()\n    return a\n", [2], "def f(a):\n    return a\n"),
    "the only one dropped": (
        "def f(a):\n    if a:\n        a.pop()\n",
        [3],
        "def f(a):\n    if a:\n        pass\n",
    ),
    "guard dropped": (
        "def f(a):\n    if a > 2:\n        a = 1\n        a += 1\n    return a\n",
        [2],
        "def f(a):\n    a = 1\n    a += 1\n    return a\n",
    ),
    "over lines": (
        "def f(a, b):\n    return foo(\n        a,\n        b,\n        key=1,\n    )\n",
        [5],
        "def f(a, b):\n    return foo(\n        a,\n        b,\n        key=2,\n    )\n",
    ),
    "swapped over lines": (
        "def f(a, b):\n    return foo(\n        a,\n        b,\n    )\n",
        [3],
        "def f(a, b):\n    return foo(\n        b,\n        a,\n    )\n",
    ),
    "comment behind": (
        "def f(a):\n    if a < 1:  # {small}\n        pass\n",
        [2],
        "def f(a):\n    if a <= 1:\n        pass\n",
    ),
    "no newline at the end": (
        "def f(a):\n    a.pop()\n    return a",
        [3],
        "def f(a):\n    a.pop()\n",
    ),
    "elif": (
        "def f(a):\n    if a:\n        pass\n    elif a < 3:\n        return 1\n",
        [4],
        "def f(a):\n    if a:\n        pass\n    elif a <= 3:\n        return 1\n",
    ),
    "match": (
        "def f(a):\n    match a:\n        case 1 if a > 2:\n            return 2\n",
        [3],
        "def f(a):\n    match a:\n        case 1 if a >= 2:\n            return 2\n",
    ),
    "decorator": (
        "@cache(1)\ndef f(a):\n    return a\n",
        [1],
        "@cache(2)\ndef f(a):\n    return a\n",
    ),
}


MISSING = {
    "missing guard": (
        "def f(a, b):\n    c = a.b\n    return c\n",
        [1],
        "def f(a, b):\n    if a is None:\n        return\n    c = a.b\n    return c\n",
    ),
    "missing count": (
        "def f(a):\n    n = 0\n    while n < a:\n        print(n)\n    return n\n",
        [4],
        "def f(a):\n    n = 0\n    while n < a:\n        print(n)\n        n += 1\n    return n\n",
    ),
    "missing return": (
        "def f(a):\n    x = []\n    x.append(a)\n",
        [3],
        "def f(a):\n    x = []\n    x.append(a)\n    return x\n",
    ),
    "missing item": (
        "def f(a):\n    x = []\n    for y in a:\n        print(y)\n    return x\n",
        [4],
        "def f(a):\n    x = []\n    for y in a:\n        print(y)\n        x.append(y)\n    return x\n",
    ),
    "missing jump": (
        "def f(a):\n\tfor x in a:\n\t\tif x:\n\t\t\tprint(x)\n\treturn a\n",
        [4],
        "def f(a):\n\tfor x in a:\n\t\tif x:\n\t\t\tprint(x)\n\t\t\tbreak\n\treturn a\n",
    ),
    "what the other branch does": (
        "def f(a):\n    if a:\n        a.pop(0)\n    else:\n        print(a)\n    return a\n",
        [5],
        (
            "def f(a):\n    if a:\n        a.pop(0)\n    else:\n        print(a)\n        a.pop(0)\n"
            "    return a\n"
        ),
    ),
}


@pytest.mark.parametrize("case", MISSING)
def test_a_missing_statement_is_put_back_behind_the_line_before(case: str) -> None:
    text, lines, right = MISSING[case]
    doc = document(text)
    target = locate_name(SourceTree.of(doc), "f")
    wanted = ast.dump(ast.parse(right))
    found = [
        edit
        for edit in small_edits(doc, target, lines, 4000)
        if ast.dump(ast.parse(apply_edits(doc, edit.edits).data)) == wanted
    ]
    assert found
    assert found[0].hole.first == found[0].hole.last == lines[0]
    assert found[0].lines[0] == text.split("\n")[lines[0] - 1]


@pytest.mark.parametrize("case", WHOLE_BUGS)
def test_a_statement_is_put_right(case: str) -> None:
    text, lines, right = WHOLE_BUGS[case]
    assert ast.dump(ast.parse(right)) in trees_after(text, lines)


@pytest.mark.parametrize(
    ("line", "old", "new"),
    [
        (9, "return self.low", "return self.high"),
        (9, "return self.low", "return low"),
        (7, "low < self", "self.low < self"),
        (8, "other.high", "other.low"),
        (8, "other.high", "self.high"),
    ],
)
def test_attributes_of_the_class(line: int, old: str, new: str) -> None:
    lines = CLASS.split("\n")
    lines[line - 1] = lines[line - 1].replace(old, new)
    found = [
        ast.dump(ast.parse(apply_edits(d, e.edits).data))
        for d, es in [edits_of(CLASS, [line], "A.f")]
        for e in es
    ]
    if new == "self.low < self":
        # A name compared with itself is silly, and left out.
        assert ast.dump(ast.parse("\n".join(lines))) not in found
    else:
        assert ast.dump(ast.parse("\n".join(lines))) in found


@pytest.mark.parametrize(
    ("line", "good", "silly"),
    [
        ("return a / (b - 1)", "return a / b", "return a / (b * 1)"),
        ("return (a + 1) if b else 2", "return a if b else 2", "return (a + 0) if b else 2"),
        ("return(a - b)", "return(a)", "return(a ** 1)"),
        ("return 1 if a else(b and a)", "return 1 if a else(b)", ""),
        ("return (a.b() + 1) * 2", "return a.b() * 2", "return (a.b() * 1) * 2"),
        ("return (-a + b) * 2", "return (-a) * 2", ""),
        ("a += 1", "a -= 1", "a *= 1"),
    ],
)
def test_what_is_kept_of_two_sides_stands_without_their_parentheses(
    line: str, good: str, silly: str
) -> None:
    text = f"def f(a, b):\n    {line}\n"
    document, edits = edits_of(text, [2], "f")
    found = [
        apply_edits(document, each.edits).data.decode().split("\n")[1].strip() for each in edits
    ]
    assert good in found
    assert silly not in found, "it reckons in vain"
