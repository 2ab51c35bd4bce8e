"""A chat model's reply to its fenced blocks; pure.

A block ends at a fence of its own kind that is no further in than three spaces past its own: one
inside a docstring is text. A block without an end goes on to the reply's. What a model thought
before it answered (``<think>``) is no part of the answer.

Not covered: what a block holds.
"""

from __future__ import annotations

import re

from ocils.domain.base import Value

_OPEN = re.compile(r"(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})(?P<info>[^`\n]*)")
_THOUGHT = re.compile(r"\A.*</think>", re.DOTALL)
_UNFINISHED = re.compile(r"\A\s*<think>.*\Z", re.DOTALL)


class Block(Value, frozen=True):
    """A fenced block: its info word in lower case ("python", "diff", ""), and its text."""

    info: str
    text: str


def answer(reply: str) -> str:
    """Return the reply with plain line ends, and without what the model thought before it."""
    text = reply.replace("\r\n", "\n").replace("\r", "\n")
    return _UNFINISHED.sub("", _THOUGHT.sub("", text))


def blocks(reply: str) -> tuple[Block, ...]:
    """Return the fenced blocks of ``reply`` in their order; none where it has none."""
    found: list[Block] = []
    opened: re.Match[str] | None = None
    held: list[str] = []
    for line in answer(reply).split("\n"):
        fence = _OPEN.fullmatch(line.rstrip())
        if opened is None:
            if fence is not None:
                opened, held = fence, []
        elif fence is not None and _closes(fence, opened):
            found.append(_block(opened, held))
            opened = None
        else:
            held.append(line)
    if opened is not None:
        found.append(_block(opened, held))
    return tuple(found)


def _closes(fence: re.Match[str], opened: re.Match[str]) -> bool:
    return (
        not fence["info"].strip()
        and fence["fence"].startswith(opened["fence"])
        and len(fence["indent"].expandtabs(4)) <= len(opened["indent"].expandtabs(4)) + 3
    )


def _block(opened: re.Match[str], lines: list[str]) -> Block:
    info = opened["info"].split()
    return Block(info[0].lower() if info else "", "\n".join(lines))
