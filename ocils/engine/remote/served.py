"""A model's server: an engine behind OpenAI's protocol, for a team that shares one machine's model.

Completions with holes, chat, several replies, likelihoods by ``echo``. Streams go token by token,
less what may still turn out to be a stop string; a client that hangs up ends its work within a
token's time.

Not covered: TLS, more than one model, fairness between clients (first come, first served).
"""

from __future__ import annotations

import asyncio
import hmac
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Protocol, runtime_checkable

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import EnvironmentProblem, OcilsError
from ocils.domain.model import Prompt, Reply, Sampling
from ocils.engine.remote.asked import (
    AskedChat,
    AskedText,
    Dress,
    choice,
    kind_of,
    pairs_of,
    parsed,
    prompt_of,
    scored,
)
from ocils.engine.remote.http import (
    BadRequest,
    Request,
    check_origin,
    hung_up,
    read_request,
    send_events,
    send_json,
)
from ocils.engine.rows import Part
from ocils.ports import Engine


class ModelServer:
    """Serves ``engine``; ``key``, when there is one, has to be shown by every request."""

    def __init__(self, engine: Engine, key: str = "") -> None:
        self._engine = engine
        self._key = key
        self._loopback = True
        self._server: asyncio.Server | None = None
        self._work: set[asyncio.Task[None]] = set()
        self._counts = {"requests": 0, "running": 0, "cancelled": 0}

    async def start(self, host: str, port: int, *, loopback: bool) -> int:
        """Listen, and return the port, which is drawn when ``port`` is 0. Raises ``OSError``."""
        self._loopback = loopback
        self._server = await asyncio.start_server(self._accept, host, port, limit=1 << 16)
        number: int = self._server.sockets[0].getsockname()[1]
        return number

    async def close(self) -> None:
        """Stop listening and end what is under way; the engine stays open."""
        if self._server is not None:
            self._server.close()
        for task in self._work:
            task.cancel()
        if self._work:
            await asyncio.wait(self._work)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._work.add(task)
        try:
            # Whoever hung up is not told why nobody answers; at the end of the server nobody is.
            with suppress(ConnectionError, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            self._work.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cancel = CancelToken()
        watch: asyncio.Task[None] | None = None
        try:
            request = await read_request(reader)
            self._counts["requests"] += 1
            self._check(request)
            watch = asyncio.create_task(hung_up(reader))
            answer = asyncio.create_task(self._answer(request, writer, cancel))
            try:
                await asyncio.wait([watch, answer], return_when=asyncio.FIRST_COMPLETED)
            finally:
                cancel.cancel()
                if not answer.done():
                    answer.cancel()
                await asyncio.wait([answer])
            if not answer.cancelled():
                answer.result()
        except BadRequest as problem:
            await _refuse(writer, problem.status, problem.message)
        except OcilsError as problem:
            await _refuse(
                writer, 503 if isinstance(problem, EnvironmentProblem) else 400, str(problem)
            )
        finally:
            if watch is not None:
                watch.cancel()
                await asyncio.wait([watch])

    def _check(self, request: Request) -> None:
        check_origin(request, loopback=self._loopback)
        shown = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self._key and not hmac.compare_digest(shown.encode(), self._key.encode()):
            raise BadRequest(401, "this server asks for a key")

    async def _answer(
        self, request: Request, writer: asyncio.StreamWriter, cancel: CancelToken
    ) -> None:
        name = self._engine.manifest.name
        match request.method, request.path:
            case "GET", "/health":
                await send_json(writer, 200, {"status": "ok", **self._counts})
            case "GET", "/v1/models":
                model = {"id": name, "object": "model", "owned_by": "ocils"}
                await send_json(writer, 200, {"object": "list", "data": [model]})
            case "POST", "/v1/completions":
                await self._complete(parsed(request.body, AskedText), writer, cancel)
            case "POST", "/v1/chat/completions":
                await self._complete(parsed(request.body, AskedChat), writer, cancel)
            case _:
                raise BadRequest(404, f"there is nothing at {request.method} {request.path[:60]}")

    async def _complete(
        self, asked: AskedText | AskedChat, writer: asyncio.StreamWriter, cancel: CancelToken
    ) -> None:
        name = self._engine.manifest.name
        if asked.model and asked.model != name:
            raise BadRequest(404, f"the model {asked.model[:60]!r} is not served; {name} is")
        self._counts["running"] += 1
        try:
            if isinstance(asked, AskedText) and asked.echo:
                pairs, rests = pairs_of(asked, self._engine.manifest)
                scores = await self._engine.score(pairs, cancel)
                await send_json(writer, 200, scored(asked, rests, scores, name))
                return
            async with aclosing(self._replies(asked, cancel)) as replies:
                if asked.stream:
                    async with aclosing(_events(asked, name, replies)) as events:
                        await send_events(writer, events)
                    return
                choices = [each async for some in replies for each in some]
            await send_json(writer, 200, {**_head(asked, name, part=False), "choices": choices})
        finally:
            self._counts["running"] -= 1

    async def _replies(
        self, asked: AskedText | AskedChat, cancel: CancelToken
    ) -> AsyncGenerator[list[dict[str, object]], None]:
        """Yield each reply, or with ``stream`` each part of one, as the choices that it is."""
        manifest = self._engine.manifest
        prompt, dress = prompt_of(asked, manifest)
        sampling = asked.sampling(manifest.context)
        drawn = self._drawn(prompt, sampling, cancel, parts=bool(asked.stream))
        # Greedy replies are all the same, so one is drawn for all.
        alike = sampling.n < asked.rows
        left = sampling.n
        sent: dict[int, Sent] = {}
        try:
            async with aclosing(drawn) as pieces:
                async for piece in pieces:
                    finish = piece.finish if isinstance(piece, Reply) else None
                    left -= finish is not None
                    text, logprob = sent.setdefault(piece.row, Sent(dress)).take(piece)
                    yield [
                        choice(row, text, logprob, finish, asked, part=bool(asked.stream))
                        for row in (range(asked.rows) if alike else [piece.row])
                    ]
        except (GeneratorExit, asyncio.CancelledError):
            # Who hangs up with the last reply in hand has cancelled nothing.
            self._counts["cancelled"] += left > 0
            raise

    def _drawn(
        self, prompt: Prompt, sampling: Sampling, cancel: CancelToken, *, parts: bool
    ) -> AsyncGenerator[Reply | Part, None] | AsyncGenerator[Reply, None]:
        engine = self._engine
        if parts and isinstance(engine, InParts):
            return engine.stream(prompt, sampling, cancel)
        return engine.generate(prompt, sampling, cancel)


@runtime_checkable
class InParts(Protocol):
    """An engine whose replies can be had before they are complete."""

    def stream(
        self, prompt: Prompt, sampling: Sampling, cancel: CancelToken
    ) -> AsyncGenerator[Reply | Part, None]:
        """Yield parts of replies, and each reply behind its parts."""
        ...


class Sent:
    """What was sent of one reply, dressed. Mutable, used by one task."""

    def __init__(self, dress: Dress) -> None:
        self._dress = dress
        self._text = ""
        self._logprob = 0.0

    def take(self, piece: Reply | Part) -> tuple[str, float]:
        """Return what is to be sent next: of a part all, of the reply what is left of it."""
        if isinstance(piece, Part):
            text = piece.text if self._text else piece.text.removeprefix(self._dress.drop)
            self._text += piece.text
            self._logprob += piece.logprob
            return text, piece.logprob
        if not self._text:
            return self._dress.whole(piece.text), piece.logprob
        rest = piece.text[len(self._text) :] + self._dress.behind
        return rest, piece.logprob - self._logprob


async def _events(
    asked: AskedText | AskedChat, name: str, replies: AsyncGenerator[list[dict[str, object]], None]
) -> AsyncGenerator[object, None]:
    head = _head(asked, name, part=True)
    async for choices in replies:
        yield {**head, "choices": choices}


def _head(asked: AskedText | AskedChat, name: str, *, part: bool) -> dict[str, object]:
    """Return the fields that an answer has, or every part of one; clients tell answers apart by them."""
    return {
        "id": f"ocils-{uuid.uuid4().hex}",
        "object": kind_of(asked, part=part),
        "created": int(time.time()),
        "model": name,
    }


async def _refuse(writer: asyncio.StreamWriter, status: int, message: str) -> None:
    kind = "invalid_request_error" if status < 500 else "server_error"
    await send_json(writer, status, {"error": {"message": message, "type": kind}})
