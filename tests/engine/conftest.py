"""The small random model, built once a run, and engines on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from ocils.engine.ct2 import CTranslate2Engine
from ocils.engine.models.store import ModelFolder, find

from .small_model import build_model


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    """A model of some 50,000 random weights; nobody may write to its folder."""
    return find(str(build_model(tmp_path_factory.mktemp("model") / "small")))


@pytest.fixture
def model_copy(tmp_path: Path) -> Path:
    """The folder of a model of one's own, to be damaged."""
    return build_model(tmp_path / "copy")


@pytest_asyncio.fixture
async def engine(small_model: ModelFolder) -> AsyncIterator[CTranslate2Engine]:
    """An engine on the small model, closed afterwards."""
    engine = CTranslate2Engine(small_model, threads=2)
    yield engine
    await engine.close()
