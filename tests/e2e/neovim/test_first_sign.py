"""From the keypress to the first visible sign of work, in a terminal: the figures, and that there is one.

What is typed are bytes to a terminal, what is seen are bytes from it; the server is the real one.
"""

from __future__ import annotations

import contextlib
import re
import statistics
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pynvim  # type: ignore[import-untyped]
import pytest

from tests.e2e.conftest import environment
from tests.e2e.screen import Screen, wait

from .conftest import NVIMS
from .nvim import PLUGIN, REAL

pytestmark = [
    pytest.mark.nvim,
    pytest.mark.docker,
    pytest.mark.model,
    pytest.mark.timeout(400),
]

SETUP = """
local command, root = ...
vim.cmd('runtime plugin/ocils.lua')
require('ocils').setup({ cmd = command })
vim.cmd('edit ' .. root .. '/shop/pricing.py')
vim.keymap.set('n', '<F5>', '<Cmd>Ocils refine<CR>')
vim.keymap.set('n', '<F6>', function() vim.lsp.buf.code_action() end)
vim.fn.search('if cents == 0')
"""
IDLE = """
local all = require('ocils.client').all()
return #all == 1 and require('ocils').status() == 'ocils'
"""
F5, F6 = "\x1b[15~", "\x1b[17~"
TIMES = 5


class Terminal(Screen):
    """A Neovim in a terminal of its own, with a second line to it for what no user types."""

    def __init__(self, nvim: str, folder: Path) -> None:
        super().__init__()
        address = folder / "nvim.socket"
        env = environment(folder)
        own = [nvim, "--clean", "-n", "--listen", str(address), "--cmd", f"set rtp^={PLUGIN}"]
        said = subprocess.run([nvim, "--version"], capture_output=True, text=True, check=True)
        # From 0.9 on it is two processes, and an unpacked one cannot start the other: we start both.
        if re.match(r"NVIM v0\.[78]\.", said.stdout):
            self.start(*own, env=env)
            wait(address.exists, "a Neovim that listens")
        else:
            self.start(*own, "--headless", env=env)
            wait(address.exists, "a Neovim that listens")
            self.start(nvim, "--server", str(address), "--remote-ui", env=env)
        self.vim: Any = pynvim.attach("socket", path=str(address))
        wait(self.vim.api.list_uis, "a screen")

    def close(self) -> None:
        """End Neovim, and its server with it."""
        with contextlib.suppress(OSError, EOFError):
            self.vim.command("qall!")
        self.vim.close()
        super().close()


@pytest.fixture(params=NVIMS)
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(request.param, tmp_path)
    yield terminal
    terminal.close()


def test_from_the_keypress_to_the_first_sign(
    terminal: Terminal,
    workspace: Callable[[str], Path],
    record_property: Callable[[str, object], None],
) -> None:
    vim = terminal.vim
    vim.exec_lua(SETUP, REAL, str(workspace("basket")))

    def idle() -> None:
        wait(lambda: vim.exec_lua(IDLE), "an idle server")
        vim.command("echo ''")
        vim.command("redraw!")

    idle()
    own: list[float] = []
    menu: list[float] = []
    for _ in range(TIMES):
        own.append(terminal.press(F5, "ocils:"))
        vim.command("Ocils cancel")
        idle()
        terminal.press(F6, "Refine delivery until green")
        menu.append(terminal.press("1\r", "ocils:"))
        vim.command("Ocils cancel")
        idle()
    for how, taken in (("a key of one's own", own), ("the menu of code actions", menu)):
        record_property(
            f"from the keypress to the first sign, {how}",
            f"{statistics.median(taken):.0f} ms, at most {max(taken):.0f} ms of {TIMES}",
        )
