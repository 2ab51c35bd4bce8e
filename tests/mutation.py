"""``make mutation``: would our own tests notice a mistake in what must not make any?

``python -m tests.mutation PATH…`` puts every small mistake that ``ocils/bench/operators.py`` knows into
those modules, one at a time, in a copy of the checkout, and runs the module's tests: one must turn red.
``--guards`` deletes each guard of the sandbox instead, and notes which test turned red first. What to
run, and which mistakes mean the same program, says ``tests/bench/mutation.toml``; what was found is kept
in ``mutation.json`` and ``mutation.md`` beside it.

Not covered: code outside functions; mistakes that need more than one change. Most of these modules can
be tried by root only, with a Docker engine: a run whose tests are skipped stops.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from ocils.bench.mutants import Mutant, mutants
from ocils.domain.text import Document, apply_edits

from .mutation_report import written

CHECKOUT = Path(__file__).parents[1]
HERE = CHECKOUT / "tests" / "bench"
OPTIONS = ("-x", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "--timeout=120")
LOADED = ("asyncio", "docker", "msgspec", "tree_sitter", "unittest.mock")
"""Imported once, for all forks; nothing of ours, and no plugin of pytest's, which would not be rewritten."""

SLOWER = 5
LEAST = 30.0


class Noted:
    """A pytest plugin: the first red test, and how many were skipped."""

    def __init__(self) -> None:
        self.red = ""
        self.skipped = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.skipped += report.skipped
        if report.failed:
            self.red = self.red or report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.red = self.red or report.nodeid


class Copy:
    """A copy of the checkout whose modules may be damaged."""

    def __init__(self, folder: str) -> None:
        self._root = Path(folder) / "checkout"
        ignored = shutil.ignore_patterns("__pycache__", "weights", "node_modules")
        for name in ("ocils", "tests", "models"):
            shutil.copytree(CHECKOUT / name, self._root / name, ignore=ignored)
        shutil.copy2(CHECKOUT / "pyproject.toml", self._root)

    def first_red(self, tests: list[str], seconds: float) -> tuple[str, int]:
        """Run ``tests`` in a fork; returns the first red one ("" when all are green), and how many were skipped."""
        told = self._root / "told.json"
        told.unlink(missing_ok=True)
        pid = os.fork()
        if pid == 0:
            self._run(tests, told)
        until = time.monotonic() + seconds
        while os.waitpid(pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > until:
                os.killpg(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return "(it never ended)", 0
            time.sleep(0.01)
        try:
            red, skipped = json.loads(told.read_text())
        except (OSError, ValueError):
            return "(the tests could not be run)", 0
        return str(red), int(skipped)

    def _run(self, tests: list[str], told: Path) -> None:
        try:
            os.setsid()
            os.chdir(self._root)
            nothing = os.open(os.devnull, os.O_RDWR)
            for number in (0, 1, 2):
                os.dup2(nothing, number)
            here = {str(CHECKOUT), ""}
            sys.path[:] = [str(self._root), *(each for each in sys.path if each not in here)]
            for name in [n for n in sys.modules if n.partition(".")[0] in ("ocils", "tests")]:
                del sys.modules[name]
            noted = Noted()
            code = pytest.main([*OPTIONS, *tests], plugins=[noted])
            told.write_text(
                json.dumps([noted.red or ("" if code == 0 else f"({code!r})"), noted.skipped])
            )
        finally:
            os._exit(0)

    def damaged(self, path: str, data: bytes, tests: list[str], seconds: float) -> str:
        """Return the first test that is red with ``data`` in the place of the module at ``path``."""
        place = self._root / path
        before, at = place.read_bytes(), place.stat()
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        sys.dont_write_bytecode = True
        try:
            place.write_bytes(data)
            return self.first_red(tests, seconds)[0]
        finally:
            place.write_bytes(before)
            os.utime(place, ns=(at.st_atime_ns, at.st_mtime_ns))
            del os.environ["PYTHONDONTWRITEBYTECODE"]
            sys.dont_write_bytecode = False

    def usual(self, tests: list[str], rounds: int = 2) -> float:
        """Run undamaged, so that it is known to be green; returns how long a damaged run may take.

        The first of two ``rounds`` compiles, and does not count.
        """
        for _ in range(rounds):
            started = time.monotonic()
            red, skipped = self.first_red(tests, 600)
            if red or skipped:
                sys.exit(f"cannot measure by {' '.join(tests)}: {red or f'{skipped} are skipped'}")
        return max(LEAST, SLOWER * (time.monotonic() - started))


def same_program(one: object, other: object) -> bool:
    """Whether two compilations do the same; lines and columns, and most annotations, do nothing."""
    if isinstance(one, CodeType) and isinstance(other, CodeType):
        parts = ("co_code", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_flags")
        return all(getattr(one, each) == getattr(other, each) for each in parts) and same_program(
            one.co_consts, other.co_consts
        )
    if isinstance(one, tuple) and isinstance(other, tuple):
        alike = len(one) == len(other)
        return alike and all(same_program(*pair) for pair in zip(one, other, strict=True))
    return type(one) is type(other) and repr(one) == repr(other)


def told_of(mutant: Mutant, data: bytes) -> list[str]:
    """What tells a mistake for people, whatever else changes in its file."""
    was = data[mutant.edit.span.start : mutant.edit.span.end].decode()
    return [mutant.function, was, mutant.edit.text, f"line {mutant.line}"]


def score(
    copy: Copy, module: dict[str, Any], every: int = 1, before: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Try every mistake in one module, or one in so many; only the survivors of ``before``, if given."""
    path, tests = str(module["path"]), list(module["tests"])
    document = Document(path, (CHECKOUT / path).read_bytes())
    whole = compile(document.data, path, "exec")
    texts = {each: apply_edits(document, (each.edit,)).data for each in mutants(document)}
    found = [m for m, t in texts.items() if not same_program(whole, compile(t, path, "exec"))]
    found = found[::every]
    if before is not None:
        found = [m for m in found if told_of(m, document.data) in before["alive"]]
    seconds = copy.usual(tests)
    alive = []
    for number, mutant in enumerate(found):
        red = copy.damaged(path, texts[mutant], tests, seconds)
        if not red:
            alive.append(told_of(mutant, document.data))
            print(*alive[-1], sep=" | ", flush=True)
        print(f"{path} {number + 1}/{len(found)}, {len(alive)} alive", end="\r", file=sys.stderr)
    print(f"{path}: {len(found) - len(alive)} of {len(found)} killed", flush=True)
    tried = {"mutants": len(found), "every": every} if before is None else before
    return {**tried, "alive": alive, "date": today()}


def without(copy: Copy, guard: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Delete one guard; the first test that is red for it."""
    path = str(guard["path"])
    text = (CHECKOUT / path).read_text()
    if text.count(guard["was"]) != 1:
        sys.exit(f"{guard['what']}: {guard['was']!r} is not once in {path}")
    damaged = text.replace(guard["was"], guard["now"]).encode()
    red = copy.damaged(path, damaged, list(guard["tests"]), seconds)
    print(f"{guard['what']}: {red or 'NOTHING TURNED RED'}", flush=True)
    return {"red": red, "date": today()}


def today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def main() -> None:
    """Measure what was asked for, or everything, and write it down."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("paths", nargs="*", help="modules; all that are listed without any")
    parser.add_argument("--guards", action="store_true", help="delete guards instead")
    parser.add_argument("--only", default="", help="guards whose description holds this")
    parser.add_argument(
        "--every", type=int, default=1, help="one mistake in so many (default: all)"
    )
    parser.add_argument("--again", action="store_true", help="only what survived the last time")
    parser.add_argument("--missing", action="store_true", help="guards that no test is known for")
    parser.add_argument("--dry", action="store_true", help="write nothing down")
    asked = parser.parse_args()
    table = tomllib.loads((HERE / "mutation.toml").read_text())
    kept = HERE / "mutation.json"
    known = json.loads(kept.read_text()) if kept.exists() else {"modules": {}, "guards": {}}

    def keep(part: str, name: str, result: dict[str, Any]) -> None:
        known[part][name] = result
        if not asked.dry:
            kept.write_text(json.dumps(known, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
            (HERE / "mutation.md").write_text(written(table, known))

    with tempfile.TemporaryDirectory(prefix="ocils-mutation-") as folder:
        Path(folder).chmod(0o755)
        copy = Copy(folder)
        for name in LOADED:
            importlib.import_module(name)
        if asked.guards:
            known_red = {n for n, r in known["guards"].items() if r["red"] and asked.missing}
            wanted = [g for g in table["guard"] if asked.only in g["what"]]
            _guards(copy, [g for g in wanted if g["what"] not in known_red], keep)
            return
        for module in table["module"]:
            if not asked.paths or module["path"] in asked.paths:
                before = known["modules"].get(module["path"]) if asked.again else None
                keep("modules", module["path"], score(copy, module, asked.every, before))


def _guards(copy: Copy, guards: Iterable[dict[str, Any]], keep: Callable[..., None]) -> None:
    seconds: dict[str, float] = {}
    for guard in guards:
        tests = list(guard["tests"])
        if " ".join(tests) not in seconds:
            seconds[" ".join(tests)] = copy.usual(tests, 1)
        keep("guards", guard["what"], without(copy, guard, seconds[" ".join(tests)]))


if __name__ == "__main__":
    main()
