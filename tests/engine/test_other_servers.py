"""Streams as other servers send them, chunk by chunk as their documentation and sources show.

Not covered: those servers themselves, none of which can be had here.
"""

from __future__ import annotations

import asyncio
import json

import pytest

from ocils.domain.errors import ModelUnavailable
from ocils.domain.model import Sampling
from ocils.engine.remote.http import Request

from .remote_engine import HOLE, ONE, TALK, TWO, drawn, engine_on
from .scripted_http import events, response, serving, text


def chunk(delta: object, finish: str | None = None, row: int = 0, **more: object) -> object:
    """A chunk of a chat, with the fields that every server adds and nobody here needs."""
    choice = {"index": row, "delta": delta, "finish_reason": finish, **more}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1790000000,
        "model": "m",
        "choices": [choice],
    }


USAGE = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "choices": [],
    "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
}
STREAMS = {
    # The role alone comes first, why it ended comes last without text, then the usage.
    "vLLM": events(
        chunk({"role": "assistant", "content": ""}, logprobs=None),
        chunk({"content": "x ="}, logprobs={"content": [{"token": "x =", "logprob": -0.5}]}),
        chunk({"content": " 1"}, logprobs={"content": [{"token": " 1", "logprob": -0.25}]}),
        chunk({"content": ""}, "{finish}", logprobs=None, stop_reason=None),
        USAGE,
    ),
    "llama.cpp": events(
        chunk({"role": "assistant", "content": None}),
        chunk({"content": "x ="}),
        chunk({"content": " 1"}),
        {**chunk({}, "{finish}"), "timings": {"predicted_n": 2, "predicted_per_second": 40.1}},  # type: ignore[dict-item]
        USAGE,
    ),
    "Ollama": events(
        chunk({"role": "assistant", "content": "x ="}),
        chunk({"role": "assistant", "content": " 1"}),
        chunk({"role": "assistant", "content": ""}, "{finish}"),
    ),
    "a gateway": events(
        {"choices": [], "prompt_filter_results": [{"prompt_index": 0}]},
        chunk({"role": "assistant", "reasoning_content": "Let me see.", "content": None}),
        chunk({"content": "x = 1"}),
        chunk({}, "{finish}"),
        done=False,
    ),
}


@pytest.mark.parametrize("finish", ["stop", "length"])
@pytest.mark.parametrize("name", STREAMS)
async def test_a_chat_is_read_whoever_streams_it(name: str, finish: str) -> None:
    stream = STREAMS[name].replace(b"{finish}", finish.encode())
    async with serving(stream) as server, engine_on(server) as engine:
        (reply,) = await drawn(engine, TALK)
    assert (reply.text, reply.finish) == ("x = 1", finish)
    if name == "vLLM":
        assert reply.logprob == -0.75


@pytest.mark.parametrize("finish", ["stop", "length"])
async def test_why_a_completion_ended_may_come_without_text(finish: str) -> None:
    stream = events(text("\n    y", logprob=-1.0), text("", 0, finish, -0.5))
    async with serving(stream) as server, engine_on(server) as engine:
        (reply,) = await drawn(engine, HOLE)
    assert (reply.text, reply.finish, reply.logprob) == ("\n    y", finish, -1.5)


async def test_rows_may_be_mixed_as_they_are_drawn() -> None:
    stream = events(
        *[chunk({"role": "assistant", "content": ""}, row=row) for row in (0, 1)],
        *[chunk({"content": f"{row}{part}"}, row=row) for part in "ab" for row in (1, 0)],
        *[chunk({}, "stop", row) for row in (0, 1)],
    )
    async with serving(stream) as server, engine_on(server) as engine:
        replies = await drawn(engine, TALK, TWO)
    assert [(reply.row, reply.text) for reply in replies] == [(0, "0a0b"), (1, "1a1b")]


async def test_signs_of_life_and_other_fields_are_no_data() -> None:
    first, last = (
        json.dumps(each)
        for each in (chunk({"content": "grüß "}), chunk({"content": "dich"}, "stop"))
    )
    stream = (
        f": ping\r\n\r\n:\r\n\r\nretry: 3000\r\nid: 1\r\nevent: message\r\ndata:{first}\r\n\r\n"
        f": OPENROUTER PROCESSING\r\n\r\ndata: {last}\r\n\r\ndata: [DONE]\r\n\r\n"
    ).encode()

    async def drip(_: Request, writer: asyncio.StreamWriter) -> None:
        """A byte at a time: a character of several bytes comes in two reads, as does a line's end."""
        writer.write(response(b"", "text/event-stream; charset=utf-8"))
        for number in range(0, len(stream), 3):
            writer.write(stream[number : number + 3])
            await writer.drain()
            await asyncio.sleep(0)

    async with serving(drip) as server, engine_on(server) as engine:
        assert [reply.text for reply in await drawn(engine, TALK)] == ["grüß dich"]


ERRORS = {
    "the protocol's": b'data: {"error": {"message": "KV cache is full", "code": 500}}\n\n',
    "vLLM's, of old": b'data: {"object": "error", "message": "KV cache is full", "code": 400}\n\n',
    "llama.cpp's, of old": b'error: {"code": 500, "message": "KV cache is full"}\n\n',
    "with its own event": b'event: error\ndata: {"error": {"message": "KV cache is full"}}\n\n',
    "a text": b'data: {"error": "KV cache is full"}\n\n',
}


@pytest.mark.parametrize("kind", ERRORS)
async def test_an_error_in_the_stream_is_told_in_the_servers_words(kind: str) -> None:
    begun = events(chunk({"content": "x"}), done=False)
    async with serving(begun + ERRORS[kind]) as server, engine_on(server) as engine:
        with pytest.raises(ModelUnavailable, match="failed: KV cache is full"):
            await drawn(engine, TALK)


async def test_whoever_knows_no_number_of_replies_is_asked_for_each() -> None:
    """Ollama leaves ``n`` out of account without a word."""
    async with serving(STREAMS["Ollama"]) as server, engine_on(server) as engine:
        replies = await drawn(engine, TALK, Sampling(3, 20, 0.8))
    assert sorted(reply.row for reply in replies) == [0, 1, 2]
    assert len(server.requests) == 3


async def test_a_model_of_ollamas_goes_by_its_name_without_the_tag() -> None:
    body = {"object": "list", "data": [{"id": "coder:latest", "object": "model"}]}
    listed = response(json.dumps(body).encode())
    async with serving(listed) as server, engine_on(server, model="coder") as engine:
        await engine.load()
        assert engine.identity.startswith("coder@")


async def test_a_server_that_still_loads_is_waited_for() -> None:
    loading = response(
        b'{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}',
        status="503 Service Unavailable",
        Retry_After_Ms="1",
    )
    ready = STREAMS["llama.cpp"].replace(b"{finish}", b"stop")
    async with serving(loading, ready) as server, engine_on(server, retries=2) as engine:
        assert [reply.text for reply in await drawn(engine, TALK, ONE)] == ["x = 1"]
