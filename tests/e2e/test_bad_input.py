"""Bad input to the real server: one clear message each, nothing lost, nothing half applied, no traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lsprotocol import types

from .conftest import Served, Start

pytestmark = [pytest.mark.docker, pytest.mark.model, pytest.mark.timeout(400)]


async def refused(served: Served, text: str, *, count: int = 1) -> None:
    editor = served.editor
    await editor.until(lambda: editor.messages, "a message")
    await editor.until(lambda: not _running(served), "the end")
    assert text.lower() in editor.messages[-1][1].lower()
    assert len(editor.messages) == count
    assert "Traceback" not in editor.messages[-1][1]
    assert editor.edits == []
    assert b"Traceback" not in served.stderr


def _running(served: Served) -> bool:
    kinds = served.editor.kinds()
    return kinds.count("create") > kinds.count("end")


async def refine(served: Served, root: Path, name: str = "delivery") -> str:
    uri = served.editor.open(str(root / "shop/pricing.py"))
    await served.editor.run("ocils.refineUntilGreen", {"uri": uri, "name": name})
    return uri


async def test_no_test_reaches_the_target(start: Start, workspace: Callable[[str], Path]) -> None:
    root = workspace("basket")
    code = root / "shop/pricing.py"
    code.write_text(code.read_text() + "\n\ndef lonely(x):\n    return x\n")
    served = await start(root)
    await refine(served, root, "lonely")
    await refused(served, "none of the 9 tests runs `lonely`")


async def test_the_tests_have_a_syntax_error(
    start: Start, workspace: Callable[[str], Path]
) -> None:
    root = workspace("basket")
    (root / "tests/test_pricing.py").write_text("def test_x(:\n    pass\n")
    served = await start(root)
    await refine(served, root)
    await refused(served, "cannot be collected")


async def test_the_tests_miss_an_import(start: Start, workspace: Callable[[str], Path]) -> None:
    root = workspace("basket")
    tests = root / "tests/test_pricing.py"
    tests.write_text("import no_such_package\n" + tests.read_text())
    served = await start(root)
    await refine(served, root)
    await refused(served, "no_such_package")


async def test_the_file_has_a_syntax_error(start: Start, workspace: Callable[[str], Path]) -> None:
    root = workspace("basket")
    code = root / "shop/pricing.py"
    code.write_text(code.read_text().replace("    total = 0\n", "    total = = 0\n"))
    served = await start(root)
    uri = served.editor.open(str(code))
    line = served.editor.at(uri, "total = = 0").line
    await served.editor.run("ocils.refineUntilGreen", {"uri": uri, "position": {"line": line}})
    await refused(served, "mend the syntax first")


async def test_the_suite_hangs(start: Start, workspace: Callable[[str], Path]) -> None:
    root = workspace("basket")
    tests = root / "tests/test_pricing.py"
    tests.write_text("import time\ntime.sleep(10_000)\n" + tests.read_text())
    served = await start(root)
    served.editor.patience = 300
    await refine(served, root)
    await refused(served, "did not end")


async def test_already_green(start: Start, workspace: Callable[[str], Path]) -> None:
    root = workspace("basket")
    code = root / "shop/pricing.py"
    code.write_text(code.read_text().replace("cents > FREE", "cents >= FREE"))
    served = await start(root)
    await refine(served, root)
    await refused(served, "pass already")


async def test_what_fails_is_elsewhere(start: Start, workspace: Callable[[str], Path]) -> None:
    root = workspace("basket")
    served = await start(root)
    await refine(served, root, "subtotal")
    await refused(served, "go to a function that")


async def test_red_only_because_of_isolation(
    start: Start, workspace: Callable[[str], Path]
) -> None:
    root = workspace("basket")
    tests = root / "tests/test_pricing.py"
    tests.write_text(
        "import socket\nfrom shop.pricing import delivery\n\n\n"
        "def test_online():\n"
        "    assert delivery(1) == 490\n"
        "    socket.create_connection(('192.0.2.1', 80), timeout=2)\n"
    )
    served = await start(root)
    await refine(served, root)
    await refused(served, "network")


async def test_the_model_is_missing(start: Start, workspace: Callable[[str], Path]) -> None:
    root = workspace("basket")
    served = await start(root, options={"model": {"name": "no-such-model"}})
    await refine(served, root)
    await refused(served, "no-such-model")


async def test_the_model_is_damaged(
    start: Start, workspace: Callable[[str], Path], tmp_path: Path
) -> None:
    root = workspace("basket")
    models = Path(__file__).parents[2] / "models"
    folder = tmp_path / "models"
    (folder / "tiny").mkdir(parents=True)
    manifest = models / "tiny.toml"
    (folder / manifest.name).write_bytes(manifest.read_bytes())
    weights = folder / "tiny/weights"
    weights.mkdir()
    for file in (models / "tiny/weights").iterdir():
        (weights / file.name).write_bytes(file.read_bytes())
    broken = bytearray((weights / "model.bin").read_bytes())
    broken[len(broken) // 2] ^= 0xFF
    (weights / "model.bin").write_bytes(broken)
    served = await start(root, options={"model": {"name": str(folder / manifest.name)}})
    await refine(served, root)
    await refused(served, "model.bin")


async def test_docker_is_not_running(
    start: Start, workspace: Callable[[str], Path], tmp_path: Path
) -> None:
    root = workspace("basket")
    served = await start(root, env={"DOCKER_HOST": f"unix://{tmp_path}/no.sock"})
    await refine(served, root)
    await refused(served, "docker")


async def test_settings_with_a_typo(start: Start, workspace: Callable[[str], Path]) -> None:
    root = workspace("basket")
    served = await start(root, options={"refine": {"candidate": 3}})
    await refused(served, "candidate")
    (kind, message) = served.editor.messages[0]
    assert kind == types.MessageType.Error
    assert "known settings" in message


async def test_a_repository_oversteps(start: Start, workspace: Callable[[str], Path]) -> None:
    root = workspace("basket")
    project = root / "pyproject.toml"
    project.write_text(project.read_text() + '\n[tool.ocils.sandbox]\npython = "/bin/sh"\n')
    served = await start(root)
    await refine(served, root)
    await refused(served, "only you may set")
