"""What a model is and how to talk to it: the manifest, prompts and replies.

A manifest is written by hand, so each value says for itself what is wrong with it: ``ValueError``,
which msgspec turns into its own ``ValidationError`` with the field's place.

Not covered: finding, loading or checking a model's files (``engine/models/store.py``); how parameters and
memory follow from an architecture (``shape.py``).
"""

from __future__ import annotations

import math
import re
from typing import Literal, TypeAlias

import msgspec

from ocils.domain.base import Value
from ocils.domain.shape import COMPUTE_TYPES, Shape

StrategyName: TypeAlias = Literal["guess", "edit", "infill", "rewrite", "extend"]

# A name is also a folder's, so it must not lead out of where models lie.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")


class InfillFormat(Value, frozen=True):
    """A model's fill-in-the-middle tokens, each one vocabulary entry.

    ``was`` introduces the old, suspicious text of the hole; empty for models that do not know it.
    ``form`` "lines": every line is written as newline + line, the target dedented to column 0, and
    prefix, suffix, old text and middle are encoded each on its own. ``form`` "text": the raw bytes
    before and behind the hole. ``start`` stands before everything, where the model expects it.
    ``order`` "suffix_first": suffix, then prefix; ``middle`` may then be empty, since the reply
    simply goes on behind the prefix.
    """

    prefix: str
    suffix: str
    middle: str
    end: str
    was: str = ""
    form: Literal["lines", "text"] = "text"
    start: str = ""
    order: Literal["prefix_first", "suffix_first"] = "prefix_first"

    def __post_init__(self) -> None:
        """Refuse a format whose pieces could not be told apart."""
        if not (self.prefix and self.suffix and self.end):
            raise ValueError("infill needs the tokens prefix, suffix and end")
        if not self.middle and self.order == "prefix_first":
            raise ValueError("infill needs the token middle, unless order is suffix_first")


class Source(Value, frozen=True):
    """Where a model's files come from: repositories of a hub, each with a pinned commit.

    ``repo`` holds the original weights, to be converted; ``converted`` holds a folder that
    CTranslate2 reads as it is, or is empty. A revision is a commit's 40 digits, or empty where it
    is not known: then the user has to name one.
    """

    repo: str
    revision: str = ""
    converted: str = ""
    converted_revision: str = ""

    def __post_init__(self) -> None:
        """Refuse what is not "owner/name", and a revision that could move."""
        for repo in (self.repo, *filter(None, (self.converted,))):
            if not _REPO.fullmatch(repo):
                raise ValueError(f"a repository is written owner/name, not {repo!r}")
        for revision in filter(None, (self.revision, self.converted_revision)):
            if not _COMMIT.fullmatch(revision):
                raise ValueError(
                    f"a revision is a commit of 40 digits, not {revision!r}: a branch may move"
                )


class Rope(Value, frozen=True):
    """Rotary positions as the weights were trained: the base ``theta``, and how it is stretched.

    "linear" divides every position by ``factor``. A conversion that comes out with another base is
    wrong without an error, so what was converted is compared with this.
    """

    theta: float
    scaling: Literal["", "linear"] = ""
    factor: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a base or a factor that no model has."""
        if not (math.isfinite(self.theta) and self.theta > 0):
            raise ValueError(f"rope.theta is a positive number, not {self.theta}")
        if not (math.isfinite(self.factor) and self.factor >= 1):
            raise ValueError(f"rope.factor is 1 or more, not {self.factor}")
        if not self.scaling and self.factor != 1:
            raise ValueError("rope.factor needs rope.scaling")


class Manifest(Value, frozen=True):
    """A model's description; ``models/*.toml`` hold one each.

    ``context`` counts tokens, prompt and reply together. ``folder`` is relative to the manifest's
    own folder, or absolute, or empty: then it is the model's own in the user's data folder.
    ``files`` maps file names to their SHA-256. ``chat`` says that a chat template lies beside the
    tokenizer, ``template`` in which file. ``languages`` are those that it learnt; none means any.

    ``memory`` is what the weights take in GiB, by compute type; ``cache_bytes_per_token`` what one
    token of one candidate adds, in bytes, on a CPU (float32). ``verified`` and ``unverified`` say
    in plain words what of this was checked where ocils is made, and what was copied in good faith.
    ``measured`` is free-form and never read by the code.
    """

    name: str
    family: str
    licence: str
    context: int
    chat: bool
    strategies: tuple[StrategyName, ...]
    infill: InfillFormat | None = None
    folder: str = ""
    stop: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    files: dict[str, str] = msgspec.field(default_factory=dict)
    source: Source | None = None
    rope: Rope | None = None
    shape: Shape | None = None
    parameters: int = 0
    memory: dict[str, float] = msgspec.field(default_factory=dict)
    cache_bytes_per_token: int = 0
    template: Literal["", "tokenizer_config.json", "chat_template.jinja"] = ""
    verified: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()
    measured: dict[str, object] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse values that no model has, and names that lead out of a folder."""
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"a model's name has letters, digits, '.', '_' and '-' only, not {self.name!r}"
            )
        if self.context <= 0:
            raise ValueError(f"context is a positive number of tokens, not {self.context}")
        for name, checksum in self.files.items():
            if name.startswith("/") or "\\" in name or ".." in name.split("/"):
                raise ValueError(f"files names only what is in the model's folder, not {name!r}")
            if not _SHA256.fullmatch(checksum):
                raise ValueError(f"the checksum of {name} is not a SHA-256: {checksum!r}")
        if unknown := self.memory.keys() - set(COMPUTE_TYPES):
            raise ValueError(f"memory has no compute type {min(unknown)!r}")
        if min(self.parameters, self.cache_bytes_per_token, *self.memory.values()) < 0:
            raise ValueError("parameters, memory and cache_bytes_per_token are not negative")


class Message(Value, frozen=True):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class Chat(Value, frozen=True, tag=True):
    """A conversation that the model is to continue; ``opening`` is the start of its reply.

    ``old_tail`` is what stood behind the part that is to change, as the model would write it
    (whole lines; empty: not known). A reply that runs in step with it ends there, and its text goes
    on with the rest of it: nobody waits for what is known. Replies do not repeat the opening.
    """

    messages: tuple[Message, ...]
    stop: tuple[str, ...] = ()
    opening: str = ""
    old_tail: str = ""


class Infill(Value, frozen=True, tag=True):
    """A hole to fill: what stands before and behind it, and what stood in it (empty: not to be shown).

    The texts are in the manifest's ``form``. Only a model with a token for it is shown ``was``; an
    edit's likelihood is compared with it for any. ``max_lines`` ends a reply after that many lines.
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
