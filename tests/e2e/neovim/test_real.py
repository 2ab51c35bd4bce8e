"""The same story with the real model and a real container."""

from __future__ import annotations

import pytest

from .nvim import REAL, Neovim

pytestmark = [pytest.mark.nvim, pytest.mark.timeout(400)]


@pytest.mark.docker
@pytest.mark.model
def test_the_real_thing(nvim: Neovim) -> None:
    nvim.start(REAL)
    before = nvim.lines()
    nvim.go("if cents == 0")
    nvim.action()
    nvim.until(lambda: nvim.marks(), "diagnostics")
    nvim.until(lambda: "mended" in nvim.messages(), "the message")
    assert nvim.lines() != before
    nvim.until(lambda: not nvim.marks(), "cleared")
    nvim.vim.command("write")
    nvim.vim.command("Ocils run all")
    nvim.until(lambda: "All 9 tests pass" in nvim.messages(), "green")


@pytest.mark.docker
@pytest.mark.model
def test_cancelling_the_real_thing(nvim: Neovim) -> None:
    tests = nvim.root / "tests/test_pricing.py"
    tests.write_text(tests.read_text().replace("delivery(4999) == 490", "delivery(4999) == 7.25"))
    nvim.start(REAL, refine={"candidates": 5000, "turns": 500})
    before = nvim.lines()
    nvim.go("if cents == 0")
    nvim.action()
    nvim.until(lambda: nvim.marks(), "the baseline")
    nvim.vim.command("Ocils cancel")
    nvim.until(lambda: "end" in nvim.kinds(), "the end", 30)
    assert nvim.lines() == before
