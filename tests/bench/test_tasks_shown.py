"""Which half of a task's tests the search is shown."""

from __future__ import annotations

import pytest

from ocils.bench.halves import visible
from ocils.bench.proof import Proof
from ocils.domain.judging import TestId


def proof_with(red: int, green: int, hung: int = 0) -> Proof:
    tests = tuple(TestId(f"t.py::t{n}") for n in range(red + green))
    return Proof("p", "w", tests, tests[:red], tests[:hung])


@pytest.mark.parametrize(("red", "green"), [(1, 0), (1, 1), (1, 9), (5, 0), (6, 7)])
def test_half_of_the_tests_are_shown_and_one_of_them_is_red(red: int, green: int) -> None:
    proof = proof_with(red, green)
    for seed in range(20):
        shown = visible(proof, seed)
        assert len(set(shown) & set(proof.red)) == -(-red // 2)
        assert len(shown) == -(-red // 2) + -(-green // 2)
        assert list(shown) == sorted(shown, key=proof.tests.index)
    assert len({visible(proof, seed) for seed in range(20)}) > (red + green > 2)


def test_the_same_seed_shows_the_same_half() -> None:
    assert visible(proof_with(6, 7), 3) == visible(proof_with(6, 7), 3)


def test_of_tests_that_never_end_few_are_shown_and_not_alone() -> None:
    for seed in range(20):
        proof = proof_with(8, 2, hung=7)
        shown = set(visible(proof, seed))
        assert len(shown & set(proof.hung)) <= 2
        assert shown & (set(proof.red) - set(proof.hung))


def test_what_a_benchmark_holds_out_is_held_out() -> None:
    tests = tuple(map(TestId, ("t.py::test_a", "t.py::test_b[1]", "t.py::test_plus_1")))
    proof = Proof("p", "w", tests, tests[1:])
    assert visible(proof, 0, "test_plus") == tests[:2]
    only_plus = Proof("p", "w", tests, tests[2:])
    assert tests[2] in visible(only_plus, 0, "test_plus")


def test_a_named_red_test_is_shown_whatever_the_lot() -> None:
    proof = proof_with(8, 4)
    for seed in range(10):
        shown = visible(proof, seed, shown=(proof.red[5],))
        assert set(shown) & set(proof.red) == {proof.red[5]}
