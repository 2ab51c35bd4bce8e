"""Around a run: links, folders, settings, files that change on disk, doctor, models, the way out."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from ocils.domain.errors import SandboxUnavailable
from ocils.domain.judging import TimedOut
from ocils.sandbox.scripted import ScriptedSandbox
from ocils.server.convert import uri_of

from .conftest import Rig, Table
from .editor import plain

STATUS = {"client": {"status": True}}


# -- one file under two names ----------------------------------------------------------------------


@pytest.fixture
def linked(rig: Rig) -> str:
    """A link beside the code that leads to it."""
    link = rig.root / "shop/alias.py"
    link.symlink_to("pricing.py")
    return str(link)


async def test_a_link_is_its_file(table: Table, linked: str) -> None:
    uri = table.editor.open(linked)
    await table.editor.run("ocils.refineUntilGreen", {"uri": uri, "name": "delivery"})
    await table.editor.until(lambda: table.editor.said("mended"), "mended")
    assert "cents >= FREE" in table.editor.buffers[uri].text


async def test_two_buffers_of_one_file_do_not_mix(table: Table, linked: str) -> None:
    editor = table.editor
    first, second = editor.open(table.code), editor.open(linked)
    editor.type(first, 0, 0, "# one\n")
    editor.type(second, 0, 0, "# another\n")
    for count, uri in enumerate((first, second), 1):
        assert await editor.run("ocils.runTests", {"uri": uri, "name": "delivery"})
        await editor.ended(count)
        await editor.until(lambda n=count: len(editor.messages) == n, "refused")  # type: ignore[misc]
    assert all("open twice, as" in message for _, message in editor.messages)
    assert all(
        table.server.desk.documents.find(uri).document.data.decode()  # type: ignore[union-attr]
        == editor.buffers[uri].text
        for uri in (first, second)
    )
    # With one text, they are one file again.
    editor.replace(second, "# another\n", "# one\n")
    await editor.run("ocils.refineUntilGreen", {"uri": second, "name": "delivery"})
    await editor.until(lambda: editor.said("mended"), "mended")
    assert "cents >= FREE" in editor.buffers[second].text
    editor.close(second)
    assert table.server.desk.documents.find(first) is not None


# -- documents without a file ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("untitled:Untitled-1", "no file yet; save it into your project"),
        ("vscode-notebook-cell:/w/a.ipynb#W0", "notebooks are not supported; move the function"),
        ("file:///w/a.ipynb", "notebooks are not supported"),
        ("git:/w/a.py?{}", "documents of the kind 'git' are not supported"),
    ],
)
async def test_what_is_no_file_is_passed_over_and_refused_clearly(
    table: Table, uri: str, text: str
) -> None:
    editor = table.editor
    editor.open(uri, "def f():\n    return 1\n")
    editor.type(uri, 0, 0, "# typed\n")
    assert await editor.actions(uri, types.Position(1, 4)) == []
    assert await editor.lenses(uri) == []
    assert editor.messages == []
    for command in ("ocils.refineUntilGreen", "ocils.runTests", "ocils.generate"):
        await editor.run(command, {"uri": uri, "name": "f"})
    await editor.until(lambda: len(editor.messages) == 3, "each is refused")
    assert all(text.lower() in message.lower() for _, message in editor.messages)
    editor.close(uri)


async def test_a_file_that_was_never_saved_is_judged_from_its_buffer(
    rig: Rig, table: Table
) -> None:
    text = rig.read("shop/pricing.py")
    (rig.root / "shop/pricing.py").unlink()
    uri = table.editor.open(table.code, text)
    await table.editor.run("ocils.refineUntilGreen", {"uri": uri, "name": "delivery"})
    await table.editor.until(lambda: table.editor.said("mended"), "mended")
    assert not (rig.root / "shop/pricing.py").exists()


# -- files and settings that change ----------------------------------------------------------------


async def test_a_client_that_can_is_asked_to_tell_of_changes(rig: Rig) -> None:
    table = await rig.connect(dynamic=True)
    await table.editor.until(lambda: len(table.editor.registered) == 2, "registered")
    assert sorted(table.editor.registered) == [
        "workspace/didChangeConfiguration",
        "workspace/didChangeWatchedFiles",
    ]
    other = await rig.connect()
    await other.editor.run("ocils.status")
    assert other.editor.registered == []


async def test_a_file_that_changes_on_disk_is_read_anew_and_its_findings_go(
    rig: Rig, table: Table
) -> None:
    uri, tests = uri_of(table.code), table.editor.open(table.tests)
    table.editor.open(table.code)
    await table.editor.run("ocils.runTests", {"uri": uri, "name": "delivery"})
    await table.editor.until(lambda: table.editor.marks(uri) and table.editor.marks(tests), "two")
    table.editor.close(uri)
    rig.write(
        "shop/pricing.py", rig.read("shop/pricing.py").replace("cents > FREE", "cents >= FREE")
    )
    changed = types.FileEvent(uri, types.FileChangeType.Changed)
    table.editor.client.workspace_did_change_watched_files(
        types.DidChangeWatchedFilesParams([changed])
    )
    await table.editor.until(
        lambda: not table.editor.marks(uri) and not table.editor.marks(tests), "cleared"
    )
    await table.editor.run("ocils.runTests", {"uri": tests})
    await table.editor.until(lambda: table.editor.said("all 9 tests pass"), "the new text")


async def test_a_test_file_that_appears_is_discovered(rig: Rig) -> None:
    table = await rig.connect(options={"client": {"testExplorer": True}})
    rig.write("tests/test_new.py", "def test_it(): ...\n")
    event = types.FileEvent(
        uri_of(str(rig.root / "tests/test_new.py")), types.FileChangeType.Created
    )
    table.editor.client.workspace_did_change_watched_files(
        types.DidChangeWatchedFilesParams([event])
    )
    await table.editor.until(lambda: table.editor.told("ocils/discoveredTests"), "told")
    assert "test_it" in {t["label"] for t in table.editor.told("ocils/discoveredTests")[0]["tests"]}
    (rig.root / "tests/test_new.py").unlink()
    gone = types.FileEvent(event.uri, types.FileChangeType.Deleted)
    table.editor.client.workspace_did_change_watched_files(
        types.DidChangeWatchedFilesParams([gone])
    )
    await table.editor.until(lambda: len(table.editor.told("ocils/discoveredTests")) == 2, "gone")
    assert table.editor.told("ocils/discoveredTests")[1]["tests"] == []


async def test_settings_of_the_clients_own_are_passed_over_and_both_spellings_known(
    rig: Rig,
) -> None:
    mine = {"path": "/x", "importStrategy": "fromEnvironment", "trace": {"server": "off"}}
    options = {"ocils": {**mine, "model": {"idleSeconds": 7}}, "client": {"status": False}}
    table = await rig.connect(options=options)
    await table.editor.run("ocils.status")
    assert table.house.settings.model.idle_seconds == 7
    # The section as a client with its own settings sends it, and without a restart.
    settings = {"ocils": {**mine, "codeLens": True, "editor": {"proposal": "ask"}}}
    table.editor.client.workspace_did_change_configuration(
        types.DidChangeConfigurationParams(settings=settings)
    )
    await table.editor.until(lambda: table.house.settings.editor.proposal == "ask", "changed")
    assert not table.editor.said("settings")


# -- status, doctor, models ------------------------------------------------------------------------


async def test_the_status_is_told_as_it_changes(rig: Rig) -> None:
    table = await rig.connect(options=STATUS)
    editor = table.editor
    await editor.until(lambda: editor.told("ocils/status"), "the first one")
    first = editor.told("ocils/status")[0]
    assert (first["state"], first["model"], first["judge"]) == ("idle", "ocils-tiny", "")
    reached, go = asyncio.Event(), asyncio.Event()

    async def gate(*_: Any) -> None:
        reached.set()
        await go.wait()

    rig.judge.gate = gate
    uri = editor.open(table.code)
    await editor.run("ocils.runTests", {"uri": uri})
    await reached.wait()
    await editor.until(lambda: editor.latest("ocils/status").get("running"), "busy")
    busy = editor.told("ocils/status")[-1]
    assert busy["state"] == "busy"
    assert busy["running"][0]["target"] == "Running all tests"
    go.set()
    await editor.until(lambda: editor.latest("ocils/status").get("state") == "idle", "idle")
    last = editor.told("ocils/status")[-1]
    assert (last["model"], last["judge"]) == ("scripted@scripted", "none (a test)")


async def test_a_problem_of_the_machine_stays_in_the_status_until_a_run_works(rig: Rig) -> None:
    problem = SandboxUnavailable("no engine", mend="start it")
    judge = rig.judge
    rig.judge = ScriptedSandbox(lambda _: TimedOut(1.0), unavailable=problem)  # type: ignore[assignment]
    table = await rig.connect(options=STATUS)
    editor = table.editor
    uri = editor.open(table.code)
    await editor.run("ocils.runTests", {"uri": uri})
    await editor.until(lambda: editor.latest("ocils/status").get("state") == "error", "the problem")
    last = editor.told("ocils/status")[-1]
    assert (last["problem"], last["mend"]) == ("no engine", "start it")
    rig.judge = judge
    table.house._sandboxes.clear()
    await editor.run("ocils.runTests", {"uri": uri})
    await editor.until(lambda: editor.latest("ocils/status").get("state") == "idle", "mended")
    assert editor.told("ocils/status")[-1]["problem"] == ""


async def test_the_doctor_answers_with_what_to_do(rig: Rig, own_folders: Path) -> None:
    table = await rig.connect()
    for given in ({}, {"uri": uri_of(table.code)}):
        checks = plain(await table.editor.ask("ocils/doctor", given))["checks"]
        assert {"ocils", "sandbox", "workspace", "model"} <= {c["name"] for c in checks}
        (workspace,) = [c for c in checks if c["name"] == "workspace"]
        assert str(rig.root) in workspace["detail"]
        assert all(c["ok"] or c["mend"] or c["detail"] for c in checks)


async def test_the_models_are_listed(rig: Rig, own_folders: Path) -> None:
    mine = own_folders / "config/ocils/models"
    mine.mkdir(parents=True)
    (mine / "broken.toml").write_text("name = 3\n")
    table = await rig.connect()
    answer = plain(await table.editor.ask("ocils/models", None))
    assert answer["current"] == "ocils-tiny"
    (tiny,) = [m for m in answer["models"] if m["name"] == "ocils-tiny"]
    assert tiny["bundled"] is True
    assert tiny["strategies"] == ["edit", "infill"]


@pytest.mark.parametrize(
    ("method", "given"),
    [
        ("ocils/doctor", {"uri": 3}),
        ("ocils/attempts", {}),
        ("ocils/discoverTests", {"testId": "/nowhere"}),
        ("ocils/runTests", {"include": ["/nowhere::x"]}),
        ("ocils/sessions", [1]),
    ],
)
async def test_a_wrong_request_is_null_and_one_message(
    table: Table, own_folders: Path, method: str, given: Any
) -> None:
    assert await table.editor.ask(method, given) is None
    await table.editor.until(lambda: len(table.editor.messages) == 1, "told")


# -- the way out -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("polite", "code"), [(True, 0), (False, 1)])
def test_exit_without_shutdown_is_code_1(tmp_path: Path, polite: bool, code: int) -> None:
    messages = [{"id": 1, "method": "initialize", "params": {"capabilities": {}}}]
    if polite:
        messages.append({"id": 2, "method": "shutdown"})
    messages.append({"method": "exit"})
    stream = b""
    for message in messages:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        stream += b"Content-Length: %d\r\n\r\n" % len(body) + body
    done = subprocess.run(
        [sys.executable, "-m", "ocils", "serve"],
        input=stream,
        capture_output=True,
        timeout=60,
        check=False,
        env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path)},
    )
    assert done.returncode == code
    assert b"Traceback" not in done.stderr
