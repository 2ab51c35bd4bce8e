"""Prompts about functions that are not Python's.

Not covered: Python's (``test_chat.py``).
"""

from __future__ import annotations

from ocils.domain.target import Context, EditTarget, Excerpt
from ocils.domain.text import Span
from ocils.prompt import chat, reply

TARGET = EditTarget("/w/a.js", "f", "function", Span(0, 15), Span(13, 15), "", 1, 1, "hash")


def test_a_prompt_speaks_of_the_language() -> None:
    tests = (Excerpt("test/a.test.js", "f works", "test('f works', () => {});"),)
    context = Context(TARGET, "function f() {}", tests=tests, language="javascript")
    system, user = chat.render(context, "repair", "f works: 1 !== 2").messages
    assert "JavaScript functions" in system.content
    assert "```javascript\nfunction f() {}\n```" in user.content
    assert "in one ```javascript block" in user.content
    assert "python" not in (system.content + user.content).lower()


def test_a_reply_gives_its_blocks_the_longest_first() -> None:
    text = "So:\n```js\na\n```\nor\n```js\nlonger\n```"
    assert reply.blocks(text) == ("longer\n", "a\n")
    assert reply.blocks("function f() {}") == ("function f() {}",)
