"""What a workspace's lock files, projects and requirement files say of a package."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping

import pytest

from ocils.sandbox.packages.lockfiles import declared
from ocils.sandbox.packages.requirement import Declared, read_requirement, read_spec

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
