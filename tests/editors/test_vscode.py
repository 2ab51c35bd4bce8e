"""A real VS Code, our extension as it is shipped, the real model and the real container.

The stories are told by ``vscode/drive/*.mjs``, in a browser; each says what it sees.
"""

from __future__ import annotations

import re
import sys
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
    code: Callable[..., CodeServer],
    workspace: Callable[[str], Path],
    record_property: Callable[[str, object], None],
) -> None:
    """See it fail, cancel once, refine again, see the diff, apply, see green in the Testing view."""
    root = workspace("basket")
    said = code().drive("story.mjs", root)
    (sign,) = re.findall(r"from the keypress to the first sign: (\d+ ms)", said)
    record_property("from the keypress to the first sign", sign)
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


def test_two_runs_at_once_and_a_cancel_in_the_middle_of_judging(
    code: Callable[..., CodeServer], workspace: Callable[[str], Path]
) -> None:
    root = workspace("basket")
    pricing, test = root / "shop/pricing.py", root / "tests/test_pricing.py"
    pricing.write_text(pricing.read_text().replace("raise ValueError", "raise TypeError"))
    # A slow test keeps the first run under way for as long as hands need to start the second.
    slow = "def test_delivery_is_free_at_the_limit():\n"
    test.write_text(
        "import time\n"
        + test.read_text()
        .replace("assert subtotal([]) == 0", 'assert subtotal([]) == "never"')
        .replace(slow, slow + "    time.sleep(2)\n")
    )
    code().drive("busy.mjs", root)


def test_typing_in_every_phase_of_a_run(
    code: Callable[..., CodeServer],
    workspace: Callable[[str], Path],
    scripted: Callable[..., str],
    tmp_path: Path,
) -> None:
    gate = tmp_path / "gate"
    gate.write_text("0")
    server = code(**{"ocils.path": scripted(OCILS_GATE=str(gate))})
    server.drive("phases.mjs", workspace("basket"), GATE=str(gate))


def test_a_proposal_of_two_places(
    code: Callable[..., CodeServer],
    workspace: Callable[[str], Path],
    scripted: Callable[..., str],
) -> None:
    code(**{"ocils.path": scripted(OCILS_SCRIPT="places")}).drive("places.mjs", workspace("basket"))


def test_restricted_mode_starts_nothing_and_trust_starts_it(
    code: Callable[..., CodeServer],
    workspace: Callable[[str], Path],
    scripted: Callable[..., str],
) -> None:
    server = code(**{"ocils.path": scripted()}, trusting=False)
    server.drive("restricted.mjs", workspace("basket"))


def test_the_ocils_of_the_environment_and_another_model(
    code: Callable[..., CodeServer], workspace: Callable[[str], Path], tmp_path: Path
) -> None:
    chosen = {
        "ocils.path": "",
        "ocils.importStrategy": "fromEnvironment",
        "ocils.interpreter": sys.executable,
    }
    code(**chosen).drive("environment.mjs", workspace("basket"), MODEL="codegemma-2b")
    # The wheel of the extension was not needed.
    assert not list((tmp_path / "code").rglob("ocils.ocils/server-*"))


def test_a_server_that_cannot_start_is_explained(
    code: Callable[..., CodeServer], workspace: Callable[[str], Path]
) -> None:
    root = workspace("basket")
    code(**{"ocils.path": str(root / "nothing-here")}).drive("missing.mjs", root)


def test_a_newcomer_gets_to_green_with_nothing_but_the_vsix(
    tmp_path: Path,
    vsix: Path,
    workspace: Callable[[str], Path],
    record_property: Callable[[str, object], None],
) -> None:
    """No setting, no repository, no environment: the wheel in the extension makes its own."""
    root = workspace("basket")
    server = CodeServer(tmp_path / "code", {})
    begun = time.monotonic()
    server.install(vsix)
    with server:
        server.drive("cold.mjs", root)
        record_property("from installing to the first green", f"{time.monotonic() - begun:.0f} s")
    made = list((tmp_path / "code").rglob("ocils.ocils/server-*/ready"))
    assert len(made) == 1
