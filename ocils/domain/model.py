"""What a model is and how to talk to it: the manifest, prompts and replies.

Not covered: finding, loading or checking a model's files (``engine/store.py``).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from ocils.domain.base import Value

StrategyName: TypeAlias = Literal["guess", "edit", "infill", "rewrite", "extend"]


class InfillFormat(Value, frozen=True):
    """A model's fill-in-the-middle tokens, each one vocabulary entry.

    ``was`` introduces the old, suspicious text of the hole; empty for models that do not know it.
    ``form`` "lines": every line is written as newline + line, the target dedented to column 0, and
    prefix, suffix, old text and middle are encoded each on its own. ``form`` "text": the raw bytes
    before and behind the hole.
    """

    prefix: str
    suffix: str
    middle: str
    end: str
    was: str = ""
    form: Literal["lines", "text"] = "text"


class Manifest(Value, frozen=True):
    """A model's description; ``models/*.toml`` hold one each.

    ``context`` counts tokens, prompt and reply together. ``folder`` is relative to the manifest's
    own folder, or absolute. ``files`` maps file names to their SHA-256. ``chat`` says that a chat
    template lies beside the tokenizer. ``languages`` are those that it learnt; none means any. ``measured`` is free-form and never read by the code.
    """

    name: str
    family: str
    folder: str
    licence: str
    context: int
    chat: bool
    strategies: tuple[StrategyName, ...]
    infill: InfillFormat | None = None
    stop: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    files: dict[str, str] = msgspec.field(default_factory=dict)
    measured: dict[str, object] = msgspec.field(default_factory=dict)


class Message(Value, frozen=True):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class Chat(Value, frozen=True, tag=True):
    """A conversation that the model is to continue; ``opening`` is the start of its reply."""

    messages: tuple[Message, ...]
    stop: tuple[str, ...] = ()
    opening: str = ""


class Infill(Value, frozen=True, tag=True):
    """A hole to fill: what stands before and behind it, and what stood in it (empty: not shown).

    The texts are in the manifest's ``form``. ``max_lines`` ends a reply after that many lines.
    """

    prefix: str
    suffix: str
    was: str = ""
    stop: tuple[str, ...] = ()
    max_lines: int = 0


Prompt: TypeAlias = Chat | Infill


class Sampling(Value, frozen=True):
    """How replies are drawn: ``n`` at once, ``tokens`` at most each, at ``temperature``.

    A temperature of 0 is greedy and needs ``n`` = 1. ``seed`` is best effort: CTranslate2 draws
    the same only from a freshly made generator.
    """

    n: int
    tokens: int
    temperature: float = 0.8
    top_k: int = 50
    top_p: float = 0.95
    seed: int = 0


class Reply(Value, frozen=True):
    """One finished reply: its row, text without the end token, summed log-probability, and why it ended."""

    row: int
    text: str
    logprob: float
    tokens: int
    finish: Literal["stop", "length", "cancelled"]
