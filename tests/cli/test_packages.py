"""A package that the tests lack, on the command line: said, asked for, installed, and there next time."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pty
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = pytest.mark.docker

# Nothing is wrong but the missing package: a search would take its time.
FILES = {
    "requirements.txt": "ocils-probe==1.0\n",
    "clamp.py": """
        def clamp(x, low, high):
            if x < low:
                return low
            if x > high:
                return high
            return x
    """,
    "test_clamp.py": """
        import ocils_probe
        from clamp import clamp

        def test_below():
            assert clamp(ocils_probe.BELOW, 0, 9) == 0

        def test_above():
            assert clamp(15, 0, 9) == 9

        def test_inside():
            assert clamp(5, 0, 9) == 5
    """,
}


def make_wheel(folder: Path) -> None:
    """Write the package that the tests lack."""
    about = "ocils_probe-1.0.dist-info"
    files = {
        "ocils_probe.py": "BELOW = -5\n",
        f"{about}/METADATA": "Metadata-Version: 2.1\nName: ocils_probe\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        rows.append(f"{path},sha256={digest.decode()},{len(text)}\n")
    folder.mkdir()
    with zipfile.ZipFile(folder / "ocils_probe-1.0-py3-none-any.whl", "w") as wheel:
        for path, text in {**files, f"{about}/RECORD": "".join(rows)}.items():
            wheel.writestr(path, text)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    root = tmp_path / "work"
    root.mkdir()
    for name, text in FILES.items():
        (root / name).write_text(textwrap.dedent(text).lstrip("\n"))
    make_wheel(tmp_path / "wheels")
    return root


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    names = ("CONFIG", "STATE", "DATA", "CACHE")
    settings = tmp_path / "config/ocils/settings.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text('[model]\nname = "none"\n[sandbox]\nslots = 1\n')
    return {
        **os.environ,
        **{f"XDG_{name}_HOME": str(tmp_path / name.lower()) for name in names},
        "COLUMNS": "120",
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(tmp_path / "wheels"),
    }


@pytest.fixture
def refine(work: Path, environ: dict[str, str]) -> Run:
    def run(*options: str, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ocils", "refine", f"{work}/clamp.py::clamp", *options],
            env={**environ, **extra},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=170,
            check=False,
        )

    return run


def test_without_a_terminal_nothing_is_installed_and_the_reason_is_said(
    refine: Run, tmp_path: Path
) -> None:
    for options, why in (
        ((), "nobody can be asked without a terminal; say --install allow"),
        (("--install", "never"), "--install never"),
    ):
        done = refine(*options)
        assert done.returncode == 1, done.stdout + done.stderr
        assert f"not installed: ocils-probe==1.0; {why}" in done.stdout
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "cache/ocils/packages").exists()
    done = refine("--json")
    assert done.returncode == 1
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["type"] == "Blocked"
    assert last["need"]["modules"] == ["ocils_probe"]
    assert "nobody can be asked" in done.stderr


def test_allow_installs_what_is_declared_and_the_next_run_finds_it(refine: Run) -> None:
    first = refine("--install", "allow")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "all 3 tests that run `clamp` pass already" in first.stdout
    # Agreed to once, and no wheel to be had any more: the layer is there.
    second = refine(PIP_FIND_LINKS="/nowhere")
    assert second.returncode == 0, second.stdout + second.stderr
    assert "needs you" not in second.stdout


def test_allow_does_not_reach_a_guess(refine: Run, work: Path, tmp_path: Path) -> None:
    (work / "requirements.txt").unlink()
    done = refine("--install", "allow")
    assert done.returncode == 1
    assert "could be a typo-squat" in done.stdout
    assert not (tmp_path / "cache/ocils/packages").exists()


def test_the_users_never_is_stronger_than_allow(refine: Run, tmp_path: Path) -> None:
    settings = tmp_path / "config/ocils/settings.toml"
    settings.write_text(settings.read_text() + '[packages]\ninstall = "never"\n')
    done = refine("--install", "allow")
    assert done.returncode == 1
    assert 'your setting packages.install is "never"' in done.stdout


def test_a_repository_cannot_allow_itself_anything(refine: Run, work: Path) -> None:
    (work / "pyproject.toml").write_text('[tool.ocils.packages]\ninstall = "allowlist"\n')
    done = refine()
    assert done.returncode == 2
    assert "which only you may set" in done.stderr


def test_a_terminal_is_asked(work: Path, environ: dict[str, str]) -> None:
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "ocils", "refine", f"{work}/clamp.py::clamp"],
            env=environ,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        text = b""
        answers = [b"d\n", b"never\n"]
        while True:
            try:
                got = os.read(ours, 4096)
            except OSError:
                break
            if not got:
                break
            text += got
            if answers and text.count(b"[no]:") == 3 - len(answers):
                os.write(ours, answers.pop(0))
        assert process.wait(60) == 1
    finally:
        os.close(ours)
    said = text.decode("utf-8", "replace")
    assert "Install ocils-probe==1.0 for the module ocils_probe" in said
    assert "no setup.py of a stranger runs" in said
    assert "not installed: ocils-probe==1.0; as you say" in said
