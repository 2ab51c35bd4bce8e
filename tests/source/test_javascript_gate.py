"""The syntax gate of JavaScript: new errors are found, odd code is marked, honest code is not."""

from __future__ import annotations

import pytest

from ocils.domain.text import Edit, Entry, Snapshot, Span
from ocils.source.splice import new_errors
from ocils.source.suspicious import suspicions

from .javascript import document


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
