"""Small edits of JavaScript, and a chat's reply as the function."""

from __future__ import annotations

import pytest

from ocils.domain.text import Document, apply_edits
from ocils.source.edits import SmallEdit, small_edits
from ocils.source.rewritten import function_in
from ocils.source.splice import replace_target

from .javascript import target_in

LOOP = """\
export function total(items, discount) {
  let sum = 0;
  for (let i = 0; i <= items.length; i++) {
    if (items[i].price > 0 && !items[i].free) {
      sum += items[i].price * items[i].count;
    }
  }
  return Math.max(sum - discount, 0);
}
"""


def edits_of(text: str, name: str) -> tuple[Document, tuple[SmallEdit, ...]]:
    doc, target = target_in(text, name)
    lines = range(target.first_line, target.last_line + 1)
    return doc, small_edits(doc, target, lines, 2000)


@pytest.mark.parametrize(
    ("slip", "right"),
    [
        ("i < n", "i <= n"),
        ("a === b", "a !== b"),
        ("a && b", "a || b"),
        ("a || b", "a ?? b"),
        ("a + b", "a - b"),
        ("f(a, b)", "f(b, a)"),
        ("!a", "a"),
        ("a / b", "b / a"),
        ("c ? a : b", "c ? b : a"),
        ("7", "8"),
        ("7", "6"),
        ("true", "false"),
        ("Math.min(a, b)", "Math.max(a, b)"),
        ("a.indexOf(b)", "a.lastIndexOf(b)"),
        ("a.sort()", "a.sort((a, b) => a - b)"),
        ("a.sort((x, y) => x - y)", "a.sort((x, y) => y - x)"),
        ("a[b]", "a[b - 1]"),
        ("a.length", "a.length - 1"),
        ("a * (b + c)", "a * b + c"),
        ("a * b + c", "a * (b + c)"),
        ("a - b", "c - b"),
        ("parseInt(a)", "Number(a)"),
        ("[a]", "[...a]"),
    ],
)
def test_a_slip_has_its_edit(slip: str, right: str) -> None:
    frame = "function f(a, b, c, n, i) {{\n  return {};\n}}\n"
    doc, edits = edits_of(frame.format(slip), "f")
    made = {apply_edits(doc, each.edits).data.decode() for each in edits}
    assert frame.format(right) in made


def test_a_statement_can_go_with_its_line() -> None:
    text = "function f(a) {\n  a.pop();\n  return a;\n}\n"
    doc, edits = edits_of(text, "f")
    made = {apply_edits(doc, each.edits).data.decode() for each in edits}
    assert "function f(a) {\n  return a;\n}\n" in made


def test_edits_say_the_same_as_their_lines() -> None:
    doc, edits = edits_of(LOOP, "total")
    old = LOOP.split("\n")
    assert len(edits) > 100
    for each in edits:
        new = apply_edits(doc, each.edits).data.decode().split("\n")
        assert [*old[: each.hole.first - 1], *each.lines, *old[each.hole.last :]] == new


def test_edits_differ_from_the_text_and_from_one_another() -> None:
    doc, edits = edits_of(LOOP, "total")
    made = [apply_edits(doc, each.edits).data for each in edits]
    assert len(set(made)) == len(made)
    assert doc.data not in made


def test_likely_edits_come_first_and_always_in_one_order() -> None:
    _, edits = edits_of(LOOP, "total")
    assert edits[0].note == "<= to <"
    assert [e.cost for e in edits] == sorted(e.cost for e in edits)
    assert edits_of(LOOP, "total")[1] == edits


def test_only_the_asked_lines_are_edited() -> None:
    doc, target = target_in(LOOP, "total")
    assert all(e.hole.first <= 5 <= e.hole.last for e in small_edits(doc, target, [5]))
    assert small_edits(doc, target, []) == ()
    assert len(small_edits(doc, target, [3, 4, 5], 7)) == 7


def test_words_beyond_ascii_survive() -> None:
    text = 'function f(größe) {\n  return größe > 0 ? "größer" : "kleiner";\n}\n'
    doc, edits = edits_of(text, "f")
    for each in edits:
        apply_edits(doc, each.edits).data.decode()
    assert any('"kleiner" : "größer"' in "".join(each.lines) for each in edits)


def rewritten(text: str, name: str, *blocks: str) -> str | None:
    doc, target = target_in(text, name)
    source = function_in(blocks, target, "javascript")
    if source is None:
        return None
    return apply_edits(doc, replace_target(doc, target, source)).data.decode()


@pytest.mark.parametrize(
    ("text", "name", "block", "after"),
    [
        (
            "function f(a) {\n  return a;\n}\n",
            "f",
            "// better\nfunction f(a) {\n  return a + 1;\n}\n",
            "function f(a) {\n  return a + 1;\n}\n",
        ),
        (
            "export function f(a) {\n  return a;\n}\n",
            "f",
            "function f(a) {\n  return 1;\n}\n",
            "export function f(a) {\n  return 1;\n}\n",
        ),
        (
            "class A {\n  m(a) {\n    return a;\n  }\n}\n",
            "A.m",
            "m(a) {\n  return `\n${a}`;\n}",
            "class A {\n  m(a) {\n    return `\n${a}`;\n  }\n}\n",
        ),
        (
            "class A {\n  m(a) {\n    return a;\n  }\n}\n",
            "A.m",
            "class A {\n  m(a) {\n    return 2;\n  }\n}",
            "class A {\n  m(a) {\n    return 2;\n  }\n}\n",
        ),
        (
            "function f() {\r\n}\r\n",
            "f",
            "function f() {\n  g();\n}",
            "function f() {\r\n  g();\r\n}\r\n",
        ),
        ("function f() {}\n", "f", "function other() {}", None),
        ("function f() {}\n", "f", "Sorry, I cannot.", None),
    ],
)
def test_a_reply_becomes_the_function(text: str, name: str, block: str, after: str | None) -> None:
    assert rewritten(text, name, block) == after
