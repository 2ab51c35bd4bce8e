"""Planted bugs: the same for the same bytes and seed, always Python, always another program."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from ocils.bench.mutants import Mutant, mutants, mutants_of, spread
from ocils.domain.text import Document, Edit, Entry, Snapshot, apply_edits

WORKSPACES = Path(__file__).parent.parent / "workspaces"
SOURCES = sorted((WORKSPACES / "kitty" / "src" / "kitty").glob("*.py"))
SOURCES += sorted((WORKSPACES / "odds" / "odds").glob("*.py"))


def planted(source: str | bytes, seed: int = 0) -> tuple[Mutant, ...]:
    data = source if isinstance(source, bytes) else source.encode()
    return mutants(Document("/w/m.py", data), seed)


def check(before: str, operator: str, *after: str) -> None:
    """The body of a function of ``a`` and ``b`` gets these texts, and no others, by ``operator``."""
    head = "def f(a, b):\n    "
    document = Document("/w/m.py", f"{head}{before}\n".encode())
    got = [
        apply_edits(document, (mutant.edit,)).data.decode().removeprefix(head).rstrip("\n")
        for mutant in mutants(document)
        if mutant.operator == operator
    ]
    assert sorted(got) == sorted(after)


def test_a_comparison_is_mistaken() -> None:
    check("return a < b", "comparison", "return a <= b", "return a > b")
    check("return a is not b", "comparison", "return a is b")
    check("return a not  in b", "comparison", "return a in b")
    check("return a < b < 3", "comparison", "return a <= b < 3", "return a > b < 3",
          "return a < b <= 3", "return a < b > 3")  # fmt: skip


def test_arithmetic_is_mistaken() -> None:
    check("return a - b", "arithmetic", "return a + b")
    check("return a - b", "swapped operands", "return b - a")
    check("return a // b", "arithmetic", "return a / b", "return a % b")


def test_conditions_are_mistaken() -> None:
    check("return a and b", "boolean", "return a or b")
    check("return a and b", "dropped condition", "return a", "return b")
    check("return not a", "dropped not", "return a")


def test_numbers_are_off_by_one() -> None:
    check("return a + 1", "off by one", "return a + 2", "return a + 0", "return a")
    check("return range(a, b)", "off by one", "return range(a, b - 1)", "return range(a, b + 1)")


def test_calls_are_mistaken() -> None:
    check("return a.strip()", "wrong method", "return a.lstrip()", "return a.rstrip()")
    check("return a.strip()", "missing call", "return a")
    check("return abs(a)", "missing call", "return a")
    check("return pow(a, b)", "swapped arguments", "return pow(b, a)")
    check("return sorted(a, key=b)", "missing argument", "return sorted(a)")


def test_slices_are_mistaken() -> None:
    check("return a[1:b]", "slice bounds", "return a[b:1]", "return a[1:]", "return a[:b]",
          "return a[1:b - 1]", "return a[1:b + 1]", "return a[1 + 1:b]")  # fmt: skip


def test_statements_are_forgotten() -> None:
    check("a.append(b)", "missing statement", "pass")
    check("a.b = 3", "missing statement", "pass")
    check("a += b", "wrong assignment", "a -= b", "a = b")


def test_names_are_mistaken() -> None:
    check("return a", "wrong variable", "return b")


def test_a_default_is_mistaken() -> None:
    (mutant,) = [
        m for m in planted("def f(a=True):\n    return a\n") if m.operator == "wrong default"
    ]
    assert mutant.edit.text == "False"


def test_bytes_are_counted_not_characters() -> None:
    source = '\ufeff# ü\r\ndef f(ä, b):\r\n\treturn "ß" + ä - b\r\n'
    document = Document("/w/m.py", source.encode())
    texts = {apply_edits(document, (m.edit,)).data.decode() for m in mutants(document)}
    assert source.replace("- b", "+ b") in texts
    assert source.replace('"ß" + ä - b', "None") in texts


def test_docstrings_and_decorators_are_left_alone() -> None:
    source = 'def f():\n    """Say 1 < 2."""\n\n@d(1)\ndef g():\n    pass\n'
    assert planted(source) == ()


def test_a_function_inside_keeps_its_own_name() -> None:
    found = planted(
        "class C:\n    def f(self):\n        def g():\n            return 1\n        return g\n"
    )
    assert {m.function for m in found if m.line == 4} == {"C.f.g"}
    assert {m.function for m in found if m.line == 5} == {"C.f"}


def test_what_does_not_parse_has_no_mutants() -> None:
    assert planted("def f(:\n") == ()
    assert planted(b"def f():\n    return '\xff'\n") == ()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_every_mutant_is_another_program(path: Path) -> None:
    document = Document(str(path), path.read_bytes())
    known = {ast.dump(ast.parse(document.data))}
    for mutant in mutants(document):
        program = ast.dump(ast.parse(apply_edits(document, (mutant.edit,)).data))
        assert program not in known
        known.add(program)


def test_the_same_bytes_give_the_same_mutants_wherever_they_lie() -> None:
    data = SOURCES[0].read_bytes()
    one = mutants(Document("/one/m.py", data), within="/one")
    two = mutants(Document("/somewhere/else/m.py", data), within="/somewhere/else")
    assert [m.id for m in one] == [m.id for m in two]
    assert len({m.id for m in one}) == len(one)


def test_the_seed_changes_the_names_that_are_mistaken() -> None:
    data = SOURCES[2].read_bytes()
    assert planted(data, 1) == planted(data, 1)
    assert planted(data, 1) != planted(data, 2)


def snapshot(**files: str) -> Snapshot:
    entries = [Entry(name, "file", 0o644, 0, text.encode()) for name, text in files.items()]
    return Snapshot("/w", tuple(sorted(entries, key=lambda entry: entry.path)), "hash")


def test_tests_are_never_mutated() -> None:
    one = "def f(a):\n    return a + 1\n"
    names = ("a.py", "test_a.py", "tests/b.py", "conftest.py", "c.txt")
    files = dict.fromkeys(names, one)
    assert {mutant.path for mutant in mutants_of(snapshot(**files))} == {"/w/a.py"}


def test_a_spread_is_even_over_functions() -> None:
    long = "\n".join(f"    a = a + {n}" for n in range(50))
    found = planted(f"def f(a):\n{long}\n    return a\n\ndef g(a):\n    return a < 1\n")
    drawn = spread(found, 6)
    assert len(drawn) == 6
    assert sum(mutant.function == "g" for mutant in drawn) == 3
    assert spread(found, 6) == drawn
    assert spread(found, 10_000, 3) != spread(found, 10_000, 4)
    assert sorted(m.id for m in spread(found, 10_000)) == sorted(m.id for m in found)


def test_an_edit_touches_its_own_file_only() -> None:
    for mutant in planted("def f(a):\n    return a\n"):
        assert isinstance(mutant.edit, Edit)
        assert mutant.edit.path == mutant.path == "/w/m.py"
