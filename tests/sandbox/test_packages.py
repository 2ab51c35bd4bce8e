"""Which distribution brings a module, and what the user said to installing it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocils.domain.events import Need
from ocils.domain.packages import Package
from ocils.sandbox.inside.install import normalised
from ocils.sandbox.packages.consents import Consents
from ocils.sandbox.packages.installer import Policy, Store, WorkspacePackages
from ocils.sandbox.packages.names import package_named, package_of, well_known
from ocils.sandbox.packages.requirement import Declared
from ocils.sandbox.runtime import Choice

from .test_packages_declared import DIGEST


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("yaml", "PyYAML"),
        ("PIL.Image", "Pillow"),
        ("sklearn.svm", "scikit-learn"),
        ("cv2", "opencv-python-headless"),
        ("attr", "attrs"),
        ("google.protobuf.message", "protobuf"),
        ("numpy", "numpy"),
        ("typing_extensions", "typing-extensions"),
    ],
)
def test_well_known_names(module: str, name: str) -> None:
    package = package_of(module, (), well_known())
    assert (package.name, package.origin) == (name, "known")


def test_the_list_is_of_names_that_differ() -> None:
    for module, known in well_known().differing.items():
        if "." not in module:
            assert normalised(module) not in {normalised(each) for each in known}
        assert len(set(known)) == len(known)


def test_what_the_workspace_declares_goes_first() -> None:
    lines = (
        Declared("opencv-python", "==4.9", (DIGEST,), "uv.lock"),
        Declared("protobuf", ">=4", (), "pyproject.toml"),
        Declared("my-thing", "", (), "setup.cfg"),
    )
    names = well_known()
    cv2 = package_of("cv2", lines, names)
    assert (cv2.requirement, cv2.origin, cv2.hashes) == ("opencv-python==4.9", "locked", (DIGEST,))
    # The module that Python misses first is the namespace; only one thing below it is declared.
    assert package_of("google", lines, names).requirement == "protobuf>=4"
    assert package_of("my_thing.part", lines, names).origin == "declared"


def test_an_unknown_name_is_a_guess_that_says_so() -> None:
    package = package_of("reqeusts", (), well_known())
    assert (package.name, package.origin, package.doubtful) == ("reqeusts", "guess", True)
    assert "not known" in package.why
    assert "typo-squat" in package.why


def test_a_models_word_does_not_make_a_name_known() -> None:
    package = package_of("strange", (), well_known(), ("strange-tools",))
    assert (package.name, package.origin, package.doubtful) == ("strange-tools", "reply", True)
    assert package_of("yaml", (), well_known(), ("evil-yaml",)).name == "PyYAML"
    assert package_named("PyYAML", (), well_known()).module == "yaml"
    assert package_named("strange-tools", (), well_known()).doubtful


def test_what_comes_from_elsewhere_is_not_taken_from_an_index() -> None:
    """A public name that equals a private one is how one gets somebody else's code."""
    lines = (Declared("inner", "==2.0", (), "uv.lock", "git"),)
    assert "from git" in package_of("inner", lines, well_known()).refusal


def test_several_locked_versions_leave_the_choice_to_pip() -> None:
    lines = (Declared("a", "==1.0", (), "uv.lock"), Declared("a", "==2.0", (), "uv.lock"))
    assert package_of("a", lines, well_known()).requirement == "a"


YAML = Package("yaml", "PyYAML", "==6.0.2", (DIGEST,), "locked", "uv.lock")


def test_a_yes_is_for_one_workspace_and_one_content(tmp_path: Path) -> None:
    consents = Consents(tmp_path / "answers")
    consents.agree("/a", (YAML,))
    assert consents.of("/a").agreed == (YAML,)
    assert consents.of("/b").agreed == ()
    consents.refuse("/a", (YAML,))
    assert (consents.of("/a").agreed, consents.of("/a").refused) == ((), (YAML,))
    (file,) = (tmp_path / "answers").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    file.write_text("{")
    assert consents.of("/a").agreed == ()


class Desk:
    """A workspace on disk with a Python, and ways to ask about its packages."""

    def __init__(self, folder: Path, python: str) -> None:
        self.root = folder / "work"
        self.root.mkdir()
        self._python = python
        self._store = Store(str(folder / "answers"), str(folder / "layers"))
        self.consents = Consents(folder / "answers")

    def packages(self, policy: Policy | None = None, **choice: str) -> WorkspacePackages:
        chosen = Choice(**{"python": self._python, **choice})  # type: ignore[arg-type]
        return WorkspacePackages(str(self.root), chosen, policy or Policy(), self._store)


@pytest.fixture
def desk(tmp_path: Path, environment: str) -> Desk:
    return Desk(tmp_path, environment)


def lacking(*modules: str) -> Need:
    return Need("package", "", modules)


async def test_asking_is_the_default_and_never_is_never(desk: Desk) -> None:
    offer = await desk.packages().look_up(lacking("yaml"))
    assert (offer.answer, offer.names, offer.cached) == ("ask", "PyYAML", False)
    offer = await desk.packages(Policy("never")).look_up(lacking("yaml"))
    assert offer.answer == "no"
    assert 'packages.install is "never"' in offer.why


async def test_an_allowlist_asks_nothing_and_allows_nothing_else(desk: Desk) -> None:
    policy = Policy("allowlist", ("pyyaml",))
    assert (await desk.packages(policy).look_up(lacking("yaml"))).answer == "yes"
    refused = await desk.packages(policy).look_up(lacking("yaml", "bs4"))
    assert refused.answer == "no"
    assert "beautifulsoup4 is not among" in refused.why


async def test_an_unmapped_name_is_asked_about_with_a_warning(desk: Desk) -> None:
    offer = await desk.packages().look_up(lacking("reqeusts"))
    assert offer.answer == "ask"
    assert offer.doubtful
    assert "typo-squat" in offer.question
    # A lenient setting for other things does not reach it either.
    assert (
        await desk.packages(Policy("allowlist", ("requests",))).look_up(lacking("reqeusts"))
    ).answer == "no"


async def test_a_changed_lock_is_a_new_question(desk: Desk) -> None:
    (desk.root / "requirements.txt").write_text("PyYAML==6.0.1\n")
    offer = await desk.packages().look_up(lacking("yaml"))
    desk.consents.agree(str(desk.root), offer.packages)
    assert (await desk.packages().look_up(lacking("yaml"))).answer == "yes"
    (desk.root / "requirements.txt").write_text("PyYAML==6.0.2\n")
    assert (await desk.packages().look_up(lacking("yaml"))).answer == "ask"


async def test_never_here_holds_in_this_workspace(desk: Desk) -> None:
    packages = desk.packages()
    await packages.refuse(await packages.look_up(lacking("yaml")))
    offer = await desk.packages().look_up(lacking("yaml"))
    assert offer.answer == "no"
    assert "never to PyYAML in this workspace" in offer.why


async def test_what_is_installed_already_is_not_offered_again(desk: Desk) -> None:
    offer = await desk.packages().look_up(lacking("pytest.nothing"))
    assert offer.answer == "no"
    assert "has no module pytest.nothing" in offer.why


@pytest.mark.parametrize("runtime", ["image", "process"])
async def test_other_runtimes_say_where_it_belongs(desk: Desk, runtime: str) -> None:
    offer = await desk.packages(runtime=runtime).look_up(lacking("yaml"))
    assert offer.answer == "no"
    assert "belongs into" in offer.why


async def test_a_requirement_file_that_leads_out_is_not_read(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("PyYAML==1.0\n")
    (desk.root / "requirements.txt").symlink_to(tmp_path / "secret.txt")
    offer = await desk.packages().look_up(lacking("yaml"))
    assert offer.names == "PyYAML"
