"""Which distribution brings a module, what the workspace's files say of it, what the user said."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest

from ocils.domain.errors import SandboxUnavailable
from ocils.domain.events import Need
from ocils.domain.packages import Package
from ocils.sandbox.inside.install import explain, normalised, read_item, read_metadata
from ocils.sandbox.packages.access import read_access
from ocils.sandbox.packages.consents import Consents
from ocils.sandbox.packages.installer import Policy, Store, WorkspacePackages
from ocils.sandbox.packages.layers import Layers
from ocils.sandbox.packages.lockfiles import declared
from ocils.sandbox.packages.names import package_named, package_of, well_known
from ocils.sandbox.packages.requirement import Declared, read_requirement, read_spec
from ocils.sandbox.runtime import Choice

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64

FILES = {
    "uv.lock": f"""
        version = 1
        [[package]]
        name = "pyyaml"
        version = "6.0.2"
        source = {{ registry = "https://example.org/simple" }}
        sdist = {{ url = "https://example.org/x.tar.gz", hash = "{DIGEST}" }}
        wheels = [{{ url = "https://example.org/x.whl", hash = "{OTHER}" }}]
        [[package]]
        name = "shop"
        version = "1.0"
        source = {{ editable = "." }}
        [[package]]
        name = "inner"
        version = "2.0"
        source = {{ git = "https://example.org/inner" }}
    """,
    "poetry.lock": f"""
        [[package]]
        name = "PyYAML"
        version = "6.0.2"
        files = [{{ file = "x.whl", hash = "{DIGEST}" }}, {{ file = "x.tar.gz", hash = "{OTHER}" }}]
        [[package]]
        name = "inner"
        version = "2.0"
        files = []
        [package.source]
        type = "git"
        url = "https://example.org/inner"
    """,
    "pdm.lock": f"""
        [[package]]
        name = "pyyaml"
        version = "6.0.2"
        files = [{{ file = "x.whl", hash = "{DIGEST}" }}, {{ file = "x.tar.gz", hash = "{OTHER}" }}]
        [[package]]
        name = "inner"
        version = "2.0"
        git = "https://example.org/inner"
    """,
    "pylock.toml": f"""
        lock-version = "1.0"
        [[packages]]
        name = "pyyaml"
        version = "6.0.2"
        wheels = [{{ name = "x.whl", hashes = {{ sha256 = "{"a" * 64}" }} }}]
        sdist = {{ name = "x.tar.gz", hashes = {{ sha256 = "{"b" * 64}" }} }}
        [[packages]]
        name = "inner"
        vcs = {{ type = "git", url = "https://example.org/inner" }}
    """,
    "Pipfile.lock": json.dumps(
        {
            "default": {
                "pyyaml": {"version": "==6.0.2", "hashes": [DIGEST, OTHER]},
                "inner": {"git": "https://example.org/inner", "ref": "abc"},
            },
            "develop": {},
        }
    ),
    "requirements.txt": f"""
        # what we stand on
        -r more/base.txt
        --index-url https://example.org/simple
        PyYAML==6.0.2 \\
            --hash={DIGEST} \\
            --hash={OTHER}  # the wheel and the source
        inner @ git+https://example.org/inner
        ./local.whl
    """,
}


def found_in(files: Mapping[str, str], *requirements: str) -> dict[str, Declared]:
    texts = {name: textwrap.dedent(text) for name, text in files.items()}
    return {each.name.lower(): each for each in reversed(declared(texts.get, requirements))}


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_lock_gives_version_and_digests(name: str) -> None:
    requirements = (name,) if name.endswith(".txt") else ()
    found = found_in({name: FILES[name]}, *requirements)
    pinned = found["pyyaml"]
    assert (pinned.spec, pinned.where, pinned.pinned) == ("==6.0.2", name, True)
    assert set(pinned.hashes) == {DIGEST, OTHER}
    assert found["inner"].elsewhere


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_damaged_file_says_nothing(name: str) -> None:
    cut = FILES[name][: len(FILES[name]) // 2] + "\n[[[ \x00"
    assert isinstance(found_in({name: cut}, name), dict)


@pytest.mark.parametrize(
    ("name", "text", "specs"),
    [
        (
            "pyproject.toml",
            """
            [project]
            dependencies = ["PyYAML>=5,<7", "requests[socks] ; python_version > '3'"]
            [project.optional-dependencies]
            plot = ["matplotlib~=3.8"]
            [dependency-groups]
            test = ["hypothesis", {include-group = "plot"}]
            [tool.uv]
            dev-dependencies = ["freezegun==1.5.1"]
            """,
            {"pyyaml": ">=5,<7", "requests": "", "matplotlib": "~=3.8", "hypothesis": "",
             "freezegun": "==1.5.1"},
        ),
        (
            "pyproject.toml",
            """
            [tool.poetry.dependencies]
            python = "^3.11"
            pyyaml = "^6.0"
            rich = "13.7.0"
            toolz = {version = ">=0.12", optional = true}
            inner = {path = "../inner"}
            [tool.poetry.group.dev.dependencies]
            attrs = "*"
            """,
            {"pyyaml": "", "rich": "==13.7.0", "toolz": ">=0.12", "inner": "", "attrs": ""},
        ),
        (
            "setup.cfg",
            """
            [options]
            install_requires =
                PyYAML>=5
                toolz; python_version > "3"
            [options.extras_require]
            test = hypothesis==6.0
            """,
            {"pyyaml": ">=5", "toolz": "", "hypothesis": "==6.0"},
        ),
    ],
)  # fmt: skip
def test_projects_say_what_they_stand_on(name: str, text: str, specs: dict[str, str]) -> None:
    assert {each: d.spec for each, d in found_in({name: text}).items()} == specs


def test_a_lock_goes_before_a_range_and_a_pin_before_both() -> None:
    files = {"uv.lock": FILES["uv.lock"], "pyproject.toml": '[project]\ndependencies=["pyyaml>=5"]'}
    assert found_in(files)["pyyaml"].where == "uv.lock"
    files = {
        "pyproject.toml": '[project]\ndependencies=["toolz>=0.1"]',
        "requirements.txt": "toolz==0.12",
    }
    assert found_in(files, "requirements.txt")["toolz"].spec == "==0.12"


def test_requirement_files_follow_each_other_but_not_out_of_the_workspace() -> None:
    files = {
        "requirements.txt": "-r more/base.txt\n-r ../secret.txt\n-r requirements.txt\n",
        "more/base.txt": "toolz\n-c pins.txt\n",
        "more/pins.txt": "attrs==23.1\n",
        "../secret.txt": "evil\n",
    }
    assert set(found_in(files, "requirements.txt")) == {"toolz", "attrs"}


@pytest.mark.parametrize(
    ("line", "name", "spec"),
    [
        ("Foo.Bar_baz", "Foo.Bar_baz", ""),
        ("a (>=1, <2)", "a", ">=1,<2"),
        ("a==1.*", "a", "==1.*"),
        ("a==1.0 # why", "a", "==1.0"),
    ],
)
def test_requirements_are_read(line: str, name: str, spec: str) -> None:
    found = read_requirement(line, "r.txt")
    assert found is not None
    assert (found.name, found.spec) == (name, spec)


@pytest.mark.parametrize("line", ["", "# a", "-e .", "https://example.org/x.whl", "./x", "a b c"])
def test_what_is_no_requirement_is_none(line: str) -> None:
    assert read_requirement(line, "r.txt") is None


def test_a_spec_never_carries_anything_else() -> None:
    assert read_spec(">=1 --index-url https://evil.example") == ""
    assert read_spec("==1; rm -rf /") == ""


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


def test_pips_settings_are_put_together_as_pip_does(tmp_path: Path) -> None:
    home = tmp_path / "home"
    wheels = tmp_path / "wheels"
    bundle = tmp_path / "ca.pem"
    for folder in (home / ".config/pip", wheels):
        folder.mkdir(parents=True)
    bundle.write_text("certificates")
    (home / ".netrc").write_text("machine example.org")
    (home / ".config/pip/pip.conf").write_text(
        f"[global]\nindex-url = https://a.example/simple\nfind-links =\n    {wheels}\n"
        "    https://b.example\ntarget = /somewhere\n[install]\nindex-url = https://c.example/simple\n"
    )
    environ = {
        "PIP_CONFIG_FILE": "",
        "XDG_CONFIG_DIRS": str(tmp_path),
        "PIP_TRUSTED_HOST": "d.example",
        "PIP_CERT": str(bundle),
        "https_proxy": "http://127.0.0.1:3128",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    access = read_access(environ, str(home))
    given = dict(access.environ)
    assert given["PIP_INDEX_URL"] == "https://c.example/simple"
    assert given["PIP_FIND_LINKS"] == f"{wheels} https://b.example"
    assert given["PIP_TRUSTED_HOST"] == "d.example"
    assert given["PIP_CERT"] == given["SSL_CERT_FILE"] == given["REQUESTS_CA_BUNDLE"]
    assert given["PIP_CONFIG_FILE"] == "/dev/null"
    assert not [name for name in given if "TARGET" in name or "AWS" in name]
    mounts = dict(access.mounts)
    assert mounts[given["PIP_CERT"]] == str(bundle)
    assert mounts[str(wheels)] == str(wheels)
    assert mounts["/ocils-home/.netrc"] == str(home / ".netrc")
    assert access.nearby


def test_the_home_itself_is_never_a_package_folder(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    environ = {"PIP_CONFIG_FILE": "/dev/null", "PIP_FIND_LINKS": f"{home} / {tmp_path}"}
    assert read_access(environ, str(home)).mounts == ()


def test_a_certificate_that_is_not_there_is_said(tmp_path: Path) -> None:
    environ = {"PIP_CONFIG_FILE": "/dev/null", "PIP_CERT": f"{tmp_path}/nowhere.pem"}
    with pytest.raises(SandboxUnavailable, match=r"nowhere\.pem"):
        read_access(environ, str(tmp_path))


@pytest.mark.parametrize(
    ("log", "kind"),
    [
        (
            "t Link: skipped: No sources permitted for a: x\nt ERROR: No matching distribution found for a",
            "sources",
        ),
        (
            "t WARNING: Retrying: NewConnectionError(x)\nt ERROR: No matching distribution found for a",
            "network",
        ),
        ("t ERROR: No matching distribution found for a", "nothing"),
        ("t ERROR: ResolutionImpossible: for help", "conflict"),
        ("t ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "digest"),
        ("t something else", "other"),
    ],
)
def test_pips_log_is_understood(log: str, kind: str) -> None:
    assert explain(log)[0] == kind


def test_an_items_digest_and_address_are_read_without_the_password() -> None:
    item = {
        "download_info": {
            "url": "https://me:secret@example.org/a.whl",
            "archive_info": {"hash": "sha256=abc"},
        },
        "metadata": {"name": "a", "version": "1"},
    }
    expected = {"name": "a", "version": "1", "sha256": "abc", "url": "https://example.org/a.whl"}
    assert read_item(item) == expected


def test_metadata_that_pip_could_not_use_is_passed_over(tmp_path: Path) -> None:
    about = tmp_path / "a.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: a\nVersion: 1.0+cpu\n\nName: no\n"
    )
    assert read_metadata(str(about)) == ("a", "1.0+cpu")
    (about / "METADATA").write_text("Name: a\nVersion: one of these days\n")
    assert read_metadata(str(about)) is None


def test_what_a_killed_process_left_is_swept_and_is_never_a_layer(tmp_path: Path) -> None:
    layers = Layers(tmp_path)
    old, young = tmp_path / ".making-old", tmp_path / ".making-young"
    for folder in (old, young):
        (folder / "site").mkdir(parents=True)
    os.utime(old, (1, 1))
    (tmp_path / "half" / "site").mkdir(parents=True)
    with layers.making() as folder:
        assert not old.exists()
        assert young.exists()
    assert not folder.exists()
    assert layers.find("half") == ""
