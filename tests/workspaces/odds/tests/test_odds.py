import asyncio

import pytest

from odds.crlf import greet, initials
from odds.nested import Outer, clamp, one_line
from odds.tabs import Stack


@pytest.mark.parametrize(
    ("language", "words"), [("de", "Grüß Gott, Zoë!"), ("ja", "こんにちは, Zoë!"), ("xx", "…, Zoë!")]
)
def test_greet(language, words):
    assert greet("Zoë", language) == words


def test_initials():
    assert initials("élodie zimmer") == "É. Z."


def test_stack():
    stack = Stack().push("ä").push("ß")
    assert stack.pop() == "ß"
    assert stack.top == "ä"
    assert stack.highest == 2
    stack.pop()
    with pytest.raises(IndexError):
        stack.pop()


def test_clamp_counts():
    before = clamp.calls
    assert [clamp(value) for value in (-1, 5, 11)] == [0, 5, 10]
    assert clamp.calls == before + 3


def test_gather():
    assert asyncio.run(Outer().gather([1, 2, 3])) == [2, 4, 6]
    assert Outer.Inner.named() == "Outer.Inner"


def test_one_line():
    assert one_line(1) == 2
