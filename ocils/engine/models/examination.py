"""A model looked at in a process with limits: ``python -m ocils.engine.models.examination MANIFEST [load]``.

Its tokenizer reads, its chat template renders (what came with a download may loop, or take all
memory), and with ``load`` CTranslate2 reads the weights and draws a token. Prints one JSON line when
something is wrong.

Not covered: checksums and the heads of the weights (``store.py``), which need no process.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ocils.domain.errors import OcilsError
from ocils.domain.model import Chat, Infill, Message
from ocils.engine.library import library
from ocils.engine.models.child import end_with_parent, speak
from ocils.engine.models.store import ModelFolder, find
from ocils.engine.tokens import ModelTokens

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEMORY = 1024 * 1024 * 1024  # bytes that a template may take on top of what is taken
_TALK = (
    Chat((Message("user", "hello"),)),
    Chat((Message("system", "be brief"), Message("user", "hello"))),
    Chat((Message("user", "hello"), Message("assistant", "yes?"), Message("user", "fix it"))),
)


def main(arguments: Sequence[str]) -> int:
    """Examine; return 0, or 1 after a line that says what is wrong."""
    end_with_parent()
    try:
        _examine(find(arguments[0]), load="load" in arguments[1:])
    except OcilsError as error:
        speak(message=error.message, mend=error.mend)
        return 1
    except MemoryError:
        speak(message="the model takes more memory than there is")
        return 1
    return 0


def _examine(model: ModelFolder, *, load: bool) -> None:
    tokens = ModelTokens(model)
    tokens.load()
    sample = ["a"]
    if model.manifest.chat:
        with _little_memory():
            for chat in _TALK:
                sample = tokens.encode(chat)
    if model.manifest.infill is not None:
        sample = tokens.encode(Infill("\na = 1", "\nb = 2"))
    if load:
        _draw(model, sample)


def _draw(model: ModelFolder, sample: list[str]) -> None:
    from ocils.domain.errors import ModelDamaged

    try:
        generator = library().Generator(
            str(model.folder), device="cpu", compute_type="auto", inter_threads=1, intra_threads=1
        )
        generator.generate_batch([sample], max_length=1, include_prompt_in_result=False)
    except (RuntimeError, ValueError, IndexError) as error:
        raise ModelDamaged(
            f"CTranslate2 cannot use the model in {model.folder}: {error}",
            mend="get the model's files again, or convert them again",
        ) from error


@contextmanager
def _little_memory() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:  # noqa: PTH123 (a file of the kernel's)
        taken = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + _MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
