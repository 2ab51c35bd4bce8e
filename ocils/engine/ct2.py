"""The engine on CTranslate2: text in, replies and likelihoods out, one thread behind it.

Not covered: prompts' wording; equal replies, which are not removed here; guided decoding, which
CTranslate2 does not have. A prefill under way cannot be interrupted: its result is dropped.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import TypeVar

import msgspec

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import OcilsError
from ocils.domain.model import Infill, Manifest, Prompt, Reply, Sampling
from ocils.domain.model_state import Failed, Loading, ModelState
from ocils.engine.drawing import Drawing, check_sampling
from ocils.engine.machine.memory import Want, unable
from ocils.engine.models.store import ModelFolder, verify
from ocils.engine.native import Native
from ocils.engine.rows import Part
from ocils.engine.scoring import score
from ocils.engine.screening import Screened, screen
from ocils.engine.steady import Steady
from ocils.engine.stream import Stream
from ocils.engine.thread import ModelThread
from ocils.engine.tokens import ModelTokens

_Item = TypeVar("_Item")


class CTranslate2Engine:
    """The ``Engine`` port for one model folder.

    ``threads`` is how many CPU threads inference may use, 0 all; ``want`` has the user's other
    wishes. Making an engine reads nothing; the first use, or ``load``, checks the files and loads
    them; ``idle_seconds`` without use unload them, None keeps them. ``report`` hears of the model's
    state, from other threads than the event loop's.
    """

    sends: str = ""
    """Nothing leaves this process."""

    def __init__(
        self,
        model: ModelFolder,
        threads: int = 0,
        idle_seconds: float | None = 300,
        *,
        want: Want | None = None,
        report: Callable[[ModelState], None] | None = None,
        native: Native | None = None,
    ) -> None:
        self._model = model
        self._tokens = ModelTokens(model)
        self._report = report or (lambda _: None)
        want = msgspec.structs.replace(want or Want(), threads=threads)
        native = native or Native(model, want, report=report)
        self._thread = ModelThread(native, idle_seconds)
        self._verified = False
        self._steady = Steady(self._tokens.encode)

    @property
    def manifest(self) -> Manifest:
        """The model's description; reading it loads nothing."""
        return self._model.manifest

    @property
    def thread(self) -> ModelThread:
        """The thread that owns the model, for measures."""
        return self._thread

    @property
    def identity(self) -> str:
        """The model's name and a hash of its files, for records and figures."""
        return self._model.identity

    async def load(self) -> None:
        """Check and load the model now. Raises ``ModelMissing`` or ``ModelDamaged``."""

        def job(native: Native) -> None:
            self._check()
            native.generator()

        await asyncio.wrap_future(self._thread.submit(job))

    def count_tokens(self, text: str) -> int:
        """Count the tokens of ``text``; needs the tokenizer only, not the weights."""
        return self._tokens.count(text)

    async def generate(
        self, prompt: Prompt, sampling: Sampling, cancel: CancelToken
    ) -> AsyncGenerator[Reply, None]:
        """Yield up to ``sampling.n`` replies as they finish, in any order.

        A reply's text is what the model wrote: without the end token, a stop string and what
        follows it, or the chat prompt's ``opening``. Its log-probability is the untempered one of
        all tokens drawn, the end token included. Close the iterator (``aclosing``) to end the work
        early. Raises ``UsageError`` for a prompt that does not fit, ``ModelMissing`` and
        ``ModelDamaged``.
        """
        async with aclosing(self._drawn(prompt, sampling, cancel, parts=False)) as drawn:
            async for each in drawn:
                if isinstance(each, Reply):
                    yield each

    def stream(
        self, prompt: Prompt, sampling: Sampling, cancel: CancelToken
    ) -> AsyncGenerator[Reply | Part, None]:
        """Yield replies as ``generate`` does and, before each, its parts as they are drawn."""
        return self._drawn(prompt, sampling, cancel, parts=True)

    def _drawn(
        self, prompt: Prompt, sampling: Sampling, cancel: CancelToken, *, parts: bool
    ) -> AsyncGenerator[Reply | Part, None]:
        check_sampling(sampling)
        return self._streamed(
            lambda native, put, stopped: self._generate(
                native, prompt, sampling, put, stopped, parts
            ),
            cancel,
        )

    async def _streamed(
        self,
        work: Callable[[Native, Callable[[_Item], None], Callable[[], bool]], None],
        cancel: CancelToken,
    ) -> AsyncGenerator[_Item, None]:
        """Yield what ``work`` puts in the model's thread; closing ends it, and so does ``cancel``."""
        stream: Stream[_Item] = Stream()
        closed = threading.Event()

        def stopped() -> bool:
            return closed.is_set() or cancel.cancelled or self._thread.stopping.is_set()

        def job(native: Native) -> None:
            if not stopped():
                work(native, stream.put, stopped)

        with cancel.watch(stream.release):
            self._thread.submit(job).add_done_callback(stream.end_with)
            try:
                async for each in stream.items():
                    yield each
            finally:
                closed.set()

    async def score(
        self, prompts: Sequence[tuple[Infill, str]], cancel: CancelToken
    ) -> tuple[float, ...]:
        """Return, for each prompt and middle, the summed log-probability of the middle and its end.

        In order, natural logarithm; an empty tuple when cancelled. Raises ``UsageError`` when one
        of them does not fit the context, ``Unsupported`` for a model without fill-in-the-middle,
        ``ModelMissing`` and ``ModelDamaged``.
        """

        def work(native: Native, stopped: Callable[[], bool]) -> tuple[float, ...]:
            rows = [self._tokens.encode_pair(prompt, middle) for prompt, middle in prompts]
            return self._score(native, rows, stopped)

        return await self._numbers(work, cancel)

    def _score(
        self, native: Native, rows: list[tuple[list[str], int]], stopped: Callable[[], bool]
    ) -> tuple[float, ...]:
        """Score rows of tokens; in the model's thread."""
        while True:
            try:
                return score(
                    native.generator(),
                    rows,
                    native.layout,
                    self._tokens.vocabulary,
                    self._tokens.opening,
                    stopped,
                )
            except (RuntimeError, MemoryError) as error:
                if not native.step_down(error):
                    raise unable(error) from error

    async def screen(
        self, prompts: Sequence[tuple[Infill, str]], cancel: CancelToken
    ) -> tuple[float, ...]:
        """Guess, for each prompt and middle, how much likelier it is than the prompt's ``was``.

        In order; an empty tuple when cancelled. Raises as ``score`` does.
        """
        return await self._numbers(
            lambda native, stopped: self._screen(native, prompts, stopped), cancel
        )

    async def _numbers(
        self,
        work: Callable[[Native, Callable[[], bool]], tuple[float, ...]],
        cancel: CancelToken,
    ) -> tuple[float, ...]:
        """Return what ``work`` gives in the model's thread; an empty tuple when cancelled."""

        def job(
            native: Native,
            put: Callable[[tuple[float, ...]], None],
            stopped: Callable[[], bool],
        ) -> None:
            self._check()
            put(work(native, stopped))

        async with aclosing(self._streamed(job, cancel)) as found:
            async for numbers in found:
                return numbers
        return ()

    def _screen(
        self,
        native: Native,
        prompts: Sequence[tuple[Infill, str]],
        stopped: Callable[[], bool],
    ) -> tuple[float, ...]:
        """Guess at middles, those of one prompt together; in the model's thread."""
        numbers: dict[Infill, list[int]] = {}
        for number, (prompt, _) in enumerate(prompts):
            numbers.setdefault(prompt, []).append(number)
        asked = []
        for prompt, same in numbers.items():
            tokens, head = self._tokens.encode_pair(prompt, prompt.was)
            middles = tuple(tuple(self._tokens.encode_middle(prompts[n][1])) for n in same)
            asked.append(Screened(tuple(tokens[:head]), tuple(tokens[head:]), middles))
        while True:
            try:
                found = screen(
                    native.generator(),
                    asked,
                    native.layout.replicas,
                    self._tokens.vocabulary,
                    stopped,
                )
                break
            except (RuntimeError, MemoryError) as error:
                if not native.step_down(error):
                    raise unable(error) from error
        order = [number for same in numbers.values() for number in same]
        flat = dict(zip(order, (guess for each in found for guess in each), strict=False))
        return tuple(flat[number] for number in range(len(prompts))) if flat else ()

    async def close(self) -> None:
        """Release the model; work under way is cancelled and waited for."""
        await asyncio.to_thread(self._thread.close)

    def _check(self) -> None:
        """Verify the files before their first use; in the model's thread."""
        if not self._verified:
            self._report(Loading())
            try:
                verify(self._model)
                self._tokens.load()
            except OcilsError as problem:
                self._report(Failed(problem.message, problem.mend))
                raise
            self._verified = True

    def _generate(
        self,
        native: Native,
        prompt: Prompt,
        sampling: Sampling,
        told: Callable[[Reply | Part], None],
        stopped: Callable[[], bool],
        parts: bool,
    ) -> None:
        """Draw the replies, as many at once as memory has room for; in the model's thread.

        When memory runs out after all, the rows that are not finished are drawn again, fewer at once;
        not those of which parts were told, which would be another text.
        """
        self._check()
        drawing = Drawing(
            self._tokens, self._model.manifest, prompt, sampling, self._steady.of(prompt)
        )
        waiting = list(range(sampling.n))
        while waiting and not stopped():
            now = waiting[: native.rows_for(drawing.most_tokens, len(waiting))]
            rows = [drawing.row(number) for number in now]
            try:
                drawing.draw(native, rows, told, stopped, parts=parts)
            except (RuntimeError, MemoryError) as error:
                lower = native.step_down(error, len(rows))
                if not lower or any(row.begun and row.finish is None for row in rows):
                    raise unable(error, again=lower) from error
                done = {row.number for row in rows if row.finish is not None}
            else:
                done = set(now)
            waiting = [number for number in waiting if number not in done]
