"""The line to a server that speaks OpenAI's protocol: requests out, events in, clear errors.

The client is the ``openai`` package's: it sends a request again, with growing pauses, when the
server is busy (429), fails (5xx) or cannot be reached, and never once an answer has begun. What it
takes from the environment by itself (keys, organisations, headers) is kept from the server.

Not covered: what is asked (``engine.py``), what the events hold (``answers.py``).
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from ocils.domain.base import Value
from ocils.domain.errors import ModelUnavailable
from ocils.engine.remote.answers import Events, Refusal, Rubbish, names, parsed

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

_CONNECT = 10.0  # seconds: a server that is there answers a knock at once
_MOST = 64 << 20  # bytes of one answer
_SENT = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "host"}
    # The last is how the package tells itself that an answer is read as it comes.
    | {"user-agent", "x-stainless-raw-response"}
)
"""The headers that a request has, and no others: some would tell of the user and their machine."""


_NEEDED: dict[str, dict[str, Any]] = {
    "chat": {"model": "", "messages": []},
    "text": {"model": "", "prompt": ""},
}
"""What the package asks for by name; the fields of the body replace it."""


class Address(Value, frozen=True):
    """Where the server is and how patient to be with it; see ``settings.RemoteSettings``."""

    url: str
    key_variable: str = ""
    seconds: float = 120.0
    retries: int = 3
    loopback: bool = False

    @property
    def place(self) -> str:
        """Host and port, for people."""
        return urlsplit(self.url).netloc


class Refused(Exception):
    """The request holds something that this server does not take (400, 422)."""


class Connection:
    """A line to one server, opened at first use; used from one event loop."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._client: AsyncOpenAI | None = None

    async def models(self) -> tuple[str, ...]:
        """Return the names of the server's models; none when it does not tell. Raises ``OcilsError``."""
        client = await self._open()
        import openai

        try:
            async with asyncio.timeout(self._address.seconds):
                return names(await client.get("/models", cast_to=object))
        except openai.NotFoundError:
            return ()  # llama.cpp's older servers have models and no list
        except Exception as error:
            raise self.problem(error) from error

    async def ask(
        self, kind: Literal["chat", "text"], body: Mapping[str, object]
    ) -> AsyncGenerator[object, None]:
        """Yield the events of an answer as they come; of one that is not streamed, the whole.

        Closing the iterator hangs up, which ends the work on the server. Raises ``Refused`` for a
        request that the server does not take, and ``OcilsError`` for everything else.
        """
        client = await self._open()
        try:
            # The package's own types and its reader of streams are passed by: they trust the server.
            request: dict[str, Any] = {"extra_body": dict(body), **_NEEDED[kind]}
            made = client.chat.completions if kind == "chat" else client.completions
            async with (
                asyncio.timeout(self._address.seconds),
                made.with_streaming_response.create(**request) as answer,
            ):
                streamed = "event-stream" in answer.headers.get("content-type", "")
                async with aclosing(_parts(answer.iter_bytes(), streamed)) as parts:
                    async for part in parts:
                        yield part
        except Exception as error:
            raise self.problem(error) from error

    async def close(self) -> None:
        """Hang up."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    async def _open(self) -> AsyncOpenAI:
        if self._client is None:
            key = self._key()
            # The package takes a second to import, and the loop has other things to do meanwhile.
            self._client = await asyncio.to_thread(self._made, key)
        return self._client

    def _made(self, key: str) -> AsyncOpenAI:
        address = self._address
        try:
            from openai import AsyncOpenAI, DefaultAsyncHttpxClient, Timeout
        except ImportError as error:
            raise ModelUnavailable(
                "a model on a server needs the package openai, which is not installed",
                mend="install it with: pip install 'ocils[remote]'",
            ) from error
        return AsyncOpenAI(
            base_url=address.url,
            api_key=key or "none",
            max_retries=address.retries,
            timeout=Timeout(address.seconds, connect=_CONNECT),
            http_client=DefaultAsyncHttpxClient(
                # Who was told where code goes was not told of anywhere else.
                follow_redirects=False,
                # A proxy is not asked for the way to one's own machine.
                trust_env=not address.loopback,
                event_hooks={"request": [_stripped(key)]},
            ),
        )

    def _key(self) -> str:
        name = self._address.key_variable
        key = os.environ.get(name, "") if name else ""
        if name and not key:
            raise ModelUnavailable(
                f"the environment variable {name}, which your settings name for the key of the "
                f"server at {self._address.place}, is not set",
                mend="set it where ocils (or your editor) is started",
            )
        return key

    def problem(self, error: Exception) -> Exception:
        """Return what the user can mend for what went wrong; a bug as it is."""
        import openai

        place = f"the server at {self._address.place}"
        match error:
            case Rubbish() | json.JSONDecodeError():
                return ModelUnavailable(
                    f"{place} answers with {error}",
                    mend="check that remote.url is the root of an OpenAI-compatible server, mostly …/v1",
                )
            case Refusal():
                said = self._quoted(str(error))
                return ModelUnavailable(f"{place} failed: {said}", mend="look at its log")
            case openai.APITimeoutError() | TimeoutError():
                return ModelUnavailable(
                    f"{place} did not finish its answer within {self._address.seconds:g} s",
                    mend="look at its load, or raise remote.seconds in your settings",
                )
            case openai.APIConnectionError():
                why = error.__cause__ or error
                return ModelUnavailable(
                    f"{place} cannot be reached: {self._quoted(str(why)) or type(why).__name__}",
                    mend="check remote.url in your settings, and that the server runs",
                )
            case openai.APIStatusError():
                return self._problem_of(error, place)
            case _ if type(error).__module__.partition(".")[0] in ("httpx", "httpx2"):
                return ModelUnavailable(
                    f"{place} broke off its answer: {type(error).__name__}",
                    mend="look at its log; try again",
                )
            case _:
                return error

    def _problem_of(self, error: APIStatusError, place: str) -> Exception:
        status = error.status_code
        said = self._quoted(error.message)
        if status in (400, 422):
            return Refused(said)
        if status in (401, 403):
            mend = "name the variable that holds its key as remote.key_variable in your settings"
            if name := self._address.key_variable:
                mend = f"check the key in the environment variable {name}"
            return ModelUnavailable(f"{place} refuses the key ({status})", mend=mend)
        mend = "look at its log"
        if status == 404:
            mend = "check remote.url (mostly …/v1) and remote.model in your settings"
        elif status == 429:
            mend = "try again later"
        elif 300 <= status < 400:
            mend = "name the address that it leads to as remote.url, if you trust it"
        return ModelUnavailable(f"{place} answers {status}: {said}", mend=mend)

    def _quoted(self, text: str) -> str:
        """Return a server's words, short, on one line, and without the key that it may repeat."""
        key = os.environ.get(self._address.key_variable, "") if self._address.key_variable else ""
        if key:
            text = text.replace(key, "[key]")
        return "".join(c if c.isprintable() else " " for c in text)[:200].strip()


async def _parts(data: Any, streamed: bool) -> AsyncGenerator[object, None]:
    """Yield the events in ``data``, an asynchronous iterator of bytes."""
    events, size, whole = Events(), 0, bytearray()
    async for each in data:
        size += len(each)
        if size > _MOST:
            raise Rubbish("more than anybody asked for")
        if not streamed:
            whole += each
            continue
        for event in events.take(each):
            yield event
        if events.done:
            return
    if not streamed:
        yield parsed(bytes(whole))


def _stripped(key: str) -> Callable[[Any], Any]:
    """Return a hook that lets nothing out but what a request needs."""

    async def strip(request: Any) -> None:
        for name in list(request.headers):
            if name.lower() not in _SENT:
                del request.headers[name]
        request.headers["user-agent"] = "ocils"
        if key:
            request.headers["authorization"] = f"Bearer {key}"

    return strip
