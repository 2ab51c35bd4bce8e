"""What is said when a task is beyond the model: why, and what to get instead."""

from __future__ import annotations

import re

import msgspec
import pytest

from ocils.domain.events import TurnStarted
from ocils.domain.model import Manifest
from ocils.domain.target import Task
from ocils.engine.models.store import bundled_models, find, load_manifest
from ocils.refine.beyond import INSTEAD, beyond
from ocils.source.stub import is_stub
from tests.refine.conftest import BUGGY, CHATTY, TINY, Scene, end_of, events_of

STUB = 'def clamp(x, low, high):\n    """Return x, but at least low and at most high."""\n    ...\n'


def test_what_is_named_ships_a_manifest_and_chats() -> None:
    for name in INSTEAD:
        manifest = load_manifest(bundled_models() / f"{name}.toml")
        assert manifest.chat
        assert "rewrite" in manifest.strategies
        assert manifest.source is not None
    assert not find("ocils-tiny").manifest.chat


@pytest.mark.parametrize(
    ("manifest", "task", "language", "why"),
    [
        (TINY, "implement", "python", "does not write functions from prose"),
        (TINY, "repair", "python", "mends slips of a line or two"),
        (TINY, "refactor", "python", "nothing that has to be told in words"),
        (TINY, "write_tests", "python", "nothing that has to be told in words"),
        (
            msgspec.structs.replace(TINY, languages=("python",)),
            "repair",
            "javascript",
            "did not learn JavaScript",
        ),
        (
            msgspec.structs.replace(CHATTY, languages=("python",)),
            "repair",
            "javascript",
            "did not learn JavaScript",
        ),
    ],
)
def test_why_and_what_to_get(manifest: Manifest, task: Task, language: str, why: str) -> None:
    said = beyond(manifest, task, language)
    assert why in said
    assert f"`ocils model pull {INSTEAD[0]}`" in said
    assert "`ocils model use`" in said
    assert all(name in said for name in INSTEAD)


def test_of_a_model_that_chats_nothing_is_said() -> None:
    assert beyond(CHATTY, "implement", "python") == ""
    assert beyond(CHATTY, "repair", "javascript") == ""


async def test_a_stub_is_implemented_whatever_it_was_asked_as_and_the_end_says_what_to_get() -> (
    None
):
    scene = Scene(STUB)
    scene.replies([["\n    return x"]] * 4)
    events = await events_of(scene)
    end = end_of(events)
    assert end.outcome == "exhausted"
    assert "does not write functions from prose" in end.message
    assert "`ocils model pull " in end.message
    assert end.session is not None
    assert end.session.task == "implement"
    assert {e.strategy for e in events if isinstance(e, TurnStarted)} == {"infill"}


async def test_a_repair_that_failed_says_what_to_get() -> None:
    scene = Scene(BUGGY.replace("return high\n    if", "return len('abc') * 7\n    if"))
    only = msgspec.structs.replace(TINY, strategies=("infill",))
    scene.replies([], only)
    message = end_of(await events_of(scene)).message
    assert re.search(r"mends slips of a line or two; for more, .*`ocils model pull ", message)


@pytest.mark.parametrize(
    ("body", "stub"),
    [
        ("pass", True),
        ("...", True),
        ('"""Says what."""', True),
        ("raise NotImplementedError", True),
        ("raise NotImplementedError('later')", True),
        ("return NotImplemented", True),
        ("return None", False),
        ("raise ValueError", False),
        ("(", False),
    ],
)
def test_what_a_stub_is(body: str, stub: bool) -> None:
    assert is_stub(f"    async def f(x):\n        {body}") is stub
