"""Which modules the tests or the candidates lack, and when that is a question for the user. Pure.

A module counts when it is neither the standard library's nor the workspace's own: those are not
installed but repaired.

Not covered: which distribution brings a module (``sandbox/packages``); modules of the standard
library that only other Pythons than ours have.
"""

from __future__ import annotations

import posixpath
import re
import sys
from collections.abc import Iterable, Sequence

from ocils.domain.events import Blocked, Finished, Need
from ocils.domain.judging import Baseline, Broken, CaseResult, Verdict
from ocils.domain.session import Candidate, Judged, Session
from ocils.domain.text import Document, Snapshot
from ocils.refine import outcome

_MISSING = re.compile(r"ModuleNotFoundError: No module named '([^']+)'")
_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_GONE = frozenset(
    {"asynchat", "asyncore", "binhex", "distutils", "formatter", "imp", "parser", "smtpd", "symbol"}
)
"""What the standard library had once, or has only in some versions: nothing to be installed."""

_LISTS = re.compile(
    r"pyproject\.toml|setup\.(cfg|py)|.*requirements.*\.(txt|in)|Pipfile(\.lock)?|.*\.lock|environment.*\.ya?ml"
)
"""Files that list what a workspace depends on."""

_TEST_FILES = re.compile(r"(conftest|test_.*|.*_test)\.py")


def missing(verdict: Verdict) -> tuple[str, ...]:
    """Return the modules that a verdict says are missing, in the order in which they are named."""
    found = [verdict.missing_module] if isinstance(verdict, Broken) else []
    found += [missing_in(case) for case in verdict.cases]
    return tuple(dict.fromkeys(each for each in found if each))


def missing_in(case: CaseResult) -> str:
    """Return the module that a case lacks, or nothing."""
    if case.passed or case.kind != "import":
        return ""
    found = _MISSING.search(case.message) or _MISSING.search(case.report)
    return found[1] if found else ""


def foreign(modules: Iterable[str], snapshot: Snapshot) -> tuple[str, ...]:
    """Leave out the standard library's modules and the workspace's own."""
    found = [each for each in modules if _NAME.fullmatch(each)]
    tops = {each.partition(".")[0] for each in found}
    own = _own(tops, snapshot)
    known = sys.stdlib_module_names | _GONE
    return tuple(each for each in found if each.partition(".")[0] not in own | known)


def unusable(
    verdict: Verdict, snapshot: Snapshot, session: Session | None = None
) -> Blocked | Finished:
    """Return the end of a run without a baseline: a question where a package is missing."""
    modules = foreign(missing(verdict), snapshot) if isinstance(verdict, Broken) else ()
    return Blocked(need(modules), session, verdict) if modules else outcome.unusable(verdict)


def of_baseline(baseline: Baseline, snapshot: Snapshot) -> tuple[str, ...]:
    """Return the modules for want of which tests are red: the goals, or any when there is no goal."""
    wanted = set(outcome.goals(baseline)) or set(baseline.red)
    lacking = [missing_in(case) for case in baseline.cases if case.test in wanted]
    return foreign(dict.fromkeys(filter(None, lacking)), snapshot)


def need(modules: Sequence[str], names: Sequence[str] = ()) -> Need:
    """Return what is to be put to the user."""
    listed = ", ".join(modules) or ", ".join(names)
    what = f"the module {listed}" if len(modules) == 1 else f"the modules {listed}"
    if not modules:
        what = f"the package {listed}"
    are = "are" if len(modules) > 1 else "is"
    return Need("package", f"{what}, which {are} not installed", tuple(modules), tuple(names))


class Lacking:
    """What the candidates of one search lacked, and what the original lacks already.

    Mutable, used by one task.
    """

    def __init__(self, snapshot: Snapshot, baseline: Baseline | None = None) -> None:
        self._snapshot = snapshot
        self._known = of_baseline(baseline, snapshot) if baseline else ()
        self._modules: dict[str, None] = {}
        self._meant: dict[str, bool] = {}
        self._names: dict[str, None] = {}

    def first(
        self, nothing: Finished | None, session: Session, document: Document
    ) -> Blocked | None:
        """Return the question that comes before anything is tried, or None.

        ``nothing`` is why there is nothing to search for. An import in the target itself may be the
        very slip: then a candidate may mend it, and the search goes first.
        """
        if nothing is not None and nothing.outcome != "no_tests":
            return None
        span = session.target.span
        text = document.data[span.start : span.end].decode(document.encoding)
        tops = {re.escape(each.partition(".")[0]) for each in self._known}
        if any(re.search(rf"\b(import|from)\s+{top}\b", text) for top in tops):
            return None
        return Blocked(need(self._known), session) if tops else None

    def take(self, turn: Sequence[Judged]) -> bool:
        """Take in a turn; tell whether at least half of it lacked a module that it brought up itself."""
        lacking = 0
        for judged in turn:
            modules = self._wanted(judged)
            self._modules.update(dict.fromkeys(modules))
            if modules:
                self._names.update(dict.fromkeys(judged.candidate.packages))
            lacking += not set(modules) <= set(self._known)
        return bool(lacking) and 2 * lacking >= len(turn)

    def _wanted(self, judged: Judged) -> tuple[str, ...]:
        """Return the modules that a candidate lacks and that somebody may mean.

        A filled hole brings up names that nobody has heard of; one that the workspace itself imports
        or depends on is no such accident. What a model says in a conversation is taken at its word.
        """
        modules = foreign(missing(judged.verdict), self._snapshot)
        if judged.candidate.strategy == "rewrite":
            return modules
        for each in modules:
            if each not in self._meant:
                self._meant[each] = each in self._known or named(each, self._snapshot)
        return tuple(each for each in modules if self._meant[each])

    def blocked(self, session: Session, names: Sequence[str] = ()) -> Blocked | None:
        """Return the question that is left at the end, or None; ``names``: what replies asked for."""
        if not self._modules and not names:
            return None
        every = tuple(dict.fromkeys([*self._names, *names]))
        return Blocked(need(tuple(self._modules), every), session)


def named(module: str, snapshot: Snapshot) -> bool:
    """Whether a file of the workspace imports the module, or a list of dependencies has its name."""
    top = re.escape(module.partition(".")[0]).encode()
    imported = re.compile(rb"^[ \t]*(import|from)[ \t]+" + top + rb"\b", re.MULTILINE)
    listed = re.compile(rb"(?<![\w-])" + top + rb"(?![\w-])", re.IGNORECASE)
    return any(
        (entry.path.endswith(".py") and imported.search(entry.data))
        or (_LISTS.fullmatch(posixpath.basename(entry.path)) and listed.search(entry.data))
        for entry in snapshot.entries
    )


def held(session: Session, snapshot: Snapshot) -> tuple[Candidate, ...]:
    """Return the candidates of ``session`` that only a missing module kept from a verdict."""
    last: dict[str, Judged] = {}
    for turn in session.turns:
        last.update((judged.candidate.id, judged) for judged in turn.judged)
    return tuple(
        each.candidate for each in last.values() if foreign(missing(each.verdict), snapshot)
    )


def _own(tops: set[str], snapshot: Snapshot) -> set[str]:
    """Return which top-level names the workspace has in a folder that its tests import from."""
    files = [each.path for each in snapshot.entries if each.path.endswith((".py", ".pyi", ".so"))]
    roots = {"", "src", "lib", "python"}
    for path in files:
        folder, name = posixpath.split(path)
        if _TEST_FILES.fullmatch(name):
            while folder:
                roots.add(folder)
                folder = posixpath.dirname(folder)
    own = set()
    for root in roots:
        start = f"{root}/" if root else ""
        for path in files:
            if path.startswith(start):
                first = path[len(start) :].partition("/")[0]
                own.add(first.partition(".")[0])
    return own & tops
