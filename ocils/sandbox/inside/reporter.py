"""The pytest plugin that reports: one JSON line a record, with a nonce and a running number.

Records (``t``): ``collected`` ids · ``broken`` a file that could not be collected · ``start`` and
``case`` of a test · ``line`` of a live probe, when it first runs in a test · ``stopped`` the session
was left by an exception · ``modules`` third-party modules that were loaded · ``done`` exit code.

It keeps the project's own options and configuration, and selects and orders the expected tests.

Not covered: code in this interpreter that looks for the reporter on purpose (``gc``, frames): it can
forge anything; fresh runs and the syntax gate are what stands against that.
"""

from __future__ import annotations

import sys
from typing import Any, Generator

import pytest

from . import failures, unshrunk
from .loaded import third_party
from .records import Records


class Reporter(Records):
    """Registered with pytest for one run."""

    def __init__(self, report: int, order: dict[str, Any], settings: dict[str, Any]) -> None:
        super().__init__(report, order)
        self._order = order
        self._root: str = settings["root"]
        self._cache: str = settings.get("cache", "/tmp/.pytest_cache")
        self._environment: str = settings["environment"]
        self._before = frozenset(sys.modules)
        self._phases: list[Any] = []
        self._trouble: dict[str, Any] = {}
        self._again = False
        self._pending: dict[str, Any] = {}
        self._warnings: list[str] = []
        self._probe: Any | None = None
        if order.get("probe"):
            from . import lines

            self._probe = lines.watch(**order["probe"], tell=self._tell)

    def arguments(self) -> list[str]:
        """Return pytest's arguments; the project's own ``addopts`` come before them."""
        fixed = [
            "-o",
            f"cache_dir={self._cache}",
            f"--rootdir={self._root}",
            f"--maxfail={1 if self._order['stop_early'] else 0}",
        ]
        return [*fixed, *self._order["paths"]]

    def done(self, code: int) -> None:
        """Say that pytest came to its end."""
        self._flush()
        if self._order.get("modules"):
            self._send(t="modules", names=third_party(self._before, self._root, self._environment))
        self._send(t="done", code=code)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_load_initial_conftests(self, early_config: Any) -> Generator[None, Any, None]:
        """Keep coverage plugins from tracing: they cost more than the tests."""
        early_config.known_args_namespace.no_cov = True
        outcome = yield
        if outcome.excinfo is not None:
            error = outcome.excinfo[1]
            found = failures.describe(failures.Raised(error), self._root, self._environment)
            self._send(t="broken", id="conftest", report=found["message"], **found)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_cmdline_main(self, config: Any) -> Generator[None, None, None]:
        """Switch off what spreads tests over processes, and seed what draws at random."""
        option = config.option
        option.no_summary = True
        self.shorten(option)
        if hasattr(option, "numprocesses"):
            option.numprocesses = 0
            option.dist = "no"
            option.tx = []
        if getattr(option, "randomly_seed", None) == "default":
            option.randomly_seed = self._order["seed"]
        if getattr(option, "hypothesis_seed", "") is None:
            option.hypothesis_seed = str(self._order["seed"])
        yield

    def shorten(self, option: Any) -> None:
        """Keep pytest from showing the source of every frame, where nobody reads it.

        It parses the whole file for each, which took several times as long as the tests.
        """
        if self._order.get("short"):
            option.tbstyle = "line"
            option.showlocals = False

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[Any]) -> Generator[None, None, None]:
        """Keep exactly the expected tests, in the expected order, whatever other plugins did."""
        yield
        expected = self._order["tests"]
        if expected:
            place = {test: at for at, test in enumerate(expected)}
            items[:] = sorted(
                (item for item in items if item.nodeid in place),
                key=lambda item: place[item.nodeid],
            )

    def pytest_collection_finish(self, session: Any) -> None:
        """Say what will run."""
        self._originals.remember(session.items)
        lines = self._probe.take() if self._probe else []
        self._send(t="collected", ids=[item.nodeid for item in session.items], lines=lines)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_make_collect_report(self, collector: Any) -> Generator[None, Any, None]:
        """Say which file could not be collected, and why."""
        outcome = yield
        report = outcome.get_result()
        if report.outcome == "failed":
            call = getattr(report, "call", None)
            info = getattr(call, "excinfo", None)
            found = failures.describe(info, self._root, self._environment)
            text = failures.cut(report.longreprtext, failures.REPORT)
            self._send(t="broken", id=report.nodeid, report=text, **found)

    def pytest_internalerror(self, excinfo: Any) -> None:
        """Say what ended the session, a ``sys.exit`` at import for one."""
        self._send(t="stopped", **failures.describe(excinfo, self._root, self._environment))

    def pytest_keyboard_interrupt(self, excinfo: Any) -> None:
        """Say that something interrupted or exited pytest."""
        self._send(t="stopped", **failures.describe(excinfo, self._root, self._environment))

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: Any) -> Generator[None, None, None]:
        """Send the record once the test's warnings are known too."""
        if self._order.get("short"):
            unshrunk.hasten(item)
        yield
        self._flush()

    def pytest_warning_recorded(self, warning_message: Any, when: str) -> None:
        """Take a warning of the test that has just ended."""
        if when == "runtest" and len(self._warnings) < failures.WARNINGS:
            self._warnings.append(failures.warned(warning_message, self._root))

    def _flush(self) -> None:
        record, self._pending = self._pending, {}
        warnings, self._warnings = self._warnings, []
        if not record:
            return
        if warnings and record["outcome"] != "passed":
            record["warnings"] = warnings
        self._send(t="case", **record)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Say which test is on, for a run that is ended from outside."""
        self._flush()
        self._phases = []
        self._trouble = {}
        self._send(t="start", id=nodeid)
        if self._probe:
            self._probe.start()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: Any, call: Any) -> Generator[None, Any, None]:
        """Take what only the exception itself knows."""
        yield
        if call.excinfo is not None and not self._trouble.get("hard"):
            marked = item.get_closest_marker("xfail") is not None
            self._trouble = failures.describe(call.excinfo, self._root, self._environment)
            self._trouble["marked"] = marked
            self._trouble["hard"] = True

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Gather the phases; a test that is run again by a plugin starts over."""
        if report.when == "setup":
            self._phases = []
        if report.outcome == "rerun":
            self._again = True
        else:
            self._phases.append(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Describe the test, unless a plugin is about to run it again."""
        if self._again:
            self._again = False
            self._phases, self._trouble = [], {}
            return
        record = failures.summarise(
            self._phases, self._trouble, short=self._order.get("short", False)
        )
        record["id"] = nodeid
        if self._probe:
            self._probe.note(record)
        self._pending = record
