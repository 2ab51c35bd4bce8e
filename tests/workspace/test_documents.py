"""Reading documents in their own encoding, and finding where a workspace begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocils.domain.errors import Unsupported, UsageError
from ocils.workspace.documents import read_document
from ocils.workspace.paths import find_root, relative_to_root


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"", "utf-8"),
        (b"x = 1\n", "utf-8"),
        ("x = 'ä'\r\n".encode(), "utf-8"),
        (b"\xef\xbb\xbfx = '\xc3\xa4'\n", "utf-8"),
        (b"# -*- coding: latin-1 -*-\nx = '\xe4'\n", "iso-8859-1"),
        (b"#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\nx = '\x80'\n", "cp1252"),
    ],
)
def test_the_encoding_is_the_one_python_would_take(
    tmp_path: Path, data: bytes, encoding: str
) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(data)
    document = read_document(str(path))
    assert (document.data, document.encoding) == (data, encoding)
    assert (document.path, document.version) == (str(path), None)


@pytest.mark.parametrize(
    "data",
    [
        b"x = '\xe4'\n",
        b"\xef\xbb\xbf# coding: latin-1\nx = 1\n",
        b"# coding: nonsense\nx = 1\n",
        b"# coding: rot13\nx = 1\n",
        b"# coding: utf-16\nx = 1\n",
        b"# coding: cp037\nx = 1\n",
        b"\x7fELF\0\0",
        "x = 1\n".encode("utf-16"),
    ],
)
def test_what_is_no_text_is_unsupported(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(data)
    with pytest.raises(Unsupported, match=r"a\.py"):
        read_document(str(path))


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read_document(str(tmp_path / "a.py"))
    with pytest.raises(UsageError, match="is a directory"):
        read_document(str(tmp_path))


def test_a_documents_path_is_resolved_but_for_its_name(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (real / "a.py").write_text("x")
    (real / "b.py").symlink_to("a.py")
    (tmp_path / "alias").symlink_to(real)
    assert read_document(str(tmp_path / "alias" / "b.py")).path == str(real / "b.py")
    assert read_document(f"{tmp_path}/alias/../real/./a.py").path == str(real / "a.py")


@pytest.mark.parametrize(
    "marker", ["pyproject.toml", "setup.cfg", "setup.py", "pytest.ini", "tox.ini", ".git/"]
)
def test_the_nearest_marker_is_the_root(tmp_path: Path, marker: str) -> None:
    inner = tmp_path / "mono" / "part"
    (inner / "src" / "pkg").mkdir(parents=True)
    (tmp_path / "mono" / "pyproject.toml").touch()
    if marker.endswith("/"):
        (inner / marker).mkdir()
    else:
        (inner / marker).touch()
    (inner / "src" / "pkg" / "a.py").touch()
    for path in ("src/pkg/a.py", "src/pkg", "", "src/pkg/not_yet.py"):
        assert find_root(str(inner / path)) == str(inner)
    (tmp_path / "alias").symlink_to(inner)
    assert find_root(str(tmp_path / "alias" / "src")) == str(inner)


def test_without_a_marker_it_is_the_files_folder(tmp_path: Path) -> None:
    folder = tmp_path / "loose"
    folder.mkdir()
    assert find_root(str(folder / "a.py")) == str(folder)


def test_paths_relative_to_the_root(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "pkg").mkdir(parents=True)
    (tmp_path / "alias").symlink_to(root)
    resolved = str(root)
    assert relative_to_root(resolved, f"{tmp_path}/alias/pkg/a.py") == "pkg/a.py"
    assert relative_to_root(resolved, "pkg/a.py") == "pkg/a.py"
    assert relative_to_root(resolved, f"{root}/pkg/../b.py") == "b.py"
    assert relative_to_root(resolved, resolved) is None
    assert relative_to_root(resolved, f"{root}-other/a.py") is None
    assert relative_to_root(resolved, "../a.py") is None
    assert relative_to_root("/", "/etc/passwd") == "etc/passwd"
