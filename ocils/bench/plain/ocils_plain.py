"""A pytest plugin that writes down what a plain run did: one JSON object at the end.

It is copied beside the run and loaded with ``-p``; it shares no code with the sandbox's reporter,
so that a mistake there is not repeated here. With ``OCILS_PLAIN_MAP`` set, it also notes which code
ran in which test file, by a profile function (several times slower).

Not covered: subprocesses; tests of one file that a plugin spreads over processes.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

Place = tuple[str, int]


class Notes:
    """What is gathered in one session."""

    def __init__(self) -> None:
        self.outcomes: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        self.collected: list[str] = []
        self.entered: dict[str, set[Place]] = {}
        self.now = ""
        self.root = os.path.realpath(".") + os.sep

    def enter(self, frame: Any, event: str, _arg: object) -> None:
        """Note a call, as ``sys.setprofile`` tells it."""
        if event == "call" and frame.f_code.co_filename.startswith(self.root):
            place = (frame.f_code.co_filename[len(self.root) :], frame.f_code.co_firstlineno)
            self.entered.setdefault(self.now, set()).add(place)


NOTES = Notes()


def pytest_configure() -> None:
    """Start following, when asked."""
    if os.environ.get("OCILS_PLAIN_MAP"):
        threading.setprofile(NOTES.enter)
        sys.setprofile(NOTES.enter)


def pytest_collection_finish(session: Any) -> None:
    """Remember what will run."""
    NOTES.collected = [item.nodeid for item in session.items]


def pytest_runtest_logstart(nodeid: str) -> None:
    """Put what is called from now on down to this test's file."""
    NOTES.now = nodeid.partition("::")[0]
    if os.environ.get("OCILS_PLAIN_MAP"):
        sys.setprofile(NOTES.enter)


def pytest_runtest_logreport(report: Any) -> None:
    """Take one phase or sub-test; the worst one counts."""
    expected = hasattr(report, "wasxfail")
    before = NOTES.outcomes.get(report.nodeid)
    if before in ("failed", "error") and not (report.failed and report.when == "call"):
        pass  # a test goes on, and passes, behind a sub-test that failed
    elif report.failed:
        NOTES.outcomes[report.nodeid] = "failed" if report.when == "call" else "error"
    elif report.skipped:
        NOTES.outcomes[report.nodeid] = "xfailed" if expected else "skipped"
    elif report.when == "call":
        NOTES.outcomes[report.nodeid] = "xpassed" if expected else "passed"
    NOTES.seconds[report.nodeid] = NOTES.seconds.get(report.nodeid, 0.0) + report.duration


def pytest_sessionfinish(exitstatus: int) -> None:
    """Write it all down."""
    sys.setprofile(None)
    entered = {test: sorted(places) for test, places in NOTES.entered.items()}
    notes = {
        "status": int(exitstatus),
        "collected": NOTES.collected,
        "outcomes": NOTES.outcomes,
        "seconds": NOTES.seconds,
        "entered": entered,
    }
    Path(os.environ["OCILS_PLAIN_NOTES"]).write_text(json.dumps(notes))
