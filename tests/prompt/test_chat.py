"""The conversation holds the task, the code, the failures, and each round's feedback."""

from __future__ import annotations

from ocils.domain.session import Feedback
from ocils.domain.target import Context, EditTarget, Excerpt
from ocils.domain.text import Span
from ocils.prompt import chat

TARGET = EditTarget("/w/a.py", "Box.area", "method", Span(0, 1), Span(0, 1), "    ", 3, 4, "h")


def test_the_first_message_shows_everything_once() -> None:
    context = Context(
        TARGET,
        "def area(self): ...",
        header="import math",
        excerpts=(Excerpt("/w/b.py", "half", "def half(x): ..."),),
        tests=(Excerpt("/w/t.py", "test_area", "def test_area(): ..."),),
    )
    prompt = chat.render(context, "repair", "test_area failed: assert 1 == 2")
    said = prompt.messages[-1].content
    for piece in (
        "`Box.area`",
        "def area",
        "import math",
        "def half",
        "test_area",
        "assert 1 == 2",
    ):
        assert piece in said
    assert [m.role for m in prompt.messages] == ["system", "user"]


def test_rounds_follow_in_order() -> None:
    rounds = [("first", Feedback("one failed")), ("second", Feedback("two failed"))]
    prompt = chat.render(Context(TARGET, "x"), "implement", "", rounds)
    roles = [m.role for m in prompt.messages]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
    assert prompt.messages[2].content == "first"
    assert "two failed" in prompt.messages[-1].content
