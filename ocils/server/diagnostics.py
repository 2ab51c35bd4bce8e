"""What is published in the editor, and what must be cleared.

A finding stands until somebody edits what it is about, its tests turn green, or a new run on the
same target begins. Findings of one test stand and fall together: when the target is edited, the
mark on the assertion in the test file says something about code that is no longer there.

Not covered: what a finding says (``verdicts.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lsprotocol import types

from ocils.server.documents import Change


class Finding:
    """One diagnostic, and why it is there.

    ``uri`` and ``name`` are the target's: what a quick fix would refine; ``fixable`` says whether
    it offers one. ``first`` and ``last`` are the 0-based lines of ``path`` that must not change.
    """

    __slots__ = ("diagnostic", "first", "fixable", "last", "name", "path", "test", "uri")

    def __init__(
        self,
        path: str,
        diagnostic: types.Diagnostic,
        lines: tuple[int, int],
        *,
        uri: str,
        name: str,
        test: str = "",
        fixable: bool = False,
    ) -> None:
        self.path = path
        self.diagnostic = diagnostic
        self.first, self.last = lines
        self.uri = uri
        self.name = name
        self.test = test
        self.fixable = fixable


class Findings:
    """All present findings, by the run's target (``owner``); tells the client of every change."""

    def __init__(self, publish: Callable[[str, list[types.Diagnostic]], None]) -> None:
        self._publish = publish
        self._by_owner: dict[str, list[Finding]] = {}

    def put(self, owner: str, findings: Iterable[Finding]) -> None:
        """Replace the owner's findings."""
        old = self._by_owner.pop(owner, [])
        new = list(findings)
        if new:
            self._by_owner[owner] = new
        self._tell(f.path for f in (*old, *new))

    def add(self, owner: str, findings: Iterable[Finding]) -> None:
        """Add to the owner's findings."""
        self.put(owner, [*self._by_owner.get(owner, []), *findings])

    def clear(self, owner: str) -> None:
        """Remove the owner's findings."""
        self.put(owner, ())

    def clear_tests(self, tests: frozenset[str]) -> None:
        """Remove what is said of ``tests``, whoever said it: they are being run, or turned green."""
        self._keep(lambda finding: finding.test not in tests)

    def forget(self, path: str) -> None:
        """Drop the findings in a file that changed on disk, and what else is said of their tests."""
        tests = {
            (owner, f.test)
            for owner, all_ in self._by_owner.items()
            for f in all_
            if f.path == path
        }
        gone = {
            id(finding)
            for owner, findings in self._by_owner.items()
            for finding in findings
            if finding.path == path or (finding.test and (owner, finding.test) in tests)
        }
        if gone:
            self._keep(lambda finding: id(finding) not in gone)

    def at(self, path: str) -> tuple[Finding, ...]:
        """Return the findings in one file."""
        return tuple(f for f in self._all() if f.path == path)

    def about(self, path: str, uri: str) -> tuple[Finding, ...]:
        """Return the findings in one file and those of its targets elsewhere."""
        return tuple(f for f in self._all() if f.path == path or f.uri == uri)

    def edited(self, changes: Iterable[Change]) -> None:
        """Move the findings below a change, and drop the tests whose lines it touched."""
        stale: set[tuple[str, str]] = set()
        for change in changes:
            for owner, findings in self._by_owner.items():
                for finding in findings:
                    if finding.path == change.path and not _survives(finding, change):
                        stale.add((owner, finding.test))
        if stale:
            gone = {
                id(finding)
                for owner, findings in self._by_owner.items()
                for finding in findings
                if (owner, finding.test) in stale
            }
            self._keep(lambda finding: id(finding) not in gone)

    def _all(self) -> list[Finding]:
        return [finding for findings in self._by_owner.values() for finding in findings]

    def _keep(self, wanted: Callable[[Finding], bool]) -> None:
        gone = [f for f in self._all() if not wanted(f)]
        for owner in list(self._by_owner):
            left = [f for f in self._by_owner[owner] if wanted(f)]
            if left:
                self._by_owner[owner] = left
            else:
                del self._by_owner[owner]
        self._tell(f.path for f in gone)

    def _tell(self, paths: Iterable[str]) -> None:
        for path in dict.fromkeys(paths):
            self._publish(path, [f.diagnostic for f in self._all() if f.path == path])


def _survives(finding: Finding, change: Change) -> bool:
    """Tell whether a finding outlives a change; one below it is moved along."""
    if change.first > finding.last:
        return True
    if change.last < finding.first:
        shift = change.count - 1 - (change.last - change.first)
        finding.first += shift
        finding.last += shift
        span = finding.diagnostic.range
        finding.diagnostic.range = types.Range(
            types.Position(span.start.line + shift, span.start.character),
            types.Position(span.end.line + shift, span.end.character),
        )
        return True
    return False
