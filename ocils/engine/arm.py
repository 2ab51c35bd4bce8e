"""One arm of a measurement: a process that is told what to do, does it, and says how long it took.

``python -m ocils.engine.arm FOLDER [--bare] [--device …] [--compute-type …] [--threads N]`` reads one
JSON object a line and answers with one. ``{"do": "raw", "prompt": 128, "rows": 8, "new": 64}`` draws
with CTranslate2 alone, ``"ocils"`` through the whole engine; prompts are of so many tokens and never
the same twice. ``--bare`` leaves the allocator as it is and knows ``raw`` only.

A process of its own, since allocator settings and threads are a process's. Not covered: what is made
of the times (``bench/``).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

import msgspec

from ocils.domain.cancel import CancelToken
from ocils.domain.model import Chat, Message, Sampling
from ocils.engine.ct2 import CTranslate2Engine
from ocils.engine.library import Generator, Whole, library
from ocils.engine.machine import cuda
from ocils.engine.machine.allocator import one_heap
from ocils.engine.machine.layout import Layout, weights_of
from ocils.engine.machine.memory import Want
from ocils.engine.models.store import find
from ocils.engine.native import Native
from ocils.engine.tokens import ModelTokens

Answer = dict[str, object]


class Order(msgspec.Struct, frozen=True):
    """What is to be done: ``prompt`` tokens in, ``rows`` candidates of ``new`` tokens out."""

    do: str
    prompt: int = 128
    rows: int = 1
    new: int = 64


class Arm:
    """The model, and the ways of drawing from it."""

    def __init__(self, folder: Path, want: Want, *, bare: bool) -> None:
        self._model = find(str(folder.resolve()))
        self._tokens = ModelTokens(self._model)
        self._native = Native(self._model, want)
        self._bare = self._open() if bare else None
        self._engine = CTranslate2Engine(self._model, native=self._native)
        self._asked = 0

    @property
    def orders(self) -> dict[str, Callable[[Order], Awaitable[Answer]]]:
        """What can be asked for."""
        return {
            "hardware": self.hardware,
            "raw": self.raw,
            "ocils": self.ocils,
            "turns": self.turns,
            "loop": self.loop,
            "cancel": self.cancel,
        }

    async def close(self) -> None:
        """Release the model."""
        self._bare = None
        await self._engine.close()

    async def hardware(self, _: Order) -> Answer:
        """Say where the model runs, how large it is there, and how fast that memory is."""
        layout = self._native.layout
        on_gpu = layout.device == "cuda"
        return {
            "why": layout.why,
            "device": layout.device,
            "compute_type": layout.compute_type,
            "weights": weights_of(self._model.manifest, layout),
            "bytes_per_second": cuda.bandwidth(layout.index[0]) if on_gpu else 0,
        }

    async def raw(self, order: Order) -> Answer:
        """Draw with nothing of ours in the way: a plain call, from the same kind of prompt."""
        prompt = self._tokens.encode(self._chat(order.prompt))

        def job(generator: Generator) -> Answer:
            before = _spent()
            started = time.perf_counter()
            (drawn,) = cast(
                "Sequence[Whole]",
                generator.generate_batch(
                    [prompt],
                    include_prompt_in_result=False,
                    max_length=order.new,
                    num_hypotheses=order.rows,
                    sampling_topk=50,
                    sampling_topp=0.95,
                    sampling_temperature=0.8,
                    return_scores=True,
                ),
            )
            seconds = time.perf_counter() - started
            user, kernel, faults = (now - then for now, then in zip(_spent(), before, strict=True))
            spent = {"user": user, "kernel": kernel, "faults": faults}
            return {**_timed(seconds, sum(map(len, drawn.sequences_ids))), **spent}

        if self._bare is not None:
            return job(self._bare)

        def tuned(native: Native) -> Answer:
            generator = native.generator()
            native.make_room(len(prompt) + order.new, order.rows)
            return job(generator)

        await self._engine.load()
        return await asyncio.wrap_future(self._engine.thread.submit(tuned))

    async def ocils(self, order: Order) -> Answer:
        """Draw as the refining loop does."""
        prompt = self._chat(order.prompt)
        started = time.perf_counter()
        tokens = await self._draw(prompt, Sampling(order.rows, order.new))
        return _timed(time.perf_counter() - started, tokens)

    async def turns(self, order: Order) -> Answer:
        """Return the seconds to the first token of a first turn, and of a second about the same."""
        first = self._chat(order.prompt)
        said = Message("assistant", "r" * order.new)
        second = Chat((*first.messages, said, Message("user", "f" * order.new)))
        seconds = []
        for prompt in (first, second):
            started = time.perf_counter()
            await self._draw(prompt, Sampling(order.rows, 1))
            seconds.append(time.perf_counter() - started)
        return {"first": seconds[0], "second": seconds[1]}

    async def loop(self, order: Order) -> Answer:
        """Return how late the event loop was, every millisecond while drawing, in seconds."""
        work = asyncio.create_task(self.ocils(order))
        late = []
        while not work.done():
            started = time.perf_counter()
            await asyncio.sleep(0.001)
            late.append(time.perf_counter() - started - 0.001)
        return {**await work, "late": late}

    async def cancel(self, order: Order) -> Answer:
        """Cancel in the middle; return the seconds to silence, and a token's own."""
        timed = await self.ocils(order)
        cancel = CancelToken()
        sampling = Sampling(order.rows, order.new)
        work = asyncio.create_task(self._draw(self._chat(order.prompt), sampling, cancel))
        await asyncio.sleep(float(str(timed["seconds"])) / 2)
        started = time.perf_counter()
        cancel.cancel()
        # Silence is when the model's thread is free, not when we stopped listening.
        await asyncio.wrap_future(self._engine.thread.submit(lambda _: None))
        silence = time.perf_counter() - started
        await work
        return {"silence": silence, "token": float(str(timed["seconds"])) / order.new}

    async def _draw(
        self, prompt: Chat, sampling: Sampling, cancel: CancelToken | None = None
    ) -> int:
        replies = self._engine.generate(prompt, sampling, cancel or CancelToken())
        return sum([reply.tokens async for reply in replies])

    def _chat(self, tokens: int) -> Chat:
        """Return a question of about so many tokens, a byte each, that was never asked before."""
        self._asked += 1
        text = f"{self._asked:08d}" + "x" * tokens
        return Chat((Message("user", text[: max(9, tokens)]),))

    def _open(self) -> Generator:
        layout: Layout = self._native.layout
        return library().Generator(
            str(self._model.folder),
            device=layout.device,
            compute_type=layout.compute_type,
            inter_threads=1,
            intra_threads=layout.threads,
        )


def _timed(seconds: float, tokens: int) -> Answer:
    return {"seconds": seconds, "tokens": tokens}


def _spent() -> tuple[float, float, int]:
    """Return this process's seconds in programs and in the kernel, and the pages it was given."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime, used.ru_stime, used.ru_minflt


async def _serve(arm: Arm) -> None:
    loop = asyncio.get_running_loop()
    try:
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            order = msgspec.json.decode(line, type=Order)
            try:
                answer = await arm.orders[order.do](order)
            except Exception as error:  # whatever it is, the one who asked has to hear it
                answer = {"error": f"{type(error).__name__}: {error}"}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
    finally:
        await arm.close()


def main() -> None:
    """Serve until the input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bare", action="store_true")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--compute-type", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    chosen = parser.parse_args()
    if not chosen.bare:
        one_heap()
    want = Want(device=chosen.device, compute_type=chosen.compute_type, threads=chosen.threads)
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(Arm(chosen.folder, want, bare=chosen.bare)))


if __name__ == "__main__":
    main()
