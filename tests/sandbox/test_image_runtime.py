"""The ``image`` runtime with real images: this machine's Python in an image of its own."""

from __future__ import annotations

import contextlib
import os
import textwrap
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import docker
import msgspec
import pytest
import pytest_asyncio
from docker.errors import APIError, ImageNotFound

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import SandboxUnavailable
from ocils.domain.judging import Broken, Failed, Passed, Verdict
from ocils.sandbox.engine import Engine
from ocils.sandbox.pool import DockerSandbox
from ocils.sandbox.runtime import Choice
from ocils.workspace.disk import DiskWorkspace

from .conftest import SHOP, TESTS
from .foreign import behind_tcp, import_image, python_root
from .yard import GOOD, Files, Yard, body, lay_out, outcomes

pytestmark = pytest.mark.docker

NAME = "ocils-test-python"
MINE = "ocils.test"


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    engine = Engine(os.environ)
    yield engine.client
    engine.close()


@pytest.fixture(scope="module")
def python_image(client: docker.DockerClient, environment: str) -> Iterator[str]:
    """Import an image that has Python and pytest, and remove what was derived from it."""
    changes = ["ENV PYTHONPATH=/opt/packages GREETING=hello", "VOLUME /data", f"LABEL {MINE}=1"]
    changes += ['ENTRYPOINT ["/nowhere"]', "USER 1234", "WORKDIR /private"]
    import_image(client, python_root(environment), NAME, *changes)
    yield f"{NAME}:latest"
    # Children inherit the label; a parent can be removed only after its children.
    left = client.images.list(all=True, filters={"label": MINE})
    while left:
        for each in left:
            with contextlib.suppress(ImageNotFound, APIError):
                client.images.remove(str(each.id), force=True)
        before, left = left, client.images.list(all=True, filters={"label": MINE})
        assert len(left) < len(before)


@pytest_asyncio.fixture
async def yards(tmp_path: Path) -> AsyncIterator[list[Yard]]:
    made: list[Yard] = []
    yield made
    await close(made)


async def close(yards: list[Yard]) -> None:
    """Close what is still open."""
    while yards:
        await yards.pop().sandbox.close()


async def yard_in(
    yards: list[Yard], root: Path, files: Files, choice: Choice, **environ: str
) -> Yard:
    lay_out(root, files)
    snapshot = await DiskWorkspace(str(root)).snapshot()
    environ = {**os.environ, **environ}
    sandbox = DockerSandbox(str(root), choice=choice, width=1, memory_mib=512, environ=environ)
    yards.append(Yard(root, sandbox, snapshot))
    return yards[-1]


async def refusal(yard: Yard) -> SandboxUnavailable:
    with pytest.raises(SandboxUnavailable) as caught:
        await yard.sandbox.warm(yard.snapshot, CancelToken())
    return caught.value


def assert_all_pass(verdict: Verdict) -> None:
    assert isinstance(verdict, Passed), verdict
    assert tuple(each.test for each in verdict.cases) == TESTS


async def test_a_named_image_judges(tmp_path: Path, python_image: str, yards: list[Yard]) -> None:
    choice = Choice("image", image=python_image)
    inside = """
        import getpass, os, socket, sys
        from pathlib import Path

        def test_the_images_own_python():
            assert os.environ["GREETING"] == "hello"
            assert "/opt/packages" in sys.path
            assert not Path("/usr/share").exists()

        def test_the_user():
            assert getpass.getuser() == "ocils"
            assert Path.home().is_dir()
            (Path.home() / "x").write_text("x")

        def test_a_volume_is_empty_and_may_be_written():
            assert os.listdir("/data") == []
            Path("/data/x").write_text("x")

        def test_where():
            assert os.getcwd() == ROOT
            assert not Path("/nonce").read_text()
    """
    files = {**SHOP, "test_inside.py": inside.replace("ROOT", repr(str(tmp_path / "work")))}
    yard = await yard_in(yards, tmp_path / "work", files, choice)
    for _ in range(2):
        verdict = await yard.judge()
        assert isinstance(verdict, Passed), verdict
    assert len(verdict.cases) == len(TESTS) + 4
    assert isinstance(await yard.try_text("shop.py", GOOD), Passed)
    assert isinstance(await yard.try_text("shop.py", body("pass")), Failed)
    fresh = await yard.try_text("shop.py", GOOD, *TESTS, fresh=True, seed=1)
    assert_all_pass(fresh)
    assert f"image runtime: {python_image}" in yard.sandbox.isolation


async def test_an_image_is_derived_once_and_the_older_one_goes(
    tmp_path: Path, python_image: str, client: docker.DockerClient, yards: list[Yard]
) -> None:
    dockerfile = tmp_path / "image/Dockerfile"
    lay_out(dockerfile.parent, {"Dockerfile": f"FROM {python_image}\nENV NUMBER=1\n"})
    choice = Choice("image", image=str(dockerfile))
    for number in (1, 2):
        dockerfile.write_text(f"FROM {python_image}\nENV NUMBER={number}\n")
        text = f"import os\ndef test_n():\n    assert os.environ['NUMBER'] == '{number}'\n"
        yard = await yard_in(yards, tmp_path / "work", {"test_n.py": text}, choice)
        assert isinstance(await yard.judge(), Passed)
        await close(yards)
        derived = client.images.list(filters={"label": "ocils.workspace"})
        kept = {each for image in derived for each in image.attrs["Config"]["Env"]}
        assert kept & {"NUMBER=1", "NUMBER=2"} == {f"NUMBER={number}"}


async def test_a_dockerfile_is_built(tmp_path: Path, python_image: str, yards: list[Yard]) -> None:
    recipe = f"""
        FROM {python_image} AS first
        USER 0
        ARG WORD=none
        COPY extra.py /opt/packages/
        RUN ["python", "-c", "import extra, os; open('/opt/packages/made.py', 'w').write('WORD = %r' % os.environ['WORD'])"]
        FROM first AS second
        RUN ["/no/such/program"]
    """
    devcontainer = """
        // ours
        {
            "name": "shop", /* a comment with "quotes" */
            "build": {"dockerfile": "../Dockerfile", "context": "..", "args": {"WORD": "a//b"}, "target": "first",},
            "containerEnv": {"HERE": "${containerWorkspaceFolder}/x", "MINE": "${localEnv:HOME}"},
            "remoteUser": "vscode",
            "workspaceFolder": "/workspaces/shop",
            "features": {"ghcr.io/x/y:1": {}},
            "postCreateCommand": "pip install -e .",
        }
    """
    text = """
        import os
        import extra, made

        def test_built():
            assert made.WORD == "a//b"
            assert extra.VALUE == 1

        def test_variables():
            assert os.environ["HERE"] == os.getcwd() + "/x"
            assert "MINE" not in os.environ

        def test_the_place_that_the_image_expects():
            assert os.path.realpath("/workspaces/shop") == os.getcwd()
    """
    root = tmp_path / "work"
    files = {
        "Dockerfile": recipe,
        "extra.py": "VALUE = 1\n",
        ".devcontainer/devcontainer.json": devcontainer,
        "test_built.py": text,
    }
    path = f"{root}/.devcontainer/devcontainer.json"
    yard = await yard_in(yards, root, files, Choice("image", image=path))
    verdict = await yard.judge()
    assert isinstance(verdict, Passed), verdict
    assert set(outcomes(verdict).values()) == {"passed"}
    for each in ("features", "postCreateCommand", "containerEnv.MINE"):
        assert each in yard.sandbox.isolation
    whole = await yard_in(yards, root, {}, Choice("image", image=f"{root}/Dockerfile"))
    error = await refusal(whole)
    assert "cannot be built" in error.message
    assert "/no/such/program" in error.message
    assert "docker build" in error.mend


async def test_what_cannot_be_used_is_said(
    tmp_path: Path, python_image: str, client: docker.DockerClient, yards: list[Yard]
) -> None:
    root = tmp_path / "work"
    files = {"test_x.py": "def test_x(): pass\n"}
    import_image(client, b"\0" * 10240, f"{NAME}-empty")
    expected = {
        "": "names none",
        "./Dockerfile": "relative path",
        "/no/such/Dockerfile": "no file",
        "ocils-test-not-there": "no image",
        f"{NAME}-empty": "no Python",
    }
    for image, message in expected.items():
        yard = await yard_in(yards, root, files, Choice("image", image=image))
        error = await refusal(yard)
        assert message in error.message
        assert error.mend
    client.images.remove(f"{NAME}-empty")
    hidden = Choice("image", python="/no/python", image=python_image)
    assert "/no/python" in (await refusal(await yard_in(yards, root, files, hidden))).message


async def test_the_workspaces_own_environment_stays_outside(
    tmp_path: Path, python_image: str, environment: str, yards: list[Yard]
) -> None:
    venv = tmp_path / "work/.venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "pyvenv.cfg").write_text((Path(environment).parent.parent / "pyvenv.cfg").read_text())
    (venv / "bin/python").symlink_to("/usr/bin/python3")
    text = "import os\ndef test_x():\n    assert not os.path.exists('.venv/pyvenv.cfg')\n"
    choice = Choice("image", image=python_image)
    yard = await yard_in(yards, tmp_path / "work", {"test_x.py": text}, choice)
    assert isinstance(await yard.judge(), Passed)


async def test_an_engine_elsewhere_judges_in_an_image(
    tmp_path: Path, python_image: str, yards: list[Yard]
) -> None:
    """Nothing but a TCP address is known of the engine; no file of this machine is needed there."""
    with behind_tcp("/var/run/docker.sock") as url:
        choice = Choice("image", image=python_image)
        yard = await yard_in(yards, tmp_path / "work", SHOP, choice, DOCKER_HOST=url)
        assert_all_pass(await yard.judge())
        assert isinstance(await yard.try_text("shop.py", body("x = 1")), Failed)
        loud = 'import sys\nsys.stdout.write("x" * 3_000_000)\n' + textwrap.dedent(GOOD)
        assert isinstance(await yard.try_text("shop.py", loud), (Passed, Broken))
        await close(yards)


async def test_a_workspace_below_roots_home_is_reached_by_the_tests(
    python_image: str, yards: list[Yard], tmp_path: Path
) -> None:
    """Images have a /root that others cannot enter; a workspace of root's lies in it."""
    lay_out(tmp_path, {"test_x.py": "def test_x():\n    open('new', 'w').close()\n"})
    snapshot = await DiskWorkspace(str(tmp_path)).snapshot()
    root = "/root/ocils-test/work"
    sandbox = DockerSandbox(root, choice=Choice("image", image=python_image), width=1)
    yards.append(Yard(Path(root), sandbox, msgspec.structs.replace(snapshot, root=root)))
    verdict = await yards[-1].judge()
    assert isinstance(verdict, Passed), verdict
