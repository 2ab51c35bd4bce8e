"""Processes that run no workspace code are closed to those that do."""

from __future__ import annotations

import ctypes
import os

import pytest

from ocils.domain.errors import SandboxUnavailable
from ocils.sandbox.container import check_closed
from ocils.sandbox.inside.owners import PR_SET_DUMPABLE, close_to_others, is_closed


def test_closing_is_seen() -> None:
    pid = os.fork()
    if pid == 0:
        # Whoever ran before in this process may have changed users, which closes it as well.
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
        before = is_closed()
        close_to_others()
        os._exit(0 if is_closed() and not before else 1)
    assert os.waitpid(pid, 0)[1] == 0


def test_a_container_whose_first_process_is_open_is_not_used() -> None:
    check_closed({"closed": True})
    with pytest.raises(SandboxUnavailable, match="can be looked into"):
        check_closed({"closed": False})
