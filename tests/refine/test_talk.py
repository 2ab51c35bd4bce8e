"""The conversation with a model that chats: short, with what is to be learnt from, and in the window."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec
import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import ModelUnavailable
from ocils.domain.events import Finished, TurnStarted
from ocils.domain.judging import CaseResult, Failed, TestId
from ocils.domain.model import Chat, Prompt, Reply, Sampling
from ocils.domain.session import Feedback, Limits, Session
from ocils.domain.target import Context, EditTarget, Excerpt
from ocils.domain.text import Span
from ocils.engine.ct2 import CTranslate2Engine
from ocils.engine.models.store import ModelFolder, find
from ocils.engine.scripted import ScriptedEngine
from ocils.ports import Ports
from ocils.prompt import chat, fitted
from ocils.record.off import NoSessions
from ocils.refine import feedback
from ocils.refine.loop import refine
from tests.engine.small_model import build_model
from tests.refine.conftest import BUGGY, CHATTY, RIGHT, Scene, end_of, events_of

TARGET = EditTarget("/w/a.py", "f", "function", Span(0, 1), Span(0, 1), "", 1, 9, "h")
CONTEXT = Context(
    TARGET,
    "def f(x):\n    return x",
    header="import math",
    excerpts=tuple(Excerpt("b.py", f"half{n}", f"def half{n}(x): ..." * 9) for n in range(5)),
    tests=tuple(Excerpt("t.py", f"test{n}", f"def test{n}(): ..." * 9) for n in range(5)),
)
ROUNDS = (("reply one", Feedback("feedback one")), ("reply two", Feedback("feedback two")))


def count(text: str) -> int:
    return -(-len(text) // 4)


def size(talk: Chat) -> int:
    return sum(count(message.content) for message in talk.messages)


def test_what_does_not_fit_goes_the_least_useful_first() -> None:
    before = 10_000
    seen: list[str] = []
    for room in range(1200, 100, -10):
        talk = fitted.render(CONTEXT, "repair", "it fails", ROUNDS, count, room)
        if talk is None:
            break
        assert size(talk) <= room
        assert size(talk) <= before, "less room, less said"
        before = size(talk)
        said = "\n".join(message.content for message in talk.messages)
        assert "def f(x):\n    return x" in said, "the target itself is never cut"
        assert "it fails" in said
        for piece in ("reply one", "half4", "half0", "test4", "import math", "reply two", "test0"):
            if piece not in said and piece not in seen:
                seen.append(piece)
    assert talk is None, "a target that does not fit is no conversation"
    assert seen == ["reply one", "half4", "half0", "test4", "import math", "reply two", "test0"]


def test_a_conversation_is_short_whatever_the_window() -> None:
    assert fitted.room_for(32_768, 512) == 1500
    assert fitted.room_for(1024, 512) == 512


def test_execution_feedback_and_what_people_say_read_differently() -> None:
    rounds = [
        ("a", Feedback("test_a failed: assert 1 == 2")),
        ("b", Feedback("A person read it and rejects it: no")),
    ]
    talk = chat.render(CONTEXT, "repair", "", rounds)
    assert talk.messages[3].content.startswith("Execution result:\ntest_a failed: assert 1 == 2")
    assert talk.messages[5].content.startswith("A person read it and rejects it: no")


def test_feedback_is_short_and_holds_what_was_printed() -> None:
    case = CaseResult(
        TestId("t::a"), "failed", message="assert 1 == 2", output="x is 7\n" + "y" * 9999
    )
    said = feedback.write(Failed((case,), 0.1)).text
    assert "printed: x is 7" in said
    assert len(said) <= 500


async def test_the_furthest_attempt_stays_in_the_conversation_and_prose_does_not() -> None:
    scene = Scene()
    # The first try mends one of two cases (it came further); the later ones mend none.
    further = BUGGY.replace("return high\n    if", "return 0\n    if")
    worse = [BUGGY.replace("return x\n", f"return x + {n}\n") for n in range(1, 4)]
    replies = [
        [f"Of course!\n```python\n{text}```\nI hope that helps."] for text in (further, *worse)
    ]
    scene.replies(replies, CHATTY)
    scene.limits = Limits(turns=4, candidates=50, seconds=30)
    await events_of(scene)
    last = scene.engine.asked[-1]
    assert isinstance(last, Chat)
    shown = [message.content for message in last.messages if message.role == "assistant"]
    assert len(shown) == 2
    assert "return 0" in shown[0]
    assert "return x + 2" in shown[1]
    assert all(text.startswith("```python\ndef clamp") and text.endswith("```") for text in shown)
    assert "Of course" not in str(last.messages)


async def test_a_function_that_is_too_long_for_the_model_ends_no_search() -> None:
    scene = Scene(BUGGY + "    # " + "long " * 4000 + "\n")
    scene.replies([[f"```python\n{RIGHT}```"]], msgspec.structs.replace(CHATTY, context=1024))
    end = end_of(await events_of(scene))
    assert end.outcome == "exhausted"
    assert scene.engine.asked == ()


async def test_a_model_that_did_not_learn_the_language_is_not_asked() -> None:
    scene = Scene()
    scene.replies(
        [[f"```python\n{RIGHT}```"]], msgspec.structs.replace(CHATTY, languages=("rust",))
    )
    end = end_of(await events_of(scene))
    assert scene.engine.asked == ()
    assert "did not learn Python" in end.message


class Failing(ScriptedEngine):
    """Says what its script holds, and then its server is gone."""

    async def generate(
        self, prompt: Prompt, sampling: Sampling, cancel: CancelToken
    ) -> AsyncGenerator[Reply, None]:
        async for reply in super().generate(prompt, sampling, cancel):
            yield reply
        raise ModelUnavailable("the server broke off its answer")


async def test_a_model_that_fails_does_not_take_back_what_was_found() -> None:
    scene = Scene()
    scene.engine = Failing(CHATTY, [[f"```python\n{RIGHT}```"]])
    assert end_of(await events_of(scene)).outcome == "green"


async def test_a_model_that_fails_ends_the_search_with_its_reason_and_a_record() -> None:
    class Kept:
        def __init__(self) -> None:
            self.sessions: list[Session] = []

        def record(self, session: Session) -> None:
            self.sessions.append(session)

    scene, kept = Scene(), Kept()
    engine = Failing(CHATTY, [["```python\ndef clamp(x, low, high):\n    return x\n```"]])
    ports = Ports(engine, scene.sandbox, kept)
    with pytest.raises(ModelUnavailable, match="broke off"):
        async for _ in refine(scene.session, scene.snapshot, ports, CancelToken()):
            pass
    (session,) = kept.sessions
    assert len(session.turns[0].judged) <= 1
    assert [t for t in asyncio.all_tasks() if t is not asyncio.current_task()] == []


@pytest.fixture
def random_chat(tmp_path: Path) -> ModelFolder:
    """A model that chats, of random weights: what it says is noise."""
    model = find(str(build_model(tmp_path / "noise", context=2048)))
    manifest = msgspec.structs.replace(model.manifest, strategies=("rewrite", "extend"))
    return msgspec.structs.replace(model, manifest=manifest)


async def test_a_real_model_that_talks_rubbish_is_harmless(random_chat: ModelFolder) -> None:
    scene = Scene()
    engine = CTranslate2Engine(random_chat, threads=2)
    limits = Limits(turns=4, candidates=50, seconds=60, tokens=64)
    session = msgspec.structs.replace(scene.session, limits=limits)
    ports = Ports(engine, scene.sandbox, NoSessions())
    try:
        run = refine(session, scene.snapshot, ports, CancelToken())
        events = [event async for event in run]
    finally:
        await engine.close()
    turns = [event.strategy for event in events if isinstance(event, TurnStarted)]
    assert set(turns) == {"rewrite", "extend"}
    assert isinstance(events[-1], Finished)
    assert events[-1].outcome == "exhausted"
