"""Two greens compared by what the tests gave the function."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ocils.domain.cancel import CancelToken
from ocils.domain.judging import Call, CaseResult, Passed, TestId, Verdict
from ocils.domain.session import Candidate
from ocils.domain.text import Document, Edit, Entry, Snapshot, Span
from ocils.refine.rivals import compare_rivals, first_difference
from ocils.sandbox.scripted import ScriptedSandbox, Trial
from ocils.source.target import SourceTree, locate_name

A, B = TestId("test_a.py::a"), TestId("test_a.py::b")


def calls(*each: tuple[TestId, str, str]) -> list[Call]:
    return [Call(*one) for one in each]


@pytest.mark.parametrize(
    ("mine", "other", "found"),
    [
        pytest.param([(A, "n=1", "returns 1")], [(A, "n=1", "returns 1")], None, id="the same"),
        pytest.param([(A, "n=1", "returns 1")], [(A, "n=1", "returns 2")], "n=1", id="differs"),
        pytest.param([(A, "n=1", "returns 1")], [(A, "n=2", "returns 2")], None, id="other input"),
        pytest.param(
            [(A, "n=1", "x"), (A, "n=2", "y"), (A, "n=3", "z")],
            [(A, "n=1", "x"), (A, "n=5", "y"), (A, "n=3", "w")],
            None,
            id="what follows another input has another cause",
        ),
        pytest.param(
            [(A, "n=1", "x"), (B, "n=7", "y")],
            [(A, "n=2", "x"), (B, "n=7", "z")],
            "n=7",
            id="each test for itself",
        ),
        pytest.param([(A, "n=1", "x")], [(B, "n=1", "y")], None, id="another test"),
        pytest.param([], [(B, "n=1", "y")], None, id="nothing recorded"),
    ],
)
def test_first_difference(
    mine: list[tuple[TestId, str, str]], other: list[tuple[TestId, str, str]], found: str | None
) -> None:
    difference = first_difference(calls(*mine), calls(*other))
    assert (difference.call.given if difference else None) == found


SOURCE = b"def limit(n):\n    return n > 7\n"


def answers(trial: Trial) -> Verdict:
    """Play `limit` of the text on trial on 3 and on 9, as the tests would call it."""
    space: dict[str, Callable[[int], bool]] = {}
    exec(trial.text, space)
    played = tuple(Call(A, f"n={n}", f"returns {space['limit'](n)}") for n in (3, 9))
    return Passed((CaseResult(A, "passed"),), 0.1, calls=played)


async def compared(chosen: str, *others: str) -> list[str]:
    document = Document("/w/a.py", SOURCE)
    snapshot = Snapshot("/w", (Entry("a.py", "file", 0o644, 0, SOURCE),), "hash")
    target = locate_name(SourceTree.of(document), "limit")
    at = SOURCE.index(b"n > 7")

    def candidate(text: str) -> Candidate:
        return Candidate(text, (Edit("/w/a.py", Span(at, at + 5), text),), 0.0, "edit", note=text)

    rivals = await compare_rivals(
        candidate(chosen),
        [candidate(each) for each in others],
        (A,),
        document,
        snapshot,
        target,
        ScriptedSandbox(answers),
        CancelToken(),
    )
    return [rival.why for rival in rivals]


async def test_a_rival_that_answers_differently_comes_first_and_is_told() -> None:
    assert await compared("n >= 3", "3 <= n", "n > 3") == [
        (
            "also green, and behaves differently: n > 3; "
            "limit(n=3) returns False there and returns True here"
        ),
        "also green: 3 <= n; the same in all 2 calls of the tests",
    ]


async def test_without_rivals_nothing_is_run() -> None:
    assert await compared("n >= 3") == []
