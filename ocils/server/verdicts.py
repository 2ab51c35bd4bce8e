"""From what the judge says to what the editor shows: findings on the target and on assertions.

The judge saw a snapshot; the editor may have moved on. Lines are brought along, and what stood on
a line that has changed since is not shown at all.

Not covered: publishing and clearing (``diagnostics.py``), text for the model (``refine/feedback``).
"""

from __future__ import annotations

from collections.abc import Sequence

from lsprotocol import types

from ocils.domain.errors import OcilsError
from ocils.domain.judging import Baseline, Broken, CaseResult, Frame, Verdict
from ocils.domain.session import Proposal
from ocils.domain.target import EditTarget
from ocils.domain.text import Document, Snapshot
from ocils.server.convert import Lines
from ocils.server.diagnostics import Finding
from ocils.server.documents import OpenDocuments
from ocils.server.moved import Moved
from ocils.server.protocol import SOURCE
from ocils.source.target import locate
from ocils.source.tree import SourceTree

_MOST = 8  # findings of one kind in one run: beyond that a file is all marks and no text
_FRAMES = 10


class Sketch:
    """Draws the findings of one run on one target (or, without one, of a whole file)."""

    def __init__(
        self, snapshot: Snapshot, documents: OpenDocuments, target: EditTarget | None
    ) -> None:
        self._snapshot = snapshot
        self._documents = documents
        self._target = target
        self._moved: dict[str, Moved] = {}
        self._trees: dict[str, SourceTree] = {}

    def baseline(self, baseline: Baseline) -> list[Finding]:
        """Return findings for what is red: in the target, where it is reached, and on assertions."""
        target = self._target
        red = [case for case in baseline.cases if case.outcome in ("failed", "error")]
        reaching = set(baseline.reaching)
        found: list[Finding | None] = []
        if target is not None and not target.is_test:
            red = [case for case in red if case.test in reaching]
            found += [self._in_target(case, target) for case in red[:_MOST]]
            if len(red) > _MOST:
                text = f"{len(red) - _MOST} more tests fail"
                found.append(self._note(self._def_line(), text, types.DiagnosticSeverity.Error))
        found += [self._in_test(case) for case in red[:_MOST]]
        return [finding for finding in found if finding is not None]

    def broken(self, verdict: Verdict | None) -> list[Finding]:
        """Return findings where the tests could not be collected."""
        if not isinstance(verdict, Broken) or not verdict.frames:
            return []
        frame = verdict.frames[-1]
        finding = self._place(frame.path, frame.line, (frame.line, frame.line), verdict.why)
        return [finding] if finding is not None else []

    def exhausted(self, message: str) -> list[Finding]:
        """Return an information on the target's first line: what was tried, and how far it got."""
        if self._target is None:
            return []
        line = self._def_line()
        note = self._note(line, message, types.DiagnosticSeverity.Information)
        return [note] if note is not None else []

    def unexecuted(self, proposal: Proposal, applied: EditTarget) -> list[Finding]:
        """Return hints on the lines of an applied proposal that no test ran.

        ``proposal.unexecuted`` counts lines of the file as it was judged, so the shift is the
        applied target's.
        """
        shift = applied.first_line - proposal.target.first_line
        opened = self._documents.at(applied.path)
        if opened is None:
            return []
        found: list[Finding] = []
        for line in proposal.unexecuted[:_MOST]:
            diagnostic = types.Diagnostic(
                opened.lines.whole_line(line + shift),
                "no test runs this line",
                types.DiagnosticSeverity.Hint,
                source=SOURCE,
            )
            at = line + shift - 1
            found.append(
                Finding(applied.path, diagnostic, (at, at), uri=opened.uri, name=applied.name)
            )
        return found

    def location(self, frame: Frame) -> types.Location | None:
        """Return where a frame's line is now, None when it was changed or is not in the workspace."""
        lines, moved = self._lines(frame.path), self._way(frame.path)
        at = moved.line(frame.line) if moved is not None else None
        if lines is None or at is None:
            return None
        return types.Location(self._documents.uri(frame.path), lines.whole_line(at))

    def _in_target(self, case: CaseResult, target: EditTarget) -> Finding | None:
        inside = [f for f in case.frames if _within(f, target)]
        line = inside[-1].line if inside else self._def_line()
        related = [f for f in case.frames if not (inside and f is inside[-1])]
        return self._place(
            target.path,
            line,
            (target.first_line, target.last_line),
            f"{_short(case)} fails: {_reason(case)}",
            case=case,
            related=related,
        )

    def _in_test(self, case: CaseResult) -> Finding | None:
        path = self._test_path(case)
        own = [f for f in case.frames if f.path == path]
        if not own:
            return None
        frame = own[-1]
        around = self._function_at(path, frame.line)
        region = (around.first_line, around.last_line) if around else (frame.line, frame.line)
        related = [f for f in case.frames if f is not frame]
        finding = self._place(path, frame.line, region, _reason(case), case=case, related=related)
        if finding is not None and around is not None and not self._is_aimed():
            # No target is known: a fix begins at the test, and asks what it tests.
            finding.uri, finding.name = self._documents.uri(path), around.name
            finding.fixable = True
        return finding

    def _is_aimed(self) -> bool:
        return self._target is not None and not self._target.is_test

    def _place(
        self,
        path: str,
        line: int,
        region: tuple[int, int],
        message: str,
        *,
        case: CaseResult | None = None,
        related: Sequence[Frame] = (),
        severity: types.DiagnosticSeverity = types.DiagnosticSeverity.Error,
    ) -> Finding | None:
        """Return a finding at a 1-based line of the snapshot, None when its region changed since."""
        moved, lines = self._way(path), self._lines(path)
        now = moved.lines(*region) if moved is not None else None
        at = moved.line(line) if moved is not None else None
        if now is None or at is None or lines is None:
            return None
        diagnostic = types.Diagnostic(
            lines.whole_line(at),
            message,
            severity,
            code=case.test if case is not None else None,
            source=SOURCE,
            related_information=self._related(related) or None,
        )
        target = self._target
        return Finding(
            path,
            diagnostic,
            (now[0] - 1, now[1] - 1),
            uri=self._documents.uri(target.path if target is not None else path),
            name=target.name if target is not None else "",
            test=test_key(self._snapshot.root, case.test) if case is not None else "",
            fixable=case is not None and self._is_aimed(),
        )

    def _note(self, line: int, message: str, severity: types.DiagnosticSeverity) -> Finding | None:
        assert self._target is not None
        region = (self._target.first_line, self._target.last_line)
        return self._place(self._target.path, line, region, message, severity=severity)

    def _related(self, frames: Sequence[Frame]) -> list[types.DiagnosticRelatedInformation]:
        found: list[types.DiagnosticRelatedInformation] = []
        for frame in frames[-_FRAMES:]:
            location = self.location(frame)
            if location is None:
                continue
            text = f"in {frame.function}" + (f": {frame.text.strip()}" if frame.text else "")
            found.append(types.DiagnosticRelatedInformation(location, text))
        return found

    def _def_line(self) -> int:
        """Return the line of the target's ``def``, behind its decorators."""
        assert self._target is not None
        document = self._snapshot.document(self._target.path)
        if document is None:
            return self._target.first_line
        body = Lines(document, "utf-8").position(self._target.body.start).line + 1
        lines = Lines(document, "utf-8")
        for number in range(self._target.first_line, body + 1):
            if lines.line(number - 1).lstrip().startswith((b"def ", b"async ", b"def\t")):
                return number
        return self._target.first_line

    def _test_path(self, case: CaseResult) -> str:
        return f"{self._snapshot.root}/{case.test.partition('::')[0]}"

    def _function_at(self, path: str, line: int) -> EditTarget | None:
        """Return the function whose lines hold ``line``."""
        document = self._snapshot.document(path)
        if document is None:
            return None
        if path not in self._trees:
            self._trees[path] = SourceTree.of(document)
        try:
            around = locate(self._trees[path], self._trees[path].starts[line - 1])
        except (OcilsError, IndexError):
            return None
        return around if around.first_line <= line <= around.last_line else None

    def _way(self, path: str) -> Moved | None:
        judged = self._snapshot.document(path)
        if judged is None:
            return None
        if path not in self._moved:
            self._moved[path] = Moved(judged.data, self._present(path, judged).data)
        return self._moved[path]

    def _lines(self, path: str) -> Lines | None:
        judged = self._snapshot.document(path)
        if judged is None:
            return None
        return Lines(self._present(path, judged), self._documents.encoding)

    def _present(self, path: str, judged: Document) -> Document:
        opened = self._documents.at(path)
        return opened.document if opened is not None else judged


def test_key(root: str, test: str) -> str:
    """Return how a test is known among findings: ids alone repeat from workspace to workspace."""
    return f"{root}/{test}"


def _within(frame: Frame, target: EditTarget) -> bool:
    return frame.path == target.path and target.first_line <= frame.line <= target.last_line


def _short(case: CaseResult) -> str:
    """Return the test's name without its file."""
    return case.test.partition("::")[2] or case.test


def _reason(case: CaseResult) -> str:
    return case.message or ("set-up or tear-down fails" if case.outcome == "error" else "it fails")
