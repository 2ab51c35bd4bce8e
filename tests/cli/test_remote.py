"""A model on a server, from settings to a green test: real processes, a real container."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ocils.domain.errors import InvalidSettings
from ocils.settings import RemoteSettings, UserSettings, load_user, load_workspace
from ocils.wiring import House, checkup


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of a process that serves the bundled model."""
    command = [sys.executable, "-m", "ocils", "serve-model", "ocils-tiny", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        yield running.stdout.readline().strip().rpartition(" ")[2]
        running.send_signal(signal.SIGTERM)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    home = {
        f"XDG_{name}_HOME": str(tmp_path / name.lower()) for name in ("CONFIG", "STATE", "DATA")
    }
    return {**os.environ, **home, "COLUMNS": "120"}


def ocils(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ocils", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )


@pytest.mark.docker
@pytest.mark.model
def test_a_model_on_a_server_turns_a_test_green(
    url: str, environment: dict[str, str], workspace: Callable[[str], Path]
) -> None:
    settings = Path(environment["XDG_CONFIG_HOME"]) / "ocils" / "settings.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(f'[remote]\nurl = "{url}"\nmanifest = "ocils-tiny"\n')
    pricing = workspace("basket") / "shop" / "pricing.py"
    before = pricing.read_text()
    done = ocils(environment, "refine", f"{pricing}::delivery", "--apply")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "code is handed to the server at 127.0.0.1:" in done.stderr
    changed = zip(before.splitlines(), pricing.read_text().splitlines(), strict=True)
    assert sum(old != new for old, new in changed) == 1
    found = ocils(environment, "doctor", str(pricing))
    assert found.returncode == 0, found.stdout
    assert "ocils-tiny@127.0.0.1:" in found.stdout
    assert "code is handed to the server" in found.stdout
    gone = settings.read_text().replace(url, "http://127.0.0.1:9/v1")
    settings.write_text(gone)
    pricing.write_text(before)
    failed = ocils(environment, "refine", f"{pricing}::delivery")
    assert failed.returncode == 3
    assert "cannot be reached" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_choosing_a_model_says_that_a_server_goes_before_it(environment: dict[str, str]) -> None:
    settings = Path(environment["XDG_CONFIG_HOME"]) / "ocils" / "settings.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text('[remote]\nurl = "http://gpu.invalid/v1"\n')
    done = ocils(environment, "model", "use", "rules")
    assert done.returncode == 0, done.stderr
    assert "take [remote] out of" in done.stdout


def test_nothing_is_remote_unless_the_user_says_so(tmp_path: Path) -> None:
    assert UserSettings().remote.url == ""
    assert UserSettings().remote.sends == ""
    (tmp_path / "pyproject.toml").write_text('[tool.ocils.remote]\nurl = "http://evil.example"\n')
    with pytest.raises(InvalidSettings, match=r"'remote'.* which only you may set"):
        load_workspace(str(tmp_path))
    with pytest.raises(InvalidSettings, match="not chosen in an editor"):
        House(UserSettings()).configure({"remote": {"url": "http://evil.example"}})


@pytest.mark.parametrize(
    "line",
    [
        'url = "gpu:8000"',
        'url = "ftp://gpu/v1"',
        'url = "http://user:pass@gpu/v1"',
        'url = "http://gpu/v1?key=x"',
        'key_variable = "sk-abc def"',
        "context = 5",
        "seconds = 0",
        "retries = -1",
        'api_key = "sk-abc"',
    ],
)
def test_a_mistake_in_it_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(f"[remote]\n{line}\n")
    with pytest.raises(InvalidSettings, match="remote"):
        load_user(file)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:11434/v1", "code is handed to the server at 127.0.0.1:11434"),
        ("http://localhost/v1", "code is handed to the server at localhost"),
        ("http://[::1]:80/v1", "code is handed to the server at [::1]:80"),
        ("https://gpu.example/v1", "code leaves this machine, to gpu.example"),
        ("http://127.0.0.1.evil.example/v1", "code leaves this machine, to 127.0.0.1.evil.example"),
    ],
)
def test_where_code_goes_is_said(url: str, said: str) -> None:
    assert RemoteSettings(url=url).sends == said


def test_the_doctor_warns_of_what_goes_there_in_the_open(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    settings = UserSettings(remote=RemoteSettings(url="http://host.invalid/v1", model="m"))
    (model,) = [each for each in checkup(settings, str(tmp_path)) if each.name == "model"]
    assert not model.ok
    assert "cannot be reached" in model.detail
    assert any("unencrypted" in note for note in model.notes)
    assert any("code leaves this machine, to host.invalid" in note for note in model.notes)
