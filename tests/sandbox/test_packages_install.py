"""A package is installed for real, into a layer, from a wheel that the test itself makes."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import PackageUnavailable
from ocils.domain.events import Need
from ocils.domain.judging import Failed, Passed, Plan, Verdict
from ocils.domain.packages import PackageOffer
from ocils.refine.needs import missing
from ocils.sandbox.packages.installer import Policy, Store, WorkspacePackages
from ocils.sandbox.packages.step import Installed, run_step
from ocils.sandbox.pool import DockerSandbox
from ocils.sandbox.runtime import Choice
from ocils.workspace.disk import DiskWorkspace

from .yard import lay_out

pytestmark = pytest.mark.docker

WORK = {
    "requirements.txt": "ocils-probe\n",
    "tests/test_probe.py": """
        import socket

        import pytest

        def test_probe():
            import ocils_probe
            assert ocils_probe.answer() == 42

        def test_offline():
            with pytest.raises(OSError):
                socket.create_connection(("192.0.2.1", 80), timeout=2)
    """,
}


def make_wheel(folder: Path, name: str, modules: Mapping[str, str], needs: str = "") -> Path:
    """Write a wheel of pure Python by hand; returns its path."""
    about = f"{name}-1.0.dist-info"
    requires = f"Requires-Dist: {needs}\n" if needs else ""
    files = {
        **modules,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{requires}",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        lines.append(f"{path},sha256={digest.decode()},{len(text.encode())}")
    files[f"{about}/RECORD"] = "\n".join([*lines, f"{about}/RECORD,,"]) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel


class Bench:
    """A workspace, an index of wheels, and the user's folders; counts the installing steps."""

    def __init__(self, folder: Path, python: str) -> None:
        self.root = folder / "work"
        self.wheels = folder / "wheels"
        self.wheels.mkdir()
        self.steps = 0
        self._folder = folder
        self._python = python
        lay_out(self.root, WORK)

    @property
    def layers(self) -> list[str]:
        """What lies in the cache."""
        folder = self._folder / "layers"
        return sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []

    def packages(self, policy: Policy | None = None, **environ: str) -> WorkspacePackages:
        def counted(*arguments: object) -> Installed:
            self.steps += 1
            return run_step(*arguments)  # type: ignore[arg-type]

        return WorkspacePackages(
            str(self.root),
            Choice(python=self._python),
            policy or Policy(),
            Store(str(self._folder / "answers"), str(self._folder / "layers")),
            {
                "HOME": str(self._folder / "home"),
                "PIP_CONFIG_FILE": "/dev/null",
                "PIP_NO_INDEX": "1",
                "PIP_FIND_LINKS": str(self.wheels),
                **environ,
            },
            counted,
        )

    async def judge(self, plan: Plan | None = None) -> Verdict:
        """Judge the workspace as it is, in a sandbox of its own, with what was agreed to."""
        choice = Choice(python=self._python, layer=self.packages().layer())
        sandbox = DockerSandbox(str(self.root), choice=choice, width=1, memory_mib=512)
        try:
            snapshot = await DiskWorkspace(str(self.root)).snapshot()
            return await sandbox.judge(snapshot, (), plan or Plan(seconds=20), CancelToken())
        finally:
            await sandbox.close()


@pytest.fixture
def bench(tmp_path: Path, environment: str) -> Bench:
    return Bench(tmp_path, environment)


async def install(packages: WorkspacePackages, offer: PackageOffer) -> list[str]:
    steps = packages.install(offer, CancelToken())
    return [step.stage async for step in steps]


def lacking(*modules: str) -> Need:
    return Need("package", "", modules)


async def test_a_red_test_is_green_behind_a_layer_and_still_offline(bench: Bench) -> None:
    # No .pth file of a package runs, either.
    files = {
        "ocils_probe.py": "def answer():\n    return 42\n",
        "x.pth": "import sys; sys.exit(3)\n",
    }
    make_wheel(bench.wheels, "ocils_probe", files)
    before = await bench.judge()
    assert isinstance(before, Failed)
    modules = missing(before)
    assert modules == ("ocils_probe",)

    packages = bench.packages()
    offer = await packages.look_up(lacking(*modules))
    assert (offer.answer, offer.packages[0].origin) == ("ask", "declared")
    said = await install(packages, offer)
    assert said[0] == "installing ocils-probe"
    assert any("unpacking ocils_probe" in each.replace("-", "_") for each in said[1:])
    assert bench.steps == 1

    for plan in (Plan(seconds=20), Plan(seconds=20, fresh=True)):
        after = await bench.judge(plan)
        assert isinstance(after, Passed), after
        assert {case.test.rpartition("::")[2] for case in after.cases} == {
            "test_probe",
            "test_offline",
        }


async def test_a_layer_that_is_there_costs_no_second_step(bench: Bench) -> None:
    make_wheel(bench.wheels, "ocils_probe", {"ocils_probe.py": "def answer():\n    return 42\n"})
    offer = await bench.packages().look_up(lacking("ocils_probe"))
    await install(bench.packages(), offer)
    again = await bench.packages().look_up(lacking("ocils_probe"))
    assert (again.answer, again.cached) == ("yes", True)
    # Another workspace that wants the same has its own question, and no download.
    await install(bench.packages(PIP_FIND_LINKS="/nowhere"), again)
    assert bench.steps == 1
    assert len(bench.layers) == 1


async def test_what_it_needs_comes_along_and_the_environments_own_goes_first(bench: Bench) -> None:
    make_wheel(
        bench.wheels,
        "ocils_probe",
        {
            "ocils_probe.py": "import ocils_inner, pluggy\n\ndef answer():\n    return ocils_inner.N\n"
        },
        needs="ocils-inner\nRequires-Dist: pluggy",
    )
    make_wheel(
        bench.wheels,
        "ocils_inner",
        {"ocils_inner.py": "N = 42\n", "pytest.py": "raise SystemExit('shadowed')\n"},
    )
    packages = bench.packages()
    offer = await packages.look_up(lacking("ocils_probe"))
    await install(packages, offer)
    site = Path(packages.layer())
    assert (site / "ocils_inner.py").is_file()
    # The environment has pluggy; it is neither fetched again nor contradicted.
    assert not (site / "pluggy").exists()
    verdict = await bench.judge()
    assert isinstance(verdict, Passed), verdict


async def test_a_second_package_joins_the_first(bench: Bench) -> None:
    make_wheel(bench.wheels, "ocils_probe", {"ocils_probe.py": "def answer():\n    return 42\n"})
    make_wheel(bench.wheels, "ocils_other", {"ocils_other.py": ""})
    for module in ("ocils_probe", "ocils_other"):
        await install(bench.packages(), await bench.packages().look_up(lacking(module)))
    site = Path(bench.packages().layer())
    assert (site / "ocils_probe.py").is_file()
    assert (site / "ocils_other.py").is_file()


async def test_a_distribution_that_does_not_bring_the_module_is_not_kept(bench: Bench) -> None:
    make_wheel(bench.wheels, "ocils_probe", {"something_else.py": ""})
    packages = bench.packages()
    offer = await packages.look_up(lacking("ocils_probe"))
    with pytest.raises(PackageUnavailable, match=r"brings no module ocils_probe .*something_else"):
        await install(packages, offer)
    assert bench.layers == []
    assert packages.layer() == ""
    assert (await packages.look_up(lacking("ocils_probe"))).answer == "ask"


async def test_a_wheel_that_the_lock_does_not_list_is_refused(bench: Bench) -> None:
    make_wheel(bench.wheels, "ocils_probe", {"ocils_probe.py": ""})
    (bench.root / "requirements.txt").write_text(f"ocils-probe==1.0 --hash=sha256:{'0' * 64}\n")
    packages = bench.packages()
    offer = await packages.look_up(lacking("ocils_probe"))
    with pytest.raises(PackageUnavailable, match="not what the lock file lists"):
        await install(packages, offer)
    assert bench.layers == []


async def test_the_digest_that_the_lock_lists_is_taken(bench: Bench) -> None:
    wheel = make_wheel(bench.wheels, "ocils_probe", {"ocils_probe.py": ""})
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (bench.root / "requirements.txt").write_text(f"ocils-probe==1.0 --hash=sha256:{digest}\n")
    packages = bench.packages()
    await install(packages, await packages.look_up(lacking("ocils_probe")))
    assert packages.layer()


async def test_sources_are_not_built(bench: Bench) -> None:
    import io
    import tarfile

    with tarfile.open(bench.wheels / "ocils_probe-1.0.tar.gz", "w:gz") as tar:
        for name, text in {"setup.py": "raise SystemExit('ran')", "PKG-INFO": "Name: x\n"}.items():
            entry = tarfile.TarInfo(f"ocils_probe-1.0/{name}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    packages = bench.packages()
    offer = await packages.look_up(lacking("ocils_probe"))
    with pytest.raises(PackageUnavailable, match="only sources"):
        await install(packages, offer)
    assert bench.layers == []


async def test_an_index_that_cannot_be_reached_is_said_so(bench: Bench) -> None:
    packages = bench.packages(
        PIP_NO_INDEX="",
        PIP_INDEX_URL="http://127.0.0.1:9/simple",
        PIP_RETRIES="0",
        PIP_TIMEOUT="2",
    )
    offer = await packages.look_up(lacking("ocils_probe"))
    with pytest.raises(PackageUnavailable, match="could not be reached"):
        await install(packages, offer)
    assert bench.layers == []


async def test_a_cancelled_install_leaves_nothing_behind(bench: Bench) -> None:
    make_wheel(bench.wheels, "ocils_probe", {"ocils_probe.py": ""})
    packages = bench.packages()
    offer = await packages.look_up(lacking("ocils_probe"))
    cancel = CancelToken()
    async for step in packages.install(offer, cancel):
        if ": " in step.stage:
            cancel.cancel()
    assert cancel.cancelled
    assert bench.layers == []
    assert packages.layer() == ""
    assert (await packages.look_up(lacking("ocils_probe"))).answer == "ask"


async def test_an_abandoned_install_leaves_nothing_behind(bench: Bench) -> None:
    make_wheel(bench.wheels, "ocils_probe", {"ocils_probe.py": ""})
    packages = bench.packages()
    offer = await packages.look_up(lacking("ocils_probe"))
    steps = packages.install(offer, CancelToken())
    await anext(steps)
    await asyncio.sleep(0)
    await steps.aclose()
    assert bench.layers == []


async def test_nothing_of_a_repositorys_environment_runs_where_there_is_a_network(
    tmp_path: Path, environment: str
) -> None:
    """Its metadata is looked at, its code is not: the step may hold an index's password."""
    bench = Bench(tmp_path, "")
    folder = bench.root / ".venv"
    shutil.copytree(Path(environment).parent.parent, folder, symlinks=True)
    (site,) = folder.glob("lib/*/site-packages")
    mark = "import os; os.makedirs('/ocils-layer', exist_ok=True); open('/ocils-layer/ran', 'w')\n"
    (site / "evil.pth").write_text(mark)
    for name in ("sitecustomize", "usercustomize", "brotli", "brotlicffi", "keyring", "truststore"):
        (site / f"{name}.py").write_text(mark)
    make_wheel(bench.wheels, "ocils_probe", {"ocils_probe.py": ""}, needs="pluggy")
    packages = bench.packages()
    await install(packages, await packages.look_up(lacking("ocils_probe")))
    layer = Path(packages.layer())
    assert (layer / "ocils_probe.py").is_file()
    assert not (layer.parent / "ran").exists()
    assert not (layer / "pluggy").exists()
