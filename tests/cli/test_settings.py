"""Who may set what, and what a mistake gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocils.domain.errors import InvalidSettings
from ocils.domain.session import Limits
from ocils.settings import (
    RefineSettings,
    UserSettings,
    WorkspaceSettings,
    limits,
    load_user,
    load_workspace,
    sandbox_at,
)
from ocils.wiring import House


def workspace(tmp_path: Path, text: str) -> str:
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    return str(tmp_path)


def test_nothing_set_is_the_built_in(tmp_path: Path) -> None:
    assert load_user(tmp_path / "none.toml") == UserSettings()
    assert load_workspace(str(tmp_path)) == WorkspaceSettings()
    assert load_workspace(workspace(tmp_path, "[tool.other]\nx = 1")) == WorkspaceSettings()
    assert limits(UserSettings(), WorkspaceSettings()) == Limits()


def test_the_user_sets_anything(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('[model]\nname = "mine"\n[sandbox]\nslots = 1\n[refine]\nseconds = 5\n')
    user = load_user(file)
    assert (user.model.name, user.sandbox.slots, user.refine.seconds) == ("mine", 1, 5.0)


def test_a_repository_tunes_limits_and_goes_before_the_user(tmp_path: Path) -> None:
    root = workspace(tmp_path, '[tool.ocils]\ntests = ["t"]\n[tool.ocils.refine]\ncandidates = 9\n')
    read = load_workspace(root)
    assert read.tests == ("t",)
    user = UserSettings(refine=RefineSettings(candidates=3, turns=2))
    combined = limits(user, read)
    assert (combined.candidates, combined.turns) == (9, 2)


def test_a_workspace_may_have_a_place_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    file = tmp_path / "settings.toml"
    file.write_text(
        '[sandbox]\nmemory = 512\npython = "/a/python"\n'
        f'[workspaces."{tmp_path}/link"]\nruntime = "image"\nimage = "mine:1"\n'
        f'[workspaces."{tmp_path}/other"]\npython = "/b/python"\n'
    )
    user = load_user(file)
    assert sandbox_at(user, "/elsewhere") == user.sandbox
    here = sandbox_at(user, str(tmp_path))
    # The interpreter of this machine is none of the image's.
    assert (here.runtime, here.image, here.python, here.memory) == ("image", "mine:1", "", 512)
    other = sandbox_at(user, f"{tmp_path}/other")
    assert (other.runtime, other.python) == ("host", "/b/python")


def test_nothing_but_the_users_word_gives_up_isolation(tmp_path: Path) -> None:
    assert UserSettings().sandbox.runtime == "host"
    assert "sandbox" not in WorkspaceSettings.__struct_fields__
    assert "runtime" not in WorkspaceSettings.__struct_fields__


@pytest.mark.parametrize("key", ["model", "sandbox", "record", "workspaces", "packages"])
def test_a_repository_may_not_set_what_only_the_user_may(tmp_path: Path, key: str) -> None:
    root = workspace(tmp_path, f'[tool.ocils]\n{key} = "evil"\n')
    with pytest.raises(InvalidSettings, match="only you may set") as caught:
        load_workspace(root)
    assert "remove it there" in caught.value.mend


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.ocils]\ntestz = []", "testz"),
        ('[tool.ocils]\ntests = "a"', "tests"),
        ('[tool.ocils.refine]\nturns = "many"', "turns"),
        ("[tool.ocils\n", "not valid TOML"),
    ],
)
def test_mistakes_name_the_place_and_the_known_settings(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(InvalidSettings) as caught:
        load_workspace(workspace(tmp_path, text))
    assert said in caught.value.message
    assert "pyproject.toml" in caught.value.message
    assert caught.value.mend


async def test_an_editor_lays_its_settings_over_the_file() -> None:
    house = House(UserSettings(refine=RefineSettings(turns=2)))
    house.configure({"refine": {"candidates": 7}})
    assert (house.settings.refine.turns, house.settings.refine.candidates) == (2, 7)
    house.configure({})
    assert house.settings.refine.candidates == 0
    with pytest.raises(InvalidSettings, match="candidatez"):
        house.configure({"refine": {"candidatez": 7}})
    await house.close()


async def test_a_mistake_in_the_file_is_told_once_an_editor_can_listen() -> None:
    house = House(UserSettings(), problem=InvalidSettings("settings.toml: a typo"))
    with pytest.raises(InvalidSettings, match="a typo"):
        house.configure({"refine": {"candidates": 7}})
    assert house.settings.refine.candidates == 7
    house.configure({})
    await house.close()
