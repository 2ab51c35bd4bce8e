"""Conversations through a model's server: the same replies as in this process, a model of noise."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ocils.domain.cancel import CancelToken
from ocils.domain.model import Chat, Infill, Message, Reply, Sampling
from ocils.engine.ct2 import CTranslate2Engine
from ocils.engine.models.store import ModelFolder
from ocils.engine.remote.connection import Address
from ocils.engine.remote.engine import RemoteEngine
from ocils.engine.remote.served import ModelServer
from ocils.record.redact import Veil

TALK = (Message("system", "You repair."), Message("user", "Repair `f`."))


@pytest_asyncio.fixture
async def remote(
    small_model: ModelFolder, engine: CTranslate2Engine
) -> AsyncIterator[RemoteEngine]:
    """An engine on a server in this process, of the same model as ``engine``."""
    server = ModelServer(engine)
    port = await server.start("127.0.0.1", 0, loopback=True)
    address = Address(f"http://127.0.0.1:{port}/v1", loopback=True)
    remote = RemoteEngine(small_model.manifest, address, "", "", Veil())
    yield remote
    await remote.close()
    await server.close()


async def drawn(
    engine: RemoteEngine | CTranslate2Engine, prompt: Chat | Infill, sampling: Sampling
) -> list[Reply]:
    return [reply async for reply in engine.generate(prompt, sampling, CancelToken())]


@pytest.mark.parametrize("opening", ["", "```python\ndef f("])
async def test_a_conversation_is_answered_as_here(
    remote: RemoteEngine, engine: CTranslate2Engine, opening: str
) -> None:
    chat = Chat(TALK, opening=opening)
    (there,) = await drawn(remote, chat, Sampling(1, 24, 0.0))
    (here,) = await drawn(engine, chat, Sampling(1, 24, 0.0))
    assert (there.text, there.finish) == (here.text, here.finish)
    assert there.logprob == pytest.approx(here.logprob, abs=1e-3)
    assert there.text


async def test_several_replies_of_a_conversation(remote: RemoteEngine) -> None:
    replies = await drawn(remote, Chat(TALK), Sampling(6, 24, 1.0))
    assert sorted(reply.row for reply in replies) == [0, 1, 2, 3, 4, 5]
    assert len({reply.text for reply in replies}) > 1


async def test_whoever_closes_early_leaves_the_server_whole(remote: RemoteEngine) -> None:
    for _ in range(5):
        run = remote.generate(Chat(TALK), Sampling(8, 100, 1.0), CancelToken())
        await anext(run)
        await run.aclose()
    assert len(await drawn(remote, Chat(TALK), Sampling(2, 8, 1.0))) == 2
