"""Each architecture made and converted once a run."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from . import architectures


class Pair(NamedTuple):
    """One model twice: as transformers has it, and the folders before and after its conversion."""

    model: Any
    source: Path
    folder: Path

    @property
    def words(self) -> list[str]:
        """The vocabulary by number."""
        words: list[str] = json.loads((self.folder / "vocabulary.json").read_text("utf-8"))
        return words


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Pair]:
    """Return a function from an architecture's name to its pair; nobody may write to the folders."""
    root = tmp_path_factory.mktemp("conversion")

    @functools.cache
    def made(name: str) -> Pair:
        each = architectures.ARCHITECTURES[name]
        config = architectures.config_of(each.family, each.shape, each.rope)
        model = architectures.make(root / name / "source", config)
        return Pair(
            model,
            root / name / "source",
            architectures.convert(root / name / "source", root / name / "ct2"),
        )

    return made
