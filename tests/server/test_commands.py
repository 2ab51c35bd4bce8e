"""Commands and their arguments, in every folder; what is asked wrongly, and told so."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from .conftest import Rig, Table
from .editor import Editor
from .menu import titles

COMMANDS = {
    "ocils.refineUntilGreen",
    "ocils.generate",
    "ocils.runTests",
    "ocils.apply",
    "ocils.reject",
    "ocils.feedback",
    "ocils.applyKept",
    "ocils.rejectKept",
    "ocils.cancel",
    "ocils.status",
    "ocils.pullModel",
}


async def test_what_the_server_says_it_can(rig: Rig) -> None:
    editor = Editor(encoding="utf-8")
    table = await rig.connect(editor)
    can = table.server.server_capabilities
    assert can.position_encoding == "utf-8"
    assert can.execute_command_provider is not None
    assert set(can.execute_command_provider.commands) == COMMANDS
    assert isinstance(can.code_action_provider, types.CodeActionOptions)
    kinds = [str(getattr(k, "value", k)) for k in can.code_action_provider.code_action_kinds or ()]
    assert kinds == ["quickfix", "refactor.rewrite"]
    assert can.code_lens_provider is not None
    assert isinstance(can.text_document_sync, types.TextDocumentSyncOptions)
    assert can.text_document_sync.change == types.TextDocumentSyncKind.Incremental
    assert can.text_document_sync.open_close


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "missing required field `uri`"),
        ([None], "missing required field `uri`"),
        ([{"uri": 3}], "expected `str`, got `int` - at `$.uri`"),
        ([{"uri": "CODE", "position": {"line": -1}}], "a position is never negative"),
        ([{"uri": "CODE", "position": [1, 2]}], "$.position"),
        ([{"uri": "CODE", "nmae": "x"}], "unknown field `nmae`"),
        ([{"uri": "CODE"}, 2], "takes one argument, got 2"),
        (["CODE"], "expected `object`"),
        ([{"uri": "CODE"}], "no position and no name"),
        ([{"uri": "CODE", "name": "delivry"}], "did you mean delivery"),
        ([{"uri": "CODE", "position": {"line": 2}}], "no function at line 3"),
        ([{"uri": "file:///no/such/file.py", "name": "x"}], "is not open"),
        ([{"uri": "untitled:Untitled-1", "name": "x"}], "save it into your project"),
        ([{"uri": "vscode-notebook-cell:/a.ipynb#1", "name": "x"}], "notebooks"),
        ([{"uri": "http://a/b.py", "name": "x"}], "not supported"),
        ([{"uri": "", "name": "x"}], "missing required field `uri`"),
    ],
)
@pytest.mark.parametrize("command", ["ocils.refineUntilGreen", "ocils.generate"])
async def test_wrong_arguments_are_one_clear_message(
    table: Table, command: str, arguments: list[Any], text: str
) -> None:
    editor = table.editor
    uri = editor.open(table.code)
    given = [_filled(a, uri) for a in arguments]
    assert await editor.run(command, *given) is None
    await editor.until(lambda: editor.messages, "a message")
    ((kind, message),) = editor.messages
    assert kind == types.MessageType.Error
    assert text.lower() in message.lower()
    assert "Traceback" not in message
    assert editor.progress == []


def _filled(argument: Any, uri: str) -> Any:
    if argument == "CODE":
        return uri
    if isinstance(argument, dict):
        return {k: _filled(v, uri) for k, v in argument.items()}
    return argument


async def test_the_name_decides_when_the_text_moved_under_the_menu(table: Table) -> None:
    editor = table.editor
    uri = editor.open(table.code)
    place = editor.at(uri, "if cents == 0")
    argument = {
        "uri": uri,
        "name": "delivery",
        "position": {"line": place.line, "character": place.character},
    }
    editor.type(uri, 0, 0, "\n" * 10)
    started = await editor.run("ocils.runTests", argument)
    assert started["target"] == "delivery"
    await editor.ended()


async def test_an_unknown_command_is_an_error_to_the_client(table: Table) -> None:
    with pytest.raises(Exception, match=r"ocils\.nonsense"):
        await table.editor.run("ocils.nonsense")


async def test_garbage_on_the_wire_is_answered_or_passed_over(table: Table) -> None:
    editor = table.editor
    writer: Any = editor.client.protocol.writer
    for body in (
        b"{not json",
        b'{"jsonrpc": "2.0", "method": "textDocument/didChange", "params": {"oops": 1}}',
        b'{"jsonrpc": "2.0", "method": "no/such/notification", "params": {}}',
        b"[1, 2]",
    ):
        writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
    # A request that cannot be read is answered all the same: somebody waits for it.
    answer: Future[Any] = Future()
    protocol: Any = editor.client.protocol
    protocol._request_futures["bad"] = answer
    body = b'{"jsonrpc": "2.0", "id": "bad", "method": "textDocument/codeAction", "params": {}}'
    writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
    with pytest.raises(Exception, match="Invalid Params"):
        await asyncio.wait_for(asyncio.wrap_future(answer), 20)
    with pytest.raises(Exception, match="no/such"):
        await editor.ask("no/such/request", {})
    uri = editor.open(table.code)
    assert len(await titles(editor, uri, "total = 0")) == 2
    assert editor.messages == []


async def test_status(rig: Rig, table: Table) -> None:
    editor = table.editor
    uri = editor.open(table.code)
    status = await editor.run("ocils.status", {"uri": uri})
    assert status["model"] == "scripted@scripted"
    assert status["judge"] == "none (a test)"
    assert status["running"] == []
    await editor.until(lambda: editor.said("idle"), "said")
    hold = asyncio.Event()
    rig.judge.gate = lambda _, __: _wait(hold)
    started = await editor.run("ocils.runTests", {"uri": uri})
    status = await editor.run("ocils.status")
    assert [r["task"] for r in status["running"]] == [started["task"]]
    hold.set()
    await editor.ended()


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


async def test_a_file_outside_every_folder_finds_its_own_project(rig: Rig, tmp_path: Path) -> None:
    table = await rig.connect(root=None)
    uri = table.editor.open(table.code)
    await table.editor.run("ocils.refineUntilGreen", {"uri": uri, "name": "delivery"})
    await table.editor.until(lambda: table.editor.said("mended"), "mended")


async def test_an_opened_folder_without_any_project_file_is_the_workspace(rig: Rig) -> None:
    (rig.root / "pyproject.toml").unlink()
    table = await rig.connect()
    uri = table.editor.open(table.code)
    await table.editor.run("ocils.refineUntilGreen", {"uri": uri, "name": "delivery"})
    await table.editor.until(lambda: table.editor.said("mended"), "mended")


async def test_two_folders_run_side_by_side(rig: Rig, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "shop").mkdir(parents=True)
    (other / "tests").mkdir()
    for name in ("pyproject.toml", "shop/pricing.py", "tests/test_pricing.py"):
        (other / name).write_text(rig.read(name))
    table = await rig.connect(folders=[str(rig.root), str(other)])
    one = table.editor.open(table.code)
    two = table.editor.open(str(other / "shop/pricing.py"))
    hold = asyncio.Event()
    rig.judge.gate = lambda _, __: _wait(hold)
    for uri in (one, two):
        assert await table.editor.run("ocils.runTests", {"uri": uri, "name": "delivery"})
    await table.editor.until(lambda: len(rig.judge.calls) == 2, "both at once")
    hold.set()
    await table.editor.ended(2)
    assert table.editor.marks(one)
    assert table.editor.marks(two)


def test_starting_imports_nothing_heavy() -> None:
    code = (
        "import sys, ocils.server.app, ocils.wiring\n"
        "heavy = {'ctranslate2', 'docker', 'tokenizers', 'torch', 'numpy', 'requests', 'rich'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == []
