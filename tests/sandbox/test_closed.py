"""Processes that run no workspace code are closed to those that do."""

from __future__ import annotations

import ctypes
import os

import pytest

from ocils.domain.errors import SandboxUnavailable
from ocils.sandbox.container import check_closed
from ocils.sandbox.inside.owners import (
    CANDIDATE,
    PR_SET_DUMPABLE,
    SOURCES,
    acting_as,
    close_to_others,
    is_closed,
    judge_also,
    owner_of,
)

from .test_swapping import in_a_fork


def test_closing_is_seen() -> None:
    def act() -> list[bool]:
        # Whoever ran before in this process may have changed users, which closes it as well.
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
        before = is_closed()
        close_to_others()
        return [before, is_closed()]

    assert in_a_fork(act) == [False, True]


def test_a_container_whose_first_process_is_open_is_not_used() -> None:
    check_closed({"closed": True})
    with pytest.raises(SandboxUnavailable, match="can be looked into"):
        check_closed({"closed": False})


def test_another_languages_sources_are_judged_too() -> None:
    def act() -> list[list[int]]:
        found = []
        for suffixes in ([], [".js", ".mjs"], [".go"], []):
            judge_also(suffixes)
            found.append([owner_of(path) for path in ("a.js", "b/c.mjs", "d.go", "e.py", "js")])
        return found

    mine, theirs = CANDIDATE, SOURCES
    assert in_a_fork(act) == [
        [mine, mine, mine, theirs, mine],
        [theirs, theirs, mine, theirs, mine],
        [mine, mine, theirs, theirs, mine],
        [mine, mine, mine, theirs, mine],
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
def test_work_is_done_as_another_user_for_a_while() -> None:
    def act() -> list[tuple[int, ...]]:
        def ids() -> tuple[int, ...]:
            return (*os.getresuid()[:2], *os.getresgid()[:2])

        found = [ids()]
        with acting_as(CANDIDATE):
            found.append(ids())
        found.append(ids())
        try:
            with acting_as(SOURCES):
                found.append(ids())
                raise OSError  # whatever happens meanwhile
        except OSError:
            found.append(ids())
        return found

    root = [0, 0, 0, 0]
    assert in_a_fork(act) == [
        root,
        [0, CANDIDATE, 0, CANDIDATE],
        root,
        [0, SOURCES, 0, SOURCES],
        root,
    ]
