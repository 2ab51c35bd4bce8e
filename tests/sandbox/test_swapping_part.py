"""Only the edited statement is compiled: what comes of it is what the whole text compiles to."""

from __future__ import annotations

import dataclasses
import enum
import importlib
import json
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, ModuleType

import pytest

from ocils.sandbox.inside.onebody import Edited, Refused, find_edited
from ocils.sandbox.inside.planted import NAME
from ocils.sandbox.inside.swap import CollectedFile

from .part_everywhere import edits, functions, placed
from .pythons import need
from .test_swapping import Stage, in_a_fork, lay


def every(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from every(each)


@pytest.mark.parametrize("module", [dataclasses, enum, textwrap], ids=lambda m: m.__name__)
def test_each_function_gets_the_code_of_the_whole_text(module: ModuleType) -> None:
    path = str(module.__file__)
    text = Path(path).read_text(encoding="utf-8")
    old = compile(text, path, "exec", dont_inherit=True)
    file = CollectedFile(path, text.encode(), functions(old))
    assert file.trouble == ""
    tried = 0
    for new in edits(text):
        try:
            edited = find_edited(text, new, file.spans)
        except Refused:
            continue
        live = functions(file._code)
        file._live = [(each, each.__code__) for each in live]
        for function, code in file.replaced(edited, file.compiled(edited, new, None)):
            function.__code__ = code
        whole = compile(new, path, "exec", dont_inherit=True)
        assert [placed(each.__code__) for each in live] == [
            placed(each.__code__) for each in functions(whole)
        ]
        tried += 1
    assert tried > 10


def swapped(root: Path, old: str, new: str, calls: str) -> object:
    """Return why ``new`` is refused, or what the expression ``calls`` gives after the swap."""
    lay(root, {"m.py": old})
    stage = Stage(root)
    module = importlib.import_module("m")
    why = stage.swap("m.py", textwrap.dedent(new))
    return why or eval(calls, vars(module))


FUTURE = """
    from __future__ import annotations

    def f():
        return 1
"""


def test_the_modules_future_features_are_the_parts(tmp_path: Path) -> None:
    new = FUTURE.replace("return 1", "def g(a: NoSuchName): return a\n        return g(2)")
    assert in_a_fork(lambda: swapped(tmp_path, FUTURE, new, "f()")) == 2


def test_other_modules_have_no_such_features(tmp_path: Path) -> None:
    old = "def f():\n    return 1\n"
    new = "def f():\n    def g(a: int): return a\n    return g.__annotations__['a'].__name__\n"
    assert in_a_fork(lambda: swapped(tmp_path, old, new, "f()")) == "int"


BELOW = """
    def f():
        a = 1
        b = 2
        return a + b

    class Low:
        def g(self):
            return [1 / each for each in (1, 0)]
        h = staticmethod(lambda: (lambda: 1 / 0)())

    def lines(call):
        try:
            call()
        except ZeroDivisionError as error:
            trace = error.__traceback__
        found = []
        while trace:
            found.append(trace.tb_lineno)
            trace = trace.tb_next
        return found
"""


@pytest.mark.parametrize(
    ("new", "shift"),
    [("c = 3\n        return a + b + c", 1), ("\n\n        return 7", 2)],
    ids=["one", "two"],
)
def test_what_is_below_gets_its_new_lines(tmp_path: Path, new: str, shift: int) -> None:
    text = BELOW.replace("return a + b", new)
    calls = "[lines(Low().g), lines(Low.h), f()]"
    before = in_a_fork(lambda: swapped(tmp_path, BELOW, BELOW.replace("a = 1", "a = 5"), calls))
    after = in_a_fork(lambda: swapped(tmp_path, BELOW, text, calls))
    assert after[0] == [each + shift for each in before[0]]
    assert after[1] == [each + shift for each in before[1]]
    assert (before[2], after[2]) == (7, {1: 6, 2: 7}[shift])


def test_what_is_below_moves_up(tmp_path: Path) -> None:
    text = BELOW.replace("        b = 2\n", "").replace("a + b", "a")
    calls = "[lines(Low.h), f()]"
    assert in_a_fork(lambda: swapped(tmp_path, BELOW, text, calls)) == [[13, 9, 9], 1]


def test_statements_around_the_edit_are_compiled_where_their_lines_are_noted() -> None:
    text = "def a():\n    return 0\n\ndef f():\n    return 1\n\ndef g():\n    return 2\n"
    file = CollectedFile("/m.py", text.encode(), [])
    new = text.replace("return 1", "b = 1\n    return b")
    edited = find_edited(text, new, file.spans)

    def names(noted: tuple[int, int] | None) -> list[str]:
        part = file.around(edited, noted)
        return [
            each.co_name for each in file.compiled(part, new, noted) if marked(each) or not noted
        ]

    def marked(code: CodeType) -> bool:
        return NAME in code.co_names

    assert names(None) == ["f"]
    assert names((4, 6)) == ["f"]
    assert names((4, 8)) == ["f"]
    assert names((4, 9)) == ["f", "g"]
    assert names((2, 6)) == ["a", "f"]
    assert names((1, 9)) == ["a", "f", "g"]


IN_CLASSES = """
    import os

    @property
    class A(
        object
    ):
        \"\"\"Two classes.\"\"\"
        x = 1; y = 2

        class __B:
            global declared
            def f(self):
                return 1

            @staticmethod
            @property
            def g(a=1):
                return self.__x, super().g
        def h(self): return 1
        z = 3
"""


def test_of_a_class_only_the_edited_method_is_compiled() -> None:
    text = textwrap.dedent(IN_CLASSES)
    file = CollectedFile("/m.py", text.encode(), [])
    new = text.replace("self.__x", "(0,\n    self.__x)")
    edited = find_edited(text, new, file.spans)
    assert edited == Edited("g", 16, 18, 1, 16, 20, ("class A:", "    class __B:"))
    (one,) = file.compiled(file.around(edited, None), new, None)
    assert one.co_name == "g"
    assert "_B__x" in one.co_names
    assert (one.co_firstlineno, one.co_freevars) == (16, ("__class__",))
    assert file.around(edited, (16, 19)) == edited
    wide = file.around(edited, (5, 18))
    assert (wide.first, wide.last, wide.classes) == (4, 22, ())


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("return 1\n\n", "return 1\n        i = 2\n\n"),
        ("return 1\n\n", "return 1\n    j = 2\n\n"),
        ("return 1\n\n", "return 1\nk = 2\n\n"),
        ("        return 1\n\n", "        return 1\n        def new(self): return 2\n\n"),
        ("def f(self)", "def f(self, a)"),
        ("x = 1; y = 2", "x = 1; y = 3"),
    ],
)
def test_what_changes_a_class_is_no_edit_of_a_body(was: str, now: str) -> None:
    text = textwrap.dedent(IN_CLASSES).replace("@property", "@final")
    file = CollectedFile("/m.py", text.encode(), [])
    assert was in text
    with pytest.raises(Refused, match=r"statement|inside"):
        find_edited(text, text.replace(was, now, 1), file.spans)


def test_a_function_that_the_edited_body_made_is_not_left_behind(tmp_path: Path) -> None:
    old = """
        class A:
            def make(self):
                def inner():
                    return 1
                return inner
            def other(self):
                return 2
        MADE = A().make()
    """
    new = old.replace("return 2", "return 3")
    assert in_a_fork(lambda: swapped(tmp_path, old, new, "[A().other(), MADE()]")) == [3, 1]
    new = old.replace("return inner", "return None")
    assert "ran" in str(in_a_fork(lambda: swapped(tmp_path, old, new, "MADE()")))


def test_a_super_of_the_modules_own_is_called_as_the_whole_text_says(tmp_path: Path) -> None:
    old = """
        def super(*given):
            return len(given)
        class A:
            def f(self):
                return super()
    """
    new = old.replace("return super()", "return super() + 1")
    assert in_a_fork(lambda: swapped(tmp_path, old, new, "A().f()")) == 1


@pytest.mark.parametrize("minor", [8, 9, 10, 12, 13, 14])
@pytest.mark.parametrize("module", ["enum", "typing"])
def test_each_python_compiles_parts_as_it_compiles_the_whole(minor: int, module: str) -> None:
    python = need(minor)
    where = [str(python), "-c", f"import {module}; print({module}.__file__)"]
    path = subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip()
    done = subprocess.run(
        [str(python), "-W", "ignore", "-m", "tests.sandbox.part_everywhere", path],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["trouble"] == ""
    assert found["differ"] == []
    assert found["tried"] > 5
