"""Where candidates are tried: a small workspace, its sandbox, and short ways to ask it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path

from ocils.domain.cancel import CancelToken
from ocils.domain.judging import CaseResult, Passed, Plan, TestId, Verdict
from ocils.domain.text import Edit, Snapshot, Span
from ocils.sandbox.pool import DockerSandbox
from ocils.workspace.disk import DiskWorkspace

Files = Mapping[str, str]


def lay_out(root: Path, files: Files) -> None:
    """Write ``files`` (path below the root, text) to disk, dedented."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")


def replace(snapshot: Snapshot, path: str, text: str) -> tuple[Edit, ...]:
    """Return the edit that makes ``text`` the whole of the file at ``path``."""
    document = snapshot.document(path)
    size = 0 if document is None else len(document.data)
    body = textwrap.dedent(text).lstrip("\n")
    return (Edit(f"{snapshot.root}/{path}", Span(0, size), body),)


def outcomes(verdict: Verdict) -> dict[str, str]:
    """Return each test's name and outcome."""
    cases: tuple[CaseResult, ...] = verdict.cases
    return {each.test.rpartition("::")[2]: each.outcome for each in cases}


class Yard:
    """One workspace on disk and the sandbox that judges it."""

    def __init__(self, root: Path, sandbox: DockerSandbox, snapshot: Snapshot) -> None:
        self.root = root
        self.sandbox = sandbox
        self.snapshot = snapshot

    @classmethod
    async def of(
        cls, root: Path, files: Files, python: str | None, *, width: int = 1, memory: int = 1024
    ) -> Yard:
        """Lay ``files`` out below ``root`` and make a sandbox; nothing is started yet."""
        lay_out(root, files)
        snapshot = await DiskWorkspace(str(root)).snapshot()
        sandbox = DockerSandbox(str(root), python=python, width=width, memory_mib=memory)
        return cls(root, sandbox, snapshot)

    async def judge(
        self,
        edits: tuple[Edit, ...] = (),
        plan: Plan | None = None,
        *,
        cancel: CancelToken | None = None,
        seen: Callable[[CaseResult], None] | None = None,
    ) -> Verdict:
        """Judge ``edits``; without a plan everything that is collected, for at most 20 s."""
        return await self.sandbox.judge(
            self.snapshot, edits, plan or Plan(seconds=20), cancel or CancelToken(), seen
        )

    async def try_text(
        self,
        path: str,
        text: str,
        *tests: str,
        seconds: float = 20,
        fresh: bool = False,
        stop_early: bool = False,
        seed: int = 0,
    ) -> Verdict:
        """Judge ``text`` as the whole of the file at ``path`` by ``tests``."""
        plan = Plan(
            tests=tuple(TestId(each) for each in tests),
            seconds=seconds,
            fresh=fresh,
            stop_early=stop_early,
            seed=seed,
        )
        return await self.judge(replace(self.snapshot, path, text), plan)


GOOD = "def price(amount, percent):\n    return amount - amount * percent / 100\n"
"""Another right answer for the shop of ``conftest.py``."""


def body(code: str, before: str = "") -> str:
    """Return a shop whose ``price`` runs ``code`` and is wrong."""
    lines = "\n".join(f"    {line}" for line in code.strip().splitlines())
    return f"{before}\ndef price(amount, percent):\n{lines}\n    return -1\n"


async def assert_unhurt(shop: Yard) -> None:
    """The next candidate in the slot gets its honest verdict."""
    verdict = await shop.try_text("shop.py", GOOD)
    assert isinstance(verdict, Passed), verdict
