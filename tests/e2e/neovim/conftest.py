"""Each test here is told once to Debian's Neovim and once to a newer one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .nvim import ROOT, Neovim

# Debian's own, the next Debian's, and whatever somebody names: OCILS_NVIM=/path/to/nvim:/another.
NVIMS = [
    pytest.param("nvim", id="debian"),
    pytest.param(str(ROOT / ".cache/nvim-new/nvim"), id="newer", marks=pytest.mark.nvim_new),
    *filter(None, os.environ.get("OCILS_NVIM", "").split(":")),
]


@pytest.fixture(params=NVIMS)
def nvim(
    request: pytest.FixtureRequest, workspace: Callable[[str], Path], tmp_path: Path
) -> Iterator[Neovim]:
    nvim = Neovim(request.param, tmp_path, workspace("basket"))
    yield nvim
    nvim.close()
