"""``--apply`` was said before anyone saw the edit: a suspicious one is shown and not written."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import msgspec
import pytest

from ocils.cli import _deliver
from ocils.domain.judging import Passed, TestId
from ocils.domain.session import Candidate, Proposal
from ocils.domain.text import Edit, Span
from ocils.source.target import SourceTree, locate_name
from ocils.workspace.disk import DiskWorkspace

TEXT = "def f():\n    return 1\n"


@pytest.mark.parametrize("json", [False, True])
@pytest.mark.parametrize("reasons", [(), ("uses `gc`",)])
async def test_a_suspicious_edit_is_not_written(
    tmp_path: Path, json: bool, reasons: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.py"
    path.write_text(TEXT)
    snapshot = await DiskWorkspace(str(tmp_path)).snapshot()
    document = snapshot.document(str(path))
    assert document is not None
    edits = (Edit(str(path), Span(len(TEXT) - 2, len(TEXT) - 1), "2"),)
    proposal = Proposal(
        locate_name(SourceTree.of(document), "f"),
        edits,
        snapshot.hash,
        ((str(path), document.hash),),
        Passed((), 0.1),
        Candidate("1", edits, 0.0, "edit"),
        (TestId("t.py::t"),),
    )
    proposal = msgspec.structs.replace(proposal, suspicious=reasons)
    _deliver(snapshot, proposal, Namespace(json=json, diff=False, apply=True), 1.0)
    assert (path.read_text() == TEXT) == bool(reasons)
    said = capsys.readouterr().out
    assert json or ("write it yourself" in said) == bool(reasons)
