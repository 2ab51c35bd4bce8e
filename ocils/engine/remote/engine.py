"""The engine on a server elsewhere that speaks OpenAI's protocol: vLLM, Ray Serve, llama.cpp, Ollama.

Servers know different parts of the protocol. What one does not take (several replies at once,
likelihoods, a seed) is left out of later requests, and said by ``Unsupported`` where the loop can
do without it. Secrets are hidden from the server and put back into what it answers.

Not covered: the line itself (``connection.py``); the server's tokenizer: tokens are counted with
the manifest's, where its files are here, else guessed from the number of bytes.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from typing import Literal

import msgspec

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import ModelUnavailable, Unsupported
from ocils.domain.model import (
    Chat,
    Infill,
    InfillFormat,
    Manifest,
    Prompt,
    Reply,
    Sampling,
)
from ocils.engine.remote.answers import Refusal, Rubbish, pieces, scores
from ocils.engine.remote.connection import Address, Connection, Refused
from ocils.engine.remote.requests import Requests, Veil
from ocils.engine.remote.rows import Rows

_AT_ONCE = 4  # requests, where a server gives one reply a request
_PAIRS = 64  # scored a request
_BYTES_A_TOKEN = 3  # of code, by careful guess: real vocabularies reach 3.2 to 4


class RemoteEngine:
    """The ``Engine`` port for one model on one server.

    ``model`` is its name there, empty for the only one. ``sends`` says for people where code goes.
    ``count`` counts tokens; None guesses. ``own_infill``: the server fills holes by the protocol's
    ``suffix``. Nothing is sent before the first use.
    """

    def __init__(
        self,
        manifest: Manifest,
        address: Address,
        model: str,
        sends: str,
        veil: Veil,
        count: Callable[[str], int] | None = None,
        *,
        own_infill: bool = False,
    ) -> None:
        self.sends = sends
        self._manifest = manifest
        self._address = address
        self._model = model
        self._veil = veil
        self._count = count
        self._requests = Requests(manifest, veil, own_infill=own_infill)
        self._line = Connection(address)
        self._bare = False  # the server takes only what every server takes
        self._scoring = manifest.infill is not None and not own_infill

    @property
    def manifest(self) -> Manifest:
        """The description that was chosen; the server is not asked."""
        return self._manifest

    @property
    def identity(self) -> str:
        """The model's name and the server's place: what it holds is not known."""
        return f"{self._model or 'the only model'}@{self._address.place}"

    async def load(self) -> None:
        """Ask the server for its models. Raises ``OcilsError`` when it is not there or has not this one."""
        known = await self._line.models()
        if self._model or not known:
            if known and self._model not in known and f"{self._model}:latest" not in known:
                raise ModelUnavailable(
                    f"the server at {self._address.place} has no model {self._model!r}",
                    mend=f"name one of these as remote.model: {', '.join(known[:8])}",
                )
            if not self._model:
                raise ModelUnavailable(
                    f"the server at {self._address.place} does not tell its models",
                    mend="name one as remote.model in your settings",
                )
            return
        if len(known) > 1:
            raise ModelUnavailable(
                f"the server at {self._address.place} has {len(known)} models",
                mend=f"name one of these as remote.model: {', '.join(known[:8])}",
            )
        self._model = known[0]

    def count_tokens(self, text: str) -> int:
        """Count the tokens of ``text``, or guess them, rather too many than too few."""
        if self._count is not None:
            return self._count(text)
        return -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES_A_TOKEN)

    async def generate(
        self, prompt: Prompt, sampling: Sampling, cancel: CancelToken
    ) -> AsyncGenerator[Reply, None]:
        """Yield up to ``sampling.n`` replies as they finish, in any order.

        A likelihood that the server does not tell is an estimate. Closing the iterator or flipping
        ``cancel`` hangs up. Raises ``Unsupported`` for a hole where the server fills none, and
        ``ModelUnavailable``.
        """
        replies: asyncio.Queue[Reply | None] = asyncio.Queue()
        work = asyncio.create_task(self._generate(prompt, sampling, replies.put_nowait))
        work.add_done_callback(lambda _: replies.put_nowait(None))
        with cancel.watch(_ending(work)):
            try:
                while (reply := await replies.get()) is not None:
                    yield msgspec.structs.replace(reply, text=self._veil.restore(reply.text))
                if not work.cancelled() and (error := work.exception()) is not None:
                    raise error
            finally:
                await _ended(work)

    async def score(
        self, prompts: Sequence[tuple[Infill, str]], cancel: CancelToken
    ) -> tuple[float, ...]:
        """Return, for each prompt and middle, the summed log-probability of the middle and its end.

        Raises ``Unsupported`` where the server does not tell the likelihoods of what it was given
        (``echo`` with ``logprobs``), or the model's control tokens are not known.
        """
        form = self._manifest.infill
        if form is None or not self._scoring:
            raise Unsupported(f"{self.identity} does not tell likelihoods")
        work = asyncio.create_task(self._score(prompts, form))
        with cancel.watch(_ending(work)):
            try:
                await asyncio.wait([work])
                return () if work.cancelled() else work.result()
            except (Refused, Rubbish, Refusal) as error:
                self._scoring = False
                raise Unsupported(f"{self.identity} does not tell likelihoods: {error}") from error
            finally:
                await _ended(work)

    async def screen(
        self,
        prompts: Sequence[tuple[Infill, str]],  # noqa: ARG002 - the port's signature
        cancel: CancelToken,  # noqa: ARG002
    ) -> tuple[float, ...]:
        """Guess nothing: the protocol has no way to look at one pass for many edits."""
        return ()

    async def close(self) -> None:
        """Hang up."""
        await self._line.close()

    async def _generate(
        self, prompt: Prompt, sampling: Sampling, finished: Callable[[Reply], None]
    ) -> None:
        if not self._model:
            await self.load()
        try:
            got = await self._ask(prompt, sampling, 1 if self._bare else sampling.n, finished)
        except Refused as refused:
            got = await self._ask_barely(prompt, sampling, finished, refused)
        if got >= sampling.n:
            return
        # A server that gives one reply whatever it is asked for is asked as often as it takes.
        room = asyncio.Semaphore(_AT_ONCE)

        async def one(row: int) -> None:
            async with room:
                again = msgspec.structs.replace(sampling, seed=sampling.seed + row)
                await self._ask(
                    prompt,
                    again,
                    1,
                    lambda reply: finished(msgspec.structs.replace(reply, row=row)),
                )

        try:
            async with asyncio.TaskGroup() as group:
                for row in range(got, sampling.n):
                    group.create_task(one(row))
        except ExceptionGroup as several:
            raise several.exceptions[0] from several

    async def _ask_barely(
        self,
        prompt: Prompt,
        sampling: Sampling,
        finished: Callable[[Reply], None],
        refused: Refused,
    ) -> int:
        """Ask without what not every server takes; if it is that, leave it out from now on."""
        before, self._bare = self._bare, True
        try:
            return await self._ask(prompt, sampling, 1, finished)
        except Refused as again:
            self._bare = before
            raise ModelUnavailable(
                f"the server at {self._address.place} does not take the request: {refused}",
                mend="choose a manifest that fits its model as remote.manifest, or lower remote.context",
            ) from again

    async def _ask(
        self, prompt: Prompt, sampling: Sampling, rows: int, finished: Callable[[Reply], None]
    ) -> int:
        """Ask for ``rows`` replies at once; return how many came. Raises ``Refused``."""
        collected = Rows(prompt, sampling, rows, self._manifest)
        body = self._requests.draw(prompt, sampling, rows, collected.stops, bare=self._bare)
        body["model"] = self._model
        kind: Literal["chat", "text"] = "chat" if isinstance(prompt, Chat) else "text"
        try:
            async with aclosing(self._line.ask(kind, body)) as events:
                async for event in events:
                    for piece in pieces(event):
                        if (reply := collected.take(piece)) is not None:
                            finished(reply)
                    if collected.complete:
                        return rows
            if not collected.seen:
                raise Rubbish("no text at all")
            if collected.unfinished:
                raise Rubbish("half a text")
        except (Rubbish, Refusal) as error:
            raise self._line.problem(error) from error
        return collected.seen

    async def _score(
        self, prompts: Sequence[tuple[Infill, str]], form: InfillFormat
    ) -> tuple[float, ...]:
        if not self._model:
            await self.load()
        found: list[float] = []
        for at in range(0, len(prompts), _PAIRS):
            body, starts, lengths = self._requests.score(prompts[at : at + _PAIRS], form)
            async with aclosing(self._line.ask("text", {**body, "model": self._model})) as events:
                async for event in events:
                    found += scores(event, starts, lengths)
        return tuple(found)


def undescribed(model: str, context: int, *, own_infill: bool) -> Manifest:
    """Return the manifest of a model that nobody described: it chats, and no more is known."""
    # The tokens stand for nothing: a server that fills holes by itself is given the texts alone.
    form = InfillFormat("<prefix>", "<suffix>", "<middle>", "<end>") if own_infill else None
    return Manifest(
        name=re.sub(r"[^A-Za-z0-9._-]+", "-", model).lstrip("._-") or "remote",
        family="remote",
        licence="",
        context=context,
        chat=True,
        strategies=("rewrite", "edit", "infill") if own_infill else ("rewrite", "edit"),
        infill=form,
    )


def _ending(work: asyncio.Task[object]) -> Callable[[], None]:
    """Return what ends ``work`` from any thread."""
    loop = asyncio.get_running_loop()

    def end() -> None:
        # A loop that is closed has nothing left to end.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(work.cancel)

    return end


async def _ended(work: asyncio.Task[object]) -> None:
    """End ``work``, if it still runs, and wait for it: the connection is closed then."""
    work.cancel()
    await asyncio.wait([work])
    if not work.cancelled():
        work.exception()  # looked at, so that asyncio does not report it a second time
