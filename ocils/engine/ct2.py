"""The engine on CTranslate2: text in, replies and likelihoods out, one thread behind it.

Not covered: prompts' wording; equal replies, which are not removed here; guided decoding, which
CTranslate2 does not have. A prefill under way cannot be interrupted: its result is dropped.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Sequence

from ocils.domain.cancel import CancelToken
from ocils.domain.model import Infill, Manifest, Prompt, Reply, Sampling
from ocils.engine.library import Step
from ocils.engine.native import Native
from ocils.engine.rows import Row
from ocils.engine.scoring import score
from ocils.engine.store import ModelFolder, verify
from ocils.engine.stream import Stream
from ocils.engine.thread import ModelThread
from ocils.engine.tokens import ModelTokens


class CTranslate2Engine:
    """The ``Engine`` port for one model folder.

    ``threads`` is how many CPU threads inference may use. Making an engine reads nothing; the first
    use, or ``load``, checks the files and loads them; ``idle_seconds`` without use unload them.
    """

    sends: str = ""
    """Nothing leaves this process."""

    def __init__(self, model: ModelFolder, threads: int, idle_seconds: float = 300) -> None:
        self._model = model
        self._tokens = ModelTokens(model)
        self._thread = ModelThread(Native(model.folder, threads), idle_seconds)
        self._verified = False

    @property
    def manifest(self) -> Manifest:
        """The model's description; reading it loads nothing."""
        return self._model.manifest

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
        _check_sampling(sampling)
        stream: Stream[Reply] = Stream()
        closed = threading.Event()

        def stopped() -> bool:
            return closed.is_set() or cancel.cancelled or self._thread.stopping.is_set()

        def job(native: Native) -> None:
            if not stopped():
                self._generate(native, prompt, sampling, stream.put, stopped)

        with cancel.watch(stream.release):
            self._thread.submit(job).add_done_callback(stream.end_with)
            try:
                async for reply in stream.items():
                    yield reply
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
        stream: Stream[tuple[float, ...]] = Stream()
        closed = threading.Event()

        def stopped() -> bool:
            return closed.is_set() or cancel.cancelled or self._thread.stopping.is_set()

        def job(native: Native) -> None:
            if stopped():
                return
            self._check()
            rows = [self._tokens.encode_pair(prompt, middle) for prompt, middle in prompts]
            stream.put(
                score(
                    native.generator(),
                    rows,
                    native.layout,
                    self._tokens.vocabulary,
                    self._tokens.opening,
                    stopped,
                )
            )

        with cancel.watch(stream.release):
            self._thread.submit(job).add_done_callback(stream.end_with)
            try:
                async for scores in stream.items():
                    return scores
            finally:
                closed.set()
        return ()

    async def close(self) -> None:
        """Release the model; work under way is cancelled and waited for."""
        await asyncio.to_thread(self._thread.close)

    def _check(self) -> None:
        """Verify the files before their first use; in the model's thread."""
        if not self._verified:
            verify(self._model)
            self._tokens.load()
            self._verified = True

    def _generate(
        self,
        native: Native,
        prompt: Prompt,
        sampling: Sampling,
        finished: Callable[[Reply], None],
        stopped: Callable[[], bool],
    ) -> None:
        """Draw the replies; in the model's thread."""
        self._check()
        tokens = self._tokens.encode(prompt)
        ends = self._tokens.end_tokens(prompt)
        is_end = frozenset(ends).__contains__
        infill = self.manifest.infill if isinstance(prompt, Infill) else None
        rows = [
            Row(
                number,
                self._tokens.decode,
                self._tokens.stop_strings(prompt),
                prompt.max_lines if isinstance(prompt, Infill) else 0,
                leading=infill is not None and infill.form == "lines",
            )
            for number in range(sampling.n)
        ]

        def step(result: Step) -> bool:
            """Take one row's newest token; True ends that row."""
            if stopped():
                return True
            row = rows[result.hypothesis_id]
            done = row.take(result.token_id, result.log_prob, is_end(result.token), result.is_last)
            if done:
                finished(row.reply())
            return done

        greedy = sampling.temperature <= 0
        generator = native.generator() if greedy else native.seeded(sampling.seed)
        generator.generate_batch(
            [tokens],
            include_prompt_in_result=False,
            max_length=min(sampling.tokens, self.manifest.context - len(tokens)),
            end_token=list(ends),
            num_hypotheses=sampling.n,
            sampling_topk=1 if greedy else sampling.top_k,
            sampling_topp=1.0 if greedy else sampling.top_p,
            sampling_temperature=1.0 if greedy else sampling.temperature,
            return_scores=True,
            callback=step,
        )


def _check_sampling(sampling: Sampling) -> None:
    if sampling.n < 1 or sampling.tokens < 1:
        raise ValueError("at least one reply of one token")
    if sampling.n > 1 and (sampling.temperature <= 0 or sampling.top_k == 1):
        raise ValueError("greedy replies are all the same: ask for one")
