"""Small edits of suspicious lines, ranked by the model.

An edit's rank sums three kinds of evidence, all in natural logarithms: how rare the slip is that it
undoes (``SmallEdit.cost``), how suspicious its statement is, and what the model makes of it: the
log-probability gain of its lines over the old lines, weighted, because a small model's likelihoods
are overconfident. Scoring goes by what the first two say, some at a time, so that judging can begin
before everything is scored.

Not covered: making the edits (``source/edits.py``); models that cannot fill holes, or did not learn
the language, leave the order to the first two.
"""

from __future__ import annotations

import heapq
import math
import random
from typing import NamedTuple

from ocils.domain.cancel import CancelToken
from ocils.domain.model import Infill, Manifest
from ocils.domain.target import Context, Hole
from ocils.domain.text import Document
from ocils.ports import Engine
from ocils.prompt import infill
from ocils.refine.localize import Suspect
from ocils.source.edits import SmallEdit, small_edits

_MOST = 2000  # edits considered: long functions have more than a search can judge
_CHUNK = 128  # edits scored at once: about a second of a small model's work
TRUST = 0.4  # of the model's gain: gave the best median rank of the right edit on 45 mutants
_WINDOW = 256  # tokens shown for scoring; far lines hardly change the order of near edits


class Ranked(NamedTuple):
    """An edit, the log-odds of its being the change that is wanted, and where it stands."""

    rank: float
    order: int
    edit: SmallEdit
    odds: float


class RankedEdits:
    """The target's small edits, best first, scored as they are needed. Used by one task.

    With ``shuffled`` they come in a random order instead: what ranking is measured against.
    """

    def __init__(
        self,
        document: Document,
        context: Context,
        suspects: tuple[Suspect, ...],
        engine: Engine,
        cancel: CancelToken,
        shuffled: random.Random | None = None,
    ) -> None:
        self._context = context
        self._engine = engine
        self._cancel = cancel
        self._heap: list[Ranked] = []
        self._order = 0
        weight = {line: s.suspicion for s in reversed(suspects) for line in _lines(s.hole)}
        edits = small_edits(document, context.target, sorted(weight), _MOST)
        # What may be right without asking the model is scored first.
        self._waiting = sorted(
            ((_weight(edit.hole, weight), edit) for edit in edits),
            key=lambda pair: pair[1].cost - math.log(pair[0]),
        )
        if shuffled is not None:
            shuffled.shuffle(self._waiting)
        self._shuffled = shuffled is not None

    async def ready(self) -> bool:
        """Score the next statements' edits beside those left over; tell whether one can be popped."""
        if self._waiting:
            await self._score_some()
        return bool(self._heap)

    def pop(self) -> Ranked | None:
        """Return the best edit that is scored, or None."""
        return heapq.heappop(self._heap) if self._heap else None

    async def _score_some(self) -> None:
        chunk = self._waiting[:_CHUNK]
        self._waiting = self._waiting[_CHUNK:]
        gains = await self._gains([edit for _, edit in chunk])
        for (suspicion, edit), gain in zip(chunk, gains, strict=True):
            odds = TRUST * gain - edit.cost
            rank = 0.0 if self._shuffled else -odds - math.log(suspicion)
            heapq.heappush(self._heap, Ranked(rank, self._order, edit, odds))
            self._order += 1

    async def _gains(self, edits: list[SmallEdit]) -> list[float]:
        manifest = self._engine.manifest
        if manifest.infill is None or not knows(manifest, self._context.language):
            return [0.0] * len(edits)
        prompts: dict[Hole, Infill] = {}
        for edit in edits:
            if edit.hole not in prompts:
                prompts[edit.hole] = infill.render(
                    self._context,
                    edit.hole,
                    manifest,
                    self._engine.count_tokens,
                    room=64,
                    limit=_WINDOW,
                )
        pairs = [(prompts[edit.hole], self._middle(edit.lines)) for edit in edits]
        # The old lines are scored too: only the gain compares across statements.
        pairs += [(prompt, prompt.was) for prompt in prompts.values()]
        scores = await self._engine.score(pairs, self._cancel)
        if not scores:
            return [0.0] * len(edits)
        old = dict(zip(prompts, scores[len(edits) :], strict=True))
        return [score - old[edit.hole] for edit, score in zip(edits, scores, strict=False)]

    def _middle(self, lines: tuple[str, ...]) -> str:
        indent = self._context.target.indent
        return infill.middle([line.removeprefix(indent) for line in lines], self._engine.manifest)


def knows(manifest: Manifest, language: str) -> bool:
    """Tell whether a model learnt a language; of what it did not learn its likelihoods say nothing."""
    return not manifest.languages or language in manifest.languages


def _lines(hole: Hole) -> range:
    return range(hole.first, max(hole.first, hole.last) + 1)


def _weight(hole: Hole, weight: dict[int, float]) -> float:
    return max((weight.get(line, 0.01) for line in _lines(hole)), default=0.01)
