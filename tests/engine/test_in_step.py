"""A reply that came back to the old text ends there; one that only looks like it goes on."""

from __future__ import annotations

import pytest

from ocils.engine.in_step import rest_of

TAIL = """\
    total = 0
    for item in items:
        total += item.price
    total -= discount(items)
    return total
"""


def check(written: str, rest: str | None, tail: str = TAIL) -> None:
    assert rest_of(written, tail) == rest


def test_two_lines_in_step_are_enough() -> None:
    check(
        "    items = list(items)\n    total = 0\n    for item in items:\n",
        "        total += item.price\n    total -= discount(items)\n    return total\n",
    )


def test_the_last_lines_leave_nothing_to_write() -> None:
    check("    x = 1\n    total -= discount(items)\n    return total\n", "")


@pytest.mark.parametrize(
    "written",
    [
        "",
        "    total = 0\n",  # one line alone
        "    total = 0\n    for item in items:",  # the second may still go on
        "    total = 0\n    for item in list(items):\n",  # another second line
        "  total = 0\n    for item in items:\n",  # another indentation
        "    for item in items:\n    total -= discount(items)\n",  # one was left out
    ],
)
def test_what_is_not_in_step_goes_on(written: str) -> None:
    check(written, None)


def test_blank_lines_have_to_agree_and_do_not_count() -> None:
    tail = "    first_value = 1\n\n    second_value = 2\n    return 3\n"
    check("    first_value = 1\n\n", None, tail)
    check("    first_value = 1\n\n    second_value = 2\n", "    return 3\n", tail)
    check("    first_value = 1\n    second_value = 2\n", None, tail)


def test_brackets_are_a_coincidence() -> None:
    check("    )\n)\n", None, "    a = [\n    )\n)\n    return a\n")


def test_lines_that_stand_in_two_places_need_more_of_them() -> None:
    tail = "    one(first)\n    two(second)\n    three()\n    one(first)\n    two(second)\n    four()\n"
    check("    x()\n    one(first)\n    two(second)\n", None, tail)
    check("    three()\n    one(first)\n    two(second)\n", "    four()\n", tail)


def test_without_an_old_tail_there_is_no_step() -> None:
    check("    total = 0\n    for item in items:\n", None, "")
