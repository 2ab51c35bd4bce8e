"""Functions that typeguard compiled anew: others of their file are swapped, they themselves are not.

The typeguard here is a small one of ours with the same seam; the real one is in use in one of the
projects of the agreement.
"""

from __future__ import annotations

import importlib
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from ocils.sandbox.inside.instrumented import MODULE, Instrumented

from .test_swapping import Stage, in_a_fork, lay

GUARD = """
    import ast, inspect, sys
    from types import FunctionType

    def instrument(function):
        module = sys.modules[function.__module__]
        tree = ast.parse(inspect.getsource(module))
        code = compile(tree, function.__code__.co_filename, "exec", dont_inherit=True)
        found = [code]
        for each in found:
            found += [c for c in each.co_consts if hasattr(c, "co_consts")]
        (one,) = [c for c in found if c.co_qualname == function.__qualname__]
        one = one.replace(co_consts=tuple("CHECKED" if c == "said" else c for c in one.co_consts))
        return FunctionType(one, function.__globals__, function.__name__)

    def typechecked(target):
        if isinstance(target, type):
            for name, each in list(vars(target).items()):
                if isinstance(each, FunctionType):
                    setattr(target, name, instrument(each))
            return target
        return instrument(target)
"""
FILE = """
    from typeguard._decorators import typechecked

    def first(a):
        return a

    @typechecked
    def checked(a):
        return "said", 1 / a

    @typechecked
    class All:
        def method(self):
            return 1

        @staticmethod
        def plain():
            return 1

    class Some:
        def before(self):
            return first(1)

        @typechecked
        def checked(self, a):
            return "said", 1 / a
"""


def stage_of(root: Path, version: str, *, early: bool = True, more: str = "") -> tuple[Any, Any]:
    """Import the file below ``root`` while it is watched, and what typeguard made."""
    about = f"site/typeguard-{version}.dist-info/METADATA"
    lay(root, {"site/typeguard/__init__.py": "", "site/typeguard/_decorators.py": GUARD})
    lay(root, {about: f"Metadata-Version: 2.1\nName: typeguard\nVersion: {version}\n"})
    lay(root, {"work/m.py": textwrap.dedent(FILE) + more})
    sys.path.insert(0, str(root / "site"))
    if early:
        importlib.import_module(MODULE)
    stage = Stage(root / "work")
    made = Instrumented(stage.entered.silently)
    importlib.import_module("m")
    made.stop()
    return stage, made


def swapped(stage: Any, made: Any, was: str, now: str, more: str = "") -> str:
    text = textwrap.dedent(FILE) + more
    assert was in text
    return str(stage.swap("m.py", text.replace(was, now, 1), made.made()))


def line_of(call: Any) -> int:
    try:
        call()
    except ZeroDivisionError as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        return trace.tb_lineno if trace else 0
    return 0


@pytest.mark.skipif(sys.version_info < (3, 11), reason="its small typeguard needs qualified names")
def test_what_stands_beside_is_swapped_and_what_was_made_is_moved(tmp_path: Path) -> None:
    def act() -> object:
        stage, made = stage_of(tmp_path, "4.6.0")
        m = sys.modules["m"]
        assert sys.modules[MODULE].instrument is not made  # it is as it was
        before = [line_of(lambda: m.checked(0)), line_of(lambda: m.Some().checked(0))]
        why = swapped(stage, made, "return a\n", "b = a + 1\n    return b\n")
        after = [line_of(lambda: m.checked(0)), line_of(lambda: m.Some().checked(0))]
        return [
            why,
            m.first(1),
            m.checked(1)[0],
            [y - x for x, y in zip(before, after, strict=True)],
        ]

    assert in_a_fork(act) == ["", 2, "CHECKED", [1, 1]]


def test_a_method_above_one_that_was_made(tmp_path: Path) -> None:
    def act() -> object:
        stage, made = stage_of(tmp_path, "4.6.0")
        m = sys.modules["m"]
        lines = [line_of(lambda: m.checked(0)), line_of(lambda: m.Some().checked(0))]
        why = swapped(stage, made, "return first(1)", "a = 2\n        return first(a)")
        now = [line_of(lambda: m.checked(0)), line_of(lambda: m.Some().checked(0))]
        return [
            why,
            m.Some().before(),
            m.Some().checked(1)[0],
            [y - x for x, y in zip(lines, now, strict=True)],
        ]

    assert in_a_fork(act) == ["", 2, "CHECKED", [0, 1]]


@pytest.mark.parametrize(
    ("was", "why"),
    [
        ('return "said", 1 / a', "its decorator typechecked"),
        ("return 1", "made by another compiler"),
    ],
    ids=["decorated", "class"],
)
def test_what_was_made_is_not_swapped(tmp_path: Path, was: str, why: str) -> None:
    def act() -> object:
        stage, made = stage_of(tmp_path, "4.6.0")
        return swapped(stage, made, was, "return 5")

    assert why in in_a_fork(act)


def test_whoever_reads_the_text_later_is_seen(tmp_path: Path) -> None:
    more = "\nimport inspect\nTEXT = inspect.getsource(first)\n"

    def act() -> object:
        stage, made = stage_of(tmp_path, "4.6.0", more=more)
        return swapped(stage, made, "return a\n", "return a + 1\n", more)

    assert "was read" in in_a_fork(act)


@pytest.mark.parametrize(("version", "early"), [("3.0", True), ("5.0", True), ("4.6.0", False)])
def test_without_a_typeguard_that_is_known_nothing_is_swapped(
    tmp_path: Path, version: str, early: bool
) -> None:
    def act() -> object:
        stage, made = stage_of(tmp_path, version, early=early)
        return swapped(stage, made, "return a\n", "return a + 1\n")

    assert in_a_fork(act) != ""


def test_an_object_with_code_of_its_own_is_watched(tmp_path: Path) -> None:
    more = """
class Sly:
    __module__ = "m"
    __qualname__ = "first"
    @property
    def __code__(self):
        first(1)
        return first.__code__
    __globals__ = globals()
    __name__ = "first"

typechecked(Sly())
"""

    def act() -> object:
        stage, made = stage_of(tmp_path, "4.6.0", more=more)
        return swapped(stage, made, "return a\n", "return a + 1\n", more)

    assert in_a_fork(act) != ""


def test_nothing_is_touched_where_there_is_no_typeguard() -> None:
    assert MODULE not in sys.modules
    made = Instrumented(lambda function, argument: function(argument))
    made.stop()
    assert list(made.made()) == []
