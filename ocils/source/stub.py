"""Whether a function has nothing in its body yet. Pure.

Not covered: other languages than Python.
"""

from __future__ import annotations

import ast
import textwrap

from ocils.domain.python import parse_python


def is_stub(text: str) -> bool:
    """Tell whether a function's ``text`` holds ``pass``, ``...``, a docstring, or a
    ``NotImplementedError``, and nothing else."""
    try:
        node = parse_python(textwrap.dedent(text)).body[0]
    except (SyntaxError, ValueError, IndexError, RecursionError, MemoryError):
        return False
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    return all(_says_nothing(statement) for statement in node.body)


def _says_nothing(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass():
            return True
        case ast.Expr(value=ast.Constant(value=value)):
            return value is ... or isinstance(value, str)
        case ast.Raise(exc=ast.Name(id="NotImplementedError")):
            return True
        case ast.Raise(exc=ast.Call(func=ast.Name(id="NotImplementedError"))):
            return True
        case ast.Return(value=ast.Name(id="NotImplemented")):
            return True
    return False
