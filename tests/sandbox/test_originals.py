"""What is remembered of the test runner, and what counts as replaced; without a container."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

INSIDE = Path(__file__).parents[2] / "ocils" / "sandbox"

START = """
import sys
sys.path.insert(0, {inside!r})
import pytest, _pytest.reports, _pytest.runner, unittest.case, json.encoder, builtins, functools
from inside.originals import Originals
kept = Originals()
"""


def replaced(code: str, start: str = START) -> list[list[str]]:
    """Run ``code`` between remembering and comparing, in a process of its own."""
    text = start.format(inside=str(INSIDE)) + textwrap.dedent(code)
    text += "\nfound = kept.replaced()\nsys.__stdout__.write(repr(found))\n"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", text], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: list[list[str]] = ast.literal_eval(done.stdout)
    return found


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


def test_a_few_are_enough_to_say() -> None:
    code = (
        "for name in ('len', 'abs', 'all', 'any', 'bin', 'chr', 'dir'): setattr(builtins, name, 1)"
    )
    assert len(replaced("keep = setattr\n" + code)) == 5


def test_without_pytest_it_is_unittest_that_counts() -> None:
    start = "import sys\nsys.path.insert(0, {inside!r})\nimport unittest.case\nfrom inside.originals import Originals\nkept = Originals()\n"
    assert replaced("", start) == []
    code = "unittest.case.TestCase.longMessage = property(lambda s: 1 / 0)"
    assert replaced(code, start) == [["the way failures are reported", ""]]
    bare = start.replace("import unittest.case\n", "")
    assert replaced("", bare) == []
