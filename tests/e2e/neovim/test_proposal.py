"""The proposal in its window: applied, rejected with a reason, put off; and its attempts."""

from __future__ import annotations

import pytest

from .nvim import ASK, SCRIPTED, Neovim

pytestmark = [pytest.mark.nvim, pytest.mark.timeout(400)]


def code(nvim: Neovim) -> list[str]:
    number = nvim.vim.call("bufnr", "shop/pricing.py")
    return list(nvim.vim.buffers[number])


def refined(nvim: Neovim) -> list[str]:
    """Refine until a proposal is shown; return the buffer as it was."""
    nvim.start([*SCRIPTED, "0"], editor=ASK)
    before = nvim.lines()
    nvim.go("if cents == 0")
    nvim.vim.command("Ocils refine")
    return before


@pytest.mark.parametrize("key", ["a", "<CR>"])
def test_a_proposal_is_shown_and_applied(nvim: Neovim, key: str) -> None:
    before = refined(nvim)
    lines = nvim.preview()
    assert "`delivery`" in lines[0]
    assert "would be green" in lines[0]
    assert "-    if cents == 0 or cents > FREE_DELIVERY_FROM:" in lines
    assert "+    if cents == 0 or cents >= FREE_DELIVERY_FROM:" in lines
    assert any("all " in line and "tests pass" in line for line in lines)
    shown = nvim.lua(
        "local c = vim.api.nvim_win_get_config(0) return vim.inspect(c.footer) "
    ) + str(lines)
    assert "a apply" in shown
    assert "R reject with a reason" in shown
    assert code(nvim) == before
    nvim.vim.input(key)
    nvim.until(lambda: "mended" in nvim.messages(), "the message")
    assert nvim.vim.call("expand", "%:t") == "pricing.py"
    assert [b for a, b in zip(before, nvim.lines(), strict=True) if a != b] == [
        "    if cents == 0 or cents >= FREE_DELIVERY_FROM:"
    ]


def test_a_proposal_is_rejected(nvim: Neovim) -> None:
    before = refined(nvim)
    nvim.preview()
    nvim.vim.input("r")
    nvim.until(lambda: not nvim.lua("return next(require('ocils.proposal').waiting)"), "gone")
    assert nvim.lines() == before
    nvim.vim.command("Ocils show")
    assert "no proposal waits" in nvim.messages()


@pytest.mark.parametrize("how", ["the window", "the command", "feedback"])
def test_a_reject_with_a_reason_brings_another(nvim: Neovim, how: str) -> None:
    before = refined(nvim)
    nvim.preview()
    if how == "the window":
        nvim.lua("vim.ui.input = function(_, done) done('write not cents') end")
        nvim.vim.input("R")
    elif how == "the command":
        nvim.vim.input("q")
        nvim.vim.command("Ocils reject write not cents")
    else:
        nvim.vim.input("q")
        nvim.vim.command("Ocils feedback write not cents")
    nvim.until(
        lambda: "+    if not cents or cents >= FREE_DELIVERY_FROM:" in nvim.lines(), "another one"
    )
    assert code(nvim) == before
    nvim.vim.input("a")
    nvim.until(lambda: "mended" in nvim.messages(), "the message")
    assert "    if not cents or cents >= FREE_DELIVERY_FROM:" in nvim.lines()


def test_a_proposal_that_was_put_off_is_not_lost(nvim: Neovim) -> None:
    before = refined(nvim)
    nvim.preview()
    nvim.vim.input("q")
    nvim.until(lambda: nvim.lines() == before, "closed")
    nvim.vim.command("Ocils show")
    nvim.preview()
    nvim.vim.input("<Esc>")
    nvim.until(lambda: nvim.lines() == before, "closed")
    nvim.action("^Apply the verified edit")
    nvim.until(lambda: "mended" in nvim.messages(), "the message")
    assert nvim.lua("return _G.offered")[:2] == [
        "Apply the verified edit of delivery",
        "Reject the verified edit of delivery",
    ]


def test_who_is_typing_is_not_interrupted(nvim: Neovim) -> None:
    nvim.start([*SCRIPTED, "0.5"], editor=ASK)
    nvim.go("FREE_DELIVERY_FROM = 5000")
    nvim.lua(
        "require('ocils.client').execute('ocils.refineUntilGreen',"
        " { uri = vim.uri_from_bufnr(0), name = 'delivery' })"
    )
    nvim.vim.input("A  # typed")
    nvim.until(lambda: "would be green" in nvim.messages(), "said")
    assert nvim.vim.call("mode") == "i"
    assert nvim.vim.call("expand", "%:t") == "pricing.py"
    nvim.vim.input(" 👩<Esc>")
    lines = nvim.preview()
    # The window shows what applying would do to the present text.
    assert "+    if cents == 0 or cents >= FREE_DELIVERY_FROM:" in lines
    nvim.vim.input("a")
    nvim.until(lambda: "again on what you typed" in nvim.messages(), "confirmed again")
    assert any(line.endswith("# typed 👩") for line in nvim.lines())


def test_sessions_and_their_attempts(nvim: Neovim) -> None:
    refined(nvim)
    nvim.preview()
    nvim.vim.input("s")
    nvim.until(lambda: any("rewrite" in line for line in nvim.lines()), "the attempts")
    text = "\n".join(nvim.lines())
    assert "# delivery: green, 2 candidates in 2 turns" in text
    assert "+    return 0 if cents > 1 else DELIVERY" in text
    assert "#    fails: tests/test_pricing.py::" in text
    nvim.vim.command("close")
    nvim.lua("_G.wanted = '^.*delivery: green'")
    nvim.vim.command("Ocils sessions")
    nvim.until(lambda: any("rewrite" in line for line in nvim.lines()), "the attempts again")
