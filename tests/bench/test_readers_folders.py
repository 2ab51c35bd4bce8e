"""Folders of programs in pairs (QuixBugs) and of exercises (exercism); the data is ours."""

from __future__ import annotations

import json
from pathlib import Path

from ocils.bench.readers.recognised import source_of

from .readings import ROOT, check, the_task, why


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
