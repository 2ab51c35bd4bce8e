"""The one place that writes: all or nothing, and only what was judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocils.apply import write_edits
from ocils.domain.errors import StaleTarget
from ocils.domain.judging import Passed
from ocils.domain.session import Candidate, Proposal
from ocils.domain.target import EditTarget
from ocils.domain.text import Edit, Entry, Snapshot, Span, digest, snapshot_hash


def proposed(root: Path, edits: dict[str, str]) -> tuple[Snapshot, Proposal]:
    files = sorted(p for p in root.rglob("*") if p.is_file())
    entries = tuple(
        Entry(str(p.relative_to(root)), "file", 0o644, 1, p.read_bytes()) for p in files
    )
    snapshot = Snapshot(str(root), entries, snapshot_hash(entries))
    made = tuple(Edit(str(root / name), Span(0, 1), text) for name, text in edits.items())
    documents = tuple((e.path, digest(Path(e.path).read_bytes())) for e in made)
    target = EditTarget(made[0].path, "f", "function", Span(0, 1), Span(0, 1), "", 1, 1, "h")
    candidate = Candidate("c", made, 0.0, "edit")
    verdict = Passed((), 0.0)
    return snapshot, Proposal(target, made, snapshot.hash, documents, verdict, candidate, ())


def test_edits_are_written_with_modes_and_bytes_kept(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(b"\xef\xbb\xbfx = 1\r\n")
    file.chmod(0o755)
    snapshot, proposal = proposed(tmp_path, {"a.py": ""})
    write_edits(snapshot, proposal)
    assert file.read_bytes() == b"\xbb\xbfx = 1\r\n"
    assert file.stat().st_mode & 0o777 == 0o755
    assert [p.name for p in tmp_path.iterdir()] == ["a.py"]


def test_one_changed_file_and_nothing_is_written(tmp_path: Path) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("x = 1\n")
    snapshot, proposal = proposed(tmp_path, {"a.py": "y", "b.py": "y"})
    (tmp_path / "b.py").write_text("x = 2\n")
    with pytest.raises(StaleTarget, match="nothing was written"):
        write_edits(snapshot, proposal)
    assert (tmp_path / "a.py").read_text() == "x = 1\n"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.py").write_text("x = 1\n")
    (tmp_path / "a.py").symlink_to("real.py")
    snapshot, proposal = proposed(tmp_path, {"a.py": "y"})
    write_edits(snapshot, proposal)
    assert (tmp_path / "a.py").is_symlink()
    assert (tmp_path / "real.py").read_text() == "y = 1\n"
