"""Text to tokens and back, for one model: prompts, replies, counting.

CTranslate2 silently reads an unknown token as number 0, so every token that leaves here is known to
the model's own vocabulary, not only to the tokenizer.

Not covered: what a prompt says (``prompt/``); chat templates (``chat.py``).
"""

from __future__ import annotations

import json
import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from msgspec.structs import replace

from ocils.domain.errors import ModelDamaged, ModelMissing, Unsupported, UsageError
from ocils.domain.model import Chat, Infill, InfillFormat, Prompt
from ocils.engine import plain
from ocils.engine.chat import ChatTemplate
from ocils.engine.models.store import ModelFolder

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_AGAIN = "get the model's files again, or reinstall ocils if the model came with it"


class ModelTokens:
    """The tokenizer and vocabulary of one model, read at first use; safe in any thread."""

    def __init__(self, model: ModelFolder) -> None:
        self._model = model
        self._lock = threading.RLock()
        self._template = ChatTemplate(model.folder)

    def load(self) -> None:
        """Read tokenizer and vocabulary now, and check that they and the manifest fit together.

        Raises ``ModelMissing`` or ``ModelDamaged``.
        """
        with self._lock:
            known = self._vocabulary
            tokenizer = self._plain
            for text, number in tokenizer.get_vocab(with_added_tokens=True).items():
                # A tokenizer may know more tokens than the weights do, never other numbers.
                if number < len(known) and known.get(text) != number:
                    raise ModelDamaged(
                        f"tokenizer and vocabulary in {self._model.folder} disagree on {text!r}",
                        mend=_AGAIN,
                    )
            missing = [token for token in self._controls if token not in known]
            if missing:
                raise ModelDamaged(
                    f"the vocabulary in {self._model.folder} lacks {missing[0]!r}, "
                    "which the manifest names",
                    mend="correct the manifest's infill tokens",
                )

    def count(self, text: str) -> int:
        """Count the tokens of ``text``; reads nothing but the tokenizer."""
        with self._lock:
            tokenizer = self._plain
        return len(tokenizer.encode(text, add_special_tokens=False))

    def decode(self, numbers: list[int]) -> str:
        """Return the text of token ``numbers``, special tokens left out."""
        return self._plain.decode(numbers, skip_special_tokens=True)

    @property
    def vocabulary(self) -> dict[str, int]:
        """The tokens that the weights know, and their numbers; not to be changed."""
        with self._lock:
            return self._vocabulary

    @property
    def opening(self) -> str:
        """The token that opens an infill prompt and never stands anywhere else."""
        return self._format.prefix

    def end_tokens(self, prompt: Prompt) -> tuple[str, ...]:
        """The tokens that end a reply: the model's own, and those the manifest names."""
        with self._lock:
            known = self._vocabulary
        ends = [self._own_end, *(stop for stop in self._model.manifest.stop if stop in known)]
        if isinstance(prompt, Infill):
            # A model that starts a new piece of the format has nothing more to say in this one.
            ends += self._controls
        return tuple(dict.fromkeys(end for end in ends if end in known))

    def stop_strings(self, prompt: Prompt) -> tuple[str, ...]:
        """The texts that end a reply and are not a token of their own."""
        with self._lock:
            known = self._vocabulary
        return tuple(s for s in (*prompt.stop, *self._model.manifest.stop) if s and s not in known)

    def encode(self, prompt: Prompt) -> list[str]:
        """Return the prompt's tokens, shorter than the model's context.

        Raises ``UsageError`` for a prompt that is too long, ``Unsupported`` for one of a kind that
        the model does not know.
        """
        match prompt:
            case Infill():
                tokens = self._encode_infill(prompt)
            case Chat():
                tokens = self._encode_chat(prompt)
            case _:
                assert_never(prompt)
        self._check_length(len(tokens))
        return tokens

    def encode_pair(self, prompt: Infill, middle: str) -> tuple[list[str], int]:
        """Return the tokens of prompt, middle and end, and how many of them are the prompt's."""
        head = self._encode_infill(prompt)
        tokens = [*head, *self._piece(middle), self._format.end]
        self._check_length(len(tokens))
        return tokens, len(head)

    def encode_middle(self, middle: str) -> list[str]:
        """Return the tokens of a middle and its end, for prompts that are encoded already."""
        return [*self._piece(middle), self._format.end]

    def _encode_infill(self, prompt: Infill) -> list[str]:
        form = self._format
        # The first piece begins a text; what follows goes on in the middle of one.
        prefix = [form.prefix, *self._piece(prompt.prefix, first=True)]
        suffix = [form.suffix, *self._piece(prompt.suffix)]
        tokens = [form.start] if form.start else []
        tokens += [*prefix, *suffix] if form.order == "prefix_first" else [*suffix, *prefix]
        if form.was:
            tokens += [form.was, *self._piece(prompt.was)]
        if form.middle:
            tokens.append(form.middle)
        return tokens

    def _encode_chat(self, prompt: Chat) -> list[str]:
        with self._lock:
            tokenizer, known = self._special, self._cut
        given = (*(message.content for message in prompt.messages), prompt.opening)
        mark, safe = plain.marked(given, known)
        messages = tuple(
            replace(message, content=content)
            for message, content in zip(prompt.messages, safe, strict=False)
        )
        text = self._template.render(replace(prompt, messages=messages, opening=safe[-1]))
        head, *rest = text.split(mark)
        tokens = list(tokenizer.encode(head, add_special_tokens=False).tokens)
        for each in rest:
            tokens += plain.bare(tokenizer, each)
        return self._known(tokens)

    def _piece(self, text: str, *, first: bool = False) -> list[str]:
        """Encode one piece of a prompt, never yielding a control token, whatever it holds."""
        with self._lock:
            tokenizer, known = self._plain, self._cut
        tokens: list[str] = []
        for number, each in enumerate(plain.pieces(text, known)):
            if first and not number:
                tokens += tokenizer.encode(each, add_special_tokens=False).tokens
            else:
                tokens += plain.bare(tokenizer, each)
        return self._known(tokens)

    def _known(self, tokens: list[str]) -> list[str]:
        with self._lock:
            known = self._vocabulary
        for token in tokens:
            if token not in known:
                raise ModelDamaged(
                    f"the model {self._model.manifest.name} has no token {token!r}, "
                    "which its tokenizer produced",
                    mend=_AGAIN,
                )
        return tokens

    def _check_length(self, count: int) -> None:
        if count >= self._model.manifest.context:
            raise UsageError(
                f"a prompt of {count} tokens does not fit the context of "
                f"{self._model.manifest.context} of the model {self._model.manifest.name}",
                mend="show the model less, or choose a model with a longer context",
            )

    @property
    def _format(self) -> InfillFormat:
        if self._model.manifest.infill is None:
            raise Unsupported(
                f"the model {self._model.manifest.name} does not fill in the middle",
                mend="choose another model or another strategy",
            )
        return self._model.manifest.infill

    @cached_property
    def _controls(self) -> tuple[str, ...]:
        form = self._model.manifest.infill
        if form is None:
            return ()
        tokens = (form.start, form.prefix, form.suffix, form.was, form.middle, form.end)
        return tuple(filter(None, tokens))

    @cached_property
    def _cut(self) -> tuple[str, ...]:
        """What must not be read as a control token where the user's text holds it."""
        ends = [stop for stop in self._model.manifest.stop if stop in self._vocabulary]
        return plain.controls(self._plain, (*self._controls, *ends))

    @cached_property
    def _plain(self) -> Tokenizer:
        """The tokenizer that reads special tokens in a text as ordinary characters."""
        tokenizer = self._read_tokenizer()
        tokenizer.encode_special_tokens = True
        return tokenizer

    @cached_property
    def _special(self) -> Tokenizer:
        """The tokenizer that reads special tokens as such, as a rendered template needs it."""
        return self._read_tokenizer()

    @cached_property
    def _vocabulary(self) -> dict[str, int]:
        """The tokens that the weights know, and their numbers."""
        folder = self._model.folder
        for name in ("vocabulary.json", "vocabulary.txt"):
            path = folder / name
            if path.is_file():
                try:
                    text = path.read_text("utf-8")
                    words = json.loads(text) if name.endswith("json") else text.split("\n")
                    return {str(word): number for number, word in enumerate(words)}
                except (OSError, ValueError, TypeError) as error:
                    raise ModelDamaged(f"cannot read {path}: {error}", mend=_AGAIN) from error
        raise self._absent("vocabulary.json")

    @cached_property
    def _own_end(self) -> str:
        path = self._model.folder / "config.json"
        try:
            value = json.loads(path.read_bytes()).get("eos_token", "")
        except FileNotFoundError as error:
            raise self._absent("config.json") from error
        except (OSError, ValueError, AttributeError) as error:
            raise ModelDamaged(f"cannot read {path}: {error}", mend=_AGAIN) from error
        return str(value)

    def _read_tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        path: Path = self._model.folder / "tokenizer.json"
        if not path.is_file():
            raise self._absent(path.name)
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:
            raise ModelDamaged(f"cannot read {path}: {error}", mend=_AGAIN) from error
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    def _absent(self, name: str) -> ModelMissing | ModelDamaged:
        model = self._model
        if not model.folder.is_dir():
            return ModelMissing(
                f"the model {model.manifest.name} has no folder at {model.folder}",
                mend="put its files there, or choose another model in your settings",
            )
        return ModelDamaged(
            f"the model {model.manifest.name} is damaged: {model.folder / name} is missing",
            mend=_AGAIN,
        )
