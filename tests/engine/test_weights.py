"""Reading a ``model.bin``'s heads: what is whole, and every way of not being it."""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocils.domain.errors import ModelDamaged
from ocils.engine.models.store import ModelFolder, bundled_models
from ocils.engine.models.weights import read_weights


def test_a_whole_model_says_what_it_is(small_model: ModelFolder) -> None:
    weights = read_weights(small_model.folder / "model.bin")
    assert weights.spec == "TransformerDecoderSpec"
    assert weights.vocabulary == 600
    embeddings = next(v for v in weights.variables if v.name == "decoder/embeddings/weight")
    assert embeddings.shape == (600, 32)


@pytest.mark.model
def test_the_bundled_model_agrees_with_its_vocabulary_and_its_rope() -> None:
    folder = bundled_models() / "tiny" / "weights"
    weights = read_weights(folder / "model.bin")
    assert weights.vocabulary == len(json.loads((folder / "vocabulary.json").read_text()))
    assert weights.scalars("self_attention/rotary_base") == {10000.0}


@pytest.mark.parametrize("share", [0.0, 0.00005, 0.001, 0.3, 0.5, 0.99, 0.99999])
def test_a_file_that_was_cut_short_is_told(model_copy: Path, share: float) -> None:
    path = model_copy / "model.bin"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ModelDamaged, match=r"model\.bin .*(cut short|no.* model)"):
        read_weights(path)


def test_a_pointer_is_told_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n")
    with pytest.raises(ModelDamaged, match="pointer of Git LFS"):
        read_weights(path)


@pytest.mark.parametrize(
    "data",
    [
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n",
        b"<!doctype html><title>Sign in</title>" * 20,
        struct.pack("<I", 6) + struct.pack("<H", 65535) + b"x",
        struct.pack("<IH2sII", 6, 2, b"x\0", 1, 2**32 - 1),
    ],
)
def test_what_is_no_model_is_told(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(data)
    with pytest.raises(ModelDamaged):
        read_weights(path)


def test_dimensions_that_are_not_those_of_the_numbers_are_told(model_copy: Path) -> None:
    path = model_copy / "model.bin"
    name = b"decoder/embeddings/weight\0"
    data = path.read_bytes()
    before, after = (name + struct.pack("<BII", 2, rows, 32) for rows in (600, 601))
    assert data.count(before) == 1
    path.write_bytes(data.replace(before, after))
    with pytest.raises(ModelDamaged, match="another size in 'decoder/embeddings/weight'"):
        read_weights(path)


def test_what_follows_the_end_is_told(model_copy: Path) -> None:
    path = model_copy / "model.bin"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ModelDamaged, match="behind its end"):
        read_weights(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelDamaged, match="no such file"):
        read_weights(tmp_path / "model.bin")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(at=st.integers(0, 400), byte=st.integers(0, 255))
def test_any_changed_byte_in_the_head_is_read_or_told(
    small_model: ModelFolder, tmp_path: Path, at: int, byte: int
) -> None:
    """Never another error than ours, whatever the sizes claim."""
    data = bytearray((small_model.folder / "model.bin").read_bytes())
    data[at] = byte
    path = tmp_path / "model.bin"
    path.write_bytes(data)
    with suppress(ModelDamaged):
        read_weights(path)
