"""A small program with a bug, its tests and its judge, which runs it in this process."""

from __future__ import annotations

from collections.abc import Callable

from ocils.bench.journal import Journal
from ocils.bench.proof import Proof, prove
from ocils.bench.run import measure
from ocils.bench.solve import Solved, solve
from ocils.bench.task import Source, Task, Unreadable, Unusable, workspace_of
from ocils.domain.cancel import CancelToken
from ocils.domain.judging import CaseResult, Coverage, Failed, Passed, TestId, TestLines, Verdict
from ocils.domain.session import Limits
from ocils.engine.nothing import MANIFESTS, NoModel
from ocils.ports import Ports
from ocils.record.off import NoSessions
from ocils.sandbox.scripted import ScriptedSandbox, Trial

LIMITS = Limits(turns=9, candidates=120, seconds=60.0)
BROKEN = "def add(a, b):\n    return a - b\n"
RIGHT = "def add(a, b):\n    return a + b\n"
CASES = {TestId(f"t.py::t[{n}]"): given for n, given in enumerate([(0, 0), (2, 2), (3, 1), (0, 5), (1, 9), (4, 4)])}  # fmt: skip
"""Six tests; on the broken program the first is green."""


def a_task(name: str = "add", broken: str = BROKEN, right: str = RIGHT) -> Task:
    return Task(
        name,
        workspace_of("/w", {"m.py": broken, "t.py": f"# {name}\n"}),
        "m.py",
        "add",
        solution=workspace_of("/w", {"m.py": right, "t.py": f"# {name}\n"}),
    )


class World:
    """A judge that runs ``add`` in this process, and says what was asked of it."""

    def __init__(self, *tasks: Task) -> None:
        self.tasks = {task.id: task for task in tasks or (a_task(),)}
        self.texts: dict[str, str] = {}
        for task in self.tasks.values():
            for snapshot in filter(None, (task.original, task.solution)):
                document = snapshot.document("m.py")
                assert document is not None
                self.texts[snapshot.hash] = document.data.decode()
        self.special: Callable[[Trial], Verdict | None] = lambda _: None
        self.sandbox = ScriptedSandbox(self.judged, width=2)
        self.ports = Ports(NoModel(MANIFESTS["rules"]), self.sandbox, NoSessions())

    def judged(self, trial: Trial) -> Verdict:
        if (said := self.special(trial)) is not None:
            return said
        scope: dict[str, Callable[[int, int], object]] = {}
        exec(trial.text or self.texts[trial.snapshot], scope)
        cases = []
        for test in trial.plan.tests or CASES:
            one, two = CASES[test]
            try:
                good = scope["add"](one, two) == one + two
            except Exception:
                good = False
            cases.append(CaseResult(test, "passed" if good else "failed", 0.001, "", "" if good else "assertion"))  # fmt: skip
            if trial.plan.stop_early and not good:
                break
        lines = Coverage(tuple(TestLines(case.test, (1, 2)) for case in cases))
        return (Passed if all(c.passed for c in cases) else Failed)(tuple(cases), 0.01, lines)

    @property
    def source(self) -> Source:
        def read(name: str) -> Task:
            if name == "unreadable":
                raise Unreadable("it is cut short")
            return self.tasks[name]

        return Source("own", tuple(self.tasks), read, "digest")

    async def solved(self, name: str = "add", seed: int = 0) -> Solved:
        task = self.tasks[name]
        proof = await prove(task, self.sandbox, CancelToken())
        assert isinstance(proof, Proof)
        found = await solve(task, proof, self.ports, LIMITS, seed, 1, CancelToken())
        assert found is not None
        return found

    async def run(
        self, journal: Journal | None = None, *, jobs: int = 1, names: tuple[str, ...] = ()
    ) -> list[Solved | Unusable]:
        steps = measure(
            self.source,
            names or tuple(self.tasks),
            self.ports,
            journal or Journal(None, "", {}),
            CancelToken(),
            limits=LIMITS,
            jobs=jobs,
        )
        return [each async for each in steps if not isinstance(each, str)]


async def proof_of(world: World) -> Proof:
    proof = await prove(world.tasks["add"], world.sandbox, CancelToken())
    assert isinstance(proof, Proof)
    return proof
