"""What is remembered of the test runner, and what counts as replaced; without a container."""

from __future__ import annotations

import ast
import builtins
import functools
import json.encoder
import os
import subprocess
import sys
import textwrap
import unittest.case
import warnings
from pathlib import Path

import _pytest.outcomes
import _pytest.reports
import _pytest.runner
import pytest

from ocils.sandbox.inside import originals
from ocils.sandbox.inside.originals import Originals

INSIDE = Path(__file__).parents[2] / "ocils" / "sandbox"

BARE = """
import sys
sys.path.insert(0, {inside!r})
from inside.originals import Originals
kept = Originals()
"""


def replaced(code: str, asked: Bird | None = None) -> list[list[str]]:
    """Run ``code`` between remembering and comparing, in a fork: pytest is loaded here already."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        write, leave, text = os.write, os._exit, repr
        try:
            warnings.simplefilter("ignore")
            kept = asked or Originals()
            try:
                exec(textwrap.dedent(code), {**TOOLS, "kept": kept, "Item": Item})
                found = kept.replaced()
            except BaseException as problem:
                found = [["the code itself fails", type(problem).__name__]]
            write(theirs, text(found).encode())
        finally:
            leave(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as file:
        said = file.read().decode()
    os.waitpid(pid, 0)
    assert said, "the fork died"
    answer: list[list[str]] = ast.literal_eval(said)
    return answer


def replaced_without(code: str) -> list[list[str]]:
    """The same in an interpreter of its own, which has loaded nothing that we did not ask for."""
    text = BARE.format(inside=str(INSIDE)) + textwrap.dedent(code)
    text += "\nfound = kept.replaced()\nsys.__stdout__.write(repr(found))\n"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", text], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: list[list[str]] = ast.literal_eval(done.stdout)
    return found


TOOLS = {
    "_pytest": _pytest,
    "builtins": builtins,
    "functools": functools,
    "json": json,
    "pytest": pytest,
    "sys": sys,
    "unittest": unittest,
}


def test_nothing_is_replaced_by_an_ordinary_run() -> None:
    assert replaced("import doctest, asyncio, unittest.mock\npytest.approx(1)\n") == []
    assert replaced("import gettext\ngettext.install('x')\n") == []


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("_pytest.reports.TestReport.from_item_and_call = 1", "_pytest.reports.TestReport.from_item_and_call"),
        ("_pytest.reports.BaseReport.failed = property()", "_pytest.reports.BaseReport.failed"),
        ("_pytest.runner.call_and_report = 1", "_pytest.runner.call_and_report"),
        ("_pytest.runner.CallInfo.from_call = 1", "_pytest.runner.CallInfo.from_call"),
        ("import _pytest.outcomes; _pytest.outcomes.fail = 1", "_pytest.outcomes.fail"),
        ("unittest.case.TestCase.assertEqual = 1", "unittest.case.TestCase.assertEqual"),
        ("json.encoder.JSONEncoder.encode = 1", "json.encoder.JSONEncoder.encode"),
        ("builtins.len = 1", "builtins.len"),
        ("del builtins.ascii", "builtins.ascii"),
        ("import pluggy._callers; pluggy._callers._multicall = 1", "pluggy._callers._multicall"),
        ("pytest.approx = 1", "pytest.approx"),
        ("pytest.fail = 1", "pytest.fail"),
        ("del pytest.raises", "pytest.raises"),
        ("unittest.TestCase = 1", "unittest.TestCase"),
        ("import math; math.isclose = 1", "math.isclose"),
        ("import operator; operator.eq = 1", "operator.eq"),
    ],
)  # fmt: skip
def test_a_replaced_part_is_named(code: str, name: str) -> None:
    assert replaced(code) == [[name, ""]]


@pytest.mark.parametrize(
    ("value", "file"),
    [
        ("lambda: 1", "<string>"),
        ("property(lambda s: 1)", "<string>"),
        ("classmethod(lambda c: 1)", "<string>"),
        ("staticmethod(lambda: 1)", "<string>"),
        ("functools.wraps(json.encoder.JSONEncoder.default)(lambda s: 1)", "json/encoder.py"),
        ("pytest.MonkeyPatch", "_pytest/monkeypatch.py"),
        ("type('X', (), {'__module__': 'gone'})", ""),
        ("len", ""),
        ("property()", ""),
        ("functools.partial(len)", ""),
        ("None", ""),
    ],
)
def test_the_replacements_file_is_named(value: str, file: str) -> None:
    ((name, found),) = replaced(f"_pytest.runner.show_test_item = {value}")
    assert name == "_pytest.runner.show_test_item"
    assert found.endswith(file)
    assert bool(found) == bool(file)


@pytest.mark.parametrize(
    "code",
    [
        "import _pytest.reports as r\nr.TestReport.__getattribute__ = lambda s, n: 'passed'",
        "import unittest.util, unittest.case\nunittest.case.TestCase.__getattribute__ = lambda s, n: print",
        "_pytest.runner.ExceptionInfo.from_current = classmethod(lambda c: None)",
        "_pytest.reports.TestReport.failed = False",
        "unittest.case.TestCase.longMessage = property(lambda s: 1 / 0)",
        "_pytest.reports.TestReport.outcome = property(lambda s: 'passed', lambda s, v: None)",
    ],
)
def test_a_failure_made_on_purpose_must_come_out_as_one(code: str) -> None:
    """Parts that were not there before are not remembered; the canary finds what they do."""
    found = replaced(code)
    assert found


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("class F: pass\nF.__module__ = 'json'\nsys.meta_path.insert(0, F)", "sys.meta_path"),
        ("class F: pass\nF.__module__ = 'json'\nsys.meta_path.append(F())", "sys.meta_path"),
        ("sys.path_hooks.append(json.dumps)", "sys.path_hooks"),
        ("sys.settrace(function)", "sys.settrace"),
        ("sys.setprofile(function)", "sys.setprofile"),
        ("sys.settrace(Class().method)", "sys.settrace"),
    ],
)
def test_who_steers_the_interpreter_is_named_with_its_file(code: str, name: str) -> None:
    text = "def function(*a): pass\nclass Class:\n    def method(self, *a): pass\n"
    ((found, file),) = replaced(f"exec(compile({text!r}, '/w/json/m.py', 'exec'))\n{code}")
    assert found == name
    assert "json/" in file


def test_what_is_added_to_a_class_is_named_when_it_could_act() -> None:
    code = "_pytest.reports.TestReport.extra = property(lambda s: 1)\nunittest.case.TestCase.more = lambda s: 1"
    assert replaced(code) == [
        ["_pytest.reports.TestReport.extra", "<string>"],
        ["unittest.case.TestCase.more", "<string>"],
    ]
    assert replaced("_pytest.reports.TestReport.colour = unittest.case.TestCase.colour = 1") == []
    assert replaced("del unittest.case.TestCase.assertIn") == [
        ["unittest.case.TestCase.assertIn", ""]
    ]


class Bird:
    """Stands where what is remembered is asked for; here only the canary's word counts."""

    def replaced(self) -> list[list[str]]:
        return [] if originals._canary() else [["it sings no more", ""]]


REPORTS = "_pytest.reports.TestReport.outcome = property(lambda s: 'passed', lambda s, v: None)\n"
CALLS = (
    "import types\n_pytest.runner.CallInfo.from_call = classmethod("
    "lambda c, f, w: types.SimpleNamespace(excinfo=None))\n"
)


@pytest.mark.parametrize(
    ("code", "sings"),
    [
        ("", True),
        ("unittest.case.TestCase.assertEqual = lambda *a: None", False),
        ("unittest.case.TestCase.assertEqual = lambda *a: 1 / 0", False),
        (CALLS, False),
        (REPORTS, False),
        (REPORTS + "_pytest.reports.TestReport.failed = True", False),
        ("_pytest.reports.TestReport.failed = False", False),
        # An interpreter that has only one of them is none of pytest's.
        ("del sys.modules['_pytest.runner']", True),
        ("del sys.modules['_pytest.reports']", True),
        ("del sys.modules['unittest.case']", True),
    ],
)
def test_the_canary_alone(code: str, sings: bool) -> None:
    assert replaced(code, Bird()) == ([] if sings else [["it sings no more", ""]])


def test_a_plain_value_is_no_part() -> None:
    assert replaced("json.encoder.INFINITY = 0.0\n_pytest.runner.__doc__ = 'x'") == []


def test_native_and_pythons_own_importers_and_those_of_before_are_no_matter() -> None:
    assert replaced("import zipimport\nsys.path_hooks.append(zipimport.zipimporter)") == []
    hook = "importlib.machinery.FileFinder.path_hook()"
    assert replaced(f"import importlib.machinery\nsys.path_hooks.append({hook})") == []
    assert replaced("sys.settrace(print)") == []
    assert replaced("sys.meta_path.reverse()") == []
    assert replaced("sys.meta_path.clear()") == []


class Item:
    """What is asked of a collected test."""

    def __init__(self, nodeid: str, obj: object) -> None:
        self.nodeid = nodeid
        self._obj = obj


ITEMS = """
def one(): pass
def two(): pass
class Three:
    def test(self): pass
kept.remember([Item("a", one), Item("b", Three().test), Item("c", None), Item("d", len)])
"""


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("", []),
        ("two.__code__ = one.__code__", []),
        ("one.__code__ = two.__code__", ["the code of a"]),
        ("Three.test.__code__ = (lambda self: 1).__code__", ["the code of b"]),
        # As often as one likes: the last word counts.
        ("kept.remember([Item('e', two)])\none.__code__ = (lambda: 1).__code__", []),
        # Before it is remembered, it shows by its file.
        ("two.__code__ = json.dumps.__code__.replace(co_freevars=())\nkept.remember([Item('e', two)])", ["the code of e"]),
        ("kept.remember([Item('e', json.dumps)])", []),
    ],
)  # fmt: skip
def test_a_collected_test_keeps_its_code(code: str, names: list[str]) -> None:
    assert [name for name, _ in replaced(ITEMS + code)] == names


def test_what_is_named_of_a_collected_test_is_the_new_codes_file() -> None:
    assert replaced(ITEMS + "one.__code__ = two.__code__") == [["the code of a", "<string>"]]


def test_a_few_are_enough_to_say() -> None:
    code = (
        "for name in ('len', 'abs', 'all', 'any', 'bin', 'chr', 'dir'): setattr(builtins, name, 1)"
    )
    assert len(replaced("keep = setattr\n" + code)) == 5
    more = replaced(
        code + "\nsetattr(builtins, 'oct', lambda: 1)\n_pytest.runner.show_test_item = json.dumps"
    )
    assert [file.rpartition("/")[2] for _, file in more] == ["__init__.py", *[""] * 5, "<string>"]


def test_without_pytest_it_is_unittest_that_counts() -> None:
    assert replaced_without("") == []
    code = "import unittest.case\nunittest.case.TestCase.longMessage = property(lambda s: 1 / 0)"
    assert replaced_without(code) == [["the way failures are reported", ""]]


def test_what_nobody_has_loaded_yet_is_watched_too() -> None:
    code = "import math, unittest\nmath.isclose = unittest.TestCase = 1"
    assert replaced_without(code) == [["math.isclose", ""], ["unittest.TestCase", ""]]
