"""What the figure on real projects times: where its edit goes, and what it lists."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from ocils.bench.figures_real import find_spot
from ocils.bench.real import projects
from ocils.domain.errors import UsageError

ROOT = Path(__file__).parent.parent.parent
TEXT = b'''class A:
    def told(self):
        """Say."""
        return 1

    @property
    def bare(self):
        if self:
            return 2
        return 3

    def short(self): return 4
    def only(self):
        """Nothing else."""
'''


@pytest.mark.parametrize("function", ["A.told", "A.bare", "A.only"])
def test_a_statement_goes_to_the_beginning_of_the_body(function: str) -> None:
    spot = find_spot(TEXT, function)
    added = f"x = 1\n{spot.indent}".encode()
    tree = ast.parse(TEXT[: spot.at] + added + TEXT[spot.at :])
    name = function.partition(".")[2]
    (node,) = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == name]
    assert "x = 1" in [ast.unparse(each) for each in node.body]
    assert node.lineno == spot.first
    assert node.end_lineno == spot.last + 1


@pytest.mark.parametrize("function", ["A.short", "A.gone", "A"])
def test_a_function_without_such_a_place_is_refused(function: str) -> None:
    with pytest.raises(UsageError):
        find_spot(TEXT, function)


def test_every_listed_project_has_a_sample() -> None:
    samples = [each.sample for each in projects(ROOT)]
    assert len([each for each in samples if each is not None]) == len(samples) >= 8
