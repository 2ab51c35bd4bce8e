"""A user who is not root judges as root does: by root's engine, and by a rootless one of its own.

``OCILS_ROOTLESS`` names the socket of a rootless engine, and its owner is the user. One is had by
``dockerd-rootless.sh`` of Debian's docker.io with rootlesskit, uidmap and slirp4netns, for a user with
a range in ``/etc/subuid`` who may open ``/dev/net/tun``. No test makes users or opens devices.

Not covered: cgroup v2, where a rootless engine bounds memory too.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocils.sandbox.address import find_address

from .pythons import interpreters

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

ANYBODY = 61777
CHECKOUT = Path(__file__).parents[2]
VERDICTS = [
    *("Passed L1", "Passed L1", "Passed L2", "Failed L2", "Failed L2"),
    *("Killed L2", "TimedOut L2", "Passed L2", "Passed L0"),
]


def is_open(path: Path) -> bool:
    """Whether anybody may reach and read ``path``."""
    above = all(each.stat().st_mode & 0o001 for each in path.parents)
    return above and bool(path.stat().st_mode & 0o004)


@pytest.fixture
def python() -> str:
    """An interpreter that another user may start, and that can import what this one imports."""
    if os.geteuid() != 0:
        pytest.skip("only root can act as another user; the other tests are run by one already")
    found = [sys.executable, str(interpreters()[sys.version_info[1]])]
    system = shutil.which(f"python3.{sys.version_info[1]}", path="/usr/bin:/usr/local/bin")
    for each in [*found, *([system] if system else [])]:
        if is_open(Path(os.path.realpath(each))):
            if not is_open(CHECKOUT / "pyproject.toml"):
                pytest.skip("the checkout is closed to other users")
            return os.path.realpath(each)
    pytest.skip("every interpreter of this version is closed to other users")


@pytest.fixture
def place(python: str, environment: str) -> Iterator[Path]:
    """A folder that anybody can reach, with an environment that holds pytest."""
    folder = Path(tempfile.mkdtemp(prefix="ocils-user-"))
    source = Path(environment).parents[1]
    shutil.copytree(source, folder / "environment", symlinks=True)
    link = folder / "environment" / "bin" / "python"
    link.unlink()
    link.symlink_to(python)
    settings = f"home = {Path(python).parent}\ninclude-system-site-packages = false\n"
    (folder / "environment" / "pyvenv.cfg").write_text(settings)
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def judged_by(user: int, groups: list[int], python: str, place: Path, engine: str) -> list[str]:
    """Judge as ``user``; nothing that belongs to anybody else may be left in its home."""
    home = place / "home"
    home.mkdir()
    os.chown(home, user, user)
    libraries = [each for each in sys.path if each.endswith("site-packages")]
    done = subprocess.run(
        [
            python,
            "-m",
            "tests.sandbox.other_user",
            f"{home}/work",
            f"{place}/environment/bin/python",
        ],
        cwd=CHECKOUT,
        user=user,
        group=user,
        extra_groups=groups,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "DOCKER_HOST": engine,
            "PYTHONPATH": os.pathsep.join(libraries),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert {each.lstat().st_uid for each in [home, *home.rglob("*")]} == {user}
    *said, isolation = json.loads(done.stdout)
    assert said == VERDICTS
    return [str(isolation)]


def test_a_user_of_the_engines_group(python: str, place: Path) -> None:
    engine = find_address(os.environ).url
    if not engine.startswith("unix://"):
        pytest.skip(f"the engine at {engine} has no socket whose group one could be in")
    found = Path(engine.removeprefix("unix://")).stat()
    if not found.st_mode & 0o020 or found.st_gid == 0:
        pytest.skip("the engine's socket is root's alone")
    (isolation,) = judged_by(ANYBODY, [found.st_gid], python, place, engine)
    assert isolation.startswith("container (host runtime")


def test_a_rootless_engine(python: str, place: Path) -> None:
    path = os.environ.get("OCILS_ROOTLESS", "")
    if not path:
        pytest.skip("OCILS_ROOTLESS names no socket of a rootless engine")
    owner = Path(path).stat().st_uid
    (isolation,) = judged_by(owner, [], python, place, f"unix://{path}")
    assert "rootless" in isolation
