"""The pictures of the READMEs, taken from the real editor while it is told a real story.

Run by ``make screenshots``, in both themes; not a part of the suite, since it rewrites files of ours.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .code_server import DRIVES, NODE, ROOT, TOOLS, CodeServer

pytestmark = [pytest.mark.vscode, pytest.mark.docker, pytest.mark.model, pytest.mark.timeout(1800)]

IMAGES = ROOT / "editors" / "vscode" / "images"
SHOWN = ("failing", "menu", "refining", "proposal", "attempts", "green")


@pytest.mark.skipif("OCILS_SCREENSHOTS" not in os.environ, reason="make screenshots takes them")
@pytest.mark.parametrize(
    ("name", "theme"), [("light", "Default Light Modern"), ("dark", "Default Dark Modern")]
)
def test_take(
    name: str,
    theme: str,
    code: Callable[..., CodeServer],
    workspace: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    root = workspace("basket")
    taken = tmp_path / "taken"
    code(**{"workbench.colorTheme": theme}).drive(
        "story.mjs", root, SHOTS=str(taken), SIZE="960x540"
    )
    for each in SHOWN:
        target = IMAGES / name / f"{each}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(taken / f"{each}.png", target)


@pytest.mark.skipif("OCILS_SCREENSHOTS" not in os.environ, reason="make screenshots takes them")
def test_draw_the_icon() -> None:
    drawn = subprocess.run(
        [str(NODE), str(DRIVES / "icon.mjs"), str(IMAGES / "icon.svg"), str(IMAGES / "icon.png")],
        env={"TOOLS": str(TOOLS / "tools"), "PATH": os.environ["PATH"]},
        timeout=120,
        check=False,
    )
    assert drawn.returncode == 0
