"""Small tokenizers of the two kinds that code models have, with every family's control tokens.

``bytes`` is byte-level BPE (DeepSeek, Qwen, Granite), ``pieces`` SentencePiece's BPE with a space in
front (CodeLlama, Codestral), ``gemma`` the same without that space. Trained on a few files of ocils.

Not covered: the real vocabularies.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

SIZE = 900
"""Entries of every vocabulary made here; models have as many."""

CONTROLS = (
    "<unk>", "<s>", "</s>", "<bos>", "<eos>", "<|EOT|>", "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>",
    "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>", "▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>",
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>",
    "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<fim_prefix>", "<fim_suffix>",
    "<fim_middle>", "<fim_pad>", "<|file_separator|>", "<start_of_turn>", "<end_of_turn>",
    "[PREFIX]", "[SUFFIX]", "[MIDDLE]", "[INST]", "[/INST]",
)  # fmt: skip
# Qwen marks its tokens for filling in as ordinary ones; a tokenizer then reads them in any text.
NOT_SPECIAL = frozenset(
    {"<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"}
    | {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"}
)
ENDS = {
    "bytes": ("<|endoftext|>", "<|endoftext|>"),
    "pieces": ("<s>", "</s>"),
    "gemma": ("<bos>", "<eos>"),
}


def made(kind: str) -> Tokenizer:
    """Train a tokenizer of that kind."""
    here = Path(__file__).parent
    texts = [path.read_text("utf-8") for path in sorted(here.glob("*.py"))]
    alphabet = pre_tokenizers.ByteLevel.alphabet() if kind == "bytes" else []
    pieces = [] if kind == "bytes" else [f"<0x{byte:02X}>" for byte in range(256)]
    tokenizer = Tokenizer(
        models.BPE(byte_fallback=kind != "bytes", unk_token="<unk>", fuse_unk=True)
    )
    if kind == "bytes":
        words = pre_tokenizers.Split(Regex(r"\s*[\r\n]+|\s?\w+|\s+|[^\s\w]+"), "isolated")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [words, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
        )
        tokenizer.decoder = decoders.ByteLevel()
    else:
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
        tokenizer.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
        )
        # Only for the training: a piece never goes over a line's end, nor is a line one piece.
        tokenizer.pre_tokenizer = pre_tokenizers.Split(
            Regex(r"\n|▁*[^▁\n]+"), "removed", invert=True
        )
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=SIZE - 100,
            special_tokens=[*CONTROLS, *pieces],
            initial_alphabet=alphabet,
            show_progress=False,
        ),
    )
    tokenizer = _without_specials(tokenizer, pieces)
    if kind == "pieces":
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme="first", split=False)
        tokenizer.normalizer = None
    elif kind == "gemma":
        tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    return tokenizer


def _without_specials(trained: Tokenizer, pieces: list[str]) -> Tokenizer:
    """Keep byte pieces in the vocabulary, and control tokens as such; pad to ``SIZE``."""
    import json

    state = json.loads(trained.to_str())
    state["added_tokens"] = [
        {**each, "special": each["content"] not in NOT_SPECIAL}
        for each in state["added_tokens"]
        if each["content"] not in pieces
    ]
    vocabulary = state["model"]["vocab"]
    for number in range(len(vocabulary), SIZE):
        vocabulary[f"unused{number}"] = number
    return Tokenizer.from_str(json.dumps(state))


def wrapped(kind: str, template: str = "") -> Any:
    """Return the tokenizer as transformers has it."""
    import transformers  # type: ignore[import-not-found]

    start, end = ENDS[kind]
    found = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made(kind), bos_token=start, eos_token=end, unk_token="<unk>"
    )
    if template:
        found.chat_template = template
    return found
