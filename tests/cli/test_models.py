"""``ocils model`` as a process: killed, interrupted, without room, behind a proxy, offline."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import pytest

from ocils.cli_models import Shown
from tests.engine.hub_server import Answer, Asked, HubServer, Plan, serving
from tests.engine.places import READY, Places, hub_of
from tests.engine.small_model import build_model

Done = subprocess.CompletedProcess[str]
_VARIABLES = ("HF_", "XDG_", "HTTP", "http", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy")


class User:
    """A user with a manifest of the model "small", and a hub that has it."""

    def __init__(self, folder: Path) -> None:
        self.small = build_model(folder / "original")
        self.places = Places(folder)
        self.places.describe(self.small)
        self.hub = hub_of(self.small)
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(_VARIABLES)},
            **self.places.environment,
        }

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "ocils", "model", *arguments]

    def run(self, *arguments: str, **environment: str) -> Done:
        return subprocess.run(
            self.command(*arguments),
            env={**self.environment, "HF_ENDPOINT": self.hub.url, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def start(self, *arguments: str, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*before, *self.command(*arguments)],
            env={**self.environment, "HF_ENDPOINT": self.hub.url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def part(self) -> Path:
        return self.places.installed / ".staging-small" / "model" / "model.bin.part"


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    user = User(tmp_path)
    with serving(user.hub):
        yield user


class Stuck:
    """A hub that sends 30,000 bytes of the large file, and then waits for ``go_on``."""

    def __init__(self, hub: HubServer) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()
        hub.plan = self._plan

    def _plan(self, asked: Asked, before: int) -> Answer | None:
        if asked.kind != "store" or before:
            return None
        return Answer(cut=30_000, reached=self.reached, wait=self.go_on)


def until(holds: object, what: str) -> None:
    """Wait, patiently, until ``holds()``."""
    assert callable(holds)
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def have(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def test_a_model_from_absent_to_used_to_removed(user: User) -> None:
    rows = {row["name"]: row for row in json.loads(user.run("list", "--json").stdout)}
    assert rows["small"]["state"] == "absent"
    assert rows["ocils-tiny"]["state"] == "bundled"
    assert rows["ocils-tiny"]["current"] is True
    settings = user.places.config / "settings.toml"
    settings.write_text('# mine\n[model]\nname = "ocils-tiny"  # for now\nthreads = 1\n')
    assert user.run("use", "small").returncode == 3
    assert "ocils-tiny" in settings.read_text()
    done = user.run("pull", "small")
    assert (done.returncode, done.stdout[:19]) == (0, "small is installed "), done.stderr
    assert "downloading model.bin" in done.stderr
    assert user.run("use", "small").returncode == 0
    assert settings.read_text() == '# mine\n[model]\nname = "small"  # for now\nthreads = 1\n'
    assert "small is whole" in user.run("verify").stdout
    table = user.run("list").stdout
    assert any(line.split()[:2] == ["*", "small"] for line in table.splitlines()), table
    refused = user.run("remove", "small")
    assert (refused.returncode, user.places.names()) == (2, ["small"])
    removed = user.run("remove", "small", "--yes")
    assert (removed.returncode, user.places.names()) == (0, [])
    assert "your settings still name it" in removed.stdout


def test_killed_in_the_middle_and_pulled_again(user: User) -> None:
    stuck = Stuck(user.hub)
    with user.start("pull", "small") as first:
        until(lambda: have(user.part) >= 30_000, "the first bytes")
        second = user.run("pull", "small")
        assert second.returncode == 3
        assert "another ocils is at work on the model small" in second.stderr
        first.kill()
    stuck.go_on.set()
    assert user.run("verify", "small").returncode == 3
    done = user.run("pull", "small")
    assert done.returncode == 0, done.stderr
    assert user.hub.of("store")[-1].first == 30_000
    assert user.places.names() == ["small"]
    assert user.run("verify", "small").returncode == 0


def test_interrupted_by_hand(user: User) -> None:
    stuck = Stuck(user.hub)
    with user.start("pull", "small") as process:
        until(lambda: have(user.part) >= 30_000, "the first bytes")
        process.send_signal(signal.SIGINT)
        said = text_of(process.stderr)
        assert process.wait(60) == 1
    stuck.go_on.set()
    assert "what was downloaded is kept" in said
    assert user.places.names() == [".staging-small"]
    assert user.run("remove", "small", "--yes").returncode == 0
    assert user.places.names() == []


def text_of(pipe: IO[str] | None) -> str:
    assert pipe is not None
    return pipe.read()


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (lambda asked, before: Answer(401), "refuses us/small-ct2|no repository"),
        (lambda asked, before: Answer(body=b"<html>sign in</html>"), "does not speak a hub's"),
    ],
)
def test_a_refusal_is_one_line_and_a_code(user: User, plan: Plan, said: str) -> None:
    user.hub.plan = plan
    done = user.run("pull", "small")
    lines = [line for line in done.stderr.splitlines() if line.startswith("ocils: ")]
    assert (done.returncode, len(lines)) == (3, 1), done.stderr
    assert any(each in lines[0] for each in said.split("|")), lines
    assert "Traceback" not in done.stderr
    assert user.places.names() == []


def test_what_is_wrong_with_a_folder_is_said_of_the_model_and_in_a_line(user: User) -> None:
    """Not of the folder that it was looked at in, which is gone when this is read."""
    folder = Path(shutil.copytree(user.small, user.small.with_name("bad")))
    (folder / "chat_template.jinja").write_text("{% for each in")
    done = user.run("import", str(folder), "--name", "bad")
    assert done.returncode == 3
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ocils: the chat template of bad fails: ")
    assert "" not in done.stderr.splitlines()
    assert user.places.names() == []
    done = user.run("import", str(folder), "--context", "-5")
    assert done.returncode == 2
    assert "a number of tokens is positive, not -5" in done.stderr


def test_offline_nothing_is_asked(user: User) -> None:
    done = user.run("pull", "small", HF_HUB_OFFLINE="1")
    assert done.returncode == 3
    assert "offline mode is on (HF_HUB_OFFLINE)" in done.stderr
    assert user.hub.asked == []
    # What needs no hub works on.
    assert user.run("import", str(user.small), HF_HUB_OFFLINE="1").returncode == 0


def test_through_a_proxy_with_a_token(user: User) -> None:
    user.hub.token = "hf_ours"
    closed = user.run("pull", "small")
    assert closed.returncode == 3
    assert "HF_TOKEN" in closed.stderr
    done = user.run(
        "pull",
        "small",
        HF_TOKEN="hf_ours",
        HF_ENDPOINT="http://hub.invalid",
        HTTP_PROXY=user.hub.url,
        http_proxy=user.hub.url,
    )
    assert done.returncode == 0, done.stderr
    assert {each.token for each in user.hub.of("store")} == {""}


def mounts() -> bool:
    return shutil.which("unshare") is not None and not subprocess.call(
        ["unshare", "-m", "sh", "-c", "mount -t tmpfs tmpfs /mnt"], stderr=subprocess.DEVNULL
    )


def on_a_disk_of(user: User, size: str) -> tuple[str, ...]:
    """Return what runs a command with the user's data on a disk of ``size``, seen by nobody else."""
    data = user.environment["XDG_DATA_HOME"]
    Path(data).mkdir(exist_ok=True)
    script = f'mount -t tmpfs -o size={size} tmpfs {data} && "$@"; code=$?; find {data}; exit $code'
    return ("unshare", "-m", "sh", "-c", script, "sh")


@pytest.mark.skipif(not mounts(), reason="needs the right to mount a small disk")
def test_no_room_is_told_before_anything_is_fetched(user: User) -> None:
    with user.start("pull", "small", before=on_a_disk_of(user, "1m")) as process:
        said = text_of(process.stderr)
        left = text_of(process.stdout)
    assert process.returncode == 3
    assert "are needed in" in said
    assert user.hub.of("file") == []
    assert "model.bin" not in left


@pytest.mark.skipif(not mounts(), reason="needs the right to mount a small disk")
def test_a_disk_that_fills_up_on_the_way_leaves_nothing_half_installed(user: User) -> None:
    stuck = Stuck(user.hub)
    with user.start("pull", "small", before=on_a_disk_of(user, "3m")) as process:
        # That disk is in a name space of its own, which the process's root leads into.
        seen = Path(f"/proc/{process.pid}/root{user.part}")
        until(lambda: have(seen) >= 30_000, "the first bytes")
        filler = Path(f"/proc/{process.pid}/root{user.environment['XDG_DATA_HOME']}/filler")
        with pytest.raises(OSError, match="No space left"):
            filler.write_bytes(b"#" * 4_000_000)
        stuck.go_on.set()
        said = text_of(process.stderr)
        left = text_of(process.stdout)
    assert process.returncode == 3
    assert "the disk is full" in said
    assert "/models/small/" not in left
    assert "ocils.toml" not in left
    assert READY not in said or "Traceback" not in said


def test_an_interrupt_that_a_library_swallows_ends_the_work_all_the_same() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Shown() as shown:
        with suppress(KeyboardInterrupt):  # as a finaliser does
            signal.raise_signal(signal.SIGINT)
        assert shown.cancel.cancelled
    assert signal.getsignal(signal.SIGINT) == before
