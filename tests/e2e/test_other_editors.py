"""Editors that need no plugin of ours, in a terminal, with the configuration that our page gives for them.

Run where the editor is installed; the server is over the shipped fakes.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .conftest import environment
from .screen import Screen, wait

ROOT = Path(__file__).parents[2]
ALE = Path("/usr/share/vim-ale")
EGLOT = Path("/usr/share/emacs/site-lisp/elpa")


def configuration(heading: str, language: str) -> str:
    """Return the configuration that stands below a heading of the page."""
    page = (ROOT / "editors/README.md").read_text()
    section = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    found = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which ``ocils`` is the server over the fakes."""
    program = tmp_path / "bin" / "ocils"
    program.parent.mkdir()
    server = ROOT / "tests/e2e/scripted_server.py"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{server}" 0\n')
    program.chmod(0o755)
    own = environment(tmp_path, HOME=str(tmp_path))
    return {**own, "PATH": f"{program.parent}:{own['PATH']}"}


@pytest.fixture
def screen() -> Iterator[Screen]:
    screen = Screen()
    yield screen
    screen.close()


@pytest.mark.skipif(
    shutil.which("vim.basic") is None or not ALE.is_dir(), reason="needs Vim and ALE (vim-ale)"
)
def test_vim_with_ale(
    screen: Screen, env: dict[str, str], workspace: Callable[[str], Path], tmp_path: Path
) -> None:
    file = workspace("basket") / "shop/pricing.py"
    start = f"set nocompatible\nset rtp^={ALE}\nfiletype plugin on\nruntime plugin/ale.vim\n"
    (tmp_path / "vimrc").write_text(start + configuration("Vim with ALE", "vim"))
    screen.start("vim.basic", "-n", "-u", str(tmp_path / "vimrc"), str(file), env=env)
    screen.wait_for("FREE_DELIVERY_FROM")
    screen.press("/if cents == 0\r:ALECodeAction\r", "Refine delivery until green")
    screen.press("1\r", "test_delivery_is_free_at_the_limit fails")
    wait(lambda: offers(screen), "the verified edit in the menu")
    screen.press("1\r", "= FREE_DELIVERY_FROM")
    screen.press(":w\r", "written")
    assert "cents >= FREE_DELIVERY_FROM" in file.read_text()
    screen.press(":qa!\r")


def offers(screen: Screen) -> bool:
    """Whether the menu has the edit by now; it is left again when not."""
    if "Apply the verified edit" in screen.read(":ALECodeAction\r", "Type number"):
        return True
    screen.press("\r")
    return False


@pytest.mark.skipif(
    shutil.which("emacs") is None or not EGLOT.is_dir(), reason="needs Emacs and elpa-eglot"
)
def test_emacs_with_eglot(
    screen: Screen, env: dict[str, str], workspace: Callable[[str], Path], tmp_path: Path
) -> None:
    file = workspace("basket") / "shop/pricing.py"
    (tmp_path / "init.el").write_text(configuration("Emacs with eglot", "elisp"))
    start = [*("-nw", "-q", "--eval", "(package-initialize)"), *("-l", str(tmp_path / "init.el"))]
    # Emacs wants the terminal for its own.
    screen.start("setsid", "--ctty", "--wait", "emacs", *start, "+24:5", str(file), env=env)
    screen.wait_for("FREE_DELIVERY_FROM")
    screen.press("\x1bxeglot\r", "Connected!")
    screen.press(
        "\x1bxeglot-code-actions\r", "Pick an action (default Refine delivery until green)"
    )
    screen.press("\r", "Choose an option")
    screen.press("\r", "roceed")
    screen.press("y", "mended")
    screen.press("\x18\x13", "Wrote")
    assert "cents >= FREE_DELIVERY_FROM" in file.read_text()
    screen.press("\x18\x03")
