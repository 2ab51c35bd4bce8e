"""A template's steps, counted: what came with a download must come to an end.

Jinja has no ``while``, yet nested ``for``, macros that call themselves and texts that double run for
longer than anybody waits, and a thread that runs them cannot be ended from outside. So every turn of
a loop, every call and every long text made costs something of a fixed sum, and a template that used
it up fails. The sum is a count and no time, so that a busy machine changes nothing.

Not covered: a single operation that by itself takes gigabytes; ``models/examine.py`` renders in a process
with limits before a model is installed.
"""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Callable
from typing import Any

from jinja2 import Template, TemplateError, TemplateRuntimeError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

STEPS = 300_000
"""What one rendering may cost. A conversation of a hundred long messages costs some thousand."""

_LONGEST = 16 * 1024 * 1024  # characters (or items) of one value
_LARGEST = 1_000_000  # the largest number that a call may be given: widths, counts
_PER_STEP = 1000  # characters that cost as much as one turn of a loop
_WIDE = re.compile(r"%[^a-zA-Z%]*\d{6,}")


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """The sandbox that transformers renders chat templates in, with its steps counted."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        self._left = threading.local()
        self.filters = {name: self._guarded(each) for name, each in self.filters.items()}
        self.globals["range"] = self._range
        self.globals.pop("lipsum", None)

    def finish(self, template: Template, **values: object) -> str:
        """Render to the end. Raises ``TemplateError`` for whatever goes wrong in the template."""
        self._left.steps = STEPS
        try:
            return template.render(**values)
        except TemplateError:
            raise
        except RecursionError as error:
            raise TemplateRuntimeError("it calls itself without end") from error
        except Exception as error:
            # The template is the only thing that runs here: what it raises is its own fault.
            raise TemplateRuntimeError(f"{type(error).__name__}: {error}") from error

    def step(self) -> str:
        """Count one turn of a loop or one macro's body."""
        self._pay(1)
        return ""

    def concat_all(self, values: list[object]) -> str:
        """Join values as ``~`` does."""
        text = "".join(map(str, values))
        self._measured(text)
        return text

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """Call something for a template; the names are the base class's."""
        __self._pay(1)
        _refuse_large((*args, *kwargs.values()))
        return __self._measured(super().call(__context, __obj, *args, **kwargs))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Compute ``left operator right``, unless it would be too large."""
        if operator == "*":
            for one, other in ((left, right), (right, left)):
                if isinstance(other, int) and hasattr(one, "__len__"):
                    _refuse_long(len(one) * other)
        elif operator == "**":
            _refuse_large((left, right, right * 10_000 if isinstance(right, int) else 0))
        elif operator == "%" and isinstance(left, str) and ("*" in left or _WIDE.search(left)):
            raise TemplateRuntimeError("it formats a number too wide")
        return self._measured(super().call_binop(context, operator, left, right))

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        repeated: list[nodes.For | nodes.Macro | nodes.CallBlock] = [
            *tree.find_all(nodes.For),
            *tree.find_all(nodes.Macro),
            *tree.find_all(nodes.CallBlock),
        ]
        for node in repeated:
            step = nodes.Call(nodes.EnvironmentAttribute("step"), [], [], None, None)
            node.body.insert(0, nodes.ExprStmt(step).set_lineno(node.lineno))
        counted: nodes.Template = _Concatenations().visit(tree)
        return counted

    def _range(self, *bounds: int) -> range:
        numbers = range(*bounds)
        # Filters walk over it without a turn of a loop that could be counted.
        self._pay(len(numbers) // 10)
        return numbers

    def _guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            self._pay(1)
            _refuse_large((*args, *kwargs.values()))
            return self._measured(function(*args, **kwargs))

        return guarded

    def _measured(self, value: Any) -> Any:
        if isinstance(value, str | list | tuple):
            _refuse_long(len(value))
            self._pay(len(value) // _PER_STEP)
        return value

    def _pay(self, cost: int) -> None:
        # What is folded while a template is compiled is paid by nobody; it has no loops.
        left = getattr(self._left, "steps", STEPS) - cost
        self._left.steps = left
        if left < 0:
            raise TemplateRuntimeError("it does not come to an end")


class _Concatenations(NodeTransformer):
    """Lets ``~`` be counted as ``+`` is."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 (the visitor's names)
        self.generic_visit(node)
        values = nodes.List(node.nodes)
        join = nodes.EnvironmentAttribute("concat_all")
        call = nodes.Call(join, [values], [], None, None)
        return call.set_lineno(node.lineno)


def _refuse_large(values: tuple[object, ...]) -> None:
    if any(isinstance(value, int) and abs(value) > _LARGEST for value in values):
        raise TemplateRuntimeError("it calls something with a very large number")


def _refuse_long(length: int) -> None:
    if length > _LONGEST:
        raise TemplateRuntimeError("it makes a text without end")
