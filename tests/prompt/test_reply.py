"""What a chat model may answer, and what is taken from it."""

from __future__ import annotations

import pytest

from ocils.prompt.reply import extract

GOOD = "def area(w, h):\n    return w * h"


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"```python\n{GOOD}\n```",
        f"Here it is:\n```py\n{GOOD}\n```\nIt multiplies.",
        f"```\n{GOOD}",
        f"```\nprint(1)\n```\nand\n```python\n{GOOD}\n```",
        "```python\ndef area(w, h):\n    return w + h\n\n" + GOOD + "\n```",
        "```python\nclass Box:\n    def area(w, h):\n        return w * h\n```",
        f"The bug is the plus.\n{GOOD}\nThat is all.",
        f"```python\n{GOOD}\n\ndef broken(:\n```",
        "```python\ndef compute_area(w, h):\n    return w * h\n```",
        "```python\r\ndef area(w, h):\r\n    return w * h\r\n```".replace("\r\n", "\n"),
    ],
)
def test_the_target_is_found(text: str) -> None:
    found = extract(text, "Box.area")
    assert found is not None
    assert found.source == GOOD


@pytest.mark.parametrize(
    "text",
    ["", "I cannot do that.", "```python\n```", "```python\nx = 1\n```", "``` ```", "def area(:"],
)
def test_no_code_is_none(text: str) -> None:
    assert extract(text, "area") is None


def test_imports_and_called_helpers_come_along_others_do_not() -> None:
    text = (
        "```python\nimport math\nfrom a import b\n\ndef half(x):\n    return x / 2\n\n"
        "def unused():\n    pass\n\ndef area(r):\n    return half(math.pi * r)\n```"
    )
    found = extract(text, "area")
    assert found is not None
    assert found.imports == ("import math", "from a import b")
    assert found.helpers == ("def half(x):\n    return x / 2",)
    assert found.source.startswith("def area(r):")


def test_decorators_belong_to_the_target() -> None:
    text = "```python\n@cache\n@other(1)\ndef area(r):\n    return r\n```"
    found = extract(text, "area")
    assert found is not None
    assert found.source.startswith("@cache\n@other(1)\ndef area")


def test_a_renamed_recursion_is_named_back() -> None:
    found = extract("```python\ndef fact2(n):\n    return n and n * fact2(n - 1) or 1\n```", "fact")
    assert found is not None
    assert "fact2" not in found.source
    assert found.source.count("fact(") == 2
