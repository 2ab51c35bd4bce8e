"""A missing module becomes a question in the editor; a yes installs and the session goes on."""

from __future__ import annotations

import msgspec
import pytest
from lsprotocol import types

from ocils.domain.errors import PackageUnavailable
from ocils.domain.events import Need
from ocils.domain.judging import Broken, Failed, Plan, Verdict
from ocils.domain.packages import PackageOffer
from ocils.domain.text import Edit
from ocils.sandbox.packages.scripted import ScriptedPackages, offered

from .conftest import Rig, Table

LACKS = "ModuleNotFoundError: No module named 'yaml'"


class Machine:
    """Lacks ``yaml`` until it was installed: the judge's answer, and the packages."""

    def __init__(self, rig: Rig, packages: ScriptedPackages) -> None:
        self.packages = packages
        rig.packages = packages
        rig.judge.answer = self.answer

    def answer(self, _: Plan, __: tuple[Edit, ...]) -> Verdict | None:
        if self.packages.installed:
            return None
        return Broken(LACKS, "import", missing_module="yaml")


async def refine(table: Table) -> str:
    uri = table.editor.open(table.code)
    assert await table.editor.run("ocils.refineUntilGreen", {"uri": uri, "name": "delivery"})
    return uri


async def test_a_yes_installs_and_the_session_goes_on(rig: Rig) -> None:
    machine = Machine(rig, ScriptedPackages())
    table = await rig.connect()
    table.editor.choice = "Install"
    uri = await refine(table)
    await table.editor.until(lambda: table.editor.said("mended"), "mended")
    (question,) = table.editor.asked
    assert "Install yaml for the module yaml" in question.message
    assert [a.title for a in question.actions or ()] == ["Install", "Never here", "Show details"]
    assert [need.modules for need in machine.packages.needs] == [("yaml",)]
    assert len(machine.packages.installed) == 1
    assert "cents >= FREE" in table.editor.buffers[uri].text
    assert rig.sandboxes == 2  # made anew, to see what was installed


async def test_never_here_is_remembered_and_nothing_happens(rig: Rig) -> None:
    machine = Machine(rig, ScriptedPackages())
    table = await rig.connect()
    table.editor.choice = "Never here"
    await refine(table)
    await table.editor.until(lambda: machine.packages.refused, "refused")
    await table.editor.until(
        lambda: any("was not installed" in text for text in table.editor.logged), "said so"
    )
    assert machine.packages.installed == []
    assert table.editor.edits == []
    assert table.editor.kinds().count("end") == 1


async def test_no_answer_installs_nothing(rig: Rig) -> None:
    machine = Machine(rig, ScriptedPackages())
    table = await rig.connect()
    table.editor.choice = None
    await refine(table)
    await table.editor.until(lambda: table.editor.said("the tests lack the module yaml"), "said")
    assert (machine.packages.installed, machine.packages.refused) == ([], [])


async def test_details_are_shown_and_asked_again(rig: Rig) -> None:
    machine = Machine(rig, ScriptedPackages())
    table = await rig.connect()
    table.editor.choices = ["Show details", "Install"]
    await refine(table)
    await table.editor.until(lambda: machine.packages.installed, "installed")
    assert len(table.editor.asked) == 2


async def test_what_the_settings_refuse_is_said_with_its_reason(rig: Rig) -> None:
    def never(need: Need) -> PackageOffer:
        why = 'your setting packages.install is "never"'
        return msgspec.structs.replace(offered(need), answer="no", why=why)

    machine = Machine(rig, ScriptedPackages(never))
    table = await rig.connect()
    await refine(table)
    await table.editor.until(lambda: table.editor.said('packages.install is "never"'), "said")
    assert table.editor.asked == []
    assert machine.packages.installed == []


async def test_what_was_agreed_to_before_is_not_asked_again(rig: Rig) -> None:
    machine = Machine(
        rig, ScriptedPackages(lambda need: msgspec.structs.replace(offered(need), answer="yes"))
    )
    table = await rig.connect()
    await refine(table)
    await table.editor.until(lambda: table.editor.said("mended"), "mended")
    assert table.editor.asked == []
    assert len(machine.packages.installed) == 1


async def test_a_guess_is_a_warning(rig: Rig) -> None:
    def guess(need: Need) -> PackageOffer:
        offer = offered(need)
        doubtful = tuple(msgspec.structs.replace(p, origin="guess") for p in offer.packages)
        return msgspec.structs.replace(offer, packages=doubtful)

    Machine(rig, ScriptedPackages(guess))
    table = await rig.connect()
    table.editor.choice = None
    await refine(table)
    await table.editor.until(lambda: table.editor.asked, "asked")
    (question,) = table.editor.asked
    assert question.type == types.MessageType.Warning
    assert "typo-squat" in question.message


async def test_an_install_that_fails_is_said_and_ends_there(rig: Rig) -> None:
    problem = PackageUnavailable("the package index could not be reached", mend="see your proxy")
    Machine(rig, ScriptedPackages(problem=problem))
    table = await rig.connect()
    table.editor.choice = "Install"
    await refine(table)
    await table.editor.until(lambda: table.editor.said("could not be reached"), "said")
    await table.editor.ended(2)
    assert rig.sandboxes == 1


@pytest.mark.parametrize("where", ["baseline", "candidates"])
async def test_a_run_of_tests_and_a_candidate_ask_too(rig: Rig, where: str) -> None:
    packages = ScriptedPackages()
    rig.packages = packages

    def answer(_: Plan, edits: tuple[Edit, ...]) -> Verdict | None:
        if packages.installed or (where == "candidates" and not edits):
            return None
        broken = Broken(LACKS, "import", missing_module="yaml")
        return broken if where == "baseline" else Failed((), 0.1) if not edits else broken

    rig.judge.answer = answer
    table = await rig.connect()
    table.editor.choice = "Install"
    uri = table.editor.open(table.code)
    command = "ocils.runTests" if where == "baseline" else "ocils.refineUntilGreen"
    assert await table.editor.run(command, {"uri": uri, "name": "delivery"})
    await table.editor.until(lambda: packages.installed, "installed")
    await table.editor.ended(3)
