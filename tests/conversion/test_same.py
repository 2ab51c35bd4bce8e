"""Every architecture of the manifests says the same through CTranslate2 as through transformers.

Not covered: compute types that this processor lacks (skipped, with the reason); real weights.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import ctranslate2  # type: ignore[import-untyped]
import numpy as np
import pytest

from ocils.domain import shape as shapes
from ocils.engine.models.weights import read_weights

from .architectures import ARCHITECTURES, MANIFESTS, convert, in_small
from .comparing import apart, our_text, ours, some_tokens, their_text, theirs
from .conftest import Pair

pytestmark = [pytest.mark.convert, pytest.mark.filterwarnings("ignore")]

CLOSE = {
    "float32": 1e-5, "float16": 0.01, "bfloat16": 0.05,
    "int8": 0.1, "int8_float16": 0.1, "int8_bfloat16": 0.1,
}  # fmt: skip
"""How far apart logits may be: rounding alone. ``test_traps.py`` shows what a wrong base does."""

HERE = ctranslate2.get_supported_compute_types("cpu")
every = pytest.mark.parametrize("name", ARCHITECTURES)
computed = [(name, kind) for name in ARCHITECTURES for kind in CLOSE if kind in HERE]
absent = [
    pytest.param(
        "any", kind, marks=pytest.mark.skip(reason=f"this processor does not compute in {kind}")
    )
    for kind in CLOSE
    if kind not in HERE
]


def test_every_manifest_is_among_them() -> None:
    assert {in_small(m).name for m in MANIFESTS} == set(ARCHITECTURES)
    assert len(MANIFESTS) > 50


@pytest.mark.parametrize(("name", "compute_type"), [*computed, *absent])
def test_same_logits(
    pair: Callable[[str], Pair],
    name: str,
    compute_type: str,
    record_property: Callable[[str, object], None],
) -> None:
    numbers = some_tokens(200)
    got = pair(name)
    far = apart(
        ours(got.folder, got.words, numbers, compute_type), expected := theirs(got.model, numbers)
    )
    assert np.std(expected) > 0.5, "a model that says nothing would agree with everything"
    record_property(f"{name} {compute_type}", f"{far:.1e}")
    assert far < CLOSE[compute_type]


@every
def test_same_greedy_text(pair: Callable[[str], Pair], name: str) -> None:
    got = pair(name)
    numbers = some_tokens(100, seed=2)
    expected = their_text(got.model, numbers)
    assert len(expected) == 64
    assert our_text(got.folder, got.words, numbers, []) == expected


@every
def test_int8_chooses_the_same_words(
    pair: Callable[[str], Pair], name: str, record_property: Callable[[str, object], None]
) -> None:
    """Along transformers' greedy text; on their own the two part at the first close call."""
    got = pair(name)
    numbers = some_tokens(100, seed=2)
    text = their_text(got.model, numbers)
    logits = ours(got.folder, got.words, [*numbers, *text], "int8")
    same = np.mean(np.argmax(logits[99:-1], axis=1) == text)
    record_property(name, f"{same:.0%} of 64")
    assert same >= 0.7


@every
def test_a_stop_token_stops(pair: Callable[[str], Pair], name: str) -> None:
    got = pair(name)
    numbers = some_tokens(100, seed=2)
    text = their_text(got.model, numbers)
    last = text[10]
    stopped = our_text(got.folder, got.words, numbers, [got.words[last]])
    assert stopped == text[: text.index(last)]


@every
def test_the_base_of_the_rope_is_the_manifests(pair: Callable[[str], Pair], name: str) -> None:
    rope = ARCHITECTURES[name].rope
    bases = read_weights(pair(name).folder / "model.bin").scalars("self_attention/rotary_base")
    assert bases == (frozenset({rope.theta}) if rope else frozenset())
    factors = read_weights(pair(name).folder / "model.bin").scalars("rotary_scaling_factor")
    assert factors == (frozenset({rope.factor}) if rope and rope.scaling else frozenset())


def test_the_shipped_converter_writes_the_same(pair: Callable[[str], Pair], tmp_path: Path) -> None:
    """``ocils model convert`` runs it as a process of its own."""
    source = pair("llama-4of4-base100000linear").source
    command = [sys.executable, "-m", "ocils.engine.models.conversion"]
    command += [str(source), str(tmp_path / "ct2"), "int8"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    expected = convert(source, tmp_path / "expected", "int8")
    for name in ("model.bin", "vocabulary.json", "tokenizer.json"):
        assert (tmp_path / "ct2" / name).read_bytes() == (expected / name).read_bytes()
    assert read_weights(tmp_path / "ct2" / "model.bin").scalars("rotary_base") == {100_000.0}


@every
def test_the_file_is_as_large_as_the_shape_says(pair: Callable[[str], Pair], name: str) -> None:
    """Within what names and sizes take in the file; tied tables are kept once."""
    shape = ARCHITECTURES[name].shape
    size = (pair(name).folder / "model.bin").stat().st_size
    assert 0 < size - shapes.weight_bytes(shape, "float32") < 12_000
