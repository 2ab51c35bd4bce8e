"""pip's settings, what it says, and what it leaves behind."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from ocils.domain.errors import SandboxUnavailable
from ocils.sandbox.inside.install import explain, read_item, read_metadata
from ocils.sandbox.packages.access import read_access
from ocils.sandbox.packages.layers import Layers
from ocils.sandbox.packages.pips import find_pip


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


def test_a_pip_that_fails_itself_is_told_by_its_last_words() -> None:
    log = "t ERROR: Exception:\nt Traceback (most recent call last):\nt   File a\nt KeyError: 'b'\nt\n"
    assert explain(log) == ("other", "pip failed: KeyError: 'b'")


def wheel_of(prefix: Path, version: str, requires: str) -> Path:
    folder = prefix / "lib/python3.9/ensurepip/_bundled"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"pip-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        about = f"Metadata-Version: 2.1\nName: pip\nRequires-Python: {requires}\n"
        archive.writestr(f"pip-{version}.dist-info/METADATA", about)
    return path


def test_the_newest_pip_that_works_on_the_python_is_taken(tmp_path: Path) -> None:
    def found(tag: str) -> str:
        path, place = find_pip((str(tmp_path),), "/nowhere", tag)
        assert place == f"/ocils-pip/{Path(path).name}"
        return path

    old = wheel_of(tmp_path, "23.0.1", ">=3.7")
    new = wheel_of(tmp_path, "25.3", ">=3.9")
    (tmp_path / "lib/python3.9/ensurepip/_bundled/pip-99.0-py3-none-any.whl").write_bytes(b"no")
    assert found("python3.8") == str(old)
    assert found("python3.9") == found("python3.14t") == str(new)
    new.unlink()
    assert found("python3.11") == str(old)
    assert find_pip((str(tmp_path),), "/nowhere", "python3.12")[0] != str(old)


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
