"""The engine on a server elsewhere: what it asks, and what it makes of the answers."""

from __future__ import annotations

import asyncio

import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import ModelUnavailable, Unsupported
from ocils.domain.model import Chat, Infill, InfillFormat, Manifest, Sampling
from ocils.engine.remote.engine import undescribed
from ocils.engine.remote.http import Request

from .remote_engine import HOLE, TALK, TWO, drawn, engine_on, forever
from .scripted_http import events, response, serving, talk, text, whole


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
