"""Python text to syntax trees, from several threads at once."""

from __future__ import annotations

import ast
import threading
import time
from pathlib import Path

import pytest

from ocils.domain import python
from ocils.domain.python import compile_python, parse_python, tree_of


def test_a_text_that_does_not_parse_has_no_tree() -> None:
    assert tree_of("def f(:") is None
    assert tree_of(b"\xff = 1") is None
    assert tree_of("x = 1\n" + "(" * 5000) is None
    with pytest.raises(SyntaxError):
        parse_python("def f(:")


def test_nothing_is_warned_of() -> None:
    assert isinstance(tree_of("x = '\\d' is 1"), ast.Module)
    compile_python("x = '\\d' is 1")


def test_the_compiler_refuses_more_than_the_grammar() -> None:
    assert tree_of("return 1") is not None
    with pytest.raises(SyntaxError, match="outside function"):
        compile_python("return 1")


class Left:
    """Garbage for the collector, which lets another thread in when it is collected."""

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        time.sleep(1e-5)


def test_threads_do_not_disturb_each_other() -> None:
    """Python 3.11.7 and before fails for a thread that comes in while another makes a tree."""
    text = Path(python.__file__).read_text() * 10
    troubles: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(10):
                for _ in range(100):
                    Left()
                parse_python(text)
        except SystemError as error:
            troubles.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert troubles == []
