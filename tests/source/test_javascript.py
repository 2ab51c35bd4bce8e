"""JavaScript as data: its functions, its tests, cursors, what a prompt shows of them.

Not covered: running its tests (``tests/sandbox/test_runners_node.py``).
"""

from __future__ import annotations

import pytest

from ocils.domain.errors import SyntaxBroken, TargetNotFound
from ocils.domain.judging import TestId
from ocils.domain.text import Entry, Snapshot
from ocils.source.context import gather
from ocils.source.functions import is_test_file
from ocils.source.target import locate, locate_name, relocate, targets, test_ids

from .javascript import document, target_in, tree_of

SHAPES = """\
import a from "a";
export const f = async (a, b) => {
  return a <= b;
};
const g = x => x + 1, h = 2;
export default function (x) { return x; }
class A extends B {
  static #p(x) { return x; }
  get v() { return this.x; }
  arrow = (z) => z;
  'quoted'() {}
}
module.exports.add = function add(a) {
  function inner() {}
};
const o = { m(a) { return -a; }, k: function () {}, l: () => 3 };
function* gen() { yield 1; }
"""


def test_every_shape_of_function_is_a_target() -> None:
    found = {t.name: (t.kind, t.first_line, t.last_line) for t in targets(tree_of(SHAPES))}
    assert found == {
        "f": ("function", 2, 4),
        "g": ("function", 5, 5),
        "default": ("function", 6, 6),
        "A.#p": ("method", 8, 8),
        "A.v": ("method", 9, 9),
        "A.arrow": ("method", 10, 10),
        "A.quoted": ("method", 11, 11),
        "add": ("function", 13, 15),
        "add.inner": ("function", 14, 14),
        "m": ("function", 16, 16),
        "k": ("function", 16, 16),
        "l": ("function", 16, 16),
        "gen": ("function", 17, 17),
    }


def test_what_stands_around_one_function_belongs_to_it() -> None:
    tree = tree_of(SHAPES)
    assert tree.decode(locate_name(tree, "f").span).startswith("export const f = async")
    assert tree.decode(locate_name(tree, "f").span).endswith("};")
    assert tree.decode(locate_name(tree, "g").span) == "g = x => x + 1"
    assert locate_name(tree, "f").is_async
    assert not locate_name(tree, "gen").is_async


def test_a_broken_function_is_no_target_and_hides_no_other() -> None:
    tree = tree_of("function a() { return 1 + ; }\nfunction b() { return 2; }\n")
    assert [t.name for t in targets(tree)] == ["b"]


def check_cursor(text: str, name: str | None) -> None:
    """A ``$0`` marks the cursor."""
    at = text.index("$0")
    tree = tree_of(text.replace("$0", ""))
    if name is not None:
        assert locate(tree, at).name == name
        return
    with pytest.raises(TargetNotFound):
        locate(tree, at)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("function a() {\n  $0return 1;\n}\n", "a"),
        ("function a() {\n  return 1;\n}$0\n", "a"),
        ("export $0const a = () => {\n};\n", "a"),
        ("class A {\n  m() {\n    $0x;\n  }\n}\n", "A.m"),
        ("function a() {\n  function b() {\n    $0x;\n  }\n}\n", "a.b"),
        ("class A {\n  $0\n  m() {}\n}\n", None),
        ("const x = 1;$0\nfunction a() {}\n", None),
    ],
)
def test_cursors(text: str, name: str | None) -> None:
    check_cursor(text, name)


def test_a_cursor_in_broken_text_is_told() -> None:
    tree = tree_of("function a() {\n  return 1 + ;\n}\n")
    with pytest.raises(SyntaxBroken, match="line 2"):
        locate(tree, tree.text.index(b"+"))


def test_a_target_is_found_again_after_a_change() -> None:
    tree = tree_of(SHAPES)
    target = locate_name(tree, "A.v")
    moved = relocate(tree.edited(document("// more\n" + SHAPES)), target)
    assert moved is not None
    assert (moved.first_line, moved.hash) == (target.first_line + 1, target.hash)


def test_keystrokes_are_followed() -> None:
    tree = tree_of("function a() {}\n")
    changed = tree.edited(document("function a() {}\nfunction b() {}\n"))
    assert [t.name for t in targets(changed)] == ["a", "b"]


TESTS = """\
import { describe, it, test } from "node:test";
test("alone", () => {});
describe("outer", () => {
  it('first "q"', () => {});
  it.skip(`second`, () => {});
  describe("inner", function () { test("third", async () => {}); });
});
other("none", () => {});
"""


def test_tests_are_named_as_the_runner_names_them() -> None:
    found = test_ids(tree_of(TESTS, "/w/test/a.test.js"), "test/a.test.js")
    assert [(t.test, t.line) for t in found] == [
        ("test/a.test.js::alone", 2),
        ('test/a.test.js::outer > first "q"', 4),
        ("test/a.test.js::outer > second", 5),
        ("test/a.test.js::outer > inner > third", 6),
    ]


@pytest.mark.parametrize(
    ("path", "yes"),
    [
        ("test/a.js", True),
        ("src/a.test.mjs", True),
        ("src/a.spec.js", True),
        ("src/a.js", False),
        ("/home/test/work/src/a.js", False),
        ("/home/test/work/test/a.js", True),
        ("tests/test_a.py", True),
        ("tests/a.py", False),
    ],
)
def test_test_files_are_known_by_their_names(path: str, yes: bool) -> None:
    assert is_test_file(path) == yes


def test_imports_and_tests_are_shown_within_the_limit() -> None:
    text = 'import { x } from "./x.js";\nconst y = require("y");\nfunction f() { return x; }\n'
    doc, target = target_in(text, "f")
    entries = [
        Entry("src/a.js", "file", 0o644, 0, doc.data),
        Entry("test/a.test.js", "file", 0o644, 0, TESTS.encode()),
    ]
    snapshot = Snapshot("/w", tuple(entries), "hash")
    tests = (TestId('test/a.test.js::outer > first "q"'), TestId("test/a.test.js::gone"))
    context = gather(snapshot, doc, target, tests, len, 1000)
    assert context.language == "javascript"
    assert context.source == "function f() { return x; }"
    assert context.header == 'import { x } from "./x.js";\nconst y = require("y");'
    assert [each.text for each in context.tests] == ["it('first \"q\"', () => {})"]
    assert not context.cut
    short = gather(snapshot, doc, target, tests, len, len(context.source) + 30)
    assert short.cut
    assert (short.header, short.tests) == ('import { x } from "./x.js";', ())
