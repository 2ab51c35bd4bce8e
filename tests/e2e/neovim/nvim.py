"""A Neovim without a screen of its own, and what its user does in it and sees of it.

Not covered: what the server answers; the quick tests talk to one over the shipped fakes.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pynvim  # type: ignore[import-untyped]

from tests.e2e.conftest import environment

ROOT = Path(__file__).parents[3]
PLUGIN = ROOT / "editors/neovim"
SCRIPTED = [sys.executable, str(ROOT / "tests/e2e/scripted_server.py")]
REAL = [sys.executable, "-m", "ocils", "serve"]

# Everything that the protocol brings, kept for the tests; the standard handlers still run.
SPY = """
_G.ours = function()
  local all = vim.lsp.get_clients and vim.lsp.get_clients() or vim.lsp.get_active_clients()
  for _, client in pairs(all) do
    if client.name == 'ocils' then
      return client
    end
  end
end
_G.seen = {}
local standard = vim.lsp.handlers['$/progress']
vim.lsp.handlers['$/progress'] = function(problem, result, context, config)
  table.insert(_G.seen, { result.token, result.value.kind, result.value.message or '' })
  return standard(problem, result, context, config)
end
_G.offered = {}
vim.ui.select = function(items, options, choose)
  _G.offered = vim.tbl_map(options.format_item, items)
  for index, title in ipairs(_G.offered) do
    if title:match(_G.wanted or '^Refine') then
      return choose(items[index], index)
    end
  end
  choose(nil, nil)
end
"""

ASK = {"proposal": "ask"}

SETUP = """
local command, settings = ...
require('ocils').setup({ cmd = command, settings = settings })
"""


class Neovim:
    """A Neovim without a screen, and what its user sees of it."""

    def __init__(self, nvim: str, folder: Path, root: Path) -> None:
        self.root = root
        argv = [nvim, "--clean", "-n", "--embed", "--headless"]
        assigned = [f"{k}={v}" for k, v in environment(folder).items() if k.startswith("XDG_")]
        self.vim: Any = pynvim.attach("child", argv=["env", *assigned, *argv])
        self.vim.command("set columns=100 lines=30")
        self.vim.command(f"set runtimepath^={PLUGIN}")
        self.vim.command("runtime plugin/ocils.lua")
        self.lua(SPY)

    def lua(self, code: str, *arguments: Any) -> Any:
        return self.vim.exec_lua(code, *arguments)

    def start(self, command: list[str], file: str = "shop/pricing.py", **settings: Any) -> None:
        """Open a file and attach the server; without more said, edits are applied at once."""
        settings.setdefault("editor", {"proposal": "apply"})
        self.lua(SETUP, command, settings)
        self.vim.command(f"edit {self.root / file}")
        self.until(
            lambda: self.lua(
                "local c = _G.ours() return c ~= nil and c.server_capabilities ~= nil"
                " and c.initialized ~= false"
            ),
            "attached",
        )

    def go(self, text: str) -> None:
        """Put the cursor on the first ``text``."""
        for number, line in enumerate(self.lines(), 1):
            if text in line:
                self.vim.api.win_set_cursor(0, [number, line.index(text)])
                return
        raise AssertionError(f"no {text!r} in the buffer")

    def lines(self) -> list[str]:
        return list(self.vim.current.buffer)

    def action(self, wanted: str = "^Refine") -> None:
        """Choose a code action, as ``vim.lsp.buf.code_action()`` offers it."""
        self.lua("_G.wanted = ...; vim.lsp.buf.code_action()", wanted)

    def kinds(self) -> list[str]:
        return [kind for _, kind, _ in self.lua("return _G.seen")]

    def marks(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.lua("return vim.diagnostic.get(0)")
        return found

    def messages(self) -> str:
        return str(self.vim.command_output("messages"))

    def screen(self) -> str:
        """Return the text on the screen."""
        self.vim.command("redraw")
        code = (
            "return table.concat(vim.tbl_map(function(row) local cells = {}"
            " for column = 1, vim.o.columns do cells[column] = vim.fn.screenstring(row, column) end"
            " return (table.concat(cells):gsub('%s+$', '')) end,"
            " vim.fn.range(1, vim.o.lines)), '\\n')"
        )
        return str(self.lua(code))

    def preview(self) -> list[str]:
        """Wait for the floating window of a proposal and return its lines."""
        self.until(
            lambda: self.lua("return vim.api.nvim_win_get_config(0).relative") == "editor",
            "the window",
        )
        return self.lines()

    def until(self, holds: Callable[[], Any], what: str, patience: float = 150.0) -> Any:
        end = time.monotonic() + patience
        while not (found := holds()):
            if time.monotonic() > end:
                seen = self.lua("return _G.seen")
                raise AssertionError(f"never: {what}\n{seen}\n{self.messages()}\n{self.screen()}")
            time.sleep(0.03)
        return found

    def close(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            self.vim.command("qall!")
        self.vim.close()
