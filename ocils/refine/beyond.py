"""What to say when a task is beyond the model: why, which models to get instead, and how. Pure.

Not covered: whether they fit this machine (``ocils model list`` tells).
"""

from __future__ import annotations

from typing import Final

from ocils.domain.model import Manifest
from ocils.domain.target import Task
from ocils.languages import shelf
from ocils.refine.ranked import knows

INSTEAD: Final = (
    "qwen2.5-coder-1.5b-instruct",
    "qwen2.5-coder-7b-instruct",
    "opencodeinterpreter-ds-6.7b",
)
"""Models that chat: a small one, a strong one, and one that was trained on feedback from tests."""


def beyond(manifest: Manifest, task: Task, language: str) -> str:
    """Return why the model does not reach and what to get, or nothing for a model that chats."""
    if not knows(manifest, language):
        known = shelf.language(language)
        title = known.title if known is not None else language.title()
        why = f"{manifest.name} did not learn {title}: only small edits were tried"
    elif manifest.chat:
        return ""
    elif task == "implement":
        why = (
            f"{manifest.name} mends slips of a line or two, and does not write functions from prose"
        )
    elif task in ("refactor", "write_tests"):
        why = f"{manifest.name} mends slips of a line or two, and nothing that has to be told in words"
    else:
        why = f"{manifest.name} mends slips of a line or two"
    first, *others = INSTEAD
    return (
        f"{why}; for more, get a code model that chats: run `ocils model pull {first}` "
        f"(or {', or '.join(others)}), then `ocils model use` with its name"
    )
