"""The tokenizer, and how an infill prompt becomes token numbers.

Byte-level BPE: a newline with the indentation after it is one piece, digits stand alone, words
take the space or underscore before them. The special tokens are plain vocabulary entries and not
"added tokens", so that the text `<end>` in a user's source can never turn into one of them.

It does not cover rendering: which lines are the head and the tail is decided by the caller.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

SPECIAL = ("<unk>", "<pad>", "<pre>", "<suf>", "<was>", "<mid>", "<end>")
UNK, PAD, PRE, SUF, WAS, MID, END = range(len(SPECIAL))
WORDS = 4096
PIECE = r"\n[ \t]*|[ _]?[A-Za-z]+| ?\d| ?[^\sA-Za-z\d_]+|_+| +|\s+"


def train(texts: Iterable[str], path: Path, words: int = WORDS) -> Tokenizer:
    """Learn the merges and write `tokenizer.json`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECE), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=words,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        max_token_length=24,
    )
    tokenizer.train_from_iterator(texts, trainer)
    data = json.loads(tokenizer.to_str())
    data["added_tokens"] = []
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n")
    return load(path)


def load(path: Path) -> Tokenizer:
    """The tokenizer of a file, checked to keep its special tokens where the model has them."""
    tokenizer = Tokenizer.from_file(str(path))
    for number, word in enumerate(SPECIAL):
        if tokenizer.token_to_id(word) != number:
            raise ValueError(f"{path} has {word} elsewhere than at {number}")
    return tokenizer


def lines_text(lines: Sequence[str]) -> str:
    """Lines as the model reads them: each after a newline, the first too."""
    return "".join("\n" + line for line in lines)


def encode(tokenizer: Tokenizer, lines: Sequence[str]) -> list[int]:
    """The tokens of some lines, encoded on their own."""
    if not lines:
        return []
    return list(tokenizer.encode(lines_text(lines), add_special_tokens=False).ids)


def cut_head(head: list[int], budget: int, first: int) -> list[int]:
    """The end of a head, with its first line (of `first` tokens) kept when there is room."""
    if len(head) <= budget:
        return head
    if first * 2 <= budget:
        return head[:first] + head[len(head) - (budget - first) :]
    return head[len(head) - budget :] if budget > 0 else []


def prompt(head: list[int], tail: list[int], was: list[int]) -> list[int]:
    """`<pre>` head `<suf>` tail `<was>` was `<mid>`."""
    return [PRE, *head, SUF, *tail, WAS, *was, MID]
