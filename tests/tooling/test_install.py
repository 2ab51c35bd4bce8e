"""The set-up says what is missing and what to run, and touches nothing where it may not install.

The machine is played by a folder of small programs that is all of PATH. Not covered here: the real
apt-get and a real dockerd, which a run on a bare machine covers.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TOOLS = ["basename", "bash", "cat", "cut", "dirname", "env", "grep", "kill", "mkdir", "readlink"]
TOOLS += ["rm", "seq", "setsid", "sha256sum", "sleep", "tail"]

NODE_PACKAGES = [
    f"{folder}/vscode/{name}.json"
    for folder in ("editors", "tests/editors")
    for name in ("package", "package-lock")
]


class Machine:
    """A checkout with nothing but the set-up in it, and a PATH of our making."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "checkout"
        self.bin = folder / "bin"
        self.log = folder / "calls"
        self.bin.mkdir()
        (self.checkout / "setup").mkdir(parents=True)
        shutil.copy(ROOT / "setup" / "install.sh", self.checkout / "setup")
        for name in ("requirements.lock", "pyproject.toml", *NODE_PACKAGES):
            (self.checkout / name).parent.mkdir(parents=True, exist_ok=True)
            (self.checkout / name).write_text("")
        for name in TOOLS:
            (self.bin / name).symlink_to(shutil.which(name) or f"/missing/{name}")
        self.have("id", "echo 0")

    def have(self, name: str, script: str = "true") -> None:
        """Put a program on PATH that notes its call and then does ``script``."""
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f'#!/bin/bash\necho "{name} $*" >>{self.log}\n{script}\n')
        path.chmod(0o755)

    def have_environment(self) -> None:
        """Pretend that .venv is there and up to date."""
        python = self.checkout / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.symlink_to(sys.executable)
        stamp = subprocess.run(
            ["bash", "-c", "cat requirements.lock pyproject.toml | sha256sum | cut -d' ' -f1"],
            cwd=self.checkout,
            capture_output=True,
            check=True,
        )
        (self.checkout / ".venv" / "stamp").write_bytes(stamp.stdout)

    def install(self, *what: str) -> tuple[int, str]:
        done = subprocess.run(
            ["bash", "setup/install.sh", *what],
            cwd=self.checkout,
            # The machine's real engine, if there is one, is none of this machine's business.
            env={
                "PATH": str(self.bin),
                "OCILS_ENGINE_PID": str(self.checkout / "engine.pid"),
                "OCILS_ENGINE_SOCKET": str(self.checkout / "engine.sock"),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout == ""
        return done.returncode, done.stderr

    def calls(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def python_stub(version: str, ensurepip: bool = True) -> str:
    """A python that answers the two questions the set-up asks."""
    new_enough = "exit 0" if version >= "3.11" else "exit 1"
    return (
        f'case "$*" in *version_info*) {new_enough};; *ensurepip*) {str(ensurepip).lower()};; esac'
    )


def test_an_ordinary_account_is_told_what_to_run(machine: Machine) -> None:
    machine.have_environment()
    machine.have("id", "echo 1000")
    machine.have("apt-get")
    code, said = machine.install("python", "docker", "nvim")
    assert code == 3
    assert "apt-get install --no-install-recommends docker.io iptables neovim" in said
    assert not [call for call in machine.calls() if not call.startswith("id ")]


def test_what_drives_vscode_needs_a_browser(machine: Machine) -> None:
    machine.have_environment()
    machine.have("id", "echo 1000")
    machine.have("apt-get")
    code, said = machine.install("vscode")
    assert code == 3
    assert "apt-get install --no-install-recommends chromium" in said
    assert not (machine.checkout / ".cache").exists()


def test_sudo_that_would_ask_for_a_password_does_not_count(machine: Machine) -> None:
    machine.have_environment()
    machine.have("id", "echo 1000")
    machine.have("apt-get")
    machine.have("sudo", "exit 1")
    assert machine.install("nvim")[0] == 3
    assert "apt-get" not in " ".join(machine.calls())


def test_another_system_is_told_what_is_missing(machine: Machine) -> None:
    machine.have_environment()
    code, said = machine.install("docker")
    assert code == 3
    assert "docker.io" in said
    assert "its own packages" in said


def test_everything_is_looked_at_before_anything_is_done(machine: Machine) -> None:
    """A missing editor that may not be installed must stop us before pip downloads anything."""
    machine.have("python3", python_stub("3.12"))
    machine.have("id", "echo 1000")
    code, said = machine.install("python", "nvim")
    assert code == 3
    assert "neovim" in said
    assert not (machine.checkout / ".venv").exists()
    assert not (machine.checkout / ".cache").exists()


def test_an_old_python_is_not_enough(machine: Machine) -> None:
    machine.have("python3", python_stub("3.09"))
    code, said = machine.install("python")
    assert code == 3
    assert "Python 3.11 or newer" in said


def test_a_python_that_cannot_make_environments_is_named(machine: Machine) -> None:
    machine.have("python3.11", python_stub("3.11", ensurepip=False))
    code, said = machine.install("python")
    assert code == 3
    assert f"{machine.bin}/python3.11 cannot make environments" in said


def test_root_installs_without_questions(machine: Machine) -> None:
    machine.have_environment()
    machine.have("apt-get", f"ln -s /bin/true {machine.bin}/nvim")
    (machine.bin / "ln").symlink_to(shutil.which("ln") or "/bin/ln")
    code, said = machine.install("nvim")
    assert code == 0
    assert said.startswith("setup: installing neovim")
    (apt,) = [call for call in machine.calls() if call.startswith("apt-get")]
    assert "--yes --no-install-recommends" in apt
    assert apt.endswith("install neovim")


def test_stale_package_lists_are_brought_up_to_date_once(machine: Machine) -> None:
    machine.have_environment()
    machine.have(
        "apt-get",
        f'case "$*" in *update) : >{machine.bin}/fresh;; esac; [ -e {machine.bin}/fresh ]',
    )
    assert machine.install("nvim")[0] == 0
    verbs = [call.split("force-confold ")[1] for call in machine.calls() if "apt-get" in call]
    assert verbs == ["install neovim", "update", "install neovim"]


def test_a_failing_apt_says_where_its_log_is(machine: Machine) -> None:
    machine.have_environment()
    machine.have("apt-get", "echo E: no space >&2; exit 100")
    code, said = machine.install("nvim")
    assert code == 3
    assert "E: no space" in said
    assert ".cache/apt.log" in said


def test_what_is_there_is_left_alone(machine: Machine) -> None:
    machine.have_environment()
    machine.have("docker", "echo 20.10")
    machine.have("dockerd")
    machine.have("nvim")
    machine.have("apt-get")
    code, said = machine.install("python", "docker", "nvim")
    assert (code, said) == (0, "")
    assert {call.split()[0] for call in machine.calls()} <= {"docker", "id"}


def test_what_converts_models_is_made_once_and_stands_on_the_environment(machine: Machine) -> None:
    machine.have_environment()
    python = machine.checkout / ".venv" / "bin" / "python"
    python.unlink()
    machine.have(
        "python",
        'case "$*" in *site*) echo .tools/convert;;'
        ' "-m venv"*) mkdir -p "$4/bin" && command -p cp "$0" "$4/bin/python";; esac',
    )
    python.symlink_to(machine.bin / "python")
    first = machine.install("convert")
    assert first[0] == 0, first
    assert "installing torch==" in first[1]
    asked = [call for call in machine.calls() if "-m pip install" in call]
    assert len(asked) == 1
    assert {"torch", "transformers"} <= {word.partition("==")[0] for word in asked[0].split()}
    assert (machine.checkout / ".tools" / "convert" / "ocils.pth").is_file()
    assert machine.install("convert") == (0, "")
    (machine.checkout / "requirements.lock").write_text("another\n")
    assert "installing torch==" in machine.install("convert")[1]


def test_a_changed_lock_makes_the_environment_again(machine: Machine) -> None:
    machine.have_environment()
    python = machine.checkout / ".venv" / "bin" / "python"
    python.unlink()
    machine.have("venv-python")
    python.symlink_to(machine.bin / "venv-python")
    machine.have("python3", python_stub("3.12"))
    assert machine.install("python") == (0, "")
    (machine.checkout / "requirements.lock").write_text("something new")
    code, said = machine.install("python")
    assert code == 0
    assert "installing requirements.lock" in said
    installs = [call for call in machine.calls() if " install " in call]
    assert "--require-hashes -r requirements.lock" in installs[0]
    assert installs[1].endswith("install --no-deps -e .")
    assert machine.install("python") == (0, "")


def test_an_ordinary_account_is_told_how_to_start_the_daemon(machine: Machine) -> None:
    machine.have_environment()
    machine.have("id", "echo 1000")
    machine.have("docker", "exit 1")
    machine.have("dockerd")
    code, said = machine.install("docker")
    assert code == 3
    assert "systemctl start docker" in said
    assert "dockerd " not in [call[:8] for call in machine.calls()]
    assert not (machine.checkout / ".cache").exists()


def test_a_daemon_that_does_not_come_up_is_explained(machine: Machine) -> None:
    machine.have_environment()
    machine.have("docker", "exit 1")
    machine.have("dockerd", "echo cannot mount cgroups >&2; exit 1")
    code, said = machine.install("docker")
    assert code == 3
    assert "cannot mount cgroups" in said
    assert "does not answer" in said


def test_a_kernel_without_packet_filtering_gets_a_daemon_without(machine: Machine) -> None:
    machine.have_environment()
    machine.have("docker", f"[ -e {machine.bin}/up ]")
    machine.have(
        "dockerd",
        f"""case "$*" in
            *--iptables=false*) echo $$ >$OCILS_ENGINE_PID; : >{machine.bin}/up; while :; do sleep 0.1; done;;
            *) echo iptables failed >&2; exit 1;;
        esac""",
    )
    code, said = machine.install("docker")
    assert code == 0, said
    assert "without packet filtering" in said
    assert machine.install("stop") == (0, "setup: ended the Docker engine\n")


def test_a_daemon_that_is_not_ours_is_never_ended(machine: Machine) -> None:
    assert machine.install("stop") == (0, "")
    cache = machine.checkout / ".cache"
    cache.mkdir()
    (cache / "dockerd.pid").write_text(f"{os.getpid()}\n")
    assert machine.install("stop") == (0, "")  # or this test would end right here


def test_no_file_names_a_registry() -> None:
    for name in ("requirements.lock", "Makefile", "setup/install.sh", ".ci/run", "pyproject.toml"):
        text = (ROOT / name).read_text()
        assert "index-url" not in text
        assert "find-links" not in text
        assert "pypi" not in text.lower()


@pytest.mark.parametrize("name", [each for each in NODE_PACKAGES if "lock" in each])
def test_no_lock_of_node_packages_names_a_registry(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "integrity" in text
    assert "resolved" not in text
    assert "registry" not in text
