"""Text that must stay text: the user's source never becomes a control token, whatever it holds.

A tokenizer reads ``<|im_end|>`` in a file as the end of a message, and what follows as somebody
else's words. Such text is cut in two behind its first character, and the halves are encoded each on
its own: the model sees the same characters, as ordinary ones.

Not covered: formats whose borders are ordinary text (``[INST]`` of CodeLlama, ``@@ Instruction`` of
Magicoder): no tokenizer can tell those from a file that speaks of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Tokenizers mark most control tokens as special, but not all: Qwen's for filling in are ordinary.
_LOOKS = re.compile(r"<[|｜].*[|｜]>|<[a-z]+_[a-z_]+>")
_LEAD = "\ue000"  # a character for private use: no vocabulary joins it with its neighbour
_PRIVATE = range(0xE000, 0xF8FF)


def controls(tokenizer: Tokenizer, named: Iterable[str] = ()) -> tuple[str, ...]:
    """Return every text that ``tokenizer`` could read as a control token, and those ``named``."""
    found = [text for text in named if len(text) > 1]
    found += [
        token.content
        for token in tokenizer.get_added_tokens_decoder().values()
        if len(token.content) > 1 and (token.special or _LOOKS.fullmatch(token.content))
    ]
    # SentencePiece writes a space as ▁, and may look for a token only after it did so.
    found += [text.replace("▁", " ") for text in found if "▁" in text]
    return tuple(dict.fromkeys(found))


def pieces(text: str, known: Iterable[str]) -> list[str]:
    """Cut ``text`` so that no piece holds a text of ``known``; the pieces joined are ``text``."""
    cuts = {0, len(text)}
    for control in known:
        at = text.find(control)
        while at >= 0:
            cuts.add(at + 1)
            at = text.find(control, at + 1)
    borders = sorted(cuts)
    return [text[start:end] for start, end in pairwise(borders)]


def marked(texts: Iterable[str], known: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """Return a character that stands in none of ``texts``, and the texts with it at every cut."""
    given, known = tuple(texts), tuple(known)
    mark = next(chr(n) for n in _PRIVATE if not any(chr(n) in text for text in given))
    return mark, tuple(mark.join(pieces(text, known)) for text in given)


def bare(tokenizer: Tokenizer, text: str) -> list[str]:
    """Encode ``text`` as the middle of a text: without the space that SentencePiece puts in front."""
    lead = tokenizer.encode(_LEAD, add_special_tokens=False).tokens
    if not lead or not lead[0].startswith("▁"):
        return list(tokenizer.encode(text, add_special_tokens=False).tokens)
    tokens = tokenizer.encode(_LEAD + text, add_special_tokens=False).tokens
    return list(tokens[len(lead) :])
