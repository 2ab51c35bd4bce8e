"""One turn's replies drawn from one prompt: what CTranslate2 is asked, and what its callback does.

Not covered: how many at once, and what happens when memory runs out (``ct2.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ocils.domain.model import Chat, Infill, Manifest, Prompt, Reply, Sampling
from ocils.engine.library import Generator, Step
from ocils.engine.native import Native
from ocils.engine.rows import Part, Row
from ocils.engine.tokens import ModelTokens


def check_sampling(sampling: Sampling) -> None:
    """Raise ``ValueError`` for what nobody may ask for."""
    if sampling.n < 1 or sampling.tokens < 1:
        raise ValueError("at least one reply of one token")
    if sampling.n > 1 and (sampling.temperature <= 0 or sampling.top_k == 1):
        raise ValueError("greedy replies are all the same: ask for one")


class Drawing:
    """A prompt in tokens, and how replies to it are drawn. Used in the model's thread.

    ``prefix`` are tokens that later prompts start with as well. Raises ``UsageError`` for a prompt
    that does not fit the context.
    """

    def __init__(
        self,
        tokens: ModelTokens,
        manifest: Manifest,
        prompt: Prompt,
        sampling: Sampling,
        prefix: tuple[str, ...],
    ) -> None:
        self._tokens = tokens
        self._manifest = manifest
        self._prompt = prompt
        self._sampling = sampling
        self._start = tokens.encode(prompt)
        fits = len(prefix) < len(self._start) and tuple(self._start[: len(prefix)]) == prefix
        self._prefix = prefix if fits else ()
        self._room = min(sampling.tokens, manifest.context - len(self._start))

    @property
    def most_tokens(self) -> int:
        """The length of prompt and reply together, at most."""
        return len(self._start) + self._room

    def row(self, number: int) -> Row:
        """Return a new, empty row."""
        prompt = self._prompt
        infill = self._manifest.infill if isinstance(prompt, Infill) else None
        return Row(
            number,
            self._tokens.decode,
            self._tokens.stop_strings(prompt),
            prompt.max_lines if isinstance(prompt, Infill) else 0,
            leading=infill is not None and infill.form == "lines",
            old_tail=prompt.old_tail if isinstance(prompt, Chat) else "",
        )

    def draw(
        self,
        native: Native,
        rows: Sequence[Row],
        told: Callable[[Reply | Part], None],
        stopped: Callable[[], bool],
        *,
        parts: bool = False,
    ) -> None:
        """Draw ``rows`` together; ``told`` hears of each as it ends, from any thread.

        With ``parts`` also of what is new of each, token by token.

        Where a model stands on several GPUs, each draws its share.
        """
        keep = bool(self._prefix) and native.keeps(self._prefix)
        greedy = self._sampling.temperature <= 0
        generator = native.generator() if greedy else native.seeded(self._sampling.seed)
        native.make_room(self.most_tokens, len(rows))
        layout = native.layout
        shares = min(layout.replicas, len(rows)) if layout.device == "cuda" else 1
        split = [rows[at::shares] for at in range(shares)]
        under_way = [self._share(generator, share, keep, told, stopped, parts) for share in split]
        for each in under_way:
            each()

    def _share(
        self,
        generator: Generator,
        rows: Sequence[Row],
        keep: bool,
        told: Callable[[Reply | Part], None],
        stopped: Callable[[], bool],
        parts: bool,
    ) -> Callable[[], None]:
        """Start drawing ``rows``; what is returned waits for it."""
        sampling = self._sampling
        ends = self._tokens.end_tokens(self._prompt)
        is_end = frozenset(ends).__contains__

        def step(result: Step) -> bool:
            """Take one row's newest token; True ends that row."""
            if stopped():
                return True
            row = rows[result.hypothesis_id]
            done = row.take(result.token_id, result.log_prob, is_end(result.token), result.is_last)
            if done:
                told(row.reply())
            elif parts and (part := row.part()) is not None:
                told(part)
            return done

        greedy = sampling.temperature <= 0
        prefix = len(self._prefix) if keep else 0
        kept = {"static_prompt": self._start[:prefix], "cache_static_prompt": True}
        pending = generator.generate_batch(
            [self._start[prefix:]],
            include_prompt_in_result=False,
            max_length=self._room,
            end_token=list(ends),
            num_hypotheses=len(rows),
            sampling_topk=1 if greedy else sampling.top_k,
            sampling_topp=1.0 if greedy else sampling.top_p,
            sampling_temperature=1.0 if greedy else sampling.temperature,
            return_scores=True,
            callback=step,
            asynchronous=True,
            **(kept if prefix else {}),
        )

        def wait() -> None:
            for each in pending:
                each.result()

        return wait
