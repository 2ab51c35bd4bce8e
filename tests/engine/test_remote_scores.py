"""Likelihoods from a server elsewhere, which tells them or does not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import Unsupported
from ocils.engine.remote.http import Request

from .remote_engine import HOLE, engine_on
from .scripted_http import response, serving, whole


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
