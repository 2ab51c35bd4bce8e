"""The menu at a place of an editor's text: the titles of its actions."""

from __future__ import annotations

from typing import Any

from .editor import Editor


async def titles(editor: Editor, uri: str, at: str, **context: Any) -> list[str]:
    return [a["title"] for a in await editor.actions(uri, editor.at(uri, at), **context)]
