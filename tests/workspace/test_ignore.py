"""Git's ignore rules, as far as bulk is concerned; git itself is the reference where it is there."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from ocils.workspace.ignore import is_ignored, parse_rules

CASES = [
    ("*.log", "a.log", True),
    ("*.log", "deep/b.log", True),
    ("*.log", "a.logs", False),
    ("/top", "top", True),
    ("/top", "deep/top", False),
    ("build/", "build/", True),
    ("build/", "build", False),
    ("build/", "deep/build/", True),
    ("a/b", "a/b", True),
    ("a/b", "x/a/b", False),
    ("**/cache", "x/y/cache", True),
    ("**/cache", "cache", True),
    ("data/**", "data/x/y", True),
    ("a/**/z", "a/z", True),
    ("a/**/z", "a/b/c/z", True),
    ("*.py\n!keep.py", "keep.py", False),
    ("*.py\n!keep.py", "drop.py", True),
    ("# *.py", "a.py", False),
    ("\\#odd", "#odd", True),
    ("\\!odd", "!odd", True),
    ("f?o", "foo", True),
    ("f?o", "f/o", False),
    ("[ab].c", "a.c", True),
    ("[!ab].c", "a.c", False),
    ("[!ab].c", "c.c", True),
    ("[z-a]", "m", False),
    ("trailing   ", "trailing", True),
    ("a+b(c)", "a+b(c)", True),
    ("", "a", False),
]


@pytest.mark.parametrize(("text", "path", "ignored"), CASES)
def test_a_rule(text: str, path: str, ignored: bool) -> None:
    assert is_ignored(path.rstrip("/"), path.endswith("/"), parse_rules(text, "")) == ignored


@pytest.mark.skipif(shutil.which("git") is None, reason="git is the reference here")
@pytest.mark.parametrize(("text", "path", "ignored"), CASES)
def test_git_agrees(tmp_path: Path, text: str, path: str, ignored: bool) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text(text)
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    if path.endswith("/"):
        file.mkdir()
    else:
        file.touch()
    asked = subprocess.run(["git", "-C", tmp_path, "check-ignore", "-q", "--", path], check=False)
    assert (asked.returncode == 0) == ignored


def test_rules_of_a_folder_hold_below_it() -> None:
    rules = parse_rules("*.bin\n/here", "sub/dir")
    assert is_ignored("sub/dir/x/a.bin", False, rules)
    assert is_ignored("sub/dir/here", False, rules)
    assert not is_ignored("a.bin", False, rules)
    assert not is_ignored("sub/dir/x/here", False, rules)


def test_a_rule_cannot_hang_us() -> None:
    rules = parse_rules("*a" * 60 + "b\n" + "*a*a*ab\n" + "**/*a*ab\n", "")
    started = time.perf_counter()
    assert not is_ignored("a" * 250, False, rules)
    assert time.perf_counter() - started < 20
