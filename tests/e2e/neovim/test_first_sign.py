"""From the keypress to the first visible sign of work, in a terminal: the figures, and that there is one.

What is typed are bytes to a terminal, what is seen are bytes from it; the server is the real one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import queue
import re
import statistics
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pynvim  # type: ignore[import-untyped]
import pytest

from tests.e2e.conftest import environment

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
F5, F6 = b"\x1b[15~", b"\x1b[17~"
TIMES = 5
_PATIENCE = 60.0  # seconds


class Terminal:
    """A Neovim in a terminal of its own, with a second line to it for what no user types."""

    def __init__(self, nvim: str, folder: Path) -> None:
        self._screen, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        address = folder / "nvim.socket"
        env = {**environment(folder), "TERM": "xterm-256color"}
        own = [nvim, "--clean", "-n", "--listen", str(address), "--cmd", f"set rtp^={PLUGIN}"]
        said = subprocess.run(
            [nvim, "--version"], capture_output=True, text=True, check=True
        ).stdout
        self._processes: list[subprocess.Popen[bytes]] = []

        def start(*command: str) -> None:
            self._processes.append(
                subprocess.Popen(
                    command, env=env, stdin=inside, stdout=inside, stderr=inside, process_group=0
                )
            )

        # From 0.9 on it is two processes, and an unpacked one cannot start the other: we start both.
        if not re.match(r"NVIM v0\.[78]\.", said):
            start(*own, "--headless")
            _wait(address.exists, "a Neovim that listens")
            start(nvim, "--server", str(address), "--remote-ui")
        else:
            start(*own)
            _wait(address.exists, "a Neovim that listens")
        os.close(inside)
        self._told: queue.Queue[tuple[float, bytes]] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.vim = pynvim.attach("socket", path=str(address))
        _wait(self.vim.api.list_uis, "a screen")

    def press(self, keys: bytes, words: bytes) -> float:
        """Type keys; return the milliseconds until the terminal was told the words."""
        with contextlib.suppress(queue.Empty):
            while self._told.get(timeout=0.3):
                pass
        pressed = time.perf_counter()
        os.write(self._screen, keys)
        seen = b""
        while True:
            came, told = self._told.get(timeout=_PATIENCE)
            seen += told
            if words in seen:
                return (came - pressed) * 1000

    def _read(self) -> None:
        """Keep what the terminal is told, and when; a full terminal would stop Neovim."""
        with contextlib.suppress(OSError):
            while told := os.read(self._screen, 65536):
                self._told.put((time.perf_counter(), told))

    def close(self) -> None:
        """End Neovim, and its server with it."""
        with contextlib.suppress(OSError, EOFError):
            self.vim.command("qall!")
        self.vim.close()
        for each in self._processes:
            each.wait(30)
        self._reader.join(30)
        os.close(self._screen)


def _wait(holds: Callable[[], object], what: str) -> None:
    end = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.05)


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
        _wait(lambda: vim.exec_lua(IDLE), "an idle server")
        vim.command("echo ''")
        vim.command("redraw!")

    idle()
    own: list[float] = []
    menu: list[float] = []
    for _ in range(TIMES):
        own.append(terminal.press(F5, b"ocils:"))
        vim.command("Ocils cancel")
        idle()
        terminal.press(F6, b"Refine delivery until green")
        menu.append(terminal.press(b"1\r", b"ocils:"))
        vim.command("Ocils cancel")
        idle()
    for how, taken in (("a key of one's own", own), ("the menu of code actions", menu)):
        record_property(
            f"from the keypress to the first sign, {how}",
            f"{statistics.median(taken):.0f} ms, at most {max(taken):.0f} ms of {TIMES}",
        )
