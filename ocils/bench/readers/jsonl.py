"""HumanEval, HumanEval+, HumanEvalFix, MBPP, MBPP+: one record a task, told apart by their fields.

A task's workspace is ``program.py`` and ``test_program.py``, both made from the record.

Not covered: other languages than Python; problems that need packages that are not installed.
"""

from __future__ import annotations

import ast
import itertools
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

from ocils.bench.readers.asserts import parsed, taken_apart, tests_of
from ocils.bench.readers.records import Record, read_records, text, texts
from ocils.bench.task import Source, Task, Unreadable, digest_of, workspace_of
from ocils.domain.python import parse_python

PROGRAM, TESTS = "program.py", "test_program.py"
_REFERENCE = "reference_program.py"
_HELD = "test_plus"
_PIECES = 20

_Files: TypeAlias = dict[str, str]


def recognise(record: Record) -> str:
    """Return the format that a record is in, or nothing."""
    fields = set(record)
    if {"buggy_solution", "entry_point", "prompt"} <= fields:
        return "humanevalfix"
    if {"entry_point", "prompt"} <= fields:
        return "mbpp" if "assertion" in fields else "humaneval"
    if {"code", "test_list"} <= fields:
        return "mbpp"
    return ""


def read_jsonl(path: Path, root: str, wanted: str = "") -> Source:
    """Return the tasks of a file. ``wanted`` is the format, told from each record when empty."""
    records = read_records(path)

    def read(name: str) -> Task:
        record = records.found[name]
        if isinstance(record, Unreadable):
            raise record
        return _FORMATS[wanted or recognise(record) or "humaneval"](name, record, root)

    kinds = {recognise(each) for each in records.found.values() if isinstance(each, dict)}
    told = wanted or "/".join(sorted(filter(None, kinds))) or "humaneval"
    return Source(told, tuple(records.found), read, digest_of([records.data]))


def _humanevalfix(name: str, record: Record, root: str) -> Task:
    prompt, entry = text(record, "prompt"), text(record, "entry_point")
    tests = taken_apart(text(record, "test"), "program", entry)
    broken = prompt + text(record, "buggy_solution")
    mended = prompt + text(record, "canonical_solution")
    return _task(name, entry, root, broken, mended, {TESTS: tests})


def _humaneval(name: str, record: Record, root: str) -> Task:
    prompt, entry = text(record, "prompt"), text(record, "entry_point")
    stub = prompt.rstrip() + "\n    pass\n"
    mended = prompt + text(record, "canonical_solution")
    tests = {TESTS: taken_apart(text(record, "test"), "program", entry)}
    return _stubbed(name, record, root, stub, mended, tests)


def _mbpp(name: str, record: Record, root: str) -> Task:
    if (
        "assertion" in record
    ):  # the plus form, whose prompt is a text and whose names are HumanEval's
        mended, entry = text(record, "canonical_solution"), text(record, "entry_point")
        asserts = [line for line in text(record, "assertion").splitlines() if line.strip()]
        prose = text(record, "prompt").strip().strip('"').split("\nassert")[0].strip()
        stub = _stub(mended, entry, prose)
        tests = {TESTS: tests_of(asserts, "", "program", entry)}
        return _stubbed(name, record, root, stub, mended, tests)
    mended = text(record, "code").replace("\r\n", "\n")
    asserts = texts(record, "test_list") + texts(record, "challenge_test_list")
    if not asserts:
        raise Unreadable("the field test_list is empty")
    entry = _called(mended, asserts)
    before = "\n".join(texts(record, "test_imports"))
    setup = record.get("test_setup_code")
    before += f"\n{setup}" if isinstance(setup, str) else ""
    prose = text(record, "text" if "text" in record else "prompt")
    if isinstance(record.get("test"), str) and "assertion(" in text(record, "test"):
        # The plus form as a program: the loop over its inputs is what is judged.
        whole = parsed(text(record, "test")).body
        (check,) = parse_python("def check(candidate): pass").body
        assert isinstance(check, ast.FunctionDef)
        check.body = [n for n in whole if not isinstance(n, ast.FunctionDef)]
        shared = [n for n in whole if isinstance(n, ast.FunctionDef)]
        made = ast.fix_missing_locations(ast.Module([*shared, check], []))
        tests = {TESTS: taken_apart(ast.unparse(made), "program", entry)}
    else:
        tests = {TESTS: tests_of(asserts, before, "program", entry)}
    return _stubbed(name, record, root, _stub(mended, entry, prose), mended, tests)


def _stubbed(name: str, record: Record, root: str, stub: str, mended: str, tests: _Files) -> Task:
    """Return the task to write a function; more inputs, where there are some, are held out."""
    entry = text(record, "entry_point") if "entry_point" in record else _defined(stub)
    held = ""
    if isinstance(record.get("plus_input"), list):
        held = _HELD
        tests = {**tests, "test_plus.py": _plus(record, entry), _REFERENCE: mended}
    return _task(name, entry, root, stub, mended, tests, held)


def _task(
    name: str, entry: str, root: str, broken: str, mended: str, rest: _Files, held: str = ""
) -> Task:
    wanted = parsed(mended)
    if entry not in {n.name for n in wanted.body if isinstance(n, ast.FunctionDef)}:
        raise Unreadable(f"the solution defines no function {entry}")
    return Task(
        name,
        workspace_of(root, {PROGRAM: broken, **rest}),
        PROGRAM,
        entry,
        "repair" if _has_body(broken, entry) else "implement",
        workspace_of(root, {PROGRAM: mended, **rest}),
        held_out=held,
    )


def _has_body(source: str, name: str) -> bool:
    function = _function(source, name)
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return not all(isinstance(node, ast.Pass) for node in body)


def _function(source: str, name: str) -> ast.FunctionDef:
    for node in parsed(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return node
    raise Unreadable(f"the program defines no function {name}")


def _defined(source: str) -> str:
    return next(n.name for n in parsed(source).body if isinstance(n, ast.FunctionDef))


def _called(code: str, asserts: list[str]) -> str:
    """Return the function of ``code`` that the assertions are about."""
    known = [n.name for n in parsed(code).body if isinstance(n, ast.FunctionDef)]
    for each in asserts:
        for node in ast.walk(parsed(each)):
            if isinstance(node, ast.Name) and node.id in known:
                return node.id
    raise Unreadable("no assertion names a function that the solution defines")


def _stub(code: str, name: str, prose: str) -> str:
    """Return a function's head with what it is to do, and no body."""
    function = _function(code, name)
    function.body = [ast.Expr(ast.Constant(prose)), ast.Pass()]
    function.decorator_list = []
    function.returns = None
    for each in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs):
        each.annotation = None  # a type may be a name that only the solution imports
    return ast.unparse(ast.fix_missing_locations(function)) + "\n"


def _plus(record: Record, entry: str) -> str:
    """Return tests that compare with the known solution on the further inputs."""
    inputs = record["plus_input"]
    assert isinstance(inputs, list)
    atol = record.get("atol", 0)
    near = float(atol) if isinstance(atol, int | float) else 0.0
    count = max(1, min(_PIECES, len(inputs)))
    bounds = [len(inputs) * number // count for number in range(count + 1)]
    lines = [
        "import copy",
        "import json",
        "import math",
        f"from program import {entry}",
        f"from reference_program import {entry} as _known",
        f"INPUTS = json.loads({json.dumps(json.dumps(inputs))})",
        "",
        "def _same(one, other):",
        "    if isinstance(one, float) or isinstance(other, float):",
        f"        return one == other or math.isclose(one, other, rel_tol=1e-7, abs_tol={near!r})",
        "    if isinstance(one, (list, tuple)) and type(one) is type(other):",
        "        return len(one) == len(other) and all(map(_same, one, other))",
        "    return one == other",
        "",
        "def _compare(start, end):",
        "    for given in INPUTS[start:end]:",
        "        try:",
        "            expected = _known(*copy.deepcopy(given))",
        "        except Exception:  # JSON has no tuples: such an input is not what was meant",
        "            continue",
        f"        assert _same({entry}(*copy.deepcopy(given)), expected)",
    ]
    for number, (start, end) in enumerate(itertools.pairwise(bounds), 1):
        lines += ["", f"def {_HELD}_{number:03}():", f"    _compare({start}, {end})"]
    return "\n".join(lines) + "\n"


_FORMATS: dict[str, Callable[[str, Record, str], Task]] = {
    "humaneval": partial(_humaneval),
    "humanevalfix": partial(_humanevalfix),
    "mbpp": partial(_mbpp),
}
