"""A real VS Code, our extension as it is shipped, the real model and the real container.

The stories are told by ``vscode/drive/*.mjs``, in a browser; each says what it sees.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .code_server import DRIVES, ROOT, CodeServer

pytestmark = [
    pytest.mark.vscode,
    pytest.mark.docker,
    pytest.mark.model,
    pytest.mark.timeout(900),
]


def test_inside_the_extension_host(
    code: Callable[..., CodeServer], workspace: Callable[[str], Path], tmp_path: Path
) -> None:
    result = tmp_path / "result"
    said = code(host=result).drive(
        "host.mjs",
        workspace("basket"),
        EXTENSION=str(ROOT / "editors/vscode"),
        HOST_TESTS=str(DRIVES.parent / "host/index.js"),
        HOST_RESULT=str(result),
    )
    assert said.endswith("\n0 failed\n")


def test_from_a_failing_test_to_green(
    code: Callable[..., CodeServer], workspace: Callable[[str], Path]
) -> None:
    """See it fail, cancel once, refine again, see the diff, apply, see green in the Testing view."""
    root = workspace("basket")
    code().drive("story.mjs", root)
    # Nothing is written to the user's files: saving is theirs.
    assert "cents > FREE_DELIVERY_FROM" in (root / "shop/pricing.py").read_text()


def test_refine_from_the_testing_view_and_reject_with_a_reason(
    code: Callable[..., CodeServer], workspace: Callable[[str], Path]
) -> None:
    root = workspace("basket")
    before = (root / "shop/pricing.py").read_text()
    code().drive("reject.mjs", root)
    assert (root / "shop/pricing.py").read_text() == before


def test_edits_during_a_run_and_a_server_that_dies(
    code: Callable[..., CodeServer], workspace: Callable[[str], Path]
) -> None:
    root = workspace("basket")
    test = root / "tests/test_pricing.py"
    test.write_text(
        test.read_text().replace("assert subtotal([]) == 0", 'assert subtotal([]) == "never"')
    )
    code().drive("stress.mjs", root)


def test_a_server_that_cannot_start_is_explained(
    code: Callable[..., CodeServer], workspace: Callable[[str], Path]
) -> None:
    root = workspace("basket")
    code(**{"ocils.path": str(root / "nothing-here")}).drive("missing.mjs", root)


def test_a_newcomer_gets_to_green_with_nothing_but_the_vsix(
    tmp_path: Path, vsix: Path, workspace: Callable[[str], Path]
) -> None:
    """No setting, no repository, no environment: the wheel in the extension makes its own."""
    root = workspace("basket")
    server = CodeServer(tmp_path / "code", {})
    begun = time.monotonic()
    server.install(vsix)
    with server:
        server.drive("cold.mjs", root)
        print(f"from installing to the first green: {time.monotonic() - begun:.0f} s")
    made = list((tmp_path / "code").rglob("ocils.ocils/server-*/ready"))
    assert len(made) == 1
