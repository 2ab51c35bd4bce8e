"""From a failing test to the function to mend, said to the user, and asked where it is not clear.

Not covered: how it is found (``refine/aim.py``).
"""

from __future__ import annotations

from lsprotocol import types

from ocils.domain.errors import TargetNotFound, UsageError
from ocils.domain.judging import TestId
from ocils.domain.target import EditTarget
from ocils.domain.text import Snapshot
from ocils.ports import Ports
from ocils.refine.aim import Aim, by_coverage, by_frames, fails, function_of
from ocils.server.desk import Desk
from ocils.server.progress import ProgressBar
from ocils.server.runs import Run
from ocils.server.tested import reached


async def aim(
    desk: Desk, run: Run, bar: ProgressBar, test: TestId, snapshot: Snapshot, ports: Ports
) -> EditTarget | None:
    """Return the function whose mending should make ``test`` pass; None when the user chose none.

    Raises ``UsageError``: the test passes, or no function of the workspace is reached.
    """
    run.say("running the test")
    bar.report("running the test", 0)
    await ports.sandbox.warm(snapshot, run.token)
    found = await _found(run, test, snapshot, ports)
    if run.token.cancelled:
        return None
    if len(found.targets) == 1:
        (target,) = found.targets
        desk.note(f"{_short(test)}: mending {target.name} ({found.why})")
        bar.report(f"mending {target.name}: {found.why}", 1)
        return target
    return await _ask(desk, run, test, found, snapshot)


async def _found(run: Run, test: TestId, snapshot: Snapshot, ports: Ports) -> Aim:
    red = await fails(test, snapshot, ports.sandbox, run.token)
    own = function_of(test, snapshot)
    choices = reached(own, snapshot) if own is not None else ()
    if not red and not run.token.cancelled:
        if len(choices) == 1:
            return Aim(choices, "it is all that the test calls")
        raise UsageError(f"{_short(test)} passes", mend="refine a test that fails")
    if (broke := by_frames(red, snapshot)) is not None:
        return Aim((broke,), "the failure's innermost frame outside the tests")
    if not choices:
        raise TargetNotFound(
            f"{_short(test)} calls no function of this workspace by name",
            mend="put the cursor into the function that should change",
        )
    if len(choices) == 1:
        return Aim(choices, "it is all that the test calls")
    likely = await by_coverage(test, choices, snapshot, ports.sandbox, run.token)
    return Aim(likely, "the red test runs it, and the green ones run it least")


async def _ask(
    desk: Desk, run: Run, test: TestId, found: Aim, snapshot: Snapshot
) -> EditTarget | None:
    names = {f"{t.name} ({snapshot.relative(t.path)})": t for t in found.targets}
    answer = await desk.server.window_show_message_request_async(
        types.ShowMessageRequestParams(
            types.MessageType.Info,
            f"{_short(test)} runs several functions. Which one should change?",
            actions=[types.MessageActionItem(name) for name in names],
        )
    )
    if answer is None or answer.title not in names:
        run.cancel()
        return None
    return names[answer.title]


def _short(test: TestId) -> str:
    return test.rpartition("::")[2]
