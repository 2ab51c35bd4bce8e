"""What tests there are: found in the sources at once, and completed by what runs report.

A file that pytest would collect by its name is parsed, never imported, so that the tree is there
before any container is. Cases of a test with parameters, and tests of files with other names, are
known once the judge has run them.

Not covered: running (``testruns.py``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ocils.domain.errors import OcilsError, UsageError
from ocils.domain.text import Document, Snapshot, Span
from ocils.server.convert import Lines
from ocils.server.inherited import tests_of_classes
from ocils.server.protocol import NotificationName
from ocils.server.shapes import Spot, Stretch
from ocils.server.showing import stretch
from ocils.server.testing import TestItem, TestItems, UriShape
from ocils.source.functions import is_test_file
from ocils.source.target import SourceTree, targets, test_ids

if TYPE_CHECKING:
    from ocils.server.desk import Desk

_SETTLE = 0.5  # seconds without a change before a file's tests are looked for again


class Explorer:
    """Knows which cases runs have shown, and tells a client of tests that come and go."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._cases: dict[str, None] = {}
        self._changed: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def discover(self, test_id: str | None) -> TestItems:
        """Return the tests below an id, or of everything that is open. Raises ``UsageError``."""
        if test_id is not None:
            root, rest = split_id(self._desk, test_id)
            return await self._below(root, rest.partition("::")[0])
        found = [await self._below(root, "") for root in roots(self._desk)]
        return TestItems(
            tuple(item for each in found for item in each.tests),
            tuple(scope for each in found for scope in each.scope),
        )

    def learn(self, case_id: str) -> bool:
        """Take in a case that a run has shown; tell whether it was new."""
        if case_id in self._cases:
            return False
        self._cases[case_id] = None
        return True

    def cases_of(self, function_id: str) -> tuple[str, ...]:
        """Return the known cases of a test with parameters."""
        return tuple(case for case in self._cases if case.startswith(f"{function_id}["))

    def touched(self, path: str) -> None:
        """A file changed, in the editor or on disk: tell its tests once it has settled."""
        if not (self._desk.flags.test_explorer and is_test_file(path)):
            return
        self._changed.add(path)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(_SETTLE, self._settled)

    def close(self) -> None:
        """Tell nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _settled(self) -> None:
        self._timer = None
        paths, self._changed = tuple(sorted(self._changed)), set()
        self._desk.spawn("looking for tests", self._tell(paths))

    async def _tell(self, paths: Iterable[str]) -> None:
        for path in paths:
            root = self._desk.workspace_of(path).root
            found = await self._below(root, path.removeprefix(root + "/"))
            self._desk.tell(NotificationName.DISCOVERED, found)

    async def _below(self, root: str, path: str) -> TestItems:
        workspace = self._desk.house.workspace(root)
        snapshot = await workspace.snapshot(self._desk.documents.buffers(root))
        items = await asyncio.to_thread(self._items, snapshot, path)
        return TestItems(tuple(items), (f"{root}/{path}" if path else root,))

    def _items(self, snapshot: Snapshot, only: str) -> list[TestItem]:
        """Return the nodes of one file (without the file's workspace), or of a whole snapshot."""
        root = snapshot.root
        found: dict[str, TestItem] = {}
        paths = [
            entry.path
            for entry in snapshot.entries
            if entry.kind == "file" and is_test_file(entry.path) and only in ("", entry.path)
        ]
        for path in paths:
            document = snapshot.document(path)
            if document is not None:
                for item in self._of_file(root, path, document, snapshot):
                    found.setdefault(item.id, item)
        prefix = f"{root}/{only}::" if only else f"{root}/"
        for case in self._cases:
            if case.startswith(prefix):
                for item in self.item_of_case(root, case):
                    if _still_there(item, found, paths, root):
                        found.setdefault(item.id, item)
        if found and not only:
            name = root.rpartition("/")[2] or root
            return [TestItem(root, name, "package"), *found.values()]
        return list(found.values())

    def _of_file(
        self, root: str, path: str, document: Document, snapshot: Snapshot
    ) -> Iterator[TestItem]:
        tree = SourceTree.of(document)
        uri = UriShape(self._desk.documents.uri(document.path))
        lines = Lines(document, self._desk.documents.encoding)
        ends = {"::".join([path, *t.name.split(".")]): t.span.end for t in targets(tree)}
        tests = test_ids(tree, path)
        inherited = tests_of_classes(document, snapshot) if path.endswith(".py") else ()
        if not tests and not inherited:
            return
        yield TestItem(f"{root}/{path}", path, "module", parent=root, text_document=uri)
        placed: list[tuple[tuple[str, ...], str, Stretch]] = []
        for test in tests:
            *classes, name = test.test.removeprefix(f"{path}::").split("::")
            end = max(test.span.end, ends.get(test.test, 0))
            where = stretch(lines.range(Span(test.span.start, end)))
            placed.append((tuple(classes), name, where))
        for each in inherited:
            # What a class inherits is shown where the class begins: it is another one in each.
            spot = Spot(each.line, 0)
            placed.append((each.classes, each.name, Stretch(spot, spot)))
        for above, name, where in placed:
            parent = f"{root}/{path}"
            for outer in above:
                inner = f"{parent}::{outer}"
                yield TestItem(inner, outer, "module", parent=parent, text_document=uri)
                parent = inner
            yield TestItem(
                f"{parent}::{name}", name, "test", parent=parent, text_document=uri, range=where
            )

    def item_of_case(self, root: str, case_id: str) -> Iterator[TestItem]:
        """Yield the nodes from a case's class or function down to itself, its file's node aside."""
        head, bracket, inside = case_id.removeprefix(f"{root}/").partition("[")
        path, *names = head.split("::")
        uri = UriShape(self._desk.documents.uri(f"{root}/{path}"))
        parent = f"{root}/{path}"
        yield TestItem(parent, path, "module", parent=root, text_document=uri)
        for number, name in enumerate(names, 1):
            last = number == len(names)
            own = f"{parent}::{name}"
            kind = "test" if last else "module"
            yield TestItem(own, name, kind, parent=parent, text_document=uri)  # type: ignore[arg-type]
            parent = own
        if bracket:
            yield TestItem(
                case_id, inside.removesuffix("]"), "test", parent=parent, text_document=uri
            )


def _still_there(item: TestItem, found: dict[str, TestItem], paths: list[str], root: str) -> bool:
    """Tell whether a node that a run has shown fits the sources as they are now.

    Of a file that was parsed only the cases of functions that are still in it; other files'
    tests are known from runs alone.
    """
    path = item.id.removeprefix(f"{root}/").partition("::")[0]
    if path not in paths:
        return True
    function = item.id.partition("[")[0]
    return function in found and "[" in item.id


def roots(desk: Desk) -> tuple[str, ...]:
    """Return the workspaces of the opened folders, and of open files outside them."""
    found: dict[str, None] = {}
    for folder in desk.documents.folders:
        found[desk.house.workspace(folder).root] = None
    for opened in desk.documents.all():
        path = opened.document.path
        if desk.documents.folder_of(path) is None:
            found[desk.workspace_of(path).root] = None
    return tuple(found)


def split_id(desk: Desk, test_id: str) -> tuple[str, str]:
    """Return the workspace and the rest of an id ("" for the workspace). Raises ``UsageError``."""
    for root in sorted(roots(desk), key=len, reverse=True):
        if test_id == root:
            return root, ""
        if test_id.startswith(f"{root}/"):
            return root, test_id.removeprefix(f"{root}/")
    # A test of a project inside an opened folder: its own file says where it belongs.
    try:
        path = test_id.partition("::")[0]
        root = desk.workspace_of(path).root if path.startswith("/") else ""
    except OcilsError:
        root = ""
    if root and test_id.startswith(f"{root}/"):
        return root, test_id.removeprefix(f"{root}/")
    raise UsageError(f"{test_id!r} is no test of an opened folder", mend="discover the tests again")
