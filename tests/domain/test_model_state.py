"""States in words, and how far something is."""

from __future__ import annotations

import msgspec
import pytest

from ocils.domain.model_state import (
    Absent,
    Downloading,
    Failed,
    Loading,
    ModelState,
    Progress,
    Ready,
    Unloaded,
    in_words,
)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (Absent(), "absent"),
        (Downloading(0.4), "downloading 40 %"),
        (Loading(), "loading"),
        (Loading(0.25), "loading 25 %"),
        (Ready(), "ready"),
        (Unloaded(), "unloaded"),
        (Failed("no room", "make some"), "failed: no room"),
    ],
)
def test_every_state_has_words_and_survives_a_wire(state: ModelState, words: str) -> None:
    assert in_words(state) == words
    assert msgspec.json.decode(msgspec.json.encode(state), type=ModelState) == state


def test_a_fraction_needs_a_total_and_never_passes_one() -> None:
    assert Progress("x", 5, 0).fraction == 0
    assert Progress("x", 5, 10).fraction == 0.5
    assert Progress("x", 50, 10).fraction == 1
