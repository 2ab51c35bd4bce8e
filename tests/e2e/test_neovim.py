"""A real Neovim, our plugin, and the server: what its user does and sees.

The quick ones talk to a server over the shipped fakes; the last ones to the real one.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pynvim  # type: ignore[import-untyped]
import pytest

from .conftest import environment

pytestmark = [pytest.mark.nvim, pytest.mark.timeout(400)]

HERE = Path(__file__).parent
PLUGIN = HERE.parents[1] / "editors/neovim"
SCRIPTED = [sys.executable, str(HERE / "scripted_server.py")]
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


# Debian's own, the next Debian's, and whatever somebody names: OCILS_NVIM=/path/to/nvim:/another.
NVIMS = [
    pytest.param("nvim", id="debian"),
    pytest.param(
        str(HERE.parents[1] / ".cache/nvim-new/nvim"), id="newer", marks=pytest.mark.nvim_new
    ),
    *filter(None, os.environ.get("OCILS_NVIM", "").split(":")),
]


@pytest.fixture(params=NVIMS)
def nvim(
    request: pytest.FixtureRequest, workspace: Callable[[str], Path], tmp_path: Path
) -> Iterator[Neovim]:
    nvim = Neovim(request.param, tmp_path, workspace("basket"))
    yield nvim
    nvim.close()


def test_action_progress_edit(nvim: Neovim) -> None:
    nvim.start([*SCRIPTED, "0.2"])
    before = nvim.lines()
    nvim.go("if cents == 0")
    nvim.action()
    nvim.until(lambda: nvim.marks(), "diagnostics")
    (mark,) = nvim.marks()
    assert mark["source"] == "ocils"
    assert before[mark["lnum"]].startswith("def delivery")
    assert mark["user_data"]["lsp"]["code"].endswith("test_delivery_is_free_at_the_limit")
    nvim.until(lambda: "end" in nvim.kinds(), "the end")
    nvim.until(lambda: nvim.lines() != before, "the edit")
    changed = [(a, b) for a, b in zip(before, nvim.lines(), strict=True) if a != b]
    assert [b.strip() for _, b in changed] == ["if cents == 0 or cents >= FREE_DELIVERY_FROM:"]
    nvim.until(lambda: not nvim.marks(), "cleared")
    nvim.until(lambda: "`delivery` mended" in nvim.messages(), "the message")
    assert nvim.lua("return _G.offered") == [
        "Refine delivery until green",
        "Run tests of delivery",
    ]
    # What came of it is the last thing to be read, and the lens is gone.
    bottom = nvim.screen().splitlines()[-1]
    assert bottom.startswith("ocils: `delivery` mended"), bottom
    nvim.until(lambda: "Run | Refine" not in nvim.screen(), "no lens")
    kinds = nvim.kinds()
    assert kinds[0] == "begin"
    assert kinds[-1] == "end"
    # One undo takes it back.
    nvim.vim.command("undo")
    assert nvim.lines() == before


def test_the_progress_is_on_the_screen(nvim: Neovim) -> None:
    nvim.start([*SCRIPTED, "1.5"])
    nvim.go("if cents == 0")
    nvim.vim.command("Ocils refine")
    shown = nvim.until(
        lambda: [s for s in nvim.screen().splitlines() if "Refining delivery" in s], "shown"
    )
    assert all(line.startswith("ocils: Refining delivery") for line in shown)
    assert "Press ENTER" not in nvim.screen()
    nvim.vim.command("Ocils cancel")
    nvim.until(lambda: "end" in nvim.kinds(), "the end")


def test_cancel(nvim: Neovim) -> None:
    nvim.start([*SCRIPTED, "600"])
    before = nvim.lines()
    nvim.go("if cents == 0")
    nvim.vim.command("Ocils refine")
    nvim.until(lambda: nvim.marks(), "the baseline")
    nvim.vim.command("Ocils cancel")
    nvim.until(lambda: "end" in nvim.kinds(), "the end", 20)
    assert nvim.lua("return _G.seen[#_G.seen][3]") == "cancelled"
    assert nvim.lines() == before


def test_cancel_through_the_protocol(nvim: Neovim) -> None:
    nvim.start([*SCRIPTED, "600"])
    nvim.go("if cents == 0")
    nvim.action()
    nvim.until(lambda: nvim.marks(), "the baseline")
    nvim.lua(
        "local c, params = _G.ours(), { token = _G.seen[1][1] }"
        " if vim.fn.has('nvim-0.11') == 1 then"
        "   c:notify('window/workDoneProgress/cancel', params)"
        " else c.notify('window/workDoneProgress/cancel', params) end"
    )
    nvim.until(lambda: "end" in nvim.kinds(), "the end", 20)


def test_typing_during_the_run_moves_the_edit_along(nvim: Neovim) -> None:
    nvim.start([*SCRIPTED, "0.5"])
    nvim.go("if cents == 0")
    nvim.action()
    nvim.until(lambda: nvim.marks(), "the baseline")
    nvim.vim.current.buffer.append(["# typed meanwhile", "# 👩 é"], 0)
    nvim.until(lambda: any("cents >= FREE" in line for line in nvim.lines()), "the edit")
    lines = nvim.lines()
    assert lines[:2] == ["# typed meanwhile", "# 👩 é"]
    assert "    if cents == 0 or cents >= FREE_DELIVERY_FROM:" in lines
    assert len(lines) == 34 + 2 or lines.count("def delivery(cents):") == 1
    nvim.until(lambda: "again on what you typed" in nvim.messages(), "the message")


def test_changing_the_function_itself_keeps_the_edit(nvim: Neovim) -> None:
    nvim.start([*SCRIPTED, "0.5"])
    nvim.go("return DELIVERY")
    nvim.action()
    nvim.until(lambda: nvim.marks(), "the baseline")
    row = nvim.vim.api.win_get_cursor(0)[0]
    line = nvim.lines()[row - 1]
    nvim.vim.current.buffer[row - 1] = line + "  # mine"
    typed = nvim.lines()
    nvim.until(lambda: "not applied" in nvim.messages(), "the message")
    assert nvim.lines() == typed
    nvim.vim.current.buffer[row - 1] = line
    time.sleep(0.5)
    nvim.vim.command("Ocils apply")
    nvim.until(lambda: any("cents >= FREE" in each for each in nvim.lines()), "the kept edit")


def test_crlf_files_stay_so(nvim: Neovim) -> None:
    code = nvim.root / "shop/pricing.py"
    code.write_bytes(code.read_bytes().replace(b"\n", b"\r\n"))
    nvim.start([*SCRIPTED, "0"])
    assert nvim.vim.eval("&fileformat") == "dos"
    nvim.go("if cents == 0")
    nvim.action()
    nvim.until(lambda: any("cents >= FREE" in line for line in nvim.lines()), "the edit")
    nvim.vim.command("write")
    assert code.read_bytes().count(b"\r\n") == code.read_bytes().count(b"\n")
    assert b"cents >= FREE_DELIVERY_FROM:\r\n" in code.read_bytes()


def test_the_lens_above_a_test_runs_it(nvim: Neovim) -> None:
    nvim.start([*SCRIPTED, "0"], "tests/test_pricing.py")
    nvim.go("def test_delivery_is_free_at_the_limit")
    nvim.until(lambda: "Run | Refine" in nvim.screen(), "the lens")
    lenses = nvim.lua("return vim.lsp.codelens.get(0)")
    assert {lens["command"]["title"] for lens in lenses} == {"Run", "Refine"}
    nvim.vim.command("Ocils run")
    nvim.until(lambda: nvim.marks(), "the finding")
    (mark,) = nvim.marks()
    assert nvim.lines()[mark["lnum"]].strip() == "assert delivery(5000) == 0"


def test_what_is_asked_wrongly_is_one_line(nvim: Neovim) -> None:
    nvim.start([*SCRIPTED, "0"])
    nvim.go("FREE_DELIVERY_FROM = 5000")
    nvim.vim.command("Ocils refine")
    nvim.until(lambda: "No function at line" in nvim.messages(), "the message")
    with pytest.raises(pynvim.NvimError, match="no such command: nonsense"):
        nvim.vim.command("Ocils nonsense")
    assert "Traceback" not in nvim.messages()
    assert nvim.vim.call("getcompletion", "Ocils r", "cmdline") == ["refine", "reject", "run"]


def test_without_a_server_there_is_a_hint(nvim: Neovim) -> None:
    nvim.vim.command("Ocils refine")
    assert "not attached" in nvim.messages()


ASK = {"proposal": "ask"}


def preview(nvim: Neovim) -> list[str]:
    """Wait for the floating window and return its lines."""
    nvim.until(
        lambda: nvim.lua("return vim.api.nvim_win_get_config(0).relative") == "editor", "the window"
    )
    return nvim.lines()


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
    lines = preview(nvim)
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
    preview(nvim)
    nvim.vim.input("r")
    nvim.until(lambda: not nvim.lua("return next(require('ocils.proposal').waiting)"), "gone")
    assert nvim.lines() == before
    nvim.vim.command("Ocils show")
    assert "no proposal waits" in nvim.messages()


@pytest.mark.parametrize("how", ["the window", "the command", "feedback"])
def test_a_reject_with_a_reason_brings_another(nvim: Neovim, how: str) -> None:
    before = refined(nvim)
    preview(nvim)
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
    preview(nvim)
    nvim.vim.input("q")
    nvim.until(lambda: nvim.lines() == before, "closed")
    nvim.vim.command("Ocils show")
    preview(nvim)
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
    lines = preview(nvim)
    # The window shows what applying would do to the present text.
    assert "+    if cents == 0 or cents >= FREE_DELIVERY_FROM:" in lines
    nvim.vim.input("a")
    nvim.until(lambda: "again on what you typed" in nvim.messages(), "confirmed again")
    assert any(line.endswith("# typed 👩") for line in nvim.lines())


def test_sessions_and_their_attempts(nvim: Neovim) -> None:
    refined(nvim)
    preview(nvim)
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
    lines = preview(nvim)
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
