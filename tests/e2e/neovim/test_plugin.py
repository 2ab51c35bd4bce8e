"""The rest of the plugin: lenses, status line, help, health, neotest, a server that dies."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from .nvim import ASK, PLUGIN, REAL, SCRIPTED, Neovim

pytestmark = [pytest.mark.nvim, pytest.mark.timeout(400)]


def test_a_lens_runs_through_our_commands(nvim: Neovim) -> None:
    nvim.start([*SCRIPTED, "0"], "tests/test_pricing.py", editor=ASK)
    nvim.go("def test_delivery_is_free_at_the_limit")
    nvim.until(lambda: "Run | Refine" in nvim.screen(), "the lens")
    nvim.lua("_G.wanted = '^Refine'")
    nvim.lua(
        "local select = vim.ui.select vim.ui.select = function(items, options, choose)"
        " for i, item in ipairs(items) do local lens = item.lens or item"
        "  local title = options.format_item and options.format_item(item) or ''"
        "  if title:match('Refine') then return choose(item, i) end end"
        " return select(items, options, choose) end"
    )
    nvim.lua("vim.lsp.codelens.run()")
    lines = nvim.preview()
    assert "`delivery`" in lines[0]


def test_a_killed_server_is_said_and_comes_back(nvim: Neovim) -> None:
    nvim.start([*SCRIPTED, "600"])
    before = nvim.lines()
    nvim.go("if cents == 0")
    nvim.vim.command("Ocils refine")
    nvim.until(lambda: nvim.marks(), "the baseline")
    asked = subprocess.run(
        ["pgrep", "-f", f"{SCRIPTED[1]} 600", "-P", str(nvim.lua("return vim.fn.getpid()"))],
        capture_output=True,
        text=True,
        check=False,
    )
    (server,) = [int(line) for line in asked.stdout.split()]
    os.kill(server, signal.SIGKILL)
    nvim.until(lambda: "the server ended" in nvim.messages(), "said")
    assert "nothing was changed" in nvim.messages()
    assert nvim.lines() == before
    nvim.lua("require('ocils').config.cmd = ...", [*SCRIPTED, "0"])
    nvim.vim.command("edit!")
    nvim.until(lambda: nvim.lua("return _G.ours() ~= nil and _G.ours().initialized"), "back")
    nvim.go("if cents == 0")
    nvim.vim.command("Ocils refine")
    nvim.until(lambda: any("cents >= FREE" in line for line in nvim.lines()), "the edit")


def test_the_first_sign_of_work_does_not_wait_for_the_server(nvim: Neovim) -> None:
    nvim.start([*SCRIPTED, "600"])
    nvim.go("if cents == 0")
    # In one call: nothing of the server's can have come in between.
    shown = nvim.lua(
        "vim.cmd('Ocils refine') vim.cmd('redraw') local cells = {}"
        " for column = 1, 40 do cells[column] = vim.fn.screenstring(vim.o.lines, column) end"
        " return table.concat(cells)"
    )
    assert shown.startswith("ocils: refine …"), shown
    nvim.vim.command("Ocils cancel")


NEOTEST = """
local consumer = require('ocils.neotest')({
  get_nearest = function(_, file, line)
    return { data = function() return { type = 'test', id = file .. '::' .. _G.nearest } end }
  end,
})
consumer.refine()
"""


def test_neotest_refines_the_nearest_test(nvim: Neovim) -> None:
    """The consumer against neotest's interface as documented; neotest itself is not here."""
    nvim.start([*SCRIPTED, "0"], "tests/test_pricing.py")
    nvim.lua("_G.nearest = 'test_delivery_is_free_at_the_limit'")
    nvim.lua(NEOTEST)
    nvim.until(lambda: "`delivery` mended" in nvim.messages(), "mended")


def test_a_status_line(nvim: Neovim) -> None:
    assert nvim.lua("return require('ocils').status()") == ""
    nvim.start([*SCRIPTED, "600"])
    nvim.until(lambda: nvim.lua("return require('ocils').status()") == "ocils", "idle")
    nvim.go("if cents == 0")
    nvim.vim.command("Ocils refine")
    nvim.until(lambda: ": " in nvim.lua("return require('ocils').status()"), "busy")
    nvim.vim.command("Ocils cancel")
    nvim.until(lambda: nvim.lua("return require('ocils').status()") == "ocils", "idle again")


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ({"kind": "downloading", "words": "downloading 40 %"}, "ocils: model downloading 40 %"),
        ({"kind": "loading", "words": "loading"}, "ocils: model loading"),
        ({"kind": "failed", "words": "failed: cut short"}, "ocils: model failed: cut short"),
        ({"kind": "ready", "words": "ready"}, "ocils"),
        (None, "ocils"),
    ],
)
def test_the_models_state_is_in_the_status_line(
    nvim: Neovim, state: dict[str, str] | None, shown: str
) -> None:
    nvim.start([*SCRIPTED, "0"])
    nvim.until(lambda: nvim.lua("return require('ocils').status()") == "ocils", "idle")
    told: dict[str, object] = {"state": "idle", "running": [], "modelState": state}
    nvim.lua("require('ocils').handlers['ocils/status'](nil, ...)", told)
    assert nvim.lua("return require('ocils').status()") == shown


def test_a_model_that_nobody_knows_is_not_fetched(nvim: Neovim) -> None:
    nvim.start([*SCRIPTED, "0"])
    nvim.vim.command("Ocils pull no-such-model")
    nvim.until(lambda: "no-such-model" in nvim.messages(), "said why")


def test_the_configuration_for_0_11_and_newer(nvim: Neovim) -> None:
    """Neovim finds ``lsp/ocils.lua`` by its name; older ones can at least read it."""
    config = nvim.lua(
        "local c = dofile(...) return { c.cmd, c.filetypes, #c.root_markers }",
        str(PLUGIN / "lsp/ocils.lua"),
    )
    assert config == [["ocils", "serve"], ["python"], 6]
    if not nvim.vim.eval("has('nvim-0.11')"):
        return
    nvim.lua("vim.lsp.config('ocils', { cmd = ... }) vim.lsp.enable('ocils')", [*SCRIPTED, "0"])
    nvim.vim.command(f"edit {nvim.root}/shop/pricing.py")
    nvim.until(lambda: nvim.lua("return _G.ours() ~= nil and _G.ours().initialized"), "attached")
    nvim.go("if cents == 0")
    nvim.action()
    nvim.until(lambda: any("cents >= FREE" in line for line in nvim.lines()), "the edit")


def test_help_and_health(nvim: Neovim) -> None:
    nvim.vim.command(f"helptags {PLUGIN}/doc")
    try:
        nvim.vim.command("help :Ocils")
        assert any(":Ocils refine" in line for line in nvim.lines())
    finally:
        (PLUGIN / "doc/tags").unlink(missing_ok=True)
    nvim.lua("require('ocils').config.cmd = ...", REAL)
    nvim.vim.command("checkhealth ocils")
    text = "\n".join(nvim.lines())
    assert "server: " in text
    assert "OK" in text
    assert "not running" in text
