"""A missing thing skips a marked test, or fails it where OCILS_REQUIRE names the thing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parent.parent / "conftest.py"

TESTS = """
import pytest

@pytest.mark.nvim
def test_marked():
    pass

@pytest.mark.nvim
def test_skips_itself():
    pytest.skip("not today")

@pytest.mark.nvim
@pytest.mark.xfail(reason="known", strict=True)
def test_known():
    raise ValueError

def test_unmarked():
    pytest.skip("for a reason of its own")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copy(CONFTEST, tmp_path / "conftest.py")
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\naddopts = -p no:randomly -rA\nmarkers =\n docker: d\n model: m\n nvim: n\n"
    )
    (tmp_path / "bin").mkdir()
    return tmp_path


def run(project: Path, require: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "pytest", "-q"],
        cwd=project,
        env={**os.environ, "PATH": str(project / "bin"), "OCILS_REQUIRE": require},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def have_nvim(project: Path) -> None:
    (project / "bin" / "nvim").symlink_to("/bin/true")


def test_a_missing_thing_skips_with_its_reason(project: Path) -> None:
    code, output = run(project, "")
    assert code == 0
    assert "needs nvim: there is no nvim command" in output
    assert "4 skipped" in output


def test_a_missing_thing_fails_where_it_is_required(project: Path) -> None:
    code, output = run(project, "docker,nvim")
    assert code == 1
    assert "nvim is required here, and there is no nvim command" in output
    assert "1 skipped" in output


@pytest.mark.parametrize("require", ["", "nvim"])
def test_a_skip_for_another_reason_is_the_tests_own(project: Path, require: str) -> None:
    have_nvim(project)
    code, output = run(project, require)
    assert code == 0
    assert "1 passed, 2 skipped, 1 xfailed" in output


def test_a_misspelt_requirement_is_refused(project: Path) -> None:
    code, output = run(project, "doker")
    assert code == 4
    assert "OCILS_REQUIRE names doker" in output
