"""What a server of OpenAI's protocol sends, taken apart: events, choices, likelihoods. Pure.

Everything comes from outside and may be anything: what is not of the protocol raises ``Rubbish``,
whose text says what was there instead.

Not covered: asking (``engine.py``); fields that ocils does not need.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

_MOST_LINE = 1 << 20  # bytes of one event; a token with its likelihoods takes a few hundred


class Rubbish(Exception):
    """The answer is not of the protocol."""


class Piece(NamedTuple):
    """A part of one row: more text, why it ended or nothing, and the text's likelihood or None."""

    row: int
    text: str
    finish: Literal["", "stop", "length"]
    logprob: float | None


class Events:
    """Bytes to the data of server-sent events. Mutable, used by one task."""

    def __init__(self) -> None:
        self._rest = b""
        self.done = False

    def take(self, data: bytes) -> Iterator[object]:
        """Yield each event's data, parsed; sets ``done`` at the protocol's end mark."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _MOST_LINE:
            raise Rubbish("a line without an end")
        for line in lines:
            said = line.strip()
            if said.startswith(b"error:") and not self.done:
                # So llama.cpp's server put it before it learnt to send an error as data.
                yield {"error": parsed(said.removeprefix(b"error:"))}
            elif said.startswith(b"data:") and not self.done:
                said = said.removeprefix(b"data:").strip()
                if said == b"[DONE]":
                    self.done = True
                elif said:
                    yield parsed(said)


def parsed(data: bytes) -> object:
    """Return the JSON value in ``data``."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Rubbish(f"no JSON but {shown(data)}") from error


def pieces(event: object) -> Iterator[Piece]:
    """Yield what an event, or a whole answer, says of each row.

    Raises ``Rubbish``, and ``Refusal`` of an error that is sent instead.
    """
    table = _table(event)
    for choice in _list(table.get("choices", [])):
        each = _table(choice)
        row = each.get("index", 0)
        if not isinstance(row, int) or isinstance(row, bool) or row < 0:
            raise Rubbish(f"a row of the number {shown(row)}")
        yield Piece(row, _text(each), _finish(each.get("finish_reason")), _logprob(each))


def scores(event: object, starts: Sequence[int], lengths: Sequence[int]) -> tuple[float, ...]:
    """Return the summed log-probability behind ``starts`` in each echoed prompt.

    ``lengths`` are the prompts' characters: offsets that do not end there are of other texts than
    were asked about, and would give wrong sums without anybody noticing. Raises ``Rubbish``.
    """
    found: dict[int, float] = {}
    for choice in _list(_table(event).get("choices")):
        each = _table(choice)
        row = each.get("index")
        if not isinstance(row, int) or not 0 <= row < len(starts):
            raise Rubbish(f"a row of the number {shown(row)}")
        said = _table(each.get("logprobs"))
        tokens, offsets, values = (
            _list(said.get(name)) for name in ("tokens", "text_offset", "token_logprobs")
        )
        if not len(tokens) == len(offsets) == len(values) or not offsets:
            raise Rubbish("likelihoods that do not fit their tokens")
        numbers = [each for each in offsets if isinstance(each, int)]
        if len(numbers) != len(offsets) or starts[row] not in numbers:
            raise Rubbish("tokens that run across the end of the prompt")
        if numbers[-1] + len(str(tokens[-1])) != lengths[row]:
            raise Rubbish("likelihoods of another text")
        found[row] = sum(
            _number(value) for at, value in zip(numbers, values, strict=True) if at >= starts[row]
        )
    if len(found) != len(starts):
        raise Rubbish(f"{len(found)} likelihoods of {len(starts)}")
    return tuple(found[row] for row in range(len(starts)))


def names(event: object) -> tuple[str, ...]:
    """Return the names of a server's models. Raises ``Rubbish``."""
    listed = _table(event).get("data", _table(event).get("models"))
    return tuple(str(_table(each).get("id") or "") for each in _list(listed))


def shown(value: object) -> str:
    """Return the beginning of anything, harmless on a terminal."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return repr(text[:80])


class Refusal(Exception):
    """The server says that it failed."""


def _table(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise Rubbish(f"no object but {shown(value)}")
    # vLLM's errors were objects of this kind before they became the protocol's.
    if error := value.get("error") or (value if value.get("object") == "error" else None):
        said = error.get("message") if isinstance(error, dict) else error
        raise Refusal(str(said))
    return value


def _list(value: object) -> Sequence[object]:
    if not isinstance(value, list):
        raise Rubbish(f"no list but {shown(value)}")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Rubbish(f"no likelihood but {shown(value)}")
    return float(value)


def _text(choice: Mapping[str, object]) -> str:
    """Return a choice's text: of a completion, of a message, or of a part of one."""
    if "text" in choice:
        said = choice["text"]
    else:
        message = choice.get("delta", choice.get("message"))
        said = _table(message).get("content") if message is not None else ""
    if said is None:
        return ""
    if not isinstance(said, str):
        raise Rubbish(f"no text but {shown(said)}")
    return said


def _finish(reason: object) -> Literal["", "stop", "length"]:
    if reason is None or reason == "":
        return ""
    return "length" if reason == "length" else "stop"


def _logprob(choice: Mapping[str, object]) -> float | None:
    """Return the summed log-probability of a choice's tokens, None where it is not told."""
    said = choice.get("logprobs")
    if not isinstance(said, dict):
        return None
    values = said.get("token_logprobs")
    if values is None:
        content = said.get("content")
        values = [_table(each).get("logprob") for each in _list(content)] if content else None
    if not isinstance(values, list):
        return None
    return sum(_number(value) for value in values if value is not None)
