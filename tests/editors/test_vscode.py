"""A real VS Code, our extension as it is shipped, the real model and the real container.

The stories are told by ``vscode/drive/*.mjs``, in a browser; each says what it sees.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .code_server import CodeServer

pytestmark = [
    pytest.mark.vscode,
    pytest.mark.docker,
    pytest.mark.model,
    pytest.mark.timeout(600),
]


def test_from_a_failing_test_to_green(
    code: Callable[..., CodeServer], workspace: Callable[[str], Path]
) -> None:
    """See it fail, cancel once, refine again, see the diff, apply, see green in the Testing view."""
    root = workspace("basket")
    code().drive("story.mjs", root)
    # Nothing is written to the user's files: saving is theirs.
    assert "cents > FREE_DELIVERY_FROM" in (root / "shop/pricing.py").read_text()


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
