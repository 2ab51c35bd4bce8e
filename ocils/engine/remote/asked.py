"""What a client of OpenAI's protocol asks a model's server, as prompts; and answers as its objects. Pure.

A hole comes as ``suffix``, or as the model's own control tokens in one text. Likelihoods are told
for the whole of what follows such a text, as one token: enough to sum, which is what they are for.

Not covered: a text without a hole; HTTP (``http.py``).
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeVar

import msgspec

from ocils.domain.model import Chat, Infill, Manifest, Message, Prompt, Sampling
from ocils.engine.remote.http import BadRequest
from ocils.engine.remote.raw import plain, read

_MOST_ROWS = 64
_SIGNS = 4 * 64  # characters of stop strings

_Asked = TypeVar("_Asked", bound="Asked")


class Dress(NamedTuple):
    """What makes of a model's reply what was asked for: without ``drop`` in front, ``behind`` at its end."""

    drop: str = ""
    behind: str = ""

    def whole(self, text: str) -> str:
        """Dress a whole reply."""
        return text.removeprefix(self.drop) + self.behind


class Asked(msgspec.Struct, frozen=True):
    """What both kinds of request have; fields that are not known are not looked at."""

    model: str = ""
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    n: int | None = None
    stream: bool | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    logprobs: bool | int | None = None

    @property
    def stops(self) -> tuple[str, ...]:
        """The strings that end a reply."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(each[:_SIGNS] for each in given[:16] if each)

    def sampling(self, room: int) -> Sampling:
        """Return how replies are drawn; greedy ones are drawn once. Raises ``BadRequest``."""
        n, tokens = self.rows, self.max_tokens if self.max_tokens is not None else 256
        temperature = 1.0 if self.temperature is None else self.temperature
        if not 1 <= n <= _MOST_ROWS or tokens < 1 or not 0 <= temperature <= 5:
            raise BadRequest(
                400, f"n is 1 to {_MOST_ROWS}, max_tokens positive, temperature 0 to 5"
            )
        return Sampling(
            n if temperature > 0 else 1,
            min(tokens, room),
            temperature,
            max(1, self.top_k) if self.top_k else 50,
            self.top_p if self.top_p is not None and 0 < self.top_p <= 1 else 1.0,
            abs(self.seed or 0) % 2**31,
        )

    @property
    def rows(self) -> int:
        """How many replies are wanted."""
        return 1 if self.n is None else self.n


class AskedText(Asked, frozen=True):
    """A request for completions."""

    prompt: str | list[str] = ""
    suffix: str | None = None
    echo: bool | None = None


class Said(msgspec.Struct, frozen=True):
    """A message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class AskedChat(Asked, frozen=True):
    """A request for a reply in a conversation; a last message of the assistant's is gone on with."""

    messages: list[Said] = []


def parsed(body: bytes, kind: type[_Asked]) -> _Asked:
    """Return the request in ``body``. Raises ``BadRequest``."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(400, f"the request is not understood: {error}") from error


def prompt_of(asked: AskedText | AskedChat, manifest: Manifest) -> tuple[Prompt, Dress]:
    """Return the prompt, and what makes of a reply what was asked for. Raises ``BadRequest``."""
    if isinstance(asked, AskedChat):
        messages = tuple(Message(each.role, each.content) for each in asked.messages)
        if messages and messages[-1].role == "assistant":
            return Chat(messages[:-1], asked.stops, messages[-1].content), Dress()
        return Chat(messages, asked.stops), Dress()
    if isinstance(asked.prompt, list):
        if len(asked.prompt) != 1:
            raise BadRequest(400, "several prompts are only scored (echo), not continued")
        asked = msgspec.structs.replace(asked, prompt=asked.prompt[0])
    text = str(asked.prompt)
    form = manifest.infill
    if form is None:
        raise BadRequest(400, f"{manifest.name} fills no holes: use chat/completions")
    if asked.suffix is not None:
        return _by_suffix(text, asked.suffix, asked.stops, lines=form.form == "lines")
    found = read(text, form)
    if found is None or found[1]:
        raise BadRequest(
            400, f"a prompt for {manifest.name} has a suffix, or ends with {form.middle}"
        )
    return msgspec.structs.replace(found[0], stop=asked.stops), Dress()


def pairs_of(asked: AskedText, manifest: Manifest) -> tuple[list[tuple[Infill, str]], list[str]]:
    """Return the prompts and middles to be scored, and the middles' texts. Raises ``BadRequest``."""
    form = manifest.infill
    texts = asked.prompt if isinstance(asked.prompt, list) else [asked.prompt]
    pairs, rests = [], []
    for text in texts:
        found = read(text, form) if form else None
        if form is None or found is None or not found[1].endswith(form.end):
            raise BadRequest(400, "only a filled hole is scored: its text ends with the end token")
        pairs.append((found[0], plain(found[1].removesuffix(form.end), form)))
        rests.append(found[1])
    return pairs, rests


def scored(asked: AskedText, rests: list[str], scores: tuple[float, ...], model: str) -> object:
    """Return the answer to a request for likelihoods."""
    texts = asked.prompt if isinstance(asked.prompt, list) else [asked.prompt]
    choices = []
    for row, (text, rest, score) in enumerate(zip(texts, rests, scores, strict=True)):
        head = text[: len(text) - len(rest)]
        said = {
            "tokens": [head, rest],
            "text_offset": [0, len(head)],
            "token_logprobs": [None, score],
            "top_logprobs": None,
        }
        choices.append({"index": row, "text": text, "finish_reason": "length", "logprobs": said})
    return {"object": "text_completion", "model": model, "choices": choices}


def choice(
    row: int, text: str, logprob: float, finish: str | None, asked: Asked, *, part: bool
) -> dict[str, object]:
    """Return a text as a choice: of a whole answer, or of a ``part`` of one, which has no ``finish``.

    Its likelihood is told as one token's: enough to sum.
    """
    said: dict[str, object] = {"index": row, "finish_reason": finish}
    if isinstance(asked, AskedChat):
        said["delta" if part else "message"] = {"role": "assistant", "content": text}
        if asked.logprobs:
            said["logprobs"] = {"content": [{"token": text, "logprob": logprob}]}
    else:
        said["text"] = text
        if asked.logprobs is not None and asked.logprobs is not False:
            said["logprobs"] = {"tokens": [text], "text_offset": [0], "token_logprobs": [logprob]}
    return said


def kind_of(
    asked: Asked, *, part: bool
) -> Literal["text_completion", "chat.completion", "chat.completion.chunk"]:
    """Return what the protocol calls such an answer."""
    if not isinstance(asked, AskedChat):
        return "text_completion"
    return "chat.completion.chunk" if part else "chat.completion"


def _by_suffix(
    prefix: str, suffix: str, stops: tuple[str, ...], *, lines: bool
) -> tuple[Prompt, Dress]:
    if not lines:
        return Infill(prefix, suffix, stop=stops), Dress()
    if prefix and not prefix.endswith("\n"):
        raise BadRequest(400, "this model fills whole lines: end the prompt with a newline")
    head = "\n" + prefix.removesuffix("\n") if prefix else ""
    tail = "\n" + suffix.removeprefix("\n").removesuffix("\n") if suffix.strip("\n") else ""
    behind = "" if suffix.startswith("\n") else "\n"
    # The model writes every line behind its newline; whoever asks has had that newline already.
    return Infill(head, tail, stop=stops), Dress("\n", behind)
