"""Compiled notes against a trace function: the same statements, on code of every shape."""

from __future__ import annotations

import ast
import asyncio
import builtins
import inspect
import sys
import textwrap
from collections.abc import Awaitable
from types import FrameType
from typing import Any

import pytest

from ocils.sandbox.inside.planted import NAME, compiled

SHAPES = {
    "branches": """
        def f(n):
            '''A docstring.'''
            if n > 5:
                return 1
            elif n > 1:
                n += 1
            else:
                n = 0
            return n
    """,
    "loops": """
        def f(n):
            total = 0
            for i in range(n):
                if i == 2:
                    continue
                total += i
            else:
                total += 100
            while n:
                n -= 1
                if n == 1: break
            else:
                total = -1
            return total
    """,
    "errors": """
        def f(n):
            try:
                n / (n - 3)
            except (ZeroDivisionError,
                    ValueError) as problem:
                n = 7
            except TypeError:
                n = 8
            else:
                n = 9
            finally:
                n += 1
            with open(__file__) as file, open(__file__) as other:
                pass
            return n
    """,
    "inner": """
        def f(n):
            def inner(m):
                "Its own docstring."
                return m * 2
            class Local:
                "Another."
                value = inner(n)
                def method(self):
                    return self.value
            key = lambda m: -m
            return sorted([inner(i) for i in range(n)], key=key), Local().method()
    """,
    "long statements": """
        def f(
            n,
            m=2,
        ):
            return max(
                n,
                m,
            )
    """,
    "match": """
        def f(n):
            match n:
                case 1:
                    return "one"
                case int() if n > 2:
                    return "many"
                case _:
                    return "none"
    """,
    "generator": """
        def g(n):
            for i in range(n):
                yield i
            if n > 100:
                yield -1
        def f(n):
            return list(g(n))
    """,
    "asynchronous": """
        async def f(n):
            async def one(m):
                return m + 1
            if n > 100:
                await one(n)
            return [await one(i) for i in range(n)]
    """,
}


def statements(source: str) -> set[int]:
    """The first lines of a source's statements, without docstrings."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.stmt) and not (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        ):
            found.add(node.lineno)
    return found


def call(space: dict[str, Any], n: int) -> Any:
    answer = space["f"](n)
    return asyncio.run(_wait(answer)) if inspect.isawaitable(answer) else answer


async def _wait(answer: Awaitable[Any]) -> Any:
    return await answer


def noted(source: str, n: int) -> tuple[Any, set[int]]:
    seen: set[int] = set()
    setattr(builtins, NAME, seen.add)
    space: dict[str, Any] = {"__file__": __file__}
    try:
        exec(compiled(source.encode(), "shape.py", 1, 1000), space)
        return call(space, n), seen
    finally:
        delattr(builtins, NAME)


def traced(source: str, n: int) -> tuple[Any, set[int]]:
    seen: set[int] = set()

    def follow(frame: FrameType, event: str, _arg: object) -> Any:
        if frame.f_code.co_filename != "shape.py":
            return None
        if event == "line":
            seen.add(frame.f_lineno)
        return follow

    space: dict[str, Any] = {"__file__": __file__}
    before = sys.gettrace()
    sys.settrace(follow)
    try:
        exec(compile(source, "shape.py", "exec"), space)
        answer = call(space, n)
    finally:
        sys.settrace(before)
    return answer, seen & statements(source)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 8])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_statements_are_noted_as_a_trace_function_sees(shape: str, n: int) -> None:
    source = textwrap.dedent(SHAPES[shape]).lstrip("\n")
    if shape == "errors" and n == 8:
        n = 3
    assert noted(source, n) == traced(source, n)


def test_docstrings_lines_and_futures_stay() -> None:
    source = (
        '"""Text."""\nfrom __future__ import annotations\n\n\n'
        'def f(n: int) -> int:\n    """More."""\n    return 1 / n\n'
    )
    space: dict[str, Any] = {}
    seen: set[int] = set()
    setattr(builtins, NAME, seen.add)
    try:
        exec(compiled(source.encode(), "shape.py", 1, 9), space)
        assert space["__doc__"] == "Text."
        assert space["f"].__doc__ == "More."
        assert space["f"].__annotations__ == {"n": "int", "return": "int"}
        with pytest.raises(ZeroDivisionError) as caught:
            space["f"](0)
    finally:
        delattr(builtins, NAME)
    assert caught.tb.tb_next is not None
    assert caught.tb.tb_next.tb_lineno == 7
    assert seen == {5, 7}


def test_only_the_region_is_noted() -> None:
    source = "def f(n):\n    n += 1\n    n += 2\n    n += 3\n    return n\n"
    seen: set[int] = set()
    setattr(builtins, NAME, seen.add)
    space: dict[str, Any] = {}
    try:
        exec(compiled(source.encode(), "shape.py", 3, 4), space)
        assert space["f"](0) == 6
    finally:
        delattr(builtins, NAME)
    assert seen == {3, 4}
