"""A model is in its place whole or not at all, whoever is killed when."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from ocils.domain.errors import ModelUnavailable
from ocils.domain.model import Rope, Source
from ocils.engine.models import staging
from ocils.engine.models.manifest_text import manifest_text
from ocils.engine.models.store import ModelFolder, bundled_models, load_manifest

HOLD = """
import sys
from pathlib import Path
from ocils.engine.models.staging import locked
with locked(Path(sys.argv[1]), "m"):
    print("held", flush=True)
    sys.stdin.read()
"""


def made(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.bin").write_text(text)
    return folder


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_one_rename_replaces_what_was_there(tmp_path: Path) -> None:
    for text in ("old", "new"):
        staged = staging.staging_folder(tmp_path, "m")
        target = staging.publish(made(staged / "model", text), tmp_path, "m")
        assert (target / "model.bin").read_text() == text
        assert names(tmp_path) == ["m"]


def test_one_process_at_a_time_and_a_killed_one_lets_go(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with (
            pytest.raises(ModelUnavailable, match="another ocils is at work"),
            staging.locked(tmp_path, "m"),
        ):
            pass
        with staging.locked(tmp_path, "another"):
            pass
        other.kill()
    with staging.locked(tmp_path, "m"):
        pass
    assert names(tmp_path) == []


def test_what_was_left_behind_is_swept(tmp_path: Path) -> None:
    made(tmp_path / "there", "new")
    made(tmp_path / ".old-there-1", "old")
    made(tmp_path / ".old-between-1", "killed between two renames")
    made(tmp_path / ".gone-removed-1", "x")
    made(tmp_path / ".staging-begun", "x")
    forgotten = made(tmp_path / ".staging-forgotten", "x")
    os.utime(forgotten, (0, 0))
    staging.sweep(tmp_path)
    assert names(tmp_path) == [".staging-begun", "between", "there"]
    assert (tmp_path / "there" / "model.bin").read_text() == "new"


def test_removing_takes_what_was_begun_too(tmp_path: Path) -> None:
    made(tmp_path / "m", "x")
    made(staging.staging_folder(tmp_path, "m"), "x")
    staging.discard(tmp_path, "m")
    assert names(tmp_path) == []
    staging.discard(tmp_path, "m")


def test_room_is_looked_for_before_anything_is_written(tmp_path: Path) -> None:
    staging.check_room(tmp_path / "not" / "there", 1)
    with pytest.raises(ModelUnavailable, match=r"GB are needed in .*, and .* are free; free some"):
        staging.check_room(tmp_path, 10**18)


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 B"), (999, "999 B"), (7_328_371, "7 MB"), (13.6e9, "13.6 GB")]
)
def test_bytes_in_words(count: int, words: str) -> None:
    assert staging.in_bytes(count) == words


def test_a_manifest_survives_being_written(tmp_path: Path, small_model: ModelFolder) -> None:
    path = tmp_path / "ocils.toml"
    for manifest in (
        small_model.manifest,
        load_manifest(bundled_models() / "tiny.toml"),
        replace(
            small_model.manifest,
            source=Source("a/b", "ab" * 20),
            rope=Rope(1e6, "linear", 4.0),
            stop=('"quoted" \\ \n\t', "\x7f\x1b", "<｜end▁of▁sentence｜>", "😀"),
            verified=("it's so",),
            measured={"a b": {"c": [1, 2.5, True, {"d": "é"}]}},
        ),
    ):
        path.write_text(manifest_text(manifest, "as it came"))
        assert load_manifest(path) == manifest
