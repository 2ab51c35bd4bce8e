"""The line to a server elsewhere: keys and secrets, tries and patience, hanging up."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import aclosing

import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import ModelUnavailable
from ocils.domain.model import Chat, Infill, Message, Reply
from ocils.engine.remote.engine import RemoteEngine
from ocils.engine.remote.http import Request

from .remote_engine import HOLE, ONE, TWO, drawn, engine_on, forever
from .scripted_http import events, response, serving, text, whole


async def test_cancel_hangs_up() -> None:
    cancel = CancelToken()
    async with serving(forever) as server, engine_on(server) as engine:
        run = asyncio.create_task(_all(engine, cancel))
        await server.asked.wait()
        cancel.cancel()
        assert await run == []
        await server.hung_up.wait()


async def test_closing_the_replies_hangs_up() -> None:
    async def one_row(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(events(text("y", 0, "stop"), done=False))
        await forever(request, writer)

    async with serving(one_row) as server, engine_on(server) as engine:
        async with aclosing(engine.generate(HOLE, TWO, CancelToken())) as replies:
            assert (await anext(replies)).text == "y"
        await server.hung_up.wait()


async def _all(engine: RemoteEngine, cancel: CancelToken) -> list[Reply]:
    return [reply async for reply in engine.generate(HOLE, ONE, cancel)]


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
async def test_who_is_busy_is_asked_again(status: str) -> None:
    busy = response(b"{}", status=status, Retry_After_Ms="1")
    async with (
        serving(busy, busy, events(text("y", 0, "stop"))) as server,
        engine_on(server, retries=3) as engine,
    ):
        assert [reply.text for reply in await drawn(engine)] == ["y"]
    assert len(server.requests) == 3


async def test_who_hangs_up_before_an_answer_is_asked_again() -> None:
    async with (
        serving(b"", events(text("y", 0, "stop"))) as server,
        engine_on(server, retries=1) as engine,
    ):
        assert [reply.text for reply in await drawn(engine)] == ["y"]


async def test_nobody_there_is_a_clear_error() -> None:
    async with serving(b"") as server:
        pass
    async with engine_on(server) as engine:
        with pytest.raises(ModelUnavailable, match="cannot be reached"):
            await engine.load()


async def test_a_redirection_is_not_followed() -> None:
    async with serving(events(text("stolen", 0, "stop"))) as thief:
        away = response(b"", status="307 Temporary Redirect", Location=f"{thief.url}/completions")
        async with serving(away) as server, engine_on(server) as engine:
            with pytest.raises(ModelUnavailable, match="answers 307"):
                await drawn(engine)
    assert thief.requests == []


async def test_the_key_comes_from_the_named_variable_and_nothing_else_leaves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TEAM_KEY", "team-secret")
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, "of-another-service")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Private: of-another-service")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    async with serving(events(text("y", 0, "stop"))) as server:
        async with engine_on(server, key_variable="TEAM_KEY") as engine:
            await drawn(engine)
        async with engine_on(server) as engine:
            await drawn(engine)
    first, second = server.requests
    assert first.headers["authorization"] == "Bearer team-secret"
    assert "authorization" not in second.headers
    for request in server.requests:
        assert "of-another-service" not in str(request.headers)
        assert not any(name.startswith(("openai-", "x-stainless-os")) for name in request.headers)


async def test_a_variable_that_is_not_set_is_named_and_nothing_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TEAM_KEY", raising=False)
    async with serving(b"") as server, engine_on(server, key_variable="TEAM_KEY") as engine:
        with pytest.raises(ModelUnavailable, match="TEAM_KEY"):
            await drawn(engine)
    assert server.requests == []


async def test_a_key_that_a_server_repeats_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM_KEY", "team-secret")
    body = b'{"error": {"message": "cannot find team-secret"}}'
    async with (
        serving(response(body, status="404 Not Found")) as server,
        engine_on(server, key_variable="TEAM_KEY") as engine,
    ):
        with pytest.raises(ModelUnavailable, match=r"cannot find \[key\]"):
            await drawn(engine)
    async with (
        serving(response(b"{}", status="401 Unauthorized")) as server,
        engine_on(server, key_variable="TEAM_KEY") as engine,
    ):
        with pytest.raises(ModelUnavailable, match="TEAM_KEY"):
            await drawn(engine)


async def test_secrets_do_not_leave_and_come_back() -> None:
    secret = "ghp_" + "a1B2" * 10
    code = f'\n    token = "{secret}"\n    use("{secret}")'
    reply = events(text('\n    call("[redacted-1]")', 0, "stop"))
    async with serving(reply) as server, engine_on(server) as engine:
        (first,) = await drawn(engine, Infill(code, "", code))
        (second,) = await drawn(engine, Chat((Message("user", f"see {secret}"),)))
    assert first.text == f'\n    call("{secret}")'
    assert secret.encode() not in b"".join(request.body for request in server.requests)
    assert str(server.bodies[0]["prompt"]).count("[redacted-1]") == 4
    assert second.text.count(secret) == 1


async def test_the_only_model_is_taken_and_of_several_one_has_to_be_named() -> None:
    one, two = ({"data": [{"id": n} for n in names]} for names in (["a"], ["a", "b"]))
    async with serving(whole(one)) as server:
        async with engine_on(server, model="") as engine:
            await engine.load()
            assert engine.identity.startswith("a@127.0.0.1:")
        async with engine_on(server, model="z") as engine:
            with pytest.raises(ModelUnavailable, match=r"remote\.model: a"):
                await engine.load()
    async with serving(whole(two)) as server, engine_on(server, model="") as engine:
        with pytest.raises(ModelUnavailable, match=r"has 2 models; .*a, b"):
            await engine.load()


def test_without_the_package_the_extra_is_named() -> None:
    code = (
        "import asyncio, sys; sys.modules['openai'] = None\n"
        "from ocils.engine.remote.connection import Address, Connection\n"
        "from ocils.domain.errors import ModelUnavailable\n"
        "try: asyncio.run(Connection(Address('http://127.0.0.1:9/v1')).models())\n"
        "except ModelUnavailable as problem: print(problem)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert "ocils[remote]" in said
