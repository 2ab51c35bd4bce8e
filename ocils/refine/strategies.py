"""Which candidates come next: *edit*, *infill*, *rewrite* and *extend* turns, from what was judged.

A model that knows only *guess* is no model: edits in a random order, to measure others against.

A turn is one batch from one prompt (an *edit* turn has no prompt: the model only ranks). Every
candidate is new by its syntax tree and adds no syntax error. The schedule alternates, because each
source reaches what the others cannot: edits are quick and near, infills bring new words, rewrites
new structure, extensions a new end behind what can be trusted.

Not covered: judging; the order of the turns (``schedule.py``).
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import NamedTuple

import msgspec

from ocils.domain.cancel import CancelToken
from ocils.domain.errors import OverlappingEdits, StaleTarget, Unsupported
from ocils.domain.judging import CaseResult
from ocils.domain.model import Chat, Infill, Prompt, Sampling, StrategyName
from ocils.domain.session import Candidate, Feedback, Judged, Limits, Session
from ocils.domain.target import Context, Hole, Task
from ocils.domain.text import Document, Edit
from ocils.ports import Engine
from ocils.prompt import infill, installs
from ocils.refine.distinct import new_target_text, normal_form, parses, texts_around
from ocils.refine.extending import (
    Extending,
    chat_prompt,
    continued,
    hole_of,
    infill_prompt,
)
from ocils.refine.localize import Suspect
from ocils.refine.ranked import TRUST, RankedEdits, knows
from ocils.refine.resume import tried
from ocils.refine.rewriting import found_in, rewritten, written_out
from ocils.refine.schedule import prompted_holes, schedule
from ocils.refine.talk import Talk
from ocils.refine.trusted import Extension
from ocils.source.splice import new_errors, replace_lines

_ROWS = 32  # replies a hole: a small model repeats itself, about 13 of them are new
_EDITS = 40  # edits a turn
_LONG_ROWS = 8  # replies of many lines: each costs ten times a line's
_LINE_TOKENS = 48
_RARITY = 2.0  # of a line that no small edit reaches, on the scale of ``SmallEdit.cost``


class Batch(NamedTuple):
    """A turn's candidates, made as they are asked for."""

    strategy: StrategyName
    hole: Hole | None
    prompt: Prompt | None
    candidates: AsyncGenerator[Candidate, None]


def _again(candidates: Sequence[Candidate]) -> Batch:
    """Return a turn of candidates that are judged a second time: what they lacked is there now."""

    async def each() -> AsyncGenerator[Candidate, None]:
        for candidate in candidates:
            yield candidate

    return Batch(candidates[0].strategy, None, None, each())


class Search:
    """The state of one search: what was proposed, what is left to propose. Used by one task."""

    def __init__(
        self,
        document: Document,
        context: Context,
        suspects: tuple[Suspect, ...],
        engine: Engine,
        limits: Limits,
        *,
        task: Task = "repair",
        red: Sequence[CaseResult] = (),
        seed: int = 0,
        cancel: CancelToken,
    ) -> None:
        self._document = document
        self._context = context
        self._engine = engine
        self._limits = limits
        self._seed = seed
        self._cancel = cancel
        original = new_target_text(document, context.target, ())
        self._seen = {(normal_form(original), tuple[str, ...]())}
        # The workspace's Python may be newer than ours; then tree-sitter alone decides.
        self._strict = parses(original)
        self._made = 0
        self._talk = Talk(document, context, task, red, limits)
        self._installs: dict[str, None] = {}
        self._held: tuple[Candidate, ...] = ()
        guessing = "guess" in engine.manifest.strategies
        shuffled = random.Random(seed) if guessing else None  # noqa: S311 - a drawing
        self._ranked = RankedEdits(document, context, suspects, engine, cancel, shuffled)
        self._holes = prompted_holes(suspects, task, context)
        learnt = knows(engine.manifest, context.language)
        self._schedule = schedule(engine.manifest.strategies, task, learnt=learnt)
        self._step = 0
        self._reply = self._talk.reply_tokens(engine.manifest)
        self._extending = Extending(document, context, red, suspects, empty=task == "implement")

    @property
    def installs(self) -> tuple[str, ...]:
        """The distributions that any reply said to install."""
        return tuple(self._installs)

    async def next_turn(self) -> Batch | None:
        """Return the next turn, or None when no idea is left."""
        if self._held:
            held, self._held = self._held, ()
            return _again(held)
        for _ in range(len(self._schedule)):
            strategy = self._schedule[self._step % len(self._schedule)]
            self._step += 1
            if strategy == "edit" and await self._ranked.ready():
                return Batch("edit", None, None, self._edits())
            if strategy == "infill" and self._holes:
                hole, show_was = self._holes.pop(0)
                prompt = infill.render(
                    self._context,
                    hole,
                    self._engine.manifest,
                    self._engine.count_tokens,
                    room=self._room(hole),
                    show_was=show_was,
                )
                return Batch("infill", hole, prompt, self._infills(hole, prompt))
            if strategy == "rewrite" and (talk := self._told()) is not None:
                return Batch("rewrite", None, talk, self._rewrites(talk))
            if strategy == "extend" and (extension := self._extending.next()) is not None:
                made = self._extension(extension)
                hole = hole_of(self._context, extension)
                if made is not None:
                    return Batch("extend", hole, made, self._extensions(extension, made))
        return None

    def learn(self, judged: Judged) -> Feedback | None:
        """Take the turn's best attempt into the conversation; return the feedback it gave."""
        self._extending.learn(judged)
        return self._talk.learn(judged) if self._engine.manifest.chat else None

    def recall(self, session: Session, held: tuple[Candidate, ...] = ()) -> None:
        """Take in what an earlier run of ``session`` tried and what people said of it.

        Nothing of it is proposed again, but for ``held``, which come first: what kept them from a
        verdict is gone. What people said stays with every later prompt; the last
        attempt that they spoke of is shown as the model's own reply.
        """
        for judged in tried(session):
            self._made += 1  # ids go on too
            self.new_edits(partial(tuple, judged.candidate.edits))
        self._held = held
        self._talk.recall(session)

    def new_edits(self, make: Callable[[], tuple[Edit, ...]]) -> tuple[Edit, ...]:
        """Return what ``make`` gives when it is new and still parses, else nothing.

        A reply that cannot be spliced in (it holds a character that the file's encoding lacks) is
        its own fault and ends nothing but itself.
        """
        try:
            edits = make()
            return edits if edits and self._is_new(edits) else ()
        except (OverlappingEdits, StaleTarget, Unsupported):
            return ()

    def _is_new(self, edits: tuple[Edit, ...]) -> bool:
        target = self._context.target
        text = new_target_text(self._document, target, edits)
        key = (normal_form(text), texts_around(target, edits))
        if key in self._seen or (self._strict and not parses(text)):
            return False
        if new_errors(self._document, edits):
            return False
        self._seen.add(key)
        return True

    async def _edits(self) -> AsyncGenerator[Candidate, None]:
        given = 0
        while given < _EDITS and (ranked := self._ranked.pop()) is not None:
            if edits := self.new_edits(partial(tuple, ranked.edit.edits)):
                given += 1
                yield self._candidate("edit", edits, ranked.odds, ranked.edit.note)

    async def _infills(self, hole: Hole, prompt: Infill) -> AsyncGenerator[Candidate, None]:
        target = self._context.target
        sampling = Sampling(_ROWS, self._room(hole), temperature=1.0, seed=self._seed + self._step)
        old = await self._likelihood(prompt, self._old(hole))
        async with aclosing(self._engine.generate(prompt, sampling, self._cancel)) as rows:
            async for row in rows:
                lines = infill.lines_of(row.text)
                fill = partial(replace_lines, self._document, hole, lines, target.indent)
                if row.finish == "stop" and (edits := self.new_edits(fill)):
                    note = f"line {hole.first}: " + " ".join(row.text.split())[:60]
                    odds = TRUST * (row.logprob - old) - _RARITY
                    yield self._candidate("infill", edits, odds, note)

    async def _rewrites(self, prompt: Chat) -> AsyncGenerator[Candidate, None]:
        sampling = Sampling(_LONG_ROWS, self._reply, temperature=0.8, seed=self._seed + self._step)
        async with aclosing(self._engine.generate(prompt, sampling, self._cancel)) as rows:
            async for row in rows:
                found = found_in(row.text, self._context)
                packages = installs.wanted(row.text)
                self._installs.update(dict.fromkeys(packages))
                make = partial(rewritten, self._document, self._context, found)
                if found is not None and (edits := self.new_edits(make)):
                    made = self._candidate("rewrite", edits, row.logprob, "the whole function")
                    made = msgspec.structs.replace(made, packages=packages)
                    self._talk.keep(made.id, written_out(found))
                    yield made

    def _told(self) -> Chat | None:
        return self._talk.prompt(self._engine.manifest, self._engine.count_tokens)

    def _extension(self, extension: Extension) -> Chat | Infill | None:
        manifest = self._engine.manifest
        if manifest.chat:
            talk = self._told()
            return chat_prompt(talk, extension, self._context.language) if talk else None
        room = self._room(hole_of(self._context, extension))
        return infill_prompt(self._context, extension, manifest, self._engine.count_tokens, room)

    async def _extensions(
        self, extension: Extension, prompt: Chat | Infill
    ) -> AsyncGenerator[Candidate, None]:
        hole = hole_of(self._context, extension)
        tokens = self._reply if isinstance(prompt, Chat) else self._room(hole)
        sampling = Sampling(_LONG_ROWS, tokens, temperature=0.8, seed=self._seed + self._step)
        note = f"from line {hole.first} to the end"
        async with aclosing(self._engine.generate(prompt, sampling, self._cancel)) as rows:
            async for row in rows:
                found = continued(prompt, extension, row.text, self._context)
                make = partial(rewritten, self._document, self._context, found)
                if row.finish == "stop" and (edits := self.new_edits(make)):
                    yield self._candidate("extend", edits, row.logprob, note)

    async def _likelihood(self, prompt: Infill, middle: str) -> float:
        """Return the middle's log-probability; of a server that tells none, 0."""
        try:
            known = await self._engine.score([(prompt, middle)], self._cancel)
        except Unsupported:
            return 0.0
        return known[0] if known else 0.0

    def _old(self, hole: Hole) -> str:
        """Return the hole's old text as the model would write it."""
        first = self._context.target.first_line
        lines = self._context.source.split("\n")[hole.first - first : hole.last - first + 1]
        return infill.middle(lines, self._engine.manifest)

    def _candidate(
        self, strategy: StrategyName, edits: tuple[Edit, ...], logprob: float, note: str
    ) -> Candidate:
        self._made += 1
        return Candidate(f"{strategy}-{self._made}", edits, logprob, strategy, note=note)

    def _room(self, hole: Hole) -> int:
        lines = max(1, hole.last - hole.first + 1)
        most = self._engine.manifest.context // 2
        return min(_LINE_TOKENS * lines + _LINE_TOKENS // 2, self._limits.tokens, most)
