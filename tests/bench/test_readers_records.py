"""HumanEval, HumanEvalFix and MBPP: every form that is read, each way to be broken; the data is ours."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from ocils.bench.readers.recognised import source_of
from ocils.domain.errors import UsageError

from .readings import ROOT, check, passes, the_task, why

PROMPT = 'def twice(n):\n    """Give n two times.\n    >>> twice(2)\n    4\n    """\n'
CHECK = "def check(candidate):\n    few = [1, 2]\n    assert candidate(2) == 4\n    assert candidate(few) == few + few\n"
EVAL = {
    "task_id": "Own/0",
    "prompt": PROMPT,
    "entry_point": "twice",
    "canonical_solution": "    return n + n\n",
    "test": CHECK,
}
FIX = {**EVAL, "buggy_solution": "    return n + 1\n"}
MBPP = {
    "task_id": 7,
    "text": "Give n two times.",
    "code": "from math import prod\r\ndef plus(a, b):\r\n    return a + b\r\ndef twice(n: prod) -> int:\r\n    return plus(n, n)",
    "test_setup_code": "few = [1]",
    "test_list": ["assert twice(2) == 4", "assert twice(few) == [1, 1]"],
    "challenge_test_list": ["assert twice(0) == 0"],
}


def lines(path: Path, *records: object) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in records))
    return path


def test_humaneval_is_a_function_to_write_and_one_test_an_assertion(tmp_path: Path) -> None:
    source = source_of(lines(tmp_path / "e.jsonl", EVAL), ROOT)
    task = the_task(source, "Own/0")
    assert source.format == "humaneval"
    assert (task.wanted, task.function, task.path) == ("implement", "twice", "program.py")
    check(task, tmp_path, 2)


def test_humanevalfix_is_a_bug_to_mend(tmp_path: Path) -> None:
    source = source_of(lines(tmp_path / "f.jsonl", FIX), ROOT)
    assert source.format == "humanevalfix"
    assert the_task(source).wanted == "repair"
    check(the_task(source), tmp_path, 2)


@pytest.mark.parametrize("name", ["twice", "test_twice", "same", "compare"])
def test_no_name_is_in_the_way(tmp_path: Path, name: str) -> None:
    """The parameter of ``check`` may be called like the function, and that like a test or a part of ours."""
    text = json.dumps({**FIX, "plus_input": [[1], ["ab"], [None]]}).replace("twice", name)
    record = json.loads(text.replace("candidate", name))
    check(the_task(source_of(lines(tmp_path / "n.jsonl", record), ROOT)), tmp_path, 2)
    plus = json.loads(text.replace("buggy_solution", "other"))
    (tmp_path / "plus").mkdir()
    task = the_task(source_of(lines(tmp_path / "p.jsonl", plus), ROOT))
    check(task, tmp_path / "plus", 2 + 3)


def test_a_compressed_file_is_read_the_same(tmp_path: Path) -> None:
    plain = lines(tmp_path / "f.jsonl", FIX, EVAL)
    (tmp_path / "f.jsonl.gz").write_bytes(gzip.compress(plain.read_bytes(), mtime=0))
    one, two = source_of(plain, ROOT), source_of(tmp_path / "f.jsonl.gz", ROOT)
    assert one.digest == two.digest
    assert [one.item(n) for n in one.ids] != []
    assert the_task(one, "Own/0") == the_task(two, "Own/0")


def test_further_inputs_are_held_out_and_compared_with_the_solution(tmp_path: Path) -> None:
    record = {**EVAL, "base_input": [[2]], "plus_input": [[n] for n in range(50)], "atol": 0}
    task = the_task(source_of(lines(tmp_path / "p.jsonl", record), ROOT))
    assert task.held_out == "test_plus"
    check(task, tmp_path, 2 + 20)


def test_a_loop_over_inputs_is_cut_into_pieces_that_cover_it(tmp_path: Path) -> None:
    loop = (
        "def same(one, other):\n    assert one == other\n"
        "def check(candidate):\n"
        f"    inputs = {list(range(45))}\n    results = {[2 * n for n in range(45)]}\n"
        "    for i, (given, wanted) in enumerate(zip(inputs, results)):\n"
        "        same(candidate(given), wanted)\n"
    )
    record = {**FIX, "buggy_solution": "    return n + n + (n == 44)\n", "test": loop}
    task = the_task(source_of(lines(tmp_path / "l.jsonl", record), ROOT))
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    before = passes(task, tmp_path / "one", solution=False)
    assert len(before) == 20
    assert [name for name, good in before.items() if not good] == ["test_program.py::test_case_020"]
    assert all(passes(task, tmp_path / "two", solution=True).values())


def test_mbpp_shows_the_function_asked_for_and_no_other(tmp_path: Path) -> None:
    source = source_of(lines(tmp_path / "m.jsonl", MBPP), ROOT)
    task = the_task(source, "7")
    assert (source.format, task.function, task.wanted) == ("mbpp", "twice", "implement")
    document = task.original.document("program.py")
    assert document is not None
    assert b"plus" not in document.data
    assert b"Give n two times." in document.data
    check(task, tmp_path, 3)


def test_mbpp_may_be_one_array_with_imports(tmp_path: Path) -> None:
    record = {
        "task_id": 8,
        "prompt": "Give n two times.",
        "code": "def twice(n):\n    return n + n",
        "test_imports": ["import math"],
        "test_list": ["assert math.isclose(twice(1.5), 3.0)"],
    }
    (tmp_path / "s.json").write_text(json.dumps([record, MBPP]))
    source = source_of(tmp_path / "s.json", ROOT)
    assert source.ids == ("8", "7")
    check(the_task(source), tmp_path, 1)


def test_mbpp_plus_in_both_of_its_forms(tmp_path: Path) -> None:
    plus = {
        "task_id": "Own/9",
        "prompt": '"""\nGive n two times.\nassert twice(2) == 4\n"""\n',
        "entry_point": "twice",
        "canonical_solution": "\ndef twice(n):\n    return n + n\n",
        "assertion": "\nassert twice(2) == 4\nassert twice(0) == 0\n",
        "base_input": [[2], [0]],
        "plus_input": [[5], [[1]]],
        "atol": 0,
    }
    whole = {
        **MBPP,
        "test": "def assertion(out, exp, atol):\n    assert out == exp\n"
        "inputs = [[1], [2], [3]]\nresults = [2, 4, 6]\n"
        "for i, (inp, exp) in enumerate(zip(inputs, results)):\n    assertion(twice(*inp), exp, 0)\n",
    }
    source = source_of(lines(tmp_path / "b.jsonl", plus, whole), ROOT)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    check(the_task(source, "Own/9"), tmp_path / "a", 2 + 2)
    check(the_task(source, "7"), tmp_path / "b", 3)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"task_id": "x", "prompt": "de', "cut short"),
        (b"[1, 2]", "no JSON object"),
        (b'"text"', "no JSON object"),
        (b'{"task_id": "x"}', "the field prompt is missing"),
        (json.dumps({**FIX, "task_id": "x", "test": 5}).encode(), "the field test is no text"),
        (json.dumps({**FIX, "task_id": "x", "test": "def chec("}).encode(), "no Python"),
        (json.dumps({**FIX, "task_id": "x", "test": "pass"}).encode(), "defines no check"),
        (json.dumps({**FIX, "task_id": "x", "entry_point": "no"}).encode(), "no function no"),
        (json.dumps({**FIX, "task_id": "x", "prompt": "\ud800"}).encode(), "half a character"),
        (json.dumps({**MBPP, "task_id": "x", "test_list": 5}).encode(), "no list of texts"),
        (
            json.dumps(
                {**MBPP, "task_id": "x", "test_list": [], "challenge_test_list": []}
            ).encode(),
            "test_list is empty",
        ),
        (
            json.dumps(
                {**MBPP, "task_id": "x", "test_list": ["assert f(1)"], "challenge_test_list": []}
            ).encode(),
            "names",
        ),
        (json.dumps({**MBPP, "task_id": "x", "code": None}).encode(), "code is missing"),
        (b'{"task_id": "x", "prompt": "\xff"}', "not UTF-8"),
        (json.dumps(FIX).encode(), "comes twice"),
        (b"[" * 100_000, "no JSON"),
    ],
)
def test_a_broken_line_is_one_item_and_the_rest_is_read(
    tmp_path: Path, line: bytes, reason: str
) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_bytes(json.dumps(FIX).encode() + b"\n" + line + b"\n" + json.dumps(MBPP).encode())
    source = source_of(path, ROOT)
    assert len(source.ids) == 3
    assert the_task(source, source.ids[0]).function == "twice"
    assert reason in why(source, source.ids[1])
    assert the_task(source, source.ids[2]).function == "twice"


def test_a_compressed_file_that_ends_early_gives_what_there_is(tmp_path: Path) -> None:
    whole = gzip.compress("".join(json.dumps({**FIX, "task_id": f"{n}-{os.urandom(40).hex()}"}) + "\n" for n in range(400)).encode())  # fmt: skip
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    source = source_of(tmp_path / "cut.jsonl.gz", ROOT)
    assert len(source.ids) > 2
    assert the_task(source).function == "twice"
    assert "the file is cut short" in why(source, source.ids[-1])


@pytest.mark.parametrize("data", [b"", b"\n\n", b"no gzip"])
def test_a_file_without_records_is_refused(tmp_path: Path, data: bytes) -> None:
    name = "f.jsonl.gz" if data == b"no gzip" else "f.jsonl"
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UsageError):
        source_of(tmp_path / name, ROOT)


def test_a_path_that_is_nothing_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="say which it is by --format: humaneval"):
        source_of(tmp_path, ROOT)
    with pytest.raises(UsageError, match="there is no"):
        source_of(tmp_path / "none", ROOT)
    with pytest.raises(UsageError, match="there is no format other"):
        source_of(tmp_path, ROOT, "other")
    with pytest.raises(UsageError, match="read from a folder"):
        source_of(lines(tmp_path / "e.jsonl", EVAL), ROOT, "quixbugs")
