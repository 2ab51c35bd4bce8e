"""Small edits of suspicious lines, ranked by the model.

An edit's rank sums three kinds of evidence, all in natural logarithms: how rare the slip is that it
undoes (``SmallEdit.cost``), how suspicious its statement is, and what the model makes of it: the
log-probability gain of its lines over the old lines, weighted, because a small model's likelihoods
are overconfident. The model is asked twice: it screens all edits of some statements at one pass a
statement, and scores those in full that look best then. Both go by what is known already, some at a
time, so that judging can begin before everything is scored.

Not covered: making the edits (``source/edits.py``); models that cannot fill holes, or did not learn
the language, leave the order to the first two.
"""

from __future__ import annotations

import heapq
import math
import random
from typing import NamedTuple

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import Unsupported
from ocils.domain.model import Infill, Manifest
from ocils.domain.target import Context, Hole
from ocils.domain.text import Document
from ocils.ports import Engine
from ocils.prompt import infill
from ocils.refine.localize import Suspect
from ocils.source.edits import SmallEdit, small_edits

_MOST = 4000  # edits considered: long functions have more than a search can look at
_SCREENED = 48  # statements screened at once: about a second of a small model's work
_CHUNK = 96  # edits scored at once: another second
_LONG = 100  # tokens of old or new text beyond which an edit is no small one, and is not looked at
# The weights were chosen on 81 bugs in functions that the model never saw, where the right edit's
# mean rank (geometric) was 7.3 among some 800; 8.6 by full scores alone, 37 with no model. On 53 bugs
# by other operators it was 9.9, 10.9 and 16.4.
_GUESS = 0.5
_SCORE = 0.3
TRUST = 0.4  # of a full score's gain where there is no guess beside it
_WINDOW = 256  # tokens shown for scoring; far lines hardly change the order of near edits


class Ranked(NamedTuple):
    """An edit, the log-odds of its being the change that is wanted, and where it stands."""

    rank: float
    order: int
    edit: SmallEdit
    odds: float

    def better(self, gain: float) -> Ranked:
        """Return it with ``gain`` more."""
        return self._replace(rank=self.rank - gain, odds=self.odds + gain)


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
        self._screened: list[Ranked] = []
        self._guesses = True
        weight = {line: s.suspicion for s in reversed(suspects) for line in _lines(s.hole)}
        edits = small_edits(document, context.target, sorted(weight), _MOST)
        prior = [
            Ranked(edit.cost - math.log(_weight(edit.hole, weight)), order, edit, -edit.cost)
            for order, edit in enumerate(edits)
        ]
        manifest = engine.manifest
        if shuffled is not None:
            shuffled.shuffle(prior)
            self._heap = [each._replace(rank=0.0, order=n) for n, each in enumerate(prior)]
        elif manifest.infill is None or not knows(manifest, context.language):
            self._heap = sorted(prior)
        # What may be right without asking the model is screened first.
        self._waiting: dict[Hole, list[Ranked]] = {}
        for each in () if self._heap else sorted(prior):
            self._waiting.setdefault(each.edit.hole, []).append(each)

    async def ready(self) -> bool:
        """Look at more statements' edits beside those left over; tell whether one can be popped."""
        if self._waiting:
            await self._screen_some()
        if self._screened:
            await self._score_some()
        return bool(self._heap)

    def pop(self) -> Ranked | None:
        """Return the best edit that is scored, or None."""
        return heapq.heappop(self._heap) if self._heap else None

    async def _screen_some(self) -> None:
        holes = list(self._waiting)[:_SCREENED]
        found = [each for hole in holes for each in self._waiting.pop(hole)]
        pairs = self._pairs(found)
        asked = [pairs[each.order] for each in found if each.order in pairs]
        guesses = iter(await self._engine.screen(asked, self._cancel) if self._guesses else ())
        for each in found:
            guess = next(guesses, None) if each.order in pairs else 0.0
            self._guesses = self._guesses and guess is not None
            heapq.heappush(self._screened, each.better(_GUESS * (guess or 0.0)))

    async def _score_some(self) -> None:
        best = [heapq.heappop(self._screened) for _ in range(min(_CHUNK, len(self._screened)))]
        pairs = self._pairs(best)
        # The old lines are scored too: only the gain compares across statements.
        olds = list(dict.fromkeys(prompt for prompt, _ in pairs.values()))
        asked = [*pairs.values(), *((prompt, prompt.was) for prompt in olds)]
        try:
            scores = await self._engine.score(asked, self._cancel)
        except Unsupported:  # a server that does not tell likelihoods is found out by asking it
            scores = ()
        known = dict(zip(asked, scores, strict=bool(scores)))
        for each in best:
            pair = pairs.get(each.order)
            gain = known.get(pair, 0.0) - known.get((pair[0], pair[0].was), 0.0) if pair else 0.0
            heapq.heappush(self._heap, each.better((_SCORE if self._guesses else TRUST) * gain))

    def _pairs(self, found: list[Ranked]) -> dict[int, tuple[Infill, str]]:
        """Return what to ask of the model for each edit that is short enough, by its order."""
        prompts: dict[Hole, Infill | None] = {}
        pairs = {}
        for each in found:
            hole = each.edit.hole
            if hole not in prompts:
                prompts[hole] = self._prompt(hole)
            prompt, middle = prompts[hole], self._middle(each.edit.lines)
            if prompt is not None and self._engine.count_tokens(middle) <= _LONG:
                pairs[each.order] = (prompt, middle)
        return pairs

    def _prompt(self, hole: Hole) -> Infill | None:
        prompt = infill.render(
            self._context,
            hole,
            self._engine.manifest,
            self._engine.count_tokens,
            room=64,
            limit=_WINDOW,
        )
        return prompt if self._engine.count_tokens(prompt.was) <= _LONG else None

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
