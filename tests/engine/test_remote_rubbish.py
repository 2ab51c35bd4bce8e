"""A server that answers rubbish, too much, or not at all: one clear error each."""

from __future__ import annotations

import asyncio

import pytest

from ocils.domain.errors import ModelUnavailable
from ocils.engine.remote.http import Request

from .remote_engine import drawn, engine_on
from .scripted_http import events, response, serving, text, whole

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


async def test_nothing_is_asked_again_once_a_token_has_come() -> None:
    async with serving(RUBBISH["half a stream"]) as server, engine_on(server, retries=3) as engine:
        with pytest.raises(ModelUnavailable):
            await drawn(engine)
    assert len(server.requests) == 1
