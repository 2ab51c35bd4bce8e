"""JUnit XML, read with suspicion: the candidate's own processes wrote it.

Entities and document types are refused (an entity may name a file, or itself a million times), as
are depths and sizes that no test run has, and counts that contradict the cases. Pure.

Not covered: whether what it says is true.
"""

from __future__ import annotations

import re
from typing import Literal
from xml.parsers import expat

from ocils.domain.base import Value

_DEEPEST = 64
_MOST = 200_000
_ROOTS = ("testsuites", "testsuite")
_TROUBLE: dict[str, Literal["failed", "error", "skipped"]] = {
    "failure": "failed",
    "error": "error",
    "skipped": "skipped",
}
_TEXTS = ("failure", "error", "system-out", "system-err")
# A test that prints an escape sequence makes some runners write what no XML may hold.
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")


class BadReport(Exception):
    """The XML cannot be used; the message says why."""


class XmlCase(Value, frozen=True):
    """One ``testcase``: the suites around it, its attributes, and what went wrong.

    ``failure`` is the attribute ``type`` of what went wrong, ``message`` that attribute, ``text``
    what stands in it.
    """

    suites: tuple[str, ...]
    name: str
    classname: str = ""
    file: str = ""
    seconds: float = 0.0
    outcome: Literal["passed", "failed", "error", "skipped"] = "passed"
    failure: str = ""
    message: str = ""
    text: str = ""
    output: str = ""


def read(data: bytes) -> tuple[XmlCase, ...]:
    """Return the cases of a report in its order. Raises ``BadReport``."""
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.buffer_text = True
    try:
        parser.Parse(_FORBIDDEN.sub(b"", data), True)
    except expat.ExpatError as problem:
        raise BadReport(f"the test report is not whole: {problem}") from problem
    return tuple(reader.cases)


class _Suite:
    """A suite that is being read, and how many of the cases below it failed."""

    def __init__(self, name: str, claimed: int | None) -> None:
        self.name = name
        self.claimed = claimed
        self.failed = 0


class _Reader:
    """What expat calls."""

    def __init__(self) -> None:
        self.cases: list[XmlCase] = []
        self._open: list[str] = []
        self._suites: list[_Suite] = []
        self._case: dict[str, str] | None = None
        self._outcome: Literal["passed", "failed", "error", "skipped"] = "passed"
        self._failure: dict[str, str] = {}
        self._failing = False
        self._texts: dict[str, list[str]] = {}

    def refuse(self, *_: object) -> None:
        """Refuse a document type and entities."""
        raise BadReport("the test report declares a document type or entities")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take the start of an element."""
        if not self._open and tag not in _ROOTS:
            raise BadReport(f"the test report is no JUnit XML: it begins with <{tag[:40]}>")
        self._open.append(tag)
        if len(self._open) > _DEEPEST:
            raise BadReport("the test report is nested too deeply")
        if tag == "testsuite" or tag == "testsuites":
            name = attributes.get("name", "") if tag == "testsuite" else ""
            self._suites.append(_Suite(name, _claimed(attributes)))
        elif tag == "testcase":
            if self._case is not None:
                raise BadReport("the test report holds a case within a case")
            self._case, self._outcome, self._failure = attributes, "passed", {}
            self._failing = False
            self._texts = {each: [] for each in _TEXTS}
        elif tag in _TROUBLE and self._case is not None:
            self._failing = self._failing or tag != "skipped"
            # What is to be done one day is marked as skipped, and may fail.
            if self._outcome == "passed":
                self._outcome, self._failure = _TROUBLE[tag], attributes

    def text(self, text: str) -> None:
        """Take text; only that of a case's parts counts."""
        if self._case is not None and self._open[-1] in self._texts:
            self._texts[self._open[-1]].append(text)

    def end(self, tag: str) -> None:
        """Take the end of an element."""
        self._open.pop()
        if tag == "testcase":
            self._add()
        elif tag in _ROOTS:
            suite = self._suites.pop()
            if suite.claimed is not None and (suite.claimed > 0) != (suite.failed > 0):
                raise BadReport(
                    f"the test report contradicts itself: {suite.claimed} failures are announced"
                    f" and {suite.failed} are there"
                )
            if self._suites:
                self._suites[-1].failed += suite.failed

    def _add(self) -> None:
        case, self._case = self._case, None
        assert case is not None, "expat closes what it opened"
        if len(self.cases) >= _MOST:
            raise BadReport("the test report holds too many cases")
        self._suites[-1].failed += self._failing
        self.cases.append(
            XmlCase(
                suites=tuple(suite.name for suite in self._suites if suite.name),
                name=case.get("name", ""),
                classname=case.get("classname", ""),
                file=case.get("file", ""),
                seconds=_seconds(case.get("time", "")),
                outcome=self._outcome,
                failure=self._failure.get("type", ""),
                message=self._failure.get("message", ""),
                text="".join(self._texts["failure"] + self._texts["error"]),
                output="".join(self._texts["system-out"] + self._texts["system-err"]),
            )
        )


def _claimed(attributes: dict[str, str]) -> int | None:
    """Return how many failures a suite announces; None when it says nothing."""
    found = [attributes[each] for each in ("failures", "errors") if each in attributes]
    if not found:
        return None
    if not all(re.fullmatch(r"\d{1,9}", each) for each in found):
        raise BadReport("the test report holds a count that is none")
    return sum(map(int, found))


def _seconds(text: str) -> float:
    # Some write thousands with a comma.
    return float(text.replace(",", "")) if re.fullmatch(r"[\d,]{1,12}(\.\d{1,12})?", text) else 0.0
