"""Training examples: a function, a hole in it, what stood there, and what belongs there.

Most examples are repairs: the hole's old line carries one bug of `mutate.edits` and the middle
is the right line. Some show the right line as the old one, so that the model learns when
nothing is wrong; the rest are holes without an old line. Bugs stand only in the hole.

Verified examples (`verified.py`) ran red with the bug and green without. They may carry a hint: the
failing assertion as a comment, the tail's last line, so that prompts without one stay what they were.
Of StepCoder: CCCS lets "the rest" start at late conditionals first and moves earlier from shard to
shard; FGO keeps lines that no test executed out of the loss. Each can be switched off (`Switches`).

It does not cover bugs that span functions. The other examples are not run: that the right line is
right rests on the package's own authors.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from dataclasses import dataclass

from tokenizers import Tokenizer

from edit import Edit
from mutate import edits, parses
from tokens import END, cut_head, encode, prompt

SHARES = {
    "repair": 0.515, "block repair": 0.05, "same": 0.13, "blank": 0.145, "extra": 0.03,
    "missing": 0.06, "block": 0.03, "rest": 0.02, "body": 0.02,
}  # fmt: skip
# How often each kind of bug is chosen where it is possible at all; the others weigh 2.
WEIGHTS = {
    "variable": 11, "off by one": 10, "comparison": 10, "arithmetic": 8, "condition": 10,
    "number": 7, "negation": 5, "boolean": 6, "dropped call": 8, "swapped arguments": 6,
    "extra condition": 4, "constant": 4, "attribute": 5, "method": 5, "function": 5, "index": 5,
    "returned value": 5, "slice": 5, "assignment": 4, "depth": 4, "dropped argument": 6,
    "swapped operands": 4, "dropped operand": 8, "extra argument": 3, "argument": 4, "string": 3,
    "target": 3, "swapped items": 3, "dropped index": 3, "dropped attribute": 3, "keyword": 2,
    "other expression": 9,
}  # fmt: skip
CONTEXT = 480


@dataclass(frozen=True)
class Switches:
    """What can be left out, to measure what it is worth."""

    verified: bool = True
    hints: bool = True
    mask: bool = True
    curriculum: bool = True


EVERYTHING = Switches()
Row = dict[str, object]


@dataclass(frozen=True)
class Example:
    """Lines before the hole, after it, in it before, and in it now.

    ``hint`` is what a failing test said; ``unseen`` are lines of the middle that no test executed.
    """

    kind: str
    bug: str
    head: list[str]
    tail: list[str]
    was: list[str]
    middle: list[str]
    hint: str = ""
    unseen: frozenset[int] = frozenset()


def choose(found: list[Edit], chance: random.Random) -> Edit:
    """One edit: its kind by weight, then any of that kind."""
    kinds = sorted({e.kind for e in found})
    kind = chance.choices(kinds, [WEIGHTS.get(k, 2) for k in kinds])[0]
    return chance.choice([e for e in found if e.kind == kind])


def typo(line: str, chance: random.Random) -> str:
    """A line with one word left out, doubled, or misspelt."""
    words = line.split(" ")
    real = [i for i, word in enumerate(words) if word]
    i = chance.choice(real)
    match chance.randrange(3):
        case 0 if len(real) > 1:
            del words[i]
        case 1 if len(words[i]) > 3:
            at = chance.randrange(1, len(words[i]) - 1)
            word = words[i]
            words[i] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        case _:
            words.insert(i, words[i])
    return " ".join(words)


def broken(text: str, found: list[Edit], chance: random.Random) -> tuple[int, str, str] | None:
    """(line number, broken line, kind of bug), or None when nothing fitting was found."""
    lines = text.split("\n")
    for _ in range(6):
        if chance.random() < 0.05:
            number = chance.choice(plain(lines))
            line = typo(lines[number], chance)
            if line != lines[number] and parses("\n".join(replaced(lines, number, 1, [line]))):
                return number, line, "typo"
            continue
        if not found:
            continue
        edit = choose(found, chance)
        number = text.count("\n", 0, edit.start)
        changed = edit.apply(text)
        kind = edit.kind
        if chance.random() < 0.07:
            near = [e for e in found if text.count("\n", 0, e.start) == number and e != edit]
            near = [e for e in near if e.end < edit.start]
            if near:
                changed, kind = choose(near, chance).apply(changed), "two bugs"
        line = changed.split("\n")[number].rstrip()
        if line != lines[number] and len(line) < 160 and parses(changed):
            return number, line, kind
    return None


def replaced(lines: list[str], at: int, count: int, new: list[str]) -> list[str]:
    return lines[:at] + new + lines[at + count :]


def plain(lines: list[str]) -> list[int]:
    """Lines worth a hole: not blank, not a comment; a docstring's own lines are not told apart."""
    good = [i for i, line in enumerate(lines) if line.strip() and line.lstrip()[0] not in "#\"'"]
    return good or [0]


def statements(text: str) -> list[tuple[int, int]]:
    """(first line, lines) of the statements of one to three lines inside a function."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.stmt) and node.lineno > 1 and node.end_lineno:
            text_alone = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            count = node.end_lineno - node.lineno + 1
            if count <= 3 and not text_alone:
                found.append((node.lineno - 1, count))
    return found


def missing(text: str, chance: random.Random) -> Example | None:
    """A statement left out: the old line is its neighbour, the middle is both."""
    lines, found = text.split("\n"), statements(text)
    chance.shuffle(found)
    for at, count in found[:4]:
        if not parses("\n".join(replaced(lines, at, count, []))):
            continue
        after = at + count
        if chance.random() < 0.25 and after < len(lines) and lines[after].strip():
            return Example("missing", "missing statement", lines[:at], lines[after + 1 :],
                           [lines[after]], lines[at : after + 1])  # fmt: skip
        if lines[at - 1].strip():
            return Example("missing", "missing statement", lines[: at - 1], lines[after:],
                           [lines[at - 1]], lines[at - 1 : after])  # fmt: skip
    return None


def late_start(lines: list[str], stage: float, chance: random.Random) -> int:
    """Where the rest begins: at the last conditional at stage 0, at any earlier one towards 1."""
    words = ("if ", "elif ", "else", "for ", "while ", "try", "except", "with ")
    found = [i for i, line in enumerate(lines) if i and line.lstrip().startswith(words)]
    if not found:
        return chance.randrange(1, max(2, len(lines)))
    return chance.choice(found[int((1 - stage) * (len(found) - 1)) :])


def ran(row: Row, chance: random.Random, stage: float, switches: Switches) -> Iterator[Example]:
    """The two examples of a verified row: its bug, and the rest of its function."""
    lines, number = str(row["text"]).split("\n"), int(str(row["line"]))
    hint = str(row["hint"]) if switches.hints and chance.random() < 0.5 else ""
    head, tail = lines[:number], lines[number + 1 :]
    yield Example("verified", str(row["bug"]), head, tail, [str(row["was"])], [lines[number]], hint)
    at = late_start(lines, stage if switches.curriculum else 1.0, chance)
    executed = row["executed"]
    seen = set(executed) if isinstance(executed, list) else set()
    blank = frozenset(i - at for i in range(at, len(lines)) if i not in seen)
    unseen = blank if switches.mask else frozenset[int]()
    yield Example("verified rest", "", lines[:at], [], [], lines[at:], "", unseen)


def make(text: str, chance: random.Random, stage: float = 1.0) -> Example | None:
    """One example of a function; ``stage`` is how far the curriculum has come."""
    lines = text.split("\n")
    kind = chance.choices(list(SHARES), list(SHARES.values()))[0]
    if kind == "missing":
        return missing(text, chance)
    usable = plain(lines)
    at, count, was, bug = chance.choice(usable), 1, list[str](), ""
    if kind in ("repair", "block repair", "same"):
        found = edits(text)
        bad = broken(text, found, chance)
        if bad is None:
            return None
        number, line, bug = bad
        at = number
        if kind == "block repair":
            at = max(0, number - chance.randrange(3))
            count = min(len(lines) - at, number - at + 1 + chance.randrange(2))
            was = replaced(lines[at : at + count], number - at, 1, [line])
        elif kind == "repair":
            was = [line]
        else:
            bug = ""
            if chance.random() < 0.25:
                at = chance.choice(usable)
                count = min(len(lines) - at, chance.choice((1, 1, 2, 3)))
            was = lines[at : at + count]
    elif kind == "extra":
        # The old line is one that does not belong there: the middle is nothing.
        source = lines[chance.choice(usable)]
        at = max(1, chance.choice(usable))
        if not parses("\n".join(replaced(lines, at, 0, [source]))):
            return None
        return Example(kind, "extra line", lines[:at], lines[at:], [source], [])
    elif kind == "block":
        count = min(len(lines) - at, chance.choice((2, 3, 4)))
    elif kind == "rest":
        at = late_start(lines, stage, chance) if stage < 1 else max(1, at)
        count = len(lines) - at
    elif kind == "body":
        at = next((i + 1 for i, line in enumerate(lines) if line.rstrip().endswith(":")), 1)
        count = len(lines) - at
    if count <= 0:
        return None
    return Example(kind, bug, lines[:at], lines[at + count :], was, lines[at : at + count])


def tokens_of(
    tokenizer: Tokenizer, example: Example, budget: int, longest: int = CONTEXT
) -> tuple[list[int], int] | None:
    """The whole sequence and how many of its tokens are the prompt."""
    head, tail = encode(tokenizer, example.head), encode(tokenizer, example.tail)
    was, middle = encode(tokenizer, example.was), encode(tokenizer, example.middle)
    hint = encode(tokenizer, [f"# fails: {example.hint}"]) if example.hint else []
    room = min(budget, longest - len(was) - len(middle) - len(hint) - 5)
    if room < 16:
        return None
    first = len(encode(tokenizer, example.head[:1]))
    share = max(room // 2, room - len(tail)) if len(head) > room // 2 else len(head)
    head = cut_head(head, min(share, room), first)
    tail = tail[: room - len(head)]
    start = prompt(head, [*tail, *hint], was)
    return [*start, *middle, END], len(start)
