"""The engine on a server elsewhere: what it asks, what it keeps to itself, what it does with rubbish."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import ModelUnavailable, Unsupported
from ocils.domain.model import Chat, Infill, InfillFormat, Manifest, Message, Reply, Sampling
from ocils.engine.remote.connection import Address
from ocils.engine.remote.engine import RemoteEngine, undescribed
from ocils.engine.remote.http import Request
from ocils.record.redact import Veil

from .scripted_http import ScriptedServer, events, response, serving, talk, text, whole

FORM = InfillFormat("<pre>", "<suf>", "<mid>", "<end>", "<was>", "lines")
FILLS = Manifest("fills", "llama", "none", 512, True, ("infill", "edit"), FORM, stop=("<eot>",))
HOLE = Infill("\ndef f(x):", "\n    return y", "\n    y = 0", max_lines=2)
TALK = Chat((Message("user", "Repair it."),))
ONE, TWO = Sampling(1, 20, 0.0), Sampling(2, 20, 0.8, seed=7)


@asynccontextmanager
async def engine_on(
    server: ScriptedServer, manifest: Manifest = FILLS, *, model: str = "m", **more: object
) -> AsyncIterator[RemoteEngine]:
    settings = {"seconds": 20.0, "retries": 0, "loopback": True, **more}
    own = bool(settings.pop("own_infill", False))
    address = Address(server.url, **settings)  # type: ignore[arg-type]
    engine = RemoteEngine(manifest, address, model, "there", Veil(), own_infill=own)
    try:
        yield engine
    finally:
        await engine.close()


async def drawn(
    engine: RemoteEngine, prompt: Chat | Infill = HOLE, sampling: Sampling = ONE
) -> list[Reply]:
    return [reply async for reply in engine.generate(prompt, sampling, CancelToken())]


async def test_a_hole_is_asked_for_with_the_models_own_tokens() -> None:
    async with (
        serving(events(text("\n    y", logprob=-1.0), text(" = x", 0, "stop", -0.5))) as server,
        engine_on(server) as engine,
    ):
        (reply,) = await drawn(engine)
    assert (reply.text, reply.finish, reply.logprob) == ("\n    y = x", "stop", -1.5)
    (body,) = server.bodies
    asked = "<pre>\ndef f(x):<suf>\n    return y<was>\n    y = 0<mid>"
    assert (body["prompt"], body["model"], body["stream"]) == (asked, "m", True)
    assert body["stop"] == ["<eot>"]
    assert server.requests[0].path == "/v1/completions"


async def test_suffix_first_goes_first() -> None:
    form = InfillFormat("[P]", "[S]", "", "</s>", start="<s>", order="suffix_first")
    manifest = Manifest("c", "llama", "none", 512, False, ("infill",), form)
    async with (
        serving(events(text("x", 0, "stop"))) as server,
        engine_on(server, manifest) as engine,
    ):
        await drawn(engine, Infill("before", "after"))
    assert server.bodies[0]["prompt"] == "<s>[S]after[P]before"


async def test_a_control_token_in_the_users_code_is_no_control_token() -> None:
    async with serving(events(text("x", 0, "stop"))) as server, engine_on(server) as engine:
        await drawn(engine, Infill("\nx = '<mid>'", ""))
    asked = str(server.bodies[0]["prompt"])
    assert asked.count("<mid>") == 1
    assert asked.endswith("<mid>")


async def test_a_server_that_fills_holes_by_itself_gets_prefix_and_suffix() -> None:
    manifest = undescribed("qwen2.5-coder:7b", 4096, own_infill=True)
    async with (
        serving(events(text("x", 0, "stop"))) as server,
        engine_on(server, manifest, own_infill=True) as engine,
    ):
        await drawn(engine, Infill("before", "after"))
        with pytest.raises(Unsupported):
            await engine.score([(HOLE, "x")], CancelToken())
    assert (server.bodies[0]["prompt"], server.bodies[0]["suffix"]) == ("before", "after")
    assert len(server.requests) == 1


async def test_a_reply_ends_at_a_stop_string_and_after_its_lines() -> None:
    long = events(text("\n    a\n    b\n    c\n"), text("    d"), done=False)
    async with serving(long) as server, engine_on(server) as engine:
        (reply,) = await drawn(engine)
        assert (reply.text, reply.finish) == ("\n    a\n    b", "stop")
    async with (
        serving(events(text("\n    a<e"), text("ot>more"), done=False)) as server,
        engine_on(server) as engine,
    ):
        (reply,) = await drawn(engine)
    assert (reply.text, reply.finish) == ("\n    a", "stop")


async def test_rows_come_as_they_end() -> None:
    stream = events(text("a", 0), text("b", 1, "stop"), text("c", 0, "length"))
    async with serving(stream) as server, engine_on(server) as engine:
        replies = await drawn(engine, sampling=TWO)
    assert [(r.row, r.text, r.finish) for r in replies] == [(1, "b", "stop"), (0, "ac", "length")]
    assert (server.bodies[0]["n"], server.bodies[0]["seed"]) == (2, 7)


async def test_a_conversation_with_an_opening_is_gone_on_with() -> None:
    talked = events(talk("```python\ndef"), talk(" f(): pass", finish="stop"))
    chat = Chat(TALK.messages, opening="```python\n")
    async with serving(talked) as server, engine_on(server) as engine:
        (reply,) = await drawn(engine, chat)
    assert reply.text == "def f(): pass"  # and the opening is not part of it, though repeated
    body = server.bodies[0]
    assert body["messages"] == [
        {"role": "user", "content": "Repair it."},
        {"role": "assistant", "content": "```python\n"},
    ]
    assert body["continue_final_message"] is True
    assert reply.logprob < 0, "an estimate, where none is told"


async def test_a_reply_that_came_back_to_the_old_text_is_hung_up_on() -> None:
    tail = "    total = first + second\n    return total\n    # the end\n"

    async def back(request: Request, writer: asyncio.StreamWriter) -> None:
        said = [talk("    first = 1\n"), talk("    total = first + second\n    return total\n")]
        writer.write(events(*said, done=False))
        await forever(request, writer)

    chat = Chat(TALK.messages, opening="def f():\n", old_tail=tail)
    async with serving(back) as server, engine_on(server) as engine:
        (reply,) = await drawn(engine, chat)
        await server.hung_up.wait()
    assert (reply.text, reply.finish) == ("    first = 1\n" + tail, "stop")


async def test_an_answer_in_one_piece_is_an_answer() -> None:
    said = {"choices": [{"index": 0, "message": {"content": "hello"}, "finish_reason": "stop"}]}
    async with serving(whole(said)) as server, engine_on(server) as engine:
        assert [reply.text for reply in await drawn(engine, TALK)] == ["hello"]


async def test_who_gives_one_reply_is_asked_again() -> None:
    async with serving(events(talk("a", 0, "stop"))) as server, engine_on(server) as engine:
        replies = await drawn(engine, TALK, Sampling(5, 20, 0.8))
    assert sorted(reply.row for reply in replies) == [0, 1, 2, 3, 4]
    assert len({body["seed"] for body in server.bodies}) == 5


async def test_who_takes_only_the_plain_protocol_is_asked_plainly_from_then_on() -> None:
    refusal = response(b'{"error": {"message": "unknown field n"}}', status="400 Bad Request")
    async with (
        serving(refusal, events(talk("a", 0, "stop"))) as server,
        engine_on(server) as engine,
    ):
        assert len(await drawn(engine, TALK, TWO)) == 2
        assert len(await drawn(engine, TALK, TWO)) == 2
    assert ["n" in body for body in server.bodies] == [True, *[False] * 4]


async def test_what_no_server_takes_is_said_with_its_reason() -> None:
    refusal = response(b'{"error": {"message": "too long by 90"}}', status="400 Bad Request")
    async with serving(refusal) as server, engine_on(server) as engine:
        with pytest.raises(ModelUnavailable, match="too long by 90"):
            await drawn(engine, TALK)
    assert len(server.requests) == 2


BEGUN = {"choices": [{"index": 0, "text": "y"}]}
RUBBISH = {
    "a page": response(b"<html><body>Welcome!</body></html>", "text/html"),
    "a page as a stream": response(b"<html>data</html>\n\n", "text/event-stream"),
    "nothing": response(b""),
    "an empty stream": events(),
    "no choices": events({"choices": []}),
    "half a stream": events(BEGUN, done=False),
    "half an event": response(b'data: {"choices": [{"ind', "text/event-stream"),
    "no JSON": events("{not json"),
    "no object": events("[1, 2]"),
    "nested without end": events("[" * 100_000),
    "an error": events(BEGUN, {"error": {"message": "out of memory\x1b[31m"}}),
    "an error as a string": whole({"error": "model failed"}),
    "a row of no number": events({"choices": [{"index": "0", "text": "y"}]}),
    "a row nobody asked for": events(text("y", 5)),
    "a row below zero": events(text("y", -1)),
    "a text of no text": events({"choices": [{"index": 0, "text": 5}]}),
    "choices of no list": events({"choices": "y"}),
    "a choice of no object": events({"choices": [5]}),
    "a likelihood of no number": events(
        {"choices": [{"index": 0, "text": "y", "logprobs": {"token_logprobs": ["x"]}}]}
    ),
    "more than asked for": events(*[text("y" * 500)] * 20, done=False),
    "a line without an end": response(b"data: " + b"y" * (2 << 20), "text/event-stream"),
    "a body cut short": response(b'{"choices"', Content_Length="5000"),
    "a failure": response(b"oh", "text/plain", "500 Internal Server Error"),
    "no such model": response(b'{"error": {"message": "no m"}}', status="404 Not Found"),
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "a wrong compression": response(b"no gzip", "text/event-stream", Content_Encoding="gzip"),
}


@pytest.mark.parametrize("kind", RUBBISH)
async def test_rubbish_is_one_clear_error_and_ends_tidily(kind: str) -> None:
    async with serving(RUBBISH[kind]) as server:
        async with engine_on(server) as engine:
            with pytest.raises(
                ModelUnavailable, match=r"the server at 127\.0\.0\.1:\d+ "
            ) as caught:
                await drawn(engine)
            assert caught.value.mend
            assert str(caught.value).isprintable()
        await server.close()
    await asyncio.sleep(0.05)  # what was left is closed by the loop in its next rounds
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


@pytest.mark.parametrize(
    "said", [b"[]", b"<html>", b"5", b'{"data": 5}', b'{"data": [5]}', b"{", b""]
)
async def test_a_rubbish_list_of_models_is_a_clear_error(said: bytes) -> None:
    async with serving(response(said)) as server, engine_on(server) as engine:
        with pytest.raises(ModelUnavailable, match="answers with"):
            await engine.load()


async def test_an_endless_drip_ends_with_the_patience() -> None:
    async def drip(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(response(b"", "text/event-stream"))
        while True:
            writer.write(b": patience\n\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with serving(drip) as server, engine_on(server, seconds=0.5) as engine:
        with pytest.raises(ModelUnavailable, match=r"did not finish its answer within 0\.5 s"):
            await drawn(engine)
        await server.hung_up.wait()


async def test_silence_ends_with_the_patience() -> None:
    async def wait(_: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with serving(wait) as server, engine_on(server, seconds=0.3) as engine:
        with pytest.raises(ModelUnavailable, match="did not finish"):
            await drawn(engine)


async def forever(_: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(events(text("y"), done=False))
    while True:
        await writer.drain()
        writer.write(b"data: " + b'{"choices": []}' + b"\n\n")
        await asyncio.sleep(0.01)


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


async def test_nothing_is_asked_again_once_a_token_has_come() -> None:
    async with serving(RUBBISH["half a stream"]) as server, engine_on(server, retries=3) as engine:
        with pytest.raises(ModelUnavailable):
            await drawn(engine)
    assert len(server.requests) == 1


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


async def test_likelihoods_are_summed_behind_the_prompt() -> None:
    async def echo(request: Request, writer: asyncio.StreamWriter) -> None:
        import json

        texts: Sequence[str] = json.loads(request.body)["prompt"]
        choices = []
        for row, each in enumerate(texts):
            at = each.index("<mid>") + len("<mid>")
            said = {
                "tokens": [each[:at], each[at : at + 2], each[at + 2 :]],
                "text_offset": [0, at, at + 2],
                "token_logprobs": [None, -1.0 - row, -0.5],
            }
            choices.append({"index": row, "text": each, "logprobs": said})
        writer.write(whole({"choices": choices[::-1]}))

    async with serving(echo) as server, engine_on(server) as engine:
        scores = await engine.score([(HOLE, "\n    a"), (HOLE, "\n    b")], CancelToken())
    assert scores == (-1.5, -2.5)
    body = server.bodies[0]
    assert (body["echo"], body["max_tokens"]) == (True, 0)
    assert str(body["prompt"][0]).endswith("<mid>\n    a<end>")  # type: ignore[index]


MISFITS = {
    "no likelihoods": whole({"choices": [{"index": 0, "text": "y"}]}),
    "another text": whole(
        {
            "choices": [
                {
                    "index": 0,
                    "logprobs": {
                        "tokens": ["a", "b"],
                        "text_offset": [0, 1],
                        "token_logprobs": [None, -1.0],
                    },
                }
            ]
        }
    ),
    "too few": whole({"choices": []}),
    "a refusal": response(b'{"error": "echo is not supported"}', status="400 Bad Request"),
}


@pytest.mark.parametrize("kind", MISFITS)
async def test_likelihoods_that_do_not_fit_are_none_and_not_asked_for_again(kind: str) -> None:
    async with serving(MISFITS[kind]) as server, engine_on(server) as engine:
        for _ in range(2):
            with pytest.raises(Unsupported, match="does not tell likelihoods"):
                await engine.score([(HOLE, "\n    a")], CancelToken())
    assert len(server.requests) == 1


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
