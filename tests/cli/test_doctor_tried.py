"""``ocils doctor file.py::function``: a candidate is judged, and the level and its reason are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.text import Document, apply_edits
from ocils.source.target import SourceTree, locate_name
from ocils.wiring import build, tried
from ocils.wiring.tried import unchanged

TEXT = b"""\
class A:
    def long(self):
        \"\"\"Say it.\"\"\"
        if self:
            return 1
def short(a): return a
def early(a):
    return a
TABLE = [early(1)]
"""
TESTS = "import m\n\ndef test_early():\n    assert m.early(2) == 2\n"


@pytest.mark.parametrize(
    ("name", "after"),
    [
        ("A.long", b"            return 1\n        ocils_tried = 7\ndef short"),
        ("short", b"def short(a): return a; ocils_tried = 7\n"),
    ],
    ids=["method", "line"],
)
def test_the_candidate_changes_nothing_but_the_text(name: str, after: bytes) -> None:
    document = Document("/m.py", TEXT)
    target = locate_name(SourceTree.of(document), name)
    text = apply_edits(document, (unchanged(document, target, 7),)).data
    assert after in text
    compile(text, "m.py", "exec")


@pytest.mark.docker
async def test_it_says_why_not_at_the_fastest_level(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    (tmp_path / "m.py").write_bytes(TEXT)
    (tmp_path / "test_m.py").write_text(TESTS)
    house = build()
    try:
        snapshot = await house.workspace(str(tmp_path)).snapshot()
        document = snapshot.document(str(tmp_path / "m.py"))
        assert document is not None
        sandbox = house.ports(snapshot.root).sandbox
        tree = SourceTree.of(document)
        check = await tried(sandbox, snapshot, locate_name(tree, "early"), (), CancelToken())
        assert check.ok
        assert "judged at L1" in check.detail
        assert "it ran while tests were collected" in check.notes[0]
        check = await tried(sandbox, snapshot, locate_name(tree, "A.long"), (), CancelToken())
        assert check.ok
        assert "no passing test reaches A.long" in check.detail
    finally:
        await house.close()
