"""What users of other tools complain of, where it takes a real container to show that it is not so.

The names say where: the project, and the number of the open thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Start

pytestmark = [pytest.mark.docker, pytest.mark.model, pytest.mark.timeout(400)]


def owned(root: Path) -> dict[str, tuple[int, int, int, int]]:
    """Every file and folder with its owner, mode and time."""
    found = {}
    for path in [root, *sorted(root.rglob("*"))]:
        status = path.lstat()
        found[str(path)] = (status.st_uid, status.st_gid, status.st_mode, status.st_mtime_ns)
    return found


async def test_openhands_7013_and_9543_files_that_become_roots(
    start: Start, workspace: Callable[[str], Path]
) -> None:
    """After a run, every file is whose it was, as it was; and none was added."""
    root = workspace("basket")
    if os.geteuid() == 0:
        for path in [root, *root.rglob("*")]:
            os.chown(path, 12345, 12345)
    (root / "tests/test_pricing.py").chmod(0o600)
    before = owned(root)
    served = await start(root)
    uri = served.editor.open(str(root / "shop/pricing.py"))
    await served.editor.run("ocils.refineUntilGreen", {"uri": uri, "name": "delivery"})
    await served.editor.until(lambda: served.editor.said("mended"), "the edit")
    await start.stop(served)
    assert owned(root) == before


FALSE = {
    # The runner ends well having run nothing.
    "exits with 0 before any test": "import os\nos._exit(0)\n",
    "collects nothing": "__test__ = False\n",
    "skips itself": "import pytest\npytest.skip('not today', allow_module_level=True)\n",
}


@pytest.mark.parametrize("how", list(FALSE))
async def test_vscode_copilot_release_7740_a_suite_that_runs_nothing_is_no_success(
    start: Start, workspace: Callable[[str], Path], how: str
) -> None:
    root = workspace("basket")
    tests = root / "tests/test_pricing.py"
    tests.write_text(FALSE[how] + tests.read_text())
    served = await start(root)
    uri = served.editor.open(str(root / "shop/pricing.py"))
    await served.editor.run("ocils.runTests", {"uri": uri})
    await served.editor.until(lambda: served.editor.messages, "a word")
    ((_, message),) = served.editor.messages
    assert "pass" not in message.lower()
    await served.editor.run("ocils.refineUntilGreen", {"uri": uri, "name": "delivery"})
    await served.editor.until(lambda: len(served.editor.messages) == 2, "a word")
    assert served.editor.edits == []
    assert not served.editor.said("mended")
