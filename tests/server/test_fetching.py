"""The model's state in ``ocils/status``, and a model fetched on request from a hub on loopback."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import ModelMissing
from ocils.domain.model_state import Downloading, Failed, ModelState, Ready, Unloaded
from ocils.settings import ModelSettings, UserSettings
from ocils.wiring import House
from ocils.wiring.model_watch import ModelWatch
from ocils.wiring.models import pull
from tests.engine.hub_server import Answer, Asked, HubServer, serving
from tests.engine.places import Places, hub_of
from tests.engine.small_model import build_model

from .conftest import Rig, Table
from .editor import plain


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HubServer:
    """A hub that has the model "small", which the user's manifest describes."""
    small = build_model(tmp_path / "original")
    Places(tmp_path).be(monkeypatch).describe(small)
    return hub_of(small)


@pytest.fixture
async def watching(
    rig: Rig, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Table]:
    """An editor that hears of the status; the settings name the model "small"."""
    with serving(hub):
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        house = House(UserSettings(model=ModelSettings(name="small"), record=False))
        yield await rig.connect(house=house, options={"client": {"status": True}})


def states(table: Table) -> list[Any]:
    return [plain(each)["modelState"] for each in table.editor.told("ocils/status")]


def kinds(table: Table) -> list[str]:
    return [each["kind"] for each in states(table) if each is not None]


async def test_a_model_is_fetched_when_it_is_asked_for_and_not_before(
    watching: Table, hub: HubServer
) -> None:
    half, go_on = threading.Event(), threading.Event()

    def slow(asked: Asked, before: int) -> Answer | None:
        wait = asked.kind == "store"
        return Answer(cut=30_000, reached=half, wait=go_on) if wait else None

    hub.plan = slow
    editor = watching.editor
    await editor.until(lambda: kinds(watching) == ["absent"], "the state at the start")
    assert hub.asked == []
    started = await editor.run("ocils.pullModel", {"name": "small"})
    assert plain(started)["target"] == "small"
    await editor.until(lambda: "downloading" in kinds(watching), "downloading")
    shown = next(each for each in states(watching) if each["kind"] == "downloading")
    assert shown["words"].startswith("downloading ")
    assert 0 <= shown["fraction"] < 1
    again = await editor.run("ocils.pullModel", {"name": "small"})
    assert again is None
    assert editor.said("still running")
    go_on.set()
    await editor.until(lambda: editor.said("small is installed"), "the end")
    await editor.until(lambda: kinds(watching)[-1] == "unloaded", "the new state")
    checks = plain(await editor.ask("ocils/doctor", {}))["checks"]
    model = next(each for each in checks if each["name"] == "model")
    assert model["ok"]
    assert "unloaded" in model["detail"]


async def test_what_the_engine_does_is_told_and_a_model_that_came_is_taken_up(
    watching: Table,
) -> None:
    editor, house = watching.editor, watching.house
    await editor.until(lambda: kinds(watching) == ["absent"], "the state at the start")
    early = house.ports(str(watching.root)).engine
    with pytest.raises(ModelMissing, match="ocils model pull small"):
        await early.load()
    await editor.until(lambda: kinds(watching)[-1] == "failed", "the failure")
    assert "not on this machine" in states(watching)[-1]["words"]
    # Another process brings it, and nobody tells this one.
    assert await asyncio.to_thread(pull, "small", lambda _: None, CancelToken()) is not None
    engine = house.ports(str(watching.root)).engine
    assert engine is not early
    await engine.load()
    await editor.until(lambda: kinds(watching)[-1] == "ready", "loading")
    assert house.ports(str(watching.root)).engine is engine


def test_what_an_older_engine_still_says_is_passed_over() -> None:
    watch, settings = ModelWatch(), UserSettings()
    heard: list[ModelState | None] = []
    watch.listen(lambda: heard.append(watch.state(settings)))
    older, newer = watch.reporter(), watch.reporter()
    newer(Ready())
    older(Unloaded())
    assert heard == [Ready()]
    watch.pulling(0.5)
    newer(Unloaded())
    assert heard == [Ready(), Downloading(0.5)]
    watch.renew()
    newer(Failed("late"))
    assert watch.outdated
    assert heard[2:] == [watch.state(settings)]


async def test_a_fetch_is_cancelled_and_keeps_what_it_had(watching: Table, hub: HubServer) -> None:
    def endless(asked: Asked, before: int) -> Answer | None:
        return Answer(status=503) if asked.kind == "store" else None

    hub.plan = endless
    editor = watching.editor
    started = plain(await editor.run("ocils.pullModel", {"name": "small"}))
    await editor.until(lambda: hub.of("store"), "the large file")
    assert await editor.run("ocils.cancel", {"task": started["task"]}) == 1
    await editor.until(lambda: kinds(watching)[-1] == "absent", "the state afterwards")
    assert not editor.said("is installed")


async def test_what_cannot_be_fetched_is_told(watching: Table, hub: HubServer) -> None:
    hub.plan = lambda asked, before: Answer(status=404, headers={"X-Error-Code": "RepoNotFound"})
    editor = watching.editor
    await editor.run("ocils.pullModel", {"name": "small"})
    await editor.until(lambda: editor.said("has no repository"), "the refusal")
    await editor.run("ocils.pullModel", {"name": "nosuch"})
    await editor.until(lambda: editor.said("No model is called 'nosuch'"), "the name")
    assert kinds(watching)[-1] == "absent"
