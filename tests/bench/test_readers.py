"""Benchmarks in every form that is read, and every way in which one can be broken.

The data is written by us, in the forms of HumanEval, HumanEvalFix, MBPP, QuixBugs, exercism and
BugsInPy; none of it is theirs.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ocils.bench.readers.commits import pairs_of_bugsinpy, pairs_of_toml, read_pairs
from ocils.bench.readers.recognised import source_of
from ocils.bench.task import Source, Task, Unusable
from ocils.domain.errors import UsageError

ROOT = "/bench"
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


def the_task(source: Source, name: str = "") -> Task:
    item = source.item(name or source.ids[0])
    assert isinstance(item, Task), item
    return item


def why(source: Source, name: str = "") -> str:
    item = source.item(name or source.ids[0])
    assert isinstance(item, Unusable), item
    return item.why


def passes(task: Task, folder: Path, *, solution: bool) -> dict[str, bool]:
    """Run a task's tests for real, on the original or the solution."""
    snapshot = task.solution if solution else task.original
    assert snapshot is not None
    for entry in snapshot.entries:
        path = folder / entry.path
        if entry.kind == "file":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(entry.data)
    options = ("-q", "-rA", "-p", "no:cacheprovider", "-p", "no:randomly", "--tb=no", *task.tests)
    ran = subprocess.run(
        [sys.executable, "-B", "-m", "pytest", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    told = [line.split(maxsplit=1) for line in ran.stdout.splitlines()]
    found = {
        words[1].partition(" - ")[0]: words[0] == "PASSED"
        for words in told
        if len(words) == 2 and words[0] in ("PASSED", "FAILED")
    }
    assert found, ran.stdout + ran.stderr
    return found


def check(task: Task, folder: Path, tests: int) -> None:
    """The original is red somewhere, the solution nowhere, on so many tests."""
    (folder / "one").mkdir()
    (folder / "two").mkdir()
    before = passes(task, folder / "one", solution=False)
    after = passes(task, folder / "two", solution=True)
    assert len(after) == len(before) == tests
    assert all(after.values())
    assert not all(before.values())


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


def quix(folder: Path) -> Path:
    for place in ("python_programs", "correct_python_programs", "json_testcases"):
        (folder / place).mkdir(parents=True)
    for place, body in (("python_programs", "n + 1"), ("correct_python_programs", "n + n")):
        (folder / place / "twice.py").write_text(f"def twice(n):\n    return {body}\n")
        (folder / place / "upto.py").write_text(
            f"def upto(n):\n    for i in range({'n' if body == 'n + n' else 'n - 1'}):\n        yield i\n"
        )
        (folder / place / "node.py").write_text("class Node:\n    pass\n")
    (folder / "json_testcases" / "twice.json").write_text("[[1], 2]\n[[2], 4]\n[[3], 6]\n")
    (folder / "json_testcases" / "upto.json").write_text("[[3], [0, 1, 2]]\n[[0], []]\n")
    return folder


def test_programs_in_pairs_with_cases_in_json(tmp_path: Path) -> None:
    source = source_of(quix(tmp_path / "q"), ROOT)
    assert (source.format, source.ids) == ("quixbugs", ("twice", "upto"))
    for name, count in (("twice", 3), ("upto", 2)):
        (tmp_path / name).mkdir()
        check(the_task(source, name), tmp_path / name, count)


def test_programs_in_pairs_with_tests_of_their_own(tmp_path: Path) -> None:
    folder = quix(tmp_path / "q")
    (folder / "python_testcases").mkdir()
    (folder / "python_testcases" / "load_testdata.py").write_text("DATA = [(1, 2), (4, 8)]\n")
    (folder / "python_testcases" / "test_twice.py").write_text(
        "import pytest\nfrom load_testdata import DATA\n\n"
        "if pytest.use_correct:\n    from correct_python_programs.twice import twice\n"
        "else:\n    from python_programs.twice import twice\n\n\n"
        "@pytest.mark.parametrize('given,wanted', DATA)\ndef test_twice(given, wanted):\n"
        "    assert twice(given) == wanted\n"
    )
    check(the_task(source_of(folder, ROOT), "twice"), tmp_path, 2)


def test_a_pair_that_is_broken_is_one_item(tmp_path: Path) -> None:
    folder = quix(tmp_path / "q")
    programs = folder / "python_programs"
    for name, text in (
        ("bad", b"\xff\xfe"),
        ("other", b"x = 1\n"),
        ("loose", b"def loose(): ...\n"),
    ):
        (programs / f"{name}.py").write_bytes(text)
        (folder / "correct_python_programs" / f"{name}.py").write_text(f"def {name}():\n    pass\n")
    (folder / "json_testcases" / "other.json").write_text("[[], 1]\n")
    (folder / "json_testcases" / "twice.json").write_text("[[1], 2]\n[[2], \n")
    source = source_of(folder, ROOT)
    assert "utf-8" in why(source, "bad")
    assert "defines no function other" in why(source, "other")
    assert "neither" in why(source, "loose")
    assert "Expecting value" in why(source, "twice")
    assert the_task(source, "upto").function == "upto"


def exercise(folder: Path, name: str, stub: str) -> Path:
    place = folder / "exercises" / "practice" / name
    (place / ".meta").mkdir(parents=True)
    files = {
        "solution": [f"{name}.py"],
        "test": [f"{name}_test.py"],
        "example": [".meta/example.py"],
    }
    (place / ".meta" / "config.json").write_text(json.dumps({"files": files}))
    (place / ".meta" / "example.py").write_text("def twice(n):\n    return n + n\n")
    (place / f"{name}.py").write_text(stub)
    (place / f"{name}_test.py").write_text(
        f"import unittest\n\nfrom {name} import twice\n\n\nclass T(unittest.TestCase):\n"
        "    def test_one(self):\n        self.assertEqual(twice(1), 2)\n\n"
        "    def test_two(self):\n        self.assertEqual(twice(2), 4)\n"
    )
    return place


def test_exercises_with_one_function_are_tasks(tmp_path: Path) -> None:
    exercise(tmp_path / "x", "twice", "def twice(n):\n    pass\n")
    source = source_of(tmp_path / "x", ROOT)
    assert (source.format, the_task(source).wanted) == ("exercism", "implement")
    check(the_task(source), tmp_path, 2)


def test_exercises_that_are_something_else_are_told(tmp_path: Path) -> None:
    exercise(tmp_path, "shape", "class Shape:\n    pass\n")
    exercise(tmp_path, "pair", "def one():\n    pass\n\n\ndef two():\n    pass\n")
    (exercise(tmp_path, "blank", "def f(): pass\n") / ".meta" / "config.json").write_text("{}")
    (exercise(tmp_path, "cut", "def f(): pass\n") / ".meta" / "config.json").write_text('{"fi')
    (exercise(tmp_path, "gone", "def f(): pass\n") / "gone_test.py").unlink()
    source = source_of(tmp_path, ROOT)
    assert "ocils writes one" in why(source, "shape")
    assert "ocils writes one" in why(source, "pair")
    assert "lists no files" in why(source, "blank")
    assert "Unterminated" in why(source, "cut")
    assert "gone_test.py" in why(source, "gone")


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false")
    ran = subprocess.run(
        ["git", *who, *words], cwd=folder, capture_output=True, text=True, check=True
    )
    return ran.stdout.strip()


def history(folder: Path) -> tuple[str, str, str]:
    """A repository of three commits: a bug, its fix (with a test), and a change of two functions."""
    (folder / "pkg").mkdir(parents=True)
    (folder / "tests").mkdir()
    git(folder, "init", "-q")
    body = "class Box:\n    def twice(self, n):\n        return n + 1\n\n\ndef same(n):\n    return n\n"
    (folder / "pkg" / "box.py").write_text(body)
    (folder / "pkg" / "__init__.py").write_text("")
    (folder / "tests" / "test_box.py").write_text("from pkg.box import same\n\n\ndef test_same():\n    assert same(1) == 1\n")  # fmt: skip
    found = []
    for step in range(3):
        if step == 1:
            (folder / "pkg" / "box.py").write_text(body.replace("n + 1", "n + n"))
            (folder / "tests" / "test_box.py").write_text(
                "from pkg.box import Box, same\n\n\ndef test_same():\n    assert same(1) == 1\n\n\n"
                "def test_twice():\n    assert Box().twice(2) == 4\n"
            )
        if step == 2:
            (folder / "pkg" / "box.py").write_text(body.replace("n + 1", "2 * n").replace("return n\n", "return +n\n"))  # fmt: skip
        git(folder, "add", ".")
        git(folder, "commit", "-qm", f"step {step}")
        found.append(git(folder, "rev-parse", "HEAD"))
    return found[0], found[1], found[2]


def bugsinpy(folder: Path, buggy: str, fixed: str, command: str, number: int = 1) -> Path:
    place = folder / "projects" / "box" / "bugs" / str(number)
    place.mkdir(parents=True)
    place.joinpath("bug.info").write_text(
        f'python_version="3.8"\nbuggy_commit_id="{buggy}"\nfixed_commit_id="{fixed}"\n'
    )
    place.joinpath("run_test.sh").write_text(command)
    return folder


def test_a_pair_of_commits_is_the_fix_with_the_old_function(tmp_path: Path) -> None:
    (tmp_path / "clones").mkdir()
    buggy, fixed, _ = history(tmp_path / "clones" / "box")
    folder = bugsinpy(tmp_path / "b", buggy, fixed, "pytest tests/test_box.py::test_twice\n")
    source = read_pairs(pairs_of_bugsinpy(folder, tmp_path / "clones"), ROOT)
    task = the_task(source, "box-1")
    assert (task.path, task.function) == ("pkg/box.py", "Box.twice")
    assert task.tests == ("tests/test_box.py",)
    assert task.shown == ("tests/test_box.py::test_twice",)
    check(task, tmp_path, 2)


def test_pairs_in_a_list_of_their_own_may_name_a_bare_repository(tmp_path: Path) -> None:
    buggy, fixed, _ = history(tmp_path / "box")
    git(tmp_path, "clone", "-q", "--bare", "box", "box.git")
    (tmp_path / "pairs.toml").write_text(
        f'[[pair]]\nid = "own"\nrepository = "box.git"\nbuggy = "{buggy}"\nfixed = "{fixed}"\n'
        'tests = ["python -m unittest -q tests.test_box.Case.test_twice"]\n'
    )
    task = the_task(read_pairs(pairs_of_toml(tmp_path / "pairs.toml"), ROOT), "own")
    assert task.shown == ("tests/test_box.py::Case::test_twice",)


def test_pairs_that_cannot_be_used_say_why(tmp_path: Path) -> None:
    (tmp_path / "clones").mkdir()
    buggy, fixed, both = history(tmp_path / "clones" / "box")
    test = "pytest tests/test_box.py"
    folder = bugsinpy(tmp_path / "b", buggy, both, test)
    bugsinpy(folder, "f" * 40, fixed, test, 2)
    bugsinpy(folder, "--upload-pack=x", fixed, test, 3)
    bugsinpy(folder, fixed, fixed, test, 4)
    bugsinpy(folder, buggy, fixed, "make test", 5)
    source = read_pairs(pairs_of_bugsinpy(folder, tmp_path / "clones"), ROOT)
    assert "changes 2 functions" in why(source, "box-1")
    assert "git ls-tree fails" in why(source, "box-2")
    assert "is no commit" in why(source, "box-3")
    assert "changes 0 source files" in why(source, "box-4")
    assert "no test is named" in why(source, "box-5")


def test_a_repository_cannot_make_git_run_anything(tmp_path: Path) -> None:
    (tmp_path / "clones").mkdir()
    buggy, fixed, _ = history(tmp_path / "clones" / "box")
    config = tmp_path / "clones" / "box" / ".git" / "config"
    ran = tmp_path / "ran"
    config.write_text(
        config.read_text() + f'[core]\n\tfsmonitor = "touch {ran}"\n\tpager = "touch {ran}"\n'
        f'[filter "f"]\n\tsmudge = "touch {ran}"\n[diff]\n\texternal = "touch {ran}"\n'
    )
    folder = bugsinpy(tmp_path / "b", buggy, fixed, "pytest tests/test_box.py")
    the_task(read_pairs(pairs_of_bugsinpy(folder, tmp_path / "clones"), ROOT))
    assert not ran.exists()


def test_nothing_to_pair_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no pairs"):
        read_pairs((), ROOT)
    (tmp_path / "p.toml").write_text("[[pair]]\nid = 3\n")
    with pytest.raises(UsageError, match="no list of pairs"):
        pairs_of_toml(tmp_path / "p.toml")


def test_a_file_of_the_same_size_never_keeps_its_time(tmp_path: Path) -> None:
    source = source_of(quix(tmp_path / "q"), ROOT)
    task = the_task(source, "twice")
    assert task.solution is not None
    one = task.original.find("python_programs/twice.py")
    two = task.solution.find("python_programs/twice.py")
    assert one is not None
    assert two is not None
    assert len(one.data) == len(two.data)
    assert one.mtime_ns // 10**9 != two.mtime_ns // 10**9
