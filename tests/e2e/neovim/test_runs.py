"""What is asked for in Neovim and seen of it: action, progress, edit, cancel, typing meanwhile."""

from __future__ import annotations

import time

import pynvim  # type: ignore[import-untyped]
import pytest

from .nvim import SCRIPTED, Neovim

pytestmark = [pytest.mark.nvim, pytest.mark.timeout(400)]


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
