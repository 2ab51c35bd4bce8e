"""JavaScript as data: its functions, its tests, cursors, small edits, the gate, and the manifests.

Not covered: running its tests (``tests/sandbox/test_runners_node.py``).
"""

from __future__ import annotations

import importlib.util

import pytest

from ocils.domain.errors import SyntaxBroken, TargetNotFound
from ocils.domain.judging import TestId
from ocils.domain.target import EditTarget
from ocils.domain.text import Document, Edit, Entry, Snapshot, Span, apply_edits
from ocils.languages.shelf import (
    is_editable,
    is_test_of,
    language,
    language_called,
    language_of,
    languages,
    recognise,
)
from ocils.source.context import gather
from ocils.source.edits import SmallEdit, small_edits
from ocils.source.functions import is_test_file
from ocils.source.queried import query
from ocils.source.rewritten import function_in
from ocils.source.splice import new_errors, replace_target
from ocils.source.suspicious import suspicions
from ocils.source.target import SourceTree, locate, locate_name, relocate, targets, test_ids

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


def document(text: str, path: str = "/w/src/a.js") -> Document:
    return Document(path, text.encode())


def tree_of(text: str, path: str = "/w/src/a.js") -> SourceTree:
    return SourceTree.of(document(text, path))


def target_in(text: str, name: str) -> tuple[Document, EditTarget]:
    doc = document(text)
    return doc, locate_name(SourceTree.of(doc), name)


# ---------------------------------------------------------------- functions


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


# ---------------------------------------------------------------- context


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


# ---------------------------------------------------------------- small edits

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


@pytest.mark.parametrize(
    ("text", "broken"),
    [("return a + ;", True), ("return a + 1;", False), ("return a + 1", False), ("} }", True)],
)
def test_new_syntax_errors_are_found(text: str, broken: bool) -> None:
    doc = document("function f(a) {\n  return a;\n}\n")
    at = doc.data.index(b"return a;")
    edit = Edit(doc.path, Span(at, at + len("return a;")), text)
    assert bool(new_errors(doc, (edit,))) == broken


def test_old_syntax_errors_are_not_held_against_an_edit() -> None:
    doc = document("function f(a) {\n  return a;\n}\nfunction g( {\n")
    at = doc.data.index(b"a;")
    assert new_errors(doc, (Edit(doc.path, Span(at, at + 1), "a + 1"),)) == ()


# ---------------------------------------------------------------- the syntax gate

PLAIN = "export function f(a) {\n  return a;\n}\n"


def reasons(new: str, path: str = "src/a.js") -> tuple[str, ...]:
    snapshot = Snapshot("/w", (Entry(path, "file", 0o644, 0, PLAIN.encode()),), "hash")
    return suspicions(snapshot, (Edit(f"/w/{path}", Span(0, len(PLAIN)), new),))


@pytest.mark.parametrize(
    "code",
    [
        "process.exit(0);",
        "globalThis.process;",
        "eval('1');",
        "new Function('return 1')();",
        "a.constructor.constructor('x')();",
        "require('fs');",
        "import('x');",
        "return { valueOf() { return 1; } };",
        "return { [Symbol.toPrimitive]() {} };",
        "Object.prototype.x = 1;",
        "a['__proto__'] = 1;",
        "Object.defineProperty(a, 'x', {});",
        "test('mine', () => {});",
        "return new Proxy(a, {});",
    ],
)
def test_odd_code_is_marked(code: str) -> None:
    assert reasons(PLAIN.replace("return a;", code)) != ()


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace("return a;", "return /x/.test(a) ? a + 1 : 0;"),
        'import { b } from "./b.js";\n' + PLAIN,
        PLAIN.replace("return a;", "return [...a].map((it) => it);").replace("it", "each"),
    ],
)
def test_honest_code_is_not_marked(text: str) -> None:
    assert reasons(text) == ()


def test_an_odd_import_is_marked() -> None:
    assert reasons('import fs from "node:fs";\n' + PLAIN) != ()


def test_configuration_is_marked() -> None:
    assert "decides how tests run" in reasons("{}", "package.json")[0]


# ---------------------------------------------------------------- the manifests


@pytest.mark.parametrize("known", languages(), ids=lambda each: each.name)
def test_a_manifest_is_whole(known: object) -> None:
    """Every query and grammar it names can be had, and every runner can be told apart."""
    from ocils.languages.manifest import Language

    assert isinstance(known, Language)
    assert known.hint
    assert known.runners
    assert len({runner.name for runner in known.runners}) == len(known.runners)
    for runner in known.runners:
        parts = [*runner.command, *runner.environment.values(), runner.written]
        assert any("{report}" in part for part in parts) or runner.written, runner.name
        assert runner.program == runner.command[0]
    if known.grammar is not None:
        assert importlib.util.find_spec(known.grammar.module) is not None
        for text in (known.grammar.functions, known.grammar.tests, known.grammar.imports):
            query(known.name, text)
        for each in known.edits.rewrites if known.edits else ():
            query(known.name, each.query)


def test_names_and_identifiers_mean_languages() -> None:
    assert language_of("a.mjs") == "javascript"
    assert language_of("a.py") == "python"
    assert language_of("Makefile") == "python"
    assert language_of("Makefile", "") == ""
    assert language_called("javascript", "/w/untitled") == "javascript"
    assert language_called("plaintext", "/w/notes.txt") == ""
    assert language_called("javascript", "/w/a.py") == "python"
    assert is_editable("python")
    assert is_editable("javascript")
    assert not is_editable("go")
    assert language("python") is None
    assert is_test_of("test/a.js", "javascript")


@pytest.mark.parametrize(
    ("package", "name"),
    [
        ('{"scripts": {"test": "node --test"}}', "node"),
        ('{"scripts": {"test": "node --import tsx --test test/"}}', "node"),
        ('{"scripts": {"test": "vitest run"}}', "vitest"),
        ('{"devDependencies": {"vitest": "^2"}}', "vitest"),
        ('{"scripts": {"test": "jest --coverage"}}', "jest"),
        ('{"scripts": {"test": "mocha"}}', None),
        ("{}", None),
        ("not JSON", None),
        ("[" * 100_000, None),
        ('{"scripts": []}', None),
    ],
)
def test_a_workspace_shows_its_runner(package: str, name: str | None) -> None:
    files = {"package.json": package.encode()}
    found = recognise("javascript", files.get)
    assert (found.name if found else None) == name


def test_a_workspace_without_a_project_file_has_no_runner() -> None:
    assert recognise("javascript", lambda _: None) is None
    assert recognise("python", lambda _: b"") is None


# ---------------------------------------------------------------- rewrites of models that chat


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
