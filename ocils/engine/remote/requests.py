"""What a server is asked, as the fields of a request. Pure.

Not covered: sending it (``connection.py``), what comes of it (``answers.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from ocils.domain.errors import Unsupported
from ocils.domain.model import Chat, Infill, InfillFormat, Manifest, Message, Prompt, Sampling
from ocils.engine.remote.raw import harmless, written

_STOPS = 4  # the protocol takes no more; the others are looked for here


class Veil(Protocol):
    """Hides secrets in what is sent, and puts them back into what comes."""

    def hide(self, text: str) -> str:
        """Return ``text`` without its secrets."""
        ...

    def restore(self, text: str) -> str:
        """Return ``text`` with the secrets that were hidden."""
        ...


class Requests:
    """Writes the requests for one model, its secrets hidden.

    ``own_infill``: the server fills holes by the protocol's ``suffix``.
    """

    def __init__(self, manifest: Manifest, veil: Veil, *, own_infill: bool) -> None:
        self._manifest = manifest
        self._hide = veil.hide
        self._own_infill = own_infill

    def draw(
        self, prompt: Prompt, sampling: Sampling, rows: int, stops: Sequence[str], *, bare: bool
    ) -> dict[str, object]:
        """Ask for replies, with the fields that every server takes and, unless ``bare``, others.

        Raises ``Unsupported`` for a hole that the server cannot be asked to fill.
        """
        body: dict[str, object] = {
            "max_tokens": sampling.tokens,
            "temperature": sampling.temperature,
            "stream": True,
        }
        if sampling.temperature > 0:
            body["top_p"] = sampling.top_p
        if stops:
            body["stop"] = list(stops[:_STOPS])
        if not bare:
            body["seed"] = sampling.seed
            body["n"] = rows
            body["logprobs"] = True if isinstance(prompt, Chat) else 1
        match prompt:
            case Chat(messages=messages, opening=opening):
                told = [*messages, *([Message("assistant", opening)] if opening else [])]
                body["messages"] = [
                    {"role": m.role, "content": self._hide(m.content)} for m in told
                ]
                if opening and not bare:
                    # What vLLM needs to go on with a reply rather than to begin another.
                    body["continue_final_message"] = True
                    body["add_generation_prompt"] = False
            case Infill() if self._own_infill:
                body["prompt"] = self._hide(prompt.prefix)
                body["suffix"] = self._hide(prompt.suffix)
            case Infill():
                if self._manifest.infill is None:
                    raise Unsupported(
                        f"{self._manifest.name} fills no holes",
                        mend="choose a manifest with infill tokens as remote.manifest",
                    )
                body["prompt"] = written(self._hidden(prompt), self._manifest.infill)
        return body

    def score(
        self, pairs: Sequence[tuple[Infill, str]], form: InfillFormat
    ) -> tuple[dict[str, object], list[int], list[int]]:
        """Ask for likelihoods; also return where each middle begins and how long each text is."""
        heads = [written(self._hidden(prompt), form) for prompt, _ in pairs]
        whole = [
            head + harmless(self._hide(middle), form) + form.end
            for head, (_, middle) in zip(heads, pairs, strict=True)
        ]
        body: dict[str, object] = {"prompt": whole, "max_tokens": 0, "echo": True, "logprobs": 1}
        return body, [len(head) for head in heads], [len(each) for each in whole]

    def _hidden(self, prompt: Infill) -> Infill:
        hide = self._hide
        return msgspec.structs.replace(
            prompt, prefix=hide(prompt.prefix), suffix=hide(prompt.suffix), was=hide(prompt.was)
        )
