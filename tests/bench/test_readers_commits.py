"""Pairs of commits, as BugsInPy or a list of one's own names them; the repositories are ours."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ocils.bench.readers.commits import pairs_of_bugsinpy, pairs_of_toml, read_pairs
from ocils.domain.errors import UsageError

from .readings import ROOT, check, the_task, why


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
